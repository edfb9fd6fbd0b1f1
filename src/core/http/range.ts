// Parts of an answer (RFC 9110 §14): which bytes a client asks for, whether they are there, and how
// they go out, one part as it is or several in one body. Of a whole answer or of a kept part alike;
// what is asked for in a way that can't be read is as if not asked for.
import { createHash } from 'node:crypto';
import { parseHttpDate } from './dates.ts';
import { etagOf } from './conditional.ts';
import { dateOf } from './freshness.ts';
import { field, fieldLines, type Fields, keepFields } from './message.ts';

/** Bytes from first to last, both counted from 0 and both in it. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/** What is at hand: some bytes of a representation, all of it where `first` is 0 and none lack. */
export interface Extent {
  readonly first: number;
  readonly bytes: Uint8Array;
  /** The representation's length. */
  readonly complete: number;
}

export type Asked =
  /** No range, or none that counts: the whole answer is wanted. */
  | { readonly kind: 'whole' }
  /** In the order asked for; those that overlap are one. */
  | { readonly kind: 'parts'; readonly spans: readonly [Span, ...Span[]] }
  | { readonly kind: 'unsatisfiable' };

const WHOLE: Asked = { kind: 'whole' };
const SPEC = /^(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))$/;
/** More of them are an attack, or a mistake: all of it is smaller than so many parts. */
const SPANS_MAX = 16;

/**
 * The parts of a representation of this length that a Range field asks for. RFC 9110 §14.2: "A
 * server that supports range requests MAY ignore or reject a Range header field that contains an
 * invalid ranges-specifier, a ranges-specifier with more than two overlapping ranges, or a set of
 * many small ranges".
 */
export function askedRange(value: string | undefined, complete: number): Asked {
  const found = value === undefined ? null : /^\s*bytes\s*=(.*)$/is.exec(value);
  if (found === null) return WHOLE;
  const specs = found[1]!.split(',').map((spec) => spec.trim()).filter((spec) => spec !== '');
  if (specs.length === 0 || specs.length > SPANS_MAX) return WHOLE;
  const spans: Span[] = [];
  for (const spec of specs) {
    const read = SPEC.exec(spec);
    if (read === null) return WHOLE;
    const [, from, to, suffix] = read;
    // §14.1.1: "An int-range is invalid if the last-pos value is present and less than first-pos."
    if (from !== undefined && to !== undefined && Number(to) < Number(from)) return WHOLE;
    const span = from === undefined ? suffixOf(Number(suffix), complete) : {
      first: Number(from),
      // "If the last-pos value is absent, or if the value is greater than or equal to the current
      // length of the representation data, the byte range is interpreted as the remainder".
      last: Math.min(to === undefined ? Infinity : Number(to), complete - 1),
    };
    if (span.first <= span.last) spans.push(span);
  }
  const [one, ...others] = joined(spans);
  // §14.1.2: "If a valid byte-range-set includes at least one range-spec that is either an
  // int-range with a first-pos that is less than the current length of the selected representation
  // or a suffix-range with a non-zero suffix-length, then the byte-range-set is satisfiable."
  return one === undefined ? { kind: 'unsatisfiable' } : { kind: 'parts', spans: [one, ...others] };
}

// §14.1.2: "If the selected representation is shorter than the specified suffix-length, the entire
// representation is used."
function suffixOf(length: number, complete: number): Span {
  return { first: length === 0 ? complete : Math.max(0, complete - length), last: complete - 1 };
}

// §15.3.7.2: "A server that is sending multiple parts MAY coalesce any of the ranges that overlap".
function joined(spans: readonly Span[]): Span[] {
  const all: Span[] = [];
  for (const span of spans) {
    let { first, last } = span;
    for (let i = all.length - 1; i >= 0; i -= 1) {
      const other = all[i]!;
      if (other.last + 1 < first || last + 1 < other.first) continue;
      first = Math.min(first, other.first);
      last = Math.max(last, other.last);
      all.splice(i, 1);
    }
    all.push({ first, last });
  }
  return all;
}

/**
 * Whether the representation that a client has part of is this one (RFC 9110 §13.1.5): by a strong
 * entity tag, or by a date that "is a strong validator"; without the field it is.
 */
