// Reads Cache-Control of requests and responses (RFC 9111 §5.2) into one shape. A directive that
// can't be read is taken in its strictest sense; what follows from a directive is not decided here.
import { field, type Fields } from './message.ts';
import { isToken, listMembers, tokenOrQuoted } from './list.ts';
import { dictionary } from './structured.ts';

export interface CacheControl {
  readonly maxAgeMs?: number;
  readonly sMaxageMs?: number;
  readonly staleWhileRevalidateMs?: number;
  readonly staleIfErrorMs?: number;
  readonly minFreshMs?: number;
  /** Infinite where no value is given. */
  readonly maxStaleMs?: number;
  readonly noStore: boolean;
  /** True, or the lower-case names of the fields that it is limited to. */
  readonly noCache: boolean | readonly string[];
  readonly private: boolean | readonly string[];
  readonly public: boolean;
  readonly mustRevalidate: boolean;
  readonly proxyRevalidate: boolean;
  readonly mustUnderstand: boolean;
  readonly onlyIfCached: boolean;
  /** Names of the directives whose durations were invalid, or contradicted one another. */
  readonly unreadable: readonly string[];
}

// RFC 9111 §1.2.2: "If a cache receives a delta-seconds value greater than the greatest integer it
// can represent, or if any of its subsequent calculations overflows, the cache MUST consider the
// value to be 2147483648 (2^31) or the greatest positive integer it can conveniently represent."
const LONGEST_MS = 2 ** 31 * 1000;

/** Milliseconds of a delta-seconds; undefined where the text is none. */
export function deltaMs(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]+$/.test(text)) return undefined;
  return Math.min(Number(text) * 1000, LONGEST_MS);
}

const NOTHING: CacheControl = {
  noStore: false, noCache: false, private: false, public: false,
  mustRevalidate: false, proxyRevalidate: false, mustUnderstand: false, onlyIfCached: false,
  unreadable: [],
};

/** Of a message's fields, or of the field's value alone. */
export function parseCacheControl(from: Fields | string | undefined): CacheControl {
  const value = typeof from === 'string' ? from : from && field(from, 'cache-control');
  return value === undefined ? NOTHING : read(directives(value));
}

/** An upstream says one of a few values again and again. */
const KNOWN_MAX = 256;
const KNOWN_LENGTH_MAX = 256;
const READ = new Map<string, CacheControl>();

function known(value: string): CacheControl {
  const before = READ.get(value);
  if (before !== undefined) return before;
  const said = read(directives(value));
  if (value.length > KNOWN_LENGTH_MAX) return said;
  if (READ.size >= KNOWN_MAX) READ.clear();
  READ.set(value, said);
  return said;
}

/** A field that speaks to caches of one kind, before Cache-Control: from the nearest on. */
const TARGETED = ['everfresh-cache-control', 'cdn-cache-control'] as const;

/**
 * What an answer says to this cache, and whether a targeted field says it. RFC 9213 §2.2: "select
 * the first field (if any) with a valid, non-empty value"; then "Cache-Control and Expires header
 * fields in that response" are not looked at.
 */
export function responseDirectives(fields: Fields): {
  readonly said: CacheControl; readonly targeted: boolean;
} {
  for (const name of TARGETED) {
    const given = targetedDirectives(field(fields, name));
    if (given !== undefined) return { said: read(given), targeted: true };
  }
  const value = field(fields, 'cache-control');
  return { said: value === undefined ? NOTHING : known(value), targeted: false };
}

// RFC 9213 §2.1: "Targeted fields are Dictionary Structured Fields". A duration of another type
// than Integer can't be read, like one in Cache-Control that can't.
function targetedDirectives(value: string | undefined): Map<string, Values> | undefined {
  const members = value === undefined ? undefined : dictionary(value);
  if (members === undefined || members.size === 0) return undefined;
  const given = new Map<string, Values>();
  for (const [name, member] of members) {
    const [bare] = member;
    if (bare === false) continue;
    if (bare === true) given.set(name, [undefined]);
    else if (typeof bare === 'string') given.set(name, [`"${bare.replace(/["\\]/g, '\\$&')}"`]);
    else given.set(name, [typeof bare === 'number' ? String(bare) : '']);
  }
  return given;
}

