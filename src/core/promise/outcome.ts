// What an answer to a write says about whether the write happened.

export type Outcome = 'applied' | 'not-applied' | 'unknown';

/**
 * Refused writes touch nothing, so that they cannot flush a cache. An answer that leaves it open (a
 * 5xx, 408, or 202, which only promises) counts as perhaps still to be applied.
 */
export function outcomeOf(status: number): Outcome {
  if (status === 202 || status === 408 || status >= 500) return 'unknown';
  return status >= 400 ? 'not-applied' : 'applied';
}