export function ifRangeHolds(requestFields: Fields, stored: Fields, now: number): boolean {
  const lines = fieldLines(requestFields, 'if-range');
  if (lines.length === 0) return true;
  const value = lines[0]!.trim();
  if (lines.length > 1) return false;
  if (value.endsWith('"')) {
    // "A client MUST NOT generate an If-Range header field containing an entity tag that is marked
    // as weak."
    return !value.startsWith('W/') && value === etagOf(stored);
  }
  const date = parseHttpDate(value, now);
  const modified = dateOf(stored, 'last-modified', now);
  const sent = dateOf(stored, 'date', now);
  // "If the HTTP-date validator provided is not a strong validator in the sense defined by Section
  // 8.8.2.2, the condition is false." "exactly matches".
  const strong = modified !== undefined && sent !== undefined && sent - modified >= 1000;
  return strong && date === modified;
}

/** What goes out of what is at hand: status, fields and body; undefined where some of it lacks. */
export function partial(
  { spans }: Extract<Asked, { kind: 'parts' }>,
  stored: { readonly fields: Fields } & Extent,
): { readonly status: 206; readonly fields: string[]; readonly body: Uint8Array } | undefined {
  const { bytes, complete, first: from } = stored;
  const there = spans.every(({ first, last }) => first >= from && last < from + bytes.length);
  if (!there) return undefined;
  const part = ({ first, last }: Span): Uint8Array => bytes.subarray(first - from, last + 1 - from);
  const [one, ...others] = spans;
  const fields = keepFields(stored.fields, (name) => !OF_THE_WHOLE.has(name));
  if (others.length === 0) {
    const body = part(one);
    fields.push('Content-Range', contentRange(one, complete), 'Content-Length', `${body.length}`);
    return { status: 206, fields, body };
  }
  return several(fields, { spans, part, complete });
}

// RFC 9110 §14.6: "multipart/byteranges". The boundary stands in none of the parts.
function several(
  fields: string[],
  { spans, part, complete }: {
    spans: readonly Span[]; part: (span: Span) => Uint8Array; complete: number;
  },
): { readonly status: 206; readonly fields: string[]; readonly body: Uint8Array } {
  const digest = createHash('sha256');
  for (const span of spans) digest.update(contentRange(span, complete)).update(part(span));
  const boundary = digest.digest('hex').slice(0, 32);
  const type = field(fields, 'content-type');
  const pieces: Uint8Array[] = [];
  for (const span of spans) {
    const head = [`\r\n--${boundary}`];
    if (type !== undefined) head.push(`Content-Type: ${type}`);
    head.push(`Content-Range: ${contentRange(span, complete)}`, '', '');
    pieces.push(Buffer.from(head.join('\r\n'), 'latin1'), part(span));
  }
  pieces.push(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'));
  const body = Buffer.concat(pieces);
  // §15.3.7.2: "To avoid confusion with single-part responses, a server MUST NOT generate a
  // Content-Range header field in the HTTP header section of a multiple part response".
  const rest = keepFields(fields, (name) => name !== 'content-type');
  rest.push('Content-Type', `multipart/byteranges; boundary=${boundary}`);
  rest.push('Content-Length', `${body.length}`);
  return { status: 206, fields: rest, body };
}

// What describes all of it and not a part. Digests of the representation (Repr-Digest) stay.
export const OF_THE_WHOLE: ReadonlySet<string> = new Set([
  'content-length', 'content-range', 'content-md5', 'content-digest', 'transfer-encoding',
]);

const contentRange = ({ first, last }: Span, complete: number): string =>
  `bytes ${first}-${last}/${complete}`;

// How long the whole answer may be kept, and by what it is known, is not said of a refusal.
const OF_THE_ANSWER = /^(?:content-.*|.*-control|expires|etag|last-modified)$/;

/** What an unsatisfiable range is told (RFC 9110 §15.5.17): the length that there is. */
export function unsatisfiableFields(fields: Fields, complete: number): string[] {
  const kept = keepFields(fields, (name) => !OF_THE_WHOLE.has(name) && !OF_THE_ANSWER.test(name));
  kept.push('Cache-Control', 'no-store');
  return [...kept, 'Content-Range', `bytes */${complete}`, 'Content-Length', '0'];
}

/**
 * Which bytes a 206 brings, by its Content-Range (RFC 9110 §14.4); undefined where it says several
 * parts, an unknown length, or what can't be.
 */
export function bringsSpan(fields: Fields): (Span & { readonly complete: number }) | undefined {
  const lines = fieldLines(fields, 'content-range');
  const read = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(lines[0]?.trim() ?? '');
  if (read === null || lines.length > 1) return undefined;
  const [first, last, complete] = [Number(read[1]), Number(read[2]), Number(read[3])];
  return first <= last && last < complete ? { first, last, complete } : undefined;
}
