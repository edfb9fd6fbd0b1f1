// An entry as lists of texts and back: its shape, which it shares with the others of its route, its
// values, of which many are the same from entry to entry, and its tags. Numbers that differ each
// time are left to the record. What goes in comes out exactly.
import type { Entry, Epoch, Kept, Key, Recipe, Seq } from '../core/entry/entry.ts';
import type { Fields } from '../core/http/message.ts';

/** Texts only; `values[0]` differs from entry to entry. */
export interface Flat {
  readonly shape: readonly string[];
  readonly values: readonly string[];
  readonly tags: readonly string[];
}

/** What a record has of an entry beside its texts. */
export interface Loose {
  readonly key: Key;
  readonly asOf: number;
  readonly receivedAt: number;
  readonly fetchMs: number;
  readonly body: Uint8Array;
}

/** A shape that was read. */
export type Shape = { readonly kind: 'vary' } | AnswerShape;

interface AnswerShape {
  readonly kind: 'answer';
  readonly epoch: Epoch;
  readonly method: string;
  readonly pattern: string;
  readonly reason: string;
  readonly status: number;
  readonly shareable: Entry['shareable'];
  readonly host: string | undefined;
  readonly secure: boolean;
  readonly outdated: boolean;
  readonly asked: boolean;
  readonly tagged: boolean;
  /** The path is all of the target before its query. */
  readonly cut: boolean;
  readonly recipeNames: readonly string[];
  readonly names: readonly string[];
}

// Marks of a shape: what an entry has that others do not have.
const HOST = 'h';
const SECURE = 's';
const OUTDATED = 'o';
const ASKED = 'q';
const CUT = 'c';
const TAGGED = 'e';

export function flatten(kept: Kept): Flat {
  if (kept.kind === 'vary') return { shape: ['vary'], values: [''], tags: kept.names };
  const { recipe, fields } = kept;
  const cut = pathOf(recipe.target) === recipe.path;
  const marks = (recipe.host === undefined ? '' : HOST) + (recipe.secure ? SECURE : '')
    + (kept.outdated ? OUTDATED : '') + (recipe.body === undefined ? '' : ASKED)
    + (cut ? CUT : '') + (kept.clientEtag === undefined ? '' : TAGGED);
  const shape = [
    'answer', kept.epoch, recipe.method, recipe.pattern, kept.reason, String(kept.status),
    kept.shareable, recipe.host ?? '', marks, String(recipe.fields.length / 2),
  ];
  const values = [
    recipe.target, String(kept.freshMs), String(kept.staleWhileRevalidateMs),
    String(kept.staleIfErrorMs), String(kept.initialAgeMs),
  ];
  if (!cut) values.push(recipe.path);
  if (recipe.body !== undefined) values.push(Buffer.from(recipe.body).toString('base64'));
  if (kept.clientEtag !== undefined) values.push(kept.clientEtag);
  for (const list of [recipe.fields, fields]) {
    for (let i = 0; i < list.length; i += 2) {
      shape.push(list[i]!);
      values.push(list[i + 1]!);
    }
  }
  return { shape, values, tags: kept.tags };
}

export function readShape(shape: readonly string[]): Shape {
  if (shape[0] === 'vary') return { kind: 'vary' };
  const [
    , epoch, method, pattern, reason, status, shareable, host, marks, fields,
  ] = shape;
  const names = shape.slice(10);
  const has = (mark: string): boolean => marks!.includes(mark);
  return {
    kind: 'answer', epoch: epoch as Epoch, method: method!, pattern: pattern!, reason: reason!,
    status: Number(status), shareable: shareable as Entry['shareable'],
    host: has(HOST) ? host : undefined, secure: has(SECURE), outdated: has(OUTDATED),
    asked: has(ASKED), cut: has(CUT), tagged: has(TAGGED),
    recipeNames: names.slice(0, Number(fields)), names: names.slice(Number(fields)),
  };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export function assemble(
  shape: Shape, values: readonly string[], tags: readonly string[], loose: Loose,
): Kept {
  const { key, body } = loose;
  if (shape.kind === 'vary') return { kind: 'vary', key, names: tags };
  const target = values[0]!;
  let next = 5;
  const path = shape.cut ? pathOf(target) : values[next++]!;
  const asked = shape.asked ? values[next++]! : undefined;
  const clientEtag = shape.tagged ? values[next++]! : undefined;
  const recipe: Writable<Recipe> = {
    kind: 'http', method: shape.method, target,
    fields: paired(shape.recipeNames, values, next), pattern: shape.pattern, path,
  };
  if (asked !== undefined) recipe.body = new Uint8Array(Buffer.from(asked, 'base64'));
  if (shape.host !== undefined) recipe.host = shape.host;
  if (shape.secure) recipe.secure = true;
  const entry: Writable<Entry> = {
    kind: 'answer', key, epoch: shape.epoch, asOf: loose.asOf as Seq, tags, recipe,
    status: shape.status, reason: shape.reason,
    fields: paired(shape.names, values, next + shape.recipeNames.length), body,
    receivedAt: loose.receivedAt, initialAgeMs: Number(values[4]), freshMs: Number(values[1]),
    staleWhileRevalidateMs: Number(values[2]), staleIfErrorMs: Number(values[3]),
    shareable: shape.shareable, fetchMs: loose.fetchMs,
  };
  if (shape.outdated) entry.outdated = true;
  if (clientEtag !== undefined) entry.clientEtag = clientEtag;
  return entry;
}

function paired(names: readonly string[], values: readonly string[], from: number): Fields {
  const fields = new Array<string>(names.length * 2);
  for (let i = 0; i < names.length; i += 1) {
    fields[2 * i] = names[i]!;
    fields[2 * i + 1] = values[from + i]!;
  }
  return fields;
}

function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}
