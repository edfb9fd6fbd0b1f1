// Conditional requests (RFC 9110 §13, RFC 9111 §4.3): answering a client's, making our own, and
// taking in what a 304 says. Preconditions meant for the upstream alone are none of its business.
import { dateOf } from './freshness.ts';
import { endToEnd, field, fieldLines, type Fields, hasField, keepFields } from './message.ts';
import { parseHttpDate } from './dates.ts';

// RFC 10008 §2.6 has conditions hold for what a QUERY answers, as they do for GET.
const SELECTING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'QUERY']);

const ETAGS_MAX = 64;
// etagc of RFC 9110 §8.8.3, with its obs-text.
const ETAG = /[\s,]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")\s*(?=,|$)/y;

/** Whether a kept answer is what the client has already (RFC 9111 §4.3.2). */
export function evaluateConditional(
  requestFields: Fields,
  method: string,
  stored: { readonly status: number; readonly fields: Fields },
  now: number,
): 'not-modified' | 'send' {
  // RFC 9110 §13.2.1: "A server MUST ignore all received preconditions if its response to the same
  // request without those conditions […] would have been a status code other than a 2xx".
  if (stored.status !== 200 || !SELECTING.has(method)) return 'send';
  const wanted = field(requestFields, 'if-none-match');
  // RFC 9110 §13.1.3: "A recipient MUST ignore If-Modified-Since if the request contains an
  // If-None-Match header field".
  if (wanted !== undefined) return noneMatch(wanted, stored.fields) ? 'send' : 'not-modified';
  if (!hasField(requestFields, 'if-modified-since')) return 'send';
  // "A recipient MUST ignore the If-Modified-Since header field if the received field value is not
  // a valid HTTP-date, the field value has more than one member, or if the request method is
  // neither GET nor HEAD." A kept Date is no substitute for Last-Modified here, though RFC 9111
  // §4.3.2 would allow it: two versions of the same second would look alike.
  const [since, more] = fieldLines(requestFields, 'if-modified-since');
  const sinceMs = more === undefined ? parseHttpDate(since, now) : undefined;
  const modifiedMs = dateOf(stored.fields, 'last-modified', now);
  if (sinceMs === undefined || modifiedMs === undefined) return 'send';
  return modifiedMs <= sinceMs ? 'not-modified' : 'send';
}

// RFC 9110 §13.1.2: "A recipient MUST use the weak comparison function when comparing entity tags
// for If-None-Match". Whatever follows something malformed, or the 64th tag, isn't looked at.
function noneMatch(wanted: string, fields: Fields): boolean {
  // "If the field value is "*", the condition is false if the origin server has a current
  // representation for the target resource."
  if (wanted.trim() === '*') return false;
  const etag = etagOf(fields);
  if (etag === undefined) return true;
  ETAG.lastIndex = 0;
  for (let looked = 0; looked < ETAGS_MAX; looked++) {
    const found = ETAG.exec(wanted);
    if (found === null) return true;
    if (opaque(found[1]!) === opaque(etag)) return false;
  }
  return true;
}

/** The entity tag as it stands, with `W/` where weak; undefined where absent or malformed. */
export function etagOf(fields: Fields): string | undefined {
  const etag = field(fields, 'etag')?.trim();
  const wellFormed = etag !== undefined && /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/.test(etag);
  return wellFormed ? etag : undefined;
}

// RFC 9110 §8.8.3.2, weak comparison: "their opaque-tags match character-by-character, regardless
// of either or both being tagged as "weak".
function opaque(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag;
}

// What the bytes of the content depend on: no 304 says another thing of those that are kept.
const OF_BYTES: readonly string[] = [
  'content-encoding', 'content-length', 'content-range', 'content-md5', 'content-digest',
  'repr-digest', 'digest', 'trailer', 'transfer-encoding',
];
// What describes the content that a 304 doesn't have.
const OF_CONTENT = new Set([...OF_BYTES, 'content-type', 'content-language']);
const NOT_UPDATED = new Set([...OF_BYTES, 'set-cookie']);

/**
 * RFC 9110 §15.4.5: a 304 carries Content-Location, Date, ETag, Vary, Cache-Control and Expires,
 * and no metadata of the representation "unless said metadata exists for the purpose of guiding
 * cache updates (e.g., Last-Modified might be useful if the response does not have an ETag
 * field)". What isn't such metadata, such as CORS fields, stays.
 */
export function notModifiedFields(fields: Fields): string[] {
  const withEtag = etagOf(fields) !== undefined;
  return keepFields(fields, (name) =>
    !OF_CONTENT.has(name) && !(withEtag && name === 'last-modified'));
}

