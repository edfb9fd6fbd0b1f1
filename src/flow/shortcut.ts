// A hit again: what a plain read means is worked out once, and what an entry is given as once in a
// second. Whether it is fresh is asked each time, whether it is valid whenever anything was touched
// since the rule said so; in any doubt the read takes the way of all reads.
import type { Entry, Key } from '../core/entry/entry.ts';
import { reuse } from '../core/entry/reusing.ts';
import { cacheStatus } from '../core/http/cache-status.ts';
import { etagOf, evaluateConditional } from '../core/http/conditional.ts';
import {
  field, type Fields, hasField, keepFields, plainName, tokens,
} from '../core/http/message.ts';
import {
  type Cacheable, type Matcher, meaningOf, readRuleOf, variantKey,
} from '../core/key/meaning.ts';
import { letsPass, PASSING } from '../core/key/shown.ts';
import type { Config } from '../core/rules/config.ts';
import type { Use } from '../core/plan/ledger.ts';
import { valid } from '../core/promise/validity.ts';
import type { Verdict } from '../core/verdict.ts';
import { askedOf } from './enter.ts';
import type { Asked, Gateway, Live, Told } from './gateway.ts';
import type { Answer, Incoming, Slot } from './ports.ts';
import { isAccepted } from './reader.ts';
import { asGiven, given, type Reader } from './telling.ts';

/** What all requests with this head mean under one configuration. */
export interface Shortcut {
  readonly live: Live;
  readonly reader: Reader & Pick<Asked, 'target' | 'path' | 'query'>;
  /** It is the same with other fields of `PASSING`, or with none. */
  readonly strips: boolean;
  /** It came from a proxy in front, whose word may make another request of it. */
  readonly trusted: boolean;
  readonly meaning: Cacheable;
  /** It names a version that it has. */
  readonly conditional: boolean;
  /** Where the answer stood, and the marker that told of it where the answers vary. */
  slot: Slot | undefined;
  marker: Slot | undefined;
  /** The key of a variant, by the names that a marker said. */
  variant: { readonly names: readonly string[]; readonly key: Key } | undefined;
  /** Whether the version that it has is the one with this entity tag. */
  compared: { readonly etag: string | undefined; readonly unchanged: boolean } | undefined;
}

/** What an entry is given as at any time, but for its age and the rest of its freshness. */
export interface Form {
  /** As it was told first. */
  readonly told: Told;
  /** Where in its fields stand the values of Age and of our Cache-Status. */
  readonly ageAt: number;
  readonly statusAt: number;
  readonly dated: boolean;
  /** As it is written by whoever sends it. */
  written?: unknown;
}

/** What an entry is given as from and until these wall-clock milliseconds. */
export interface Said {
  readonly form: Form;
  readonly age: string;
  readonly status: string;
  readonly from: number;
  readonly until: number;
  /** How often it was made ready to be sent. */
  given: number;
  /** As it is sent. */
  written: unknown;
}

/** The answer of that time. */
export function answerOf({ form, age, status }: Said): Answer {
  const { answer } = form.told;
  const fields = [...answer.fields];
  fields[form.ageAt] = age;
  fields[form.statusAt] = status;
  return { ...answer, fields };
}

/** What was made of an entry under one configuration. */
interface Made {
  readonly live: Live;
  readonly etag: string | undefined;
  /** By all that was known while this was the mark, it is valid. */
  validAt: object | undefined;
  use: Use | undefined;
  whole: Said | undefined;
  head: Said | undefined;
  unchanged: Said | undefined;
}

// These make an answer depend on more than the head, or on the moment.
const NOT_PLAIN = [
  'range', 'if-range', 'if-match', 'if-unmodified-since', 'cache-control', 'pragma', 'expect',
  'upgrade', 'transfer-encoding', 'content-length', 'proxy-connection',
];

