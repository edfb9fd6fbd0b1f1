// Whether what is kept may be given to this reader now (RFC 9111 §4), once the promise's own rule
// has said that it is valid.
import type { ClientWants } from '../http/client-directives.ts';
import { currentAge } from '../http/freshness.ts';
import type { Asking } from '../key/shown.ts';
import type { ReadRule } from '../rules/config.ts';
import type { Entry } from './entry.ts';

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
export function reusableOnError(entry: Entry, now: number): boolean {
  return currentAge(entry, now) - entry.freshMs < entry.staleIfErrorMs;
}

/** Whether a reader with these credentials may have it (RFC 9111 §3.5). */
export function sharedWith(entry: Entry, asking: Asking, rule: ReadRule): boolean {
  if (asking === 'none' || rule.per === 'everyone' || entry.shareable === 'everyone') return true;
  return asking === 'authorization' && entry.shareable === 'authorization';
}