// RFC 9110 §8.8.2.2 asks for a Date at least one second later, and "enough difference between the
// Last-Modified and Date values to make clock synchronization issues unlikely".
const STRONG_AFTER_MS = 60_000;

/** How the validators begin that everfresh itself makes; the upstream knows nothing of them. */
export const OWN_ETAG = '"everfresh.';

/**
 * The condition under which to ask the upstream again, none where the answer has no such validator.
 * A date has the resolution of a second: it is used only where it counts as strong, and never where
 * `strong` is asked for.
 */
export function validatorsFor(fields: Fields, strength: 'strong' | 'any'): Fields {
  const given = etagOf(fields);
  const etag = given?.startsWith(OWN_ETAG) ? undefined : given;
  if (etag !== undefined && (strength === 'any' || !etag.startsWith('W/'))) {
    return ['If-None-Match', etag];
  }
  if (strength === 'strong' || etag !== undefined) return [];
  const modified = fieldLines(fields, 'last-modified')[0];
  const dateMs = dateOf(fields, 'date', 0);
  const modifiedMs = dateOf(fields, 'last-modified', dateMs ?? 0);
  if (modified === undefined || modifiedMs === undefined || dateMs === undefined) return [];
  return dateMs - modifiedMs >= STRONG_AFTER_MS ? ['If-Modified-Since', modified] : [];
}

/**
 * The kept fields with those of a 304 to our own condition laid over them (RFC 9111 §3.2, §4.3.4);
 * undefined where the 304 speaks of another representation, so that nothing is known. `strong`: it
 * has to prove that every byte is the same.
 */
export function freshen(
  storedFields: Fields, fields304: Fields, strength: 'strong' | 'any' = 'any',
): Fields | undefined {
  // RFC 9111 §4.3.4: "If the new response contains one or more strong validators […], then each of
  // those strong validators identifies a selected representation for update."
  const etag = field(fields304, 'etag')?.trim();
  const kept = field(storedFields, 'etag')?.trim();
  if (etag !== undefined && (kept === undefined || !same(etag, kept))) return undefined;
  // Upstreams compare a strong tag of ours with a weak one of theirs (RFC 9110 §13.1.2), which
  // proves less than was asked for.
  if (strength === 'strong' && (etag !== kept || etagOf(fields304)?.startsWith('"') !== true)) {
    return undefined;
  }
  // Without one it answers the only condition that was sent, unless its date says otherwise.
  const modified = field(fields304, 'last-modified');
  const keptModified = field(storedFields, 'last-modified');
  if (etag === undefined && modified !== undefined && keptModified !== undefined
    && modified.trim() !== keptModified.trim()) {
    return undefined;
  }
  // RFC 9111 §3.2: "the cache MUST add each header field in the provided response to the stored
  // response, replacing field values that are already present", but for Content-Length, what is
  // not stored (§3.1), and what the kept content depends on. Cookies of a 304 are its client's own.
  const news = keepFields(endToEnd(fields304), (name) => !NOT_UPDATED.has(name));
  const replaced = new Set(news.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()));
  // The old answer's age says nothing of the new one's.
  replaced.add('age').add('date');
  const rest = keepFields(storedFields, (name) => !replaced.has(name));
  return [...rest, ...news];
}

/**
 * What the answer to a HEAD says of a kept answer to a GET. RFC 9111 §4.3.5: it is updated if both
 * "have matching values for any received validator fields (ETag and Last-Modified) and, if the HEAD
 * response has a Content-Length header field, the value of Content-Length matches"; otherwise it is
 * to be considered stale. Without a validator everything would match: then it says nothing.
 */
export function describes(
  stored: { readonly fields: Fields; readonly body: Uint8Array }, fields: Fields,
): 'proven' | 'same' | 'other' | 'nothing' {
  const [etag, kept] = [field(fields, 'etag')?.trim(), field(stored.fields, 'etag')?.trim()];
  const [modified, before] = [fields, stored.fields].map((one) => field(one, 'last-modified'));
  const length = field(fields, 'content-length');
  if (length !== undefined && Number(length) !== stored.body.byteLength) return 'other';
  if (etag !== undefined && (kept === undefined || !same(etag, kept))) return 'other';
  if (modified !== undefined && modified.trim() !== before?.trim()) return 'other';
  if (etag !== undefined) return etagOf(fields)?.startsWith('"') === true ? 'proven' : 'same';
  return modified === undefined ? 'nothing' : 'same';
}

// A strong tag selects by strong comparison, a weak one by weak (RFC 9111 §4.3.4).
function same(etag: string, kept: string): boolean {
  return etag.startsWith('W/') ? opaque(etag) === opaque(kept) : etag === kept;
}