function read(given: Map<string, Values>): CacheControl {
  const unreadable: string[] = [];
  const lasts = (name: string, key: string, strictest: number) => {
    const values = given.get(name);
    if (values === undefined) return {};
    const ms = agreed(values);
    if (ms === undefined) unreadable.push(name);
    return { [key]: ms ?? strictest };
  };
  const durations: Partial<CacheControl> = {
    ...lasts('max-age', 'maxAgeMs', 0),
    ...lasts('s-maxage', 'sMaxageMs', 0),
    ...lasts('stale-while-revalidate', 'staleWhileRevalidateMs', 0),
    ...lasts('stale-if-error', 'staleIfErrorMs', 0),
    ...lasts('min-fresh', 'minFreshMs', LONGEST_MS),
    // RFC 9111 §5.2.1.2: "If no value is assigned to max-stale, then the client will accept a stale
    // response of any age."
    ...(given.get('max-stale')?.every((text) => text === undefined)
      ? { maxStaleMs: Infinity }
      : lasts('max-stale', 'maxStaleMs', 0)),
  };
  return {
    ...durations,
    noStore: given.has('no-store'),
    noCache: named(given.get('no-cache')),
    private: named(given.get('private')),
    public: given.has('public'),
    mustRevalidate: given.has('must-revalidate'),
    proxyRevalidate: given.has('proxy-revalidate'),
    mustUnderstand: given.has('must-understand'),
    onlyIfCached: given.has('only-if-cached'),
    unreadable,
  };
}

/**
 * RFC 9111 §5.4: `Pragma: no-cache` in a request stands for `Cache-Control: no-cache` where a
 * client knows no better; it counts only without Cache-Control.
 */
export function pragmaNoCache(fields: Fields): boolean {
  const pragma = field(fields, 'pragma');
  if (pragma === undefined || field(fields, 'cache-control') !== undefined) return false;
  return (listMembers(pragma) ?? pragma.split(',')).some((member) => /^no-cache$/i.test(member));
}

type Values = (string | undefined)[];

// RFC 9111 §5.2: "Cache directives are identified by a token, to be compared case-insensitively,
// and have an optional argument that can use both token and quoted-string syntax." Nothing may hide
// behind an open quote: there every comma counts.
function directives(value: string): Map<string, Values> {
  const given = new Map<string, Values>();
  for (const member of listMembers(value) ?? value.split(',')) {
    const at = member.indexOf('=');
    const name = (at < 0 ? member : member.slice(0, at)).trim().toLowerCase();
    const values = given.get(name) ?? [];
    values.push(at < 0 ? undefined : member.slice(at + 1));
    given.set(name, values);
  }
  return given;
}

// RFC 9111 §4.2.1: "When there is more than one value present for a given directive […], either the
// first occurrence should be used or the response should be considered stale." Ours: stale, unless
// they agree. "Caches are encouraged to consider responses that have invalid freshness information
// […] to be stale."
function agreed(values: Values): number | undefined {
  const read = values.map((text) => text === undefined ? undefined : deltaMs(tokenOrQuoted(text)));
  return read.every((ms) => ms === read[0]) ? read[0] : undefined;
}

// RFC 9111 §5.2.2.4, §5.2.2.7: the qualified form is limited to the listed fields. A list that
// can't be read limits nothing.
function named(values: Values | undefined): boolean | readonly string[] {
  if (values === undefined) return false;
  const all: string[] = [];
  for (const text of values) {
    const list = text === undefined ? undefined : tokenOrQuoted(text)?.split(',');
    if (list === undefined) return true;
    all.push(...list.map((name) => name.trim().toLowerCase()));
  }
  return all.every(isToken) ? [...new Set(all)] : true;
}
