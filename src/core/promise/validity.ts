// The one rule of validity: an entry may be used if its epoch is the current one and none of its
// tags was touched after what was known before it was fetched. Nothing is ever found and deleted.
import type { Epoch, Seq } from '../entry/entry.ts';

export type Validity =
  | { readonly kind: 'valid' }
  | { readonly kind: 'invalid'; readonly because: 'touched' | 'epoch' };

const VALID: Validity = { kind: 'valid' };
const TOUCHED: Validity = { kind: 'invalid', because: 'touched' };
const OTHER_EPOCH: Validity = { kind: 'invalid', because: 'epoch' };

/** `known.newest` is the newest touch of any of the entry's own tags. */
export function valid(
  entry: { readonly epoch: Epoch; readonly asOf: Seq },
  known: { readonly epoch: Epoch; readonly newest: Seq },
): Validity {
  if (entry.epoch !== known.epoch) return OTHER_EPOCH;
  return known.newest <= entry.asOf ? VALID : TOUCHED;
}
