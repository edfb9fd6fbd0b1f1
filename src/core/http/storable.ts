// Whether a shared cache may keep an answer, for how long, and for whom (RFC 9111 §3), with the
// operator's word over the upstream's freshness. Vary is judged in vary.ts; nothing is stored here.
import { type CacheControl, parseCacheControl, responseDirectives } from './cache-control.ts';
import { validatorsFor } from './conditional.ts';
import { freshness, heuristicallyCacheable, initialAge } from './freshness.ts';
import {
  endToEnd, field, type Fields, hasField, keepFields, type ResponseHead,
} from './message.ts';
import type { ReadRule } from '../rules/config.ts';
import type { NotKeptBecause } from '../verdict.ts';

export interface StorableQuestion {
  /** Of the request that was sent upstream; only the answers of GET and QUERY are whole. */
  readonly method: string;
  readonly requestFields: Fields;
  readonly response: ResponseHead;
  readonly rule: Pick<ReadRule, 'ttlMs' | 'negativeTtlMs' | 'override'> &
    Partial<Pick<ReadRule, 'staleWhileRevalidateMs' | 'staleIfErrorMs' | 'per'>>;
  /** What the request said of who is asking: nothing, Authorization alone, or anything else. */
  readonly credentials: 'none' | 'authorization' | 'other';
  /** It is kept for one reader alone, as that reader's own client might. */
  readonly forOne?: boolean;
  readonly clientDirectives?: 'honour' | 'ignore';
  /** A part was asked for, so that one may be kept, as such. */
  readonly part?: boolean;
  /** Wall-clock milliseconds. */
  readonly requestedAt: number;
  readonly receivedAt: number;
}

export interface StorageTerms {
  readonly kind: 'store';
  /** Under a ttl it runs from the answer's arrival, so that initialAgeMs is in it as well. */
  readonly freshMs: number;
  readonly initialAgeMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly shareable: 'everyone' | 'authorization' | 'no';
  /** Those to store. */
  readonly fields: Fields;
}

export type Storable = StorageTerms | { readonly kind: 'no'; readonly because: NotKeptBecause };

/** Judges by the heads alone. */
export function storable(question: StorableQuestion): Storable {
  const { response, rule } = question;
  const directives = responseDirectives(response.fields);
  const { said } = directives;
  const ttlMs = operatorsMs(rule, response.status);
  const shareable = shareableWith(said, rule, ttlMs !== undefined);
  const fields = storedFields(response.fields, said, rule);
  const because = refusedByRequest(question)
    ?? refusedByStatus(question, said)
    ?? refusedByResponse(question, said, fields)
    ?? refusedByCredentials(question.credentials, shareable);
  if (because !== undefined) return { kind: 'no', because };

  const initialAgeMs = initialAge(response, question.requestedAt, question.receivedAt);
  const stale = staleMs(said, rule, ttlMs !== undefined);
  const fresh = ttlMs === undefined
    ? upstreamsMs(question, directives)
    : { ms: ttlMs + initialAgeMs, because: 'upstream-not-fresh' as const };
  if (typeof fresh === 'string') return { kind: 'no', because: fresh };
  // What can be neither used nor revalidated is not worth its place.
  const usable = fresh.ms > initialAgeMs || stale.staleWhileRevalidateMs > 0
    || stale.staleIfErrorMs > 0 || validatorsFor(fields, 'any').length > 0;
  if (!usable) return { kind: 'no', because: fresh.because };
  return { kind: 'store', freshMs: fresh.ms, initialAgeMs, ...stale, shareable, fields };
}

const TTL_STATUSES = new Set([200, 203, 204, 300, 301, 308]);

// The operator's lifetime for this status; undefined where HTTP's rule decides.
function operatorsMs(rule: StorableQuestion['rule'], status: number): number | undefined {
  if (rule.ttlMs === undefined) return undefined;
  if (TTL_STATUSES.has(status)) return rule.ttlMs;
  return status === 404 || status === 410 ? Math.min(rule.ttlMs, rule.negativeTtlMs) : undefined;
}

// RFC 9111 §5.2.1.5: "The no-store request directive indicates that a cache MUST NOT store any part
// of either this request or any response to it."
function refusedByRequest(question: StorableQuestion): NotKeptBecause | undefined {
  if (question.clientDirectives !== 'honour') return undefined;
  return parseCacheControl(question.requestFields).noStore ? 'request-no-store' : undefined;
}

function refusedByStatus(
  { method, part, response: { status } }: StorableQuestion,
  said: CacheControl,
): NotKeptBecause | undefined {
  // RFC 9111 §3: "the request method is understood by the cache". A HEAD's answer has no content.
  if (method !== 'GET' && method !== 'QUERY') return 'partial-answer';
  // RFC 9111 §3.3: "A cache MUST NOT store incomplete or partial-content responses if it does not
  // support the Range and Content-Range header fields".
  if (status === 206) return part === true ? undefined : 'partial-answer';
  // RFC 9111 §3: "the response status code is final"; a 304 updates what is kept, and is not kept.
  if (status < 200 || status === 304) return 'status';
  // RFC 9111 §3: "if the response status code is 206 or 304, or the must-understand cache directive
  // is present: the cache understands the response status code".
  return said.mustUnderstand && !understood(status) ? 'status' : undefined;
}

// The final statuses of RFC 9110; but for 206 and 304 none asks anything special of a cache.
function understood(status: number): boolean {
  return (status >= 200 && status <= 205) || (status >= 300 && status <= 308)
    || (status >= 400 && status <= 417) || [421, 422, 426].includes(status)
    || (status >= 500 && status <= 505);
}