/** Undefined where a request is not of the plainest kind. */
export function shortcutFor(gateway: Gateway, incoming: Incoming): Shortcut | undefined {
  const { live } = gateway;
  const { method, scheme, authority } = incoming;
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  if (incoming.httpVersion !== '1.1') return undefined;
  if (NOT_PLAIN.some((name) => hasField(incoming.fields, name))) return undefined;
  const options = tokens(field(incoming.fields, 'connection'));
  if (options.some((one) => one !== 'keep-alive')) return undefined;
  const conditional = hasField(incoming.fields, 'if-none-match');
  if (!conditional && hasField(incoming.fields, 'if-modified-since')) return undefined;
  const asked = askedOf(gateway, incoming);
  if ('kind' in asked) return undefined;
  const rule = readRuleOf(live.finder.match(asked.path)?.route, method);
  const strips = rule !== undefined && letsPass(rule, live.config.credentials);
  const fields = strips
    ? keepFields(asked.fields, (name) => !PASSING.includes(name)) : asked.fields;
  const match: Matcher = (path) => live.finder.match(path);
  const meaning = meaningOf({ ...asked, fields }, live.config, match, live.readers);
  if (meaning.kind === 'pass' || meaning.asking !== 'none') return undefined;
  if (namesSomebody(incoming.fields, live.config)) return undefined;
  const { target, path, query } = asked;
  const reader = { method, fields, scheme, authority, target, path, query };
  return {
    live, reader, strips, trusted: incoming.peerTrusted, meaning, conditional, slot: undefined,
    marker: undefined, variant: undefined, compared: undefined,
  };
}

/** What it says of its reader counts from some peers only, which the head does not tell. */
function namesSomebody(fields: Fields, { identities }: Config): boolean {
  const names = identities
    .flatMap(({ from }) => (from.kind === 'trusted' ? plainName(from.name) : []));
  return names.length > 0
    && fields.some((text, i) => i % 2 === 0 && names.includes(plainName(text)));
}

type Soon<T> = T | Promise<T>;

/**
 * The answer that may be given now, without asking anybody but where entries stand; at once where
 * that is in memory. The reader is noted, as of `mono`.
 */
export function again(
  gateway: Gateway, shortcut: Shortcut, mono: number,
): Soon<Said | undefined> {
  if (!applies(gateway, shortcut)) return undefined;
  const slot = stillThere(shortcut) ?? find(gateway, shortcut);
  if (!(slot instanceof Promise)) return from(gateway, shortcut, slot, mono);
  return slot.then((found) =>
    (applies(gateway, shortcut) ? from(gateway, shortcut, found, mono) : undefined));
}

/** Whether what is found by it may be given at all. */
function applies(gateway: Gateway, { live, meaning }: Shortcut): boolean {
  if (gateway.live !== live || gateway.mode !== 'on') return false;
  // Answers that tell queries apart by less than all of them are found by another key.
  return gateway.searches.apply(meaning) === meaning;
}

function from(
  gateway: Gateway, shortcut: Shortcut, slot: Slot | undefined, mono: number,
): Said | undefined {
  const { meaning } = shortcut;
  const entry = slot?.kept;
  if (slot === undefined || entry?.kind !== 'answer') return undefined;
  const made = madeOf(slot, entry, shortcut);
  if (!isValid(gateway, entry, made) || !isAccepted(gateway, meaning)) return undefined;
  const said = saidOf(gateway, shortcut, { entry, made, now: gateway.clock.now() });
  if (said === undefined) return undefined;
  made.use = gateway.ledger.read(entry, meaning, mono, made.use);
  const { reader, credential } = meaning;
  if (reader !== undefined) gateway.people.seen(reader, credential!, mono);
  return said;
}

/** Where it was the last time. */
function stillThere({ slot, marker }: Shortcut): Slot | undefined {
  if (slot === undefined) return undefined;
  if (marker !== undefined && marker.use() === undefined) return undefined;
  return slot.use() === undefined ? undefined : slot;
}

function find(gateway: Gateway, shortcut: Shortcut): Soon<Slot | undefined> {
  shortcut.marker = undefined;
  shortcut.slot = undefined;
  const { entries, control } = gateway.store;
  // A store is not asked for what could not be judged.
  const known = control.look([]);
  if (known instanceof Promise || known.kind === 'unknown') return undefined;
  const found = entries.slot?.(shortcut.meaning.key);
  return found instanceof Promise
    ? found.then((slot) => chosen(gateway, shortcut, slot))
    : chosen(gateway, shortcut, found);
}

/** The variant of this reader, where what was found tells of several. */
function chosen(
  gateway: Gateway, shortcut: Shortcut, found: Slot | undefined,
): Soon<Slot | undefined> {
  if (found?.kept?.kind !== 'vary') return hold(shortcut, found);
  const { meaning } = shortcut;
  const { names } = found.kept;
  if (names.some((name) => PASSING.includes(name))) return undefined;
  if (shortcut.variant?.names !== names) {
    shortcut.variant = { names, key: variantKey(meaning.key, names, meaning.telling) };
  }
  const slot = gateway.store.entries.slot?.(shortcut.variant.key);
  // Without its marker nobody says any more that it is the one.
  if (slot instanceof Promise || !found.lasts) return slot;
  shortcut.marker = found;
  return hold(shortcut, slot);
}

