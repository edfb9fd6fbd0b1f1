// How long an answer is fresh and how old it is (RFC 9111 §4.2), in milliseconds, by what the
// upstream says. Never looks at what an operator says, nor at whether the answer may be kept.
import { deltaMs, responseDirectives } from './cache-control.ts';
import { parseHttpDate } from './dates.ts';
import { fieldLines, type Fields, type ResponseHead } from './message.ts';

export interface Freshness {
  readonly lifetimeMs: number;
  /** Said by the upstream, not assumed. */
  readonly explicit: boolean;
  readonly because: 's-maxage' | 'max-age' | 'expires' | 'heuristic' | 'nothing-said';
}

const DAY_MS = 86_400_000;

// RFC 9110 §15.1: "Responses with status codes that are defined as heuristically cacheable (e.g.,
// 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, and 501 in this specification) can be
// reused by a cache with heuristic expiration".
const HEURISTICALLY_CACHEABLE = new Set([
  200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501,
]);

/** Whether a lifetime may be assumed for an answer of this status that names none. */
export function heuristicallyCacheable(status: number): boolean {
  return HEURISTICALLY_CACHEABLE.has(status);
}

/** The freshness lifetime in a shared cache (RFC 9111 §4.2.1). */
export function freshness(
  head: ResponseHead,
  receivedAt: number,
  { said: directives, targeted }: ReturnType<typeof responseDirectives>
    = responseDirectives(head.fields),
): Freshness {
  // "If the cache is shared and the s-maxage response directive is present, use its value, or"
  if (directives.sMaxageMs !== undefined) {
    return { lifetimeMs: directives.sMaxageMs, explicit: true, because: 's-maxage' };
  }
  // "If the max-age response directive is present, use its value, or"
  if (directives.maxAgeMs !== undefined) {
    return { lifetimeMs: directives.maxAgeMs, explicit: true, because: 'max-age' };
  }
  // "If the Expires response header field is present, use its value minus the value of the Date
  // response header field (using the time the message was received if it is not present), or"
  const dateMs = dateOf(head.fields, 'date', receivedAt) ?? receivedAt;
  if (!targeted && fieldLines(head.fields, 'expires').length > 0) {
    // §5.3: "A cache recipient MUST interpret invalid date formats, especially the value "0", as
    // representing a time in the past".
    const expiresMs = dateOf(head.fields, 'expires', receivedAt) ?? dateMs;
    return { lifetimeMs: Math.max(0, expiresMs - dateMs), explicit: true, because: 'expires' };
  }
  // "Otherwise, no explicit expiration time is present in the response. A heuristic freshness
  // lifetime might be applicable". §4.2.2: "A typical setting of this fraction might be 10%."
  // It may be assumed for a status that is heuristically cacheable, or where the answer "has been
  // explicitly marked as cacheable (e.g., with a public response directive)".
  const modifiedMs = dateOf(head.fields, 'last-modified', receivedAt);
  const assumable = directives.public || heuristicallyCacheable(head.status);
  if (modifiedMs === undefined || !assumable) {
    return { lifetimeMs: 0, explicit: false, because: 'nothing-said' };
  }
  const lifetimeMs = Math.min(DAY_MS, Math.max(0, Math.floor((dateMs - modifiedMs) / 10)));
  return { lifetimeMs, explicit: false, because: 'heuristic' };
}

/** The corrected initial age (RFC 9111 §4.2.3), in milliseconds. */
export function initialAge(head: ResponseHead, requestedAt: number, receivedAt: number): number {
  const dateMs = dateOf(head.fields, 'date', receivedAt);
  // "apparent_age = max(0, response_time - date_value);"
  const apparentMs = dateMs === undefined ? 0 : Math.max(0, receivedAt - dateMs);
  // "response_delay = response_time - request_time;
  // corrected_age_value = age_value + response_delay;"
  const correctedMs = ageValueMs(head.fields) + Math.max(0, receivedAt - requestedAt);
  // "corrected_initial_age = max(apparent_age, corrected_age_value);"
  return Math.max(apparentMs, correctedMs);
}

/**
 * RFC 9111 §4.2.3: "resident_time = now - response_time; current_age = corrected_initial_age +
 * resident_time;". A wall clock that was set back makes nothing younger than it was on arrival.
 */
export function currentAge(
  entry: { readonly receivedAt: number; readonly initialAgeMs: number },
  now: number,
): number {
  return entry.initialAgeMs + Math.max(0, now - entry.receivedAt);
}

/** The one date that a field gives; undefined where it is absent, invalid, or says several. */
export function dateOf(fields: Fields, name: string, now: number): number | undefined {
  const lines = fieldLines(fields, name);
  return lines.every((line) => line === lines[0]) ? parseHttpDate(lines[0], now) : undefined;
}

// RFC 9111 §5.1: "a cache encountering a message with a list-based Age field value SHOULD use the
// first member of the field value, discarding subsequent ones. If the field value (after discarding
// additional members, as per above) is invalid […], a cache SHOULD ignore the field."
function ageValueMs(fields: Fields): number {
  return deltaMs(fieldLines(fields, 'age')[0]?.split(',')[0]?.trim()) ?? 0;
}