function refusedByResponse(
  { response, forOne, rule: { override } }: StorableQuestion,
  said: CacheControl,
  stored: Fields,
): NotKeptBecause | undefined {
  // RFC 9111 §3: "the no-store cache directive is not present in the response". §5.2.2.3: with
  // must-understand a cache that understands the status ignores it.
  if (said.noStore && !said.mustUnderstand && !override.has('no-store')) return 'upstream-no-store';
  // RFC 9111 §3: "if the cache is shared: the private response directive is either not present or
  // allows a shared cache to store a modified response".
  const mayBePrivate = forOne === true || override.has('private');
  if (strictly(said.private) && !mayBePrivate) return 'upstream-private';
  // RFC 9111 §7.3: "Set-Cookie […] does not inhibit caching". Here it does: a cookie that was meant
  // for one reader would go to all.
  if (hasField(stored, 'set-cookie')) return 'upstream-set-cookie';
  // An event stream has no end that could be waited for.
  const type = field(response.fields, 'content-type') ?? '';
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(type) ? 'event-stream' : undefined;
}

// Without these the rest is misread; a directive that would take them away is read unqualified.
const ESSENTIAL = new Set([
  'age', 'cache-control', 'content-encoding', 'content-language', 'content-length',
  'content-location', 'content-range', 'content-type', 'date', 'etag', 'expires',
  'last-modified', 'location', 'vary',
]);

function strictly(directive: boolean | readonly string[]): boolean {
  if (typeof directive === 'boolean') return directive;
  return directive.some((name) => ESSENTIAL.has(name));
}

// RFC 9111 §5.2.2.7, private with field names: "a shared cache MUST NOT store the listed header
// fields". §5.2.2.4, no-cache with field names: the answer may be used "if the listed header fields
// are excluded from the subsequent response".
function storedFields(fields: Fields, said: CacheControl, rule: StorableQuestion['rule']): Fields {
  const limited = [said.noCache, rule.override.has('private') ? false : said.private];
  const withheld = new Set(limited.filter((names) => Array.isArray(names)).flat());
  if (rule.override.has('set-cookie')) withheld.add('set-cookie').add('set-cookie2');
  const kept = endToEnd(fields);
  if (withheld.size === 0) return kept;
  return keepFields(kept, (name) => !withheld.has(name) || ESSENTIAL.has(name));
}

// RFC 9111 §3.5: "A shared cache MUST NOT use a cached response to a request with an Authorization
// header field to satisfy any subsequent request unless the response contains a Cache-Control field
// with a response directive […] that allows it": must-revalidate, public, s-maxage. Under a ttl
// must-revalidate allows nothing, since nothing is revalidated as soon as the upstream expects.
function shareableWith(
  said: CacheControl,
  rule: StorableQuestion['rule'],
  underTtl: boolean,
): StorageTerms['shareable'] {
  const sMaxage = said.sMaxageMs !== undefined && !said.unreadable.includes('s-maxage');
  if (rule.per === 'everyone' || said.public || sMaxage) return 'everyone';
  return said.mustRevalidate && !underTtl ? 'authorization' : 'no';
}

// RFC 9111 §3: "if the cache is shared: the Authorization header field is not present in the
// request […] or a response directive is present that explicitly allows shared caching". Cookies
// and keys say who is asking just as well, but only `public` and `s-maxage` speak for them.
function refusedByCredentials(
  credentials: StorableQuestion['credentials'],
  shareable: StorageTerms['shareable'],
): NotKeptBecause | undefined {
  if (credentials === 'none' || shareable === 'everyone') return undefined;
  return credentials === shareable ? undefined : 'authorization';
}

// The upstream's lifetime, with what to say if it is of no use; or why there can be none.
function upstreamsMs(
  { response, receivedAt }: StorableQuestion,
  directives: ReturnType<typeof responseDirectives>,
): { ms: number; because: NotKeptBecause } | NotKeptBecause {
  const { said } = directives;
  const lifetime = freshness(response, receivedAt, directives);
  // RFC 9111 §3: "the response contains at least one of the following: a public response directive
  // […]; an Expires header field; a max-age response directive; if the cache is shared: an s-maxage
  // response directive; […] or a status code that is defined as heuristically cacheable".
  if (!lifetime.explicit && !said.public && !heuristicallyCacheable(response.status)) {
    return 'upstream-not-fresh';
  }
  // RFC 9111 §5.2.2.4: "MUST NOT be used to satisfy any other request without forwarding it for
  // validation and receiving a successful response".
  if (strictly(said.noCache)) return { ms: 0, because: 'upstream-no-cache' };
  return { ms: lifetime.lifetimeMs, because: 'upstream-not-fresh' };
}

/**
 * RFC 9111 §4.2.4: "A cache MUST NOT generate a stale response if it is prohibited by an explicit
 * in-protocol directive (e.g., by a no-cache response directive, a must-revalidate response
 * directive, or an applicable s-maxage or proxy-revalidate response directive […])."
 */
export function forbidsStale(said: CacheControl): boolean {
  return said.mustRevalidate || said.proxyRevalidate || said.sMaxageMs !== undefined
    || strictly(said.noCache);
}

// Under a ttl it is the operator alone who says what is stale, and what may be done with it.
function staleMs(said: CacheControl, rule: StorableQuestion['rule'], underTtl: boolean) {
  const { staleWhileRevalidateMs: revalidateMs = 0, staleIfErrorMs: errorMs = 0 } = said;
  if (!underTtl && forbidsStale(said)) return { staleWhileRevalidateMs: 0, staleIfErrorMs: 0 };
  return {
    staleWhileRevalidateMs: rule.staleWhileRevalidateMs ?? (underTtl ? 0 : revalidateMs),
    staleIfErrorMs: rule.staleIfErrorMs ?? (underTtl ? 0 : errorMs),
  };
}
