// The texts that travel: what scripts answer and publish, and what instances tell each other. Reads
// strictly; what isn't in the known form is nothing.
import type { Epoch, Key, Seq } from '../core/entry/entry.ts';
import type { Held } from '../core/promise/touches.ts';
import type {
  Beats, Head, Intent, Letter, ListedIntent, Message, Roster,
} from '../flow/fleet/shared.ts';

export interface Answered {
  readonly head: Head;
  /** What the script adds of its own. */
  readonly rest: readonly unknown[];
}

export function readAnswer(value: unknown): Answered | undefined {
  if (!Array.isArray(value)) return undefined;
  const [epoch, seq, member, young, lease, ...rest] = value as unknown[];
  const numbers = [seq, member, lease].every((one) => typeof one === 'number');
  if (typeof epoch !== 'string' || typeof young !== 'string' || !numbers) return undefined;
  return {
    head: {
      epoch: epoch as Epoch, seq: seq as Seq, member: member === 1,
      young: young === '' ? undefined : young,
      leaseMs: lease as number,
    },
    rest,
  };
}

/** An epoch, then ` id=beat` for each member. */
export function readRoster(text: unknown): Roster | undefined {
  if (typeof text !== 'string') return undefined;
  const beats = new Map<string, string>();
  for (const member of text.split(' ').slice(1)) {
    const at = member.lastIndexOf('=');
    if (at > 0) beats.set(member.slice(0, at), member.slice(at + 1));
  }
  return { text, beats };
}

export function readBeats(text: unknown): Beats {
  return readRoster(text)?.beats ?? new Map<string, string>();
}

/** Id, owner, id, owner. */
export function readListed(list: unknown): readonly ListedIntent[] {
  const texts = textsOf(list);
  const listed: ListedIntent[] = [];
  for (let i = 0; i + 1 < texts.length; i += 2) {
    listed.push({ id: texts[i]!, owner: texts[i + 1]! });
  }
  return listed;
}

/** Tag, seq, tag, seq. */
export function readTouched(list: unknown): readonly (readonly [tag: string, seq: number])[] {
  const texts = textsOf(list);
  const touched: (readonly [string, number])[] = [];
  for (let i = 0; i + 1 < texts.length; i += 2) {
    touched.push([texts[i]!, Number(texts[i + 1])]);
  }
  return touched;
}

/** Id, 1 for everything, tags as JSON, and so on. */
export function readHeld(list: unknown): readonly Held[] {
  const items: readonly unknown[] = Array.isArray(list) ? list : [];
  const held: Held[] = [];
  for (let i = 0; i + 2 < items.length; i += 3) {
    const tags = items[i + 1] === 1 ? 'everything' : tagsOf(items[i + 2]);
    held.push({ id: String(items[i]), tags });
  }
  return held;
}

/** An intent as JSON. */
export function readIntent(json: unknown): Intent | undefined {
  if (typeof json !== 'string') return undefined;
  const value = fromJson(json);
  if (typeof value !== 'object' || value === null) return undefined;
  const { tags, everything, holdMs: told } = value as Record<string, unknown>;
  const holdMs = typeof told === 'number' ? told : 0;
  return { tags: everything === true ? 'everything' : textsOf(tags), holdMs };
}

/** What is published; undefined for what isn't ours, or of another version. */
export function readMessage(text: string): Message | undefined {
  const end = text.indexOf('\n');
  const [kind, one, two, three, ...more] = (end < 0 ? text : text.slice(0, end)).split(' ');
  if (one === undefined || two === undefined) return undefined;
  switch (kind) {
    case 'T':
      return readTouch([one, two, three!, ...more], text.slice(end + 1));
    case 'R':
      return { kind: 'renewed', nonce: one, epoch: two as Epoch, seq: Number(three) as Seq };
    case 'A':
      return { kind: 'acked', by: one, epoch: two as Epoch, seq: Number(three) as Seq };
    case 'C':
      return { kind: 'call', from: one, nonce: two };
    case 'L':
      return { kind: 'answer', nonce: one, epoch: two as Epoch };
    case 'D':
      return { kind: 'landed', key: one as Key, kept: two === '1' };
    default:
      return undefined;
  }
}

function readTouch(fields: readonly string[], json: string): Message | undefined {
  const [epoch, seq, writer, then, refreshes, everything, intent] = fields;
  if (then !== 'done' && then !== 'unknown' && then !== 'settling') return undefined;
  return {
    kind: 'touched',
    touch: {
      epoch: epoch as Epoch,
      seq: Number(seq) as Seq,
      writer: writer === '-' ? undefined : writer,
      then,
      refreshes: Number(refreshes),
      tags: everything === '1' ? 'everything' : tagsOf(json),
      intent: intent === '' ? undefined : intent,
    },
  };
}

export function printLetter(letter: Letter): string {
  switch (letter.kind) {
    case 'acked': return `A ${letter.by} ${letter.epoch} ${letter.seq}`;
    case 'call': return `C ${letter.from} ${letter.nonce}`;
    case 'answer': return `L ${letter.nonce} ${letter.epoch}`;
    case 'landed': return `D ${letter.key} ${letter.kept ? 1 : 0}`;
  }
}

function tagsOf(json: unknown): readonly string[] {
  return typeof json === 'string' ? textsOf(fromJson(json)) : [];
}

/** An empty list comes out of Lua as an empty object. */
function textsOf(list: unknown): readonly string[] {
  const items: readonly unknown[] = Array.isArray(list) ? list : [];
  return items.filter((item) => typeof item === 'string');
}

function fromJson(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined; // not ours
  }
}
