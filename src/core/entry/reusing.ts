// Whether what is kept may be given to this reader now (RFC 9111 §4), once the promise's own rule
// has said that it is valid.
import { responseDirectives } from '../http/cache-control.ts';
import type { ClientWants } from '../http/client-directives.ts';
import { currentAge } from '../http/freshness.ts';
import { forbidsStale } from '../http/storable.ts';
import type { Asking } from '../key/shown.ts';
import type { ReadRule } from '../rules/config.ts';
import type { Entry } from './entry.ts';

const DISCONNECTED_MS_MAX = 86_400_000;

export type Reuse =
  | { readonly kind: 'fresh'; readonly ageMs: number; readonly ttlMs: number }
  | { readonly kind: 'while-revalidating'; readonly ageMs: number; readonly ttlMs: number }
  | { readonly kind: 'no'; readonly because: 'expired' | 'request' };

/** Judges a valid entry by its age and by what the client asks for. */
export function reuse(
  entry: Entry,
  { ttlMs: allowedMs }: Pick<ReadRule, 'ttlMs'>,
  wants: ClientWants | undefined,
  now: number,
): Reuse {
  if (entry.outdated) return { kind: 'no', because: 'expired' };
  const ageMs = currentAge(entry, now);
  // A `ttl` that was lowered since holds for what is kept already, too.
  const boundMs = allowedMs === undefined ? Infinity : allowedMs + entry.initialAgeMs;
  const freshMs = Math.min(entry.freshMs, boundMs);
  const ttlMs = freshMs - ageMs;
  if (wants?.reload) return { kind: 'no', because: 'request' };
  if (wants !== undefined && !wants.acceptable(ageMs, freshMs)) {
    return { kind: 'no', because: ttlMs > 0 ? 'request' : 'expired' };
  }
  if (ttlMs > 0) return { kind: 'fresh', ageMs, ttlMs };
  // RFC 5861 §3: for so long after it became stale it may be given while it is fetched again.
  if (-ttlMs < entry.staleWhileRevalidateMs) return { kind: 'while-revalidating', ageMs, ttlMs };
  return { kind: 'no', because: 'expired' };
}

/** Whether a failing upstream lets it be given (RFC 5861 §4). */
export function reusableOnError(
  entry: Entry, wants: ClientWants | undefined, now: number,
): boolean {
  const ageMs = currentAge(entry, now);
  return ageMs - entry.freshMs < entry.staleIfErrorMs && takes(entry, wants, ageMs);
}

/** Whether a client takes what is stale, as far as it says so (RFC 9111 §5.2.1). */
function takes(entry: Entry, wants: ClientWants | undefined, ageMs: number): boolean {
  if (entry.outdated) return false;
  return wants === undefined || (!wants.reload && wants.acceptable(ageMs, entry.freshMs));
}

/**
 * Whether it may be given, though stale, while nobody reaches the upstream. RFC 9111 §4.2.4: "A
 * cache MUST NOT generate a stale response unless it is disconnected or doing so is explicitly
 * permitted". Under a ttl the operator permits it, or nobody. For at most a day.
 */
export function reusableDisconnected(
  entry: Entry, { ttlMs }: Pick<ReadRule, 'ttlMs'>, wants: ClientWants | undefined, now: number,
): boolean {
  const ageMs = currentAge(entry, now);
  if (ttlMs !== undefined || !takes(entry, wants, ageMs)) return false;
  if (ageMs - entry.freshMs > DISCONNECTED_MS_MAX) return false;
  return !forbidsStale(responseDirectives(entry.fields).said);
}

/** Whether a reader with these credentials may have it (RFC 9111 §3.5). */
export function sharedWith(entry: Entry, asking: Asking, rule: ReadRule): boolean {
  if (asking === 'none' || rule.per === 'everyone' || entry.shareable === 'everyone') return true;
  return asking === 'authorization' && entry.shareable === 'authorization';
}
