// Fills the holes of a template with what a request and its answer say. What cannot be computed
// exactly is not computed at all: the caller then widens, since a wrong tag would touch nothing.
import { field, type Fields } from '../http/message.ts';
import type { Template, TemplatePart } from '../rules/config.ts';
import { decodeQuery } from '../key/query.ts';
import type { Bound } from './tags.ts';

/** A body that was read: its media type says how. Undefined members were not read or not there. */
export interface Said {
  readonly params: Bound;
  readonly query: string | undefined;
  readonly requestFields: Fields;
  readonly requestBody?: Body | undefined;
  readonly responseFields?: Fields | undefined;
  readonly responseBody?: Body | undefined;
}

export interface Body {
  /** Parsed JSON or form; undefined where it is neither. */
  readonly value: unknown;
}

/** More values than this in one hole, or texts from one template: not computed. */
const VALUES_MAX = 100;
const VALUE_LENGTH_MAX = 1024;

/** Deeper than any body that means something, and far from running out of stack. */
const NESTING_MAX = 200;

/** Stands in parsed JSON for a number whose text is not what JavaScript makes of it. */
const INEXACT = Symbol('inexact');

/**
 * Every text that the template means (an array in a body means each of its members), or undefined
 * where a hole has no value, one that is no scalar, or a number that would be rounded. `spell` says
 * how a value is written where the text around it has a syntax of its own.
 */
export function texts(
  template: Template,
  said: Said,
  spell: (value: string) => string = (value) => value,
): string[] | undefined {
  let made = [''];
  for (const part of template.parts) {
    const values = part.kind === 'text' ? [part.text] : valuesOf(part, said)?.map(spell);
    if (values === undefined || values.length * made.length > VALUES_MAX) return undefined;
    made = made.flatMap((start) => values.map((value) => start + value));
  }
  return made;
}

/** Reads a body by its media type: JSON (also `+json`), or a form; in UTF-8 and uncoded. */
export function parseBody(fields: Fields, bytes: Uint8Array): Body {
  const coding = field(fields, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (coding !== 'identity') return { value: undefined };
  const contentType = field(fields, 'content-type');
  const type = contentType?.split(';')[0]!.trim().toLowerCase() ?? '';
  // An upstream may take the same bytes in another charset for another text.
  const charset = /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(contentType ?? '')?.[1] ?? 'utf-8';
  if (!/^(?:utf-?8|us-ascii)$/i.test(charset)) return { value: undefined };
  const text = (): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  try {
    if (type === 'application/json' || type.endsWith('+json')) {
      const json = text();
      const value = JSON.parse(json, exactly) as unknown;
      return { value: repeatsNames(json, value) ? undefined : value };
    }
    if (type === 'application/x-www-form-urlencoded') return { value: form(text()) };
  } catch (error) {
    // Neither JSON nor UTF-8, or nested beyond all measure: a client's or an upstream's mistake,
    // and nothing that can be read.
    if (!UNREADABLE.some((kind) => error instanceof kind)) throw error;
  }
  return { value: undefined };
}

const UNREADABLE = [SyntaxError, TypeError, RangeError];

// RFC 8259 §4: of a name that stands twice "the behavior [...] is unpredictable": the upstream may
// take the other one. In valid JSON only a name is a string with a colon behind it.
function repeatsNames(json: string, value: unknown): boolean {
  return namesOf(json) !== namesIn(value);
}

/** How many strings of a valid JSON text have a colon behind them; linear in its length. */
function namesOf(json: string): number {
  let names = 0;
  for (let at = json.indexOf('"'); at >= 0; at = json.indexOf('"', at)) {
    for (at += 1; json[at] !== '"'; at += 1) if (json[at] === '\\') at += 1;
    for (at += 1; ' \t\n\r'.includes(json[at] ?? '.'); at += 1);
    if (json[at] === ':') names += 1;
  }
  return names;
}

function namesIn(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth === NESTING_MAX) throw new RangeError('nested too deeply');
  const members = Object.values(value);
  const own = Array.isArray(value) ? 0 : members.length;
  return members.reduce<number>((sum, member) => sum + namesIn(member, depth + 1), own);
}

function form(text: string): Map<string, unknown> {
  const fields = new Map<string, string[]>();
  for (const [name, value] of decodeQuery(text)) {
    const values = fields.get(name);
    if (values === undefined) fields.set(name, [value]);
    else values.push(value);
  }
  return fields;
}

// 9007199254740993 would be read as ...992 and touch another's tag; so the text must be
// what is read.
function exactly(
  this: unknown, _key: string, value: unknown, context?: { source: string },
): unknown {
  if (typeof value !== 'number' || context === undefined) return value;
  return context.source === String(value) ? value : INEXACT;
}

function valuesOf(
  part: Extract<TemplatePart, { kind: 'value' }>,
  said: Said,
): string[] | undefined {
  const [name] = part.path;
  switch (part.from) {
    case 'params': {
      const value = said.params.get(name!);
      return value === undefined ? undefined : [value];
    }
    case 'query': {
      const named = decodeQuery(said.query).filter(([key]) => key === name);
      const found = named.map(([, value]) => value);
      return found.length === 0 ? undefined : found;
    }
    case 'request.headers':
      return one(field(said.requestFields, name!));
    case 'response.headers':
      return one(said.responseFields && field(said.responseFields, name!));
    case 'request.body':
      return said.requestBody && scalars(dig(said.requestBody.value, part.path));
    case 'response.body':
      return said.responseBody && scalars(dig(said.responseBody.value, part.path));
  }
}

function one(value: string | undefined): string[] | undefined {
  return value === undefined || value.length > VALUE_LENGTH_MAX ? undefined : [value];
}

function dig(value: unknown, path: readonly string[]): unknown {
  if (path.length === 0) return value;
  if (Array.isArray(value)) return value.map((member) => dig(member, path));
  const [name, ...rest] = path as [string, ...string[]];
  if (value instanceof Map) return dig((value as Map<string, unknown>).get(name), rest);
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return dig((value as Record<string, unknown>)[name], rest);
}

function scalars(value: unknown): string[] | undefined {
  const found: string[] = [];
  for (const member of Array.isArray(value) ? value.flat(8) as unknown[] : [value]) {
    if (typeof member === 'string' && member.length <= VALUE_LENGTH_MAX) found.push(member);
    else if (typeof member === 'number' || typeof member === 'boolean') found.push(String(member));
    else return undefined;
  }
  return found;
}