function hold(shortcut: Shortcut, slot: Slot | undefined): Slot | undefined {
  shortcut.slot = slot?.lasts === true ? slot : undefined;
  return slot;
}

/** By the rule, or as it was while nothing has been touched since. */
function isValid({ store: { control } }: Gateway, entry: Entry, made: Made): boolean {
  const mark = control.mark?.();
  if (mark !== undefined && made.validAt === mark) return true;
  const known = control.look(entry.tags);
  if (known instanceof Promise || known.kind === 'unknown') return false;
  if (valid(entry, known).kind !== 'valid') return false;
  made.validAt = mark;
  return true;
}

interface At {
  readonly entry: Entry;
  readonly made: Made;
  readonly now: number;
}

function saidOf(gateway: Gateway, shortcut: Shortcut, at: At): Said | undefined {
  const { entry, made, now } = at;
  const as = shapeFor(shortcut, entry, made);
  const said = made[as];
  // A wall clock that was set back makes it anew.
  if (said !== undefined && said.from <= now && now < said.until) return said;
  const next = say(gateway, shortcut, at, said?.form);
  if (next !== undefined) made[as] = next;
  return next;
}

function madeOf(slot: Slot, entry: Entry, { live, meaning }: Shortcut): Made {
  const made = slot.made as Made | undefined;
  if (made?.live === live) return made;
  const { fields } = asGiven(entry, meaning);
  const next: Made = {
    live, etag: etagOf(fields), validAt: undefined, use: undefined, whole: undefined,
    head: undefined, unchanged: undefined,
  };
  slot.made = next;
  return next;
}

function shapeFor(
  shortcut: Shortcut, entry: Entry, { etag }: Made,
): 'whole' | 'head' | 'unchanged' {
  const { conditional, compared, reader } = shortcut;
  if (conditional && entry.status === 200) {
    const known = compared !== undefined && compared.etag === etag
      ? compared.unchanged
      : (shortcut.compared = { etag, unchanged: has(shortcut, entry) }).unchanged;
    if (known) return 'unchanged';
  }
  return reader.method === 'HEAD' ? 'head' : 'whole';
}

function has({ reader: { fields, method }, meaning }: Shortcut, entry: Entry): boolean {
  const given = asGiven(entry, meaning);
  return evaluateConditional(fields, method, given, entry.receivedAt) === 'not-modified';
}

const SECOND_MS = 1000;

function say(
  gateway: Gateway, shortcut: Shortcut, at: At, before: Form | undefined,
): Said | undefined {
  const { entry, now } = at;
  const reused = reuse(entry, shortcut.meaning.rule, undefined, now);
  if (reused.kind !== 'fresh') return undefined;
  const { ageMs, ttlMs } = reused;
  const verdict = { kind: 'hit', because: 'fresh', ttlMs } as const;
  const form = before ?? formOf(gateway, shortcut, at, verdict);
  if (form === undefined) return undefined;
  // Until its age, its `ttl` in Cache-Status or the Date that is added to it are others, or until
  // it is not fresh any more.
  const forMs = Math.min(
    SECOND_MS - (ageMs % SECOND_MS), Math.floor(ttlMs % SECOND_MS) + 1, ttlMs,
    form.dated ? SECOND_MS : SECOND_MS - (now % SECOND_MS),
  );
  const age = String(Math.floor(ageMs / SECOND_MS));
  const status = cacheStatus(verdict);
  return { form, age, status, from: now, until: now + forMs, given: 0, written: undefined };
}

function formOf(
  gateway: Gateway, { reader, meaning }: Shortcut, { entry, now }: At, verdict: Verdict,
): Form | undefined {
  if (isLocated(entry.fields)) return undefined;
  const told = given(gateway, reader, { meaning, entry, verdict, now });
  const { fields } = told.answer;
  const [ageAt, statusAt] = [lastOf(fields, 'Age'), lastOf(fields, 'Cache-Status')];
  return { told, ageAt, statusAt, dated: hasField(fields, 'date') };
}

/** Where the value of our own line of this name stands. */
function lastOf(fields: Fields, name: string): number {
  for (let i = fields.length - 2; i >= 0; i -= 2) if (fields[i] === name) return i + 1;
  throw new Error(`an answer from the cache without ${name}`);
}

/** Whether it says an address, which is said to each client by its own name for us. */
export function isLocated(fields: Fields): boolean {
  return hasField(fields, 'location') || hasField(fields, 'content-location');
}
