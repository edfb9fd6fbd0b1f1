// Chance that comes out the same for the same seed, everywhere: mulberry32, and what is drawn by
// it.

export interface Chance {
  /** An integer from 0 to one less. */
  below(bound: number): number;
  /** From 0 to less than 1. */
  share(): number;
  between(least: number, most: number): number;
  /** True in this share of the cases. */
  is(share: number): boolean;
  of<T>(items: readonly T[]): T;
}

export function chance(seed: number): Chance {
  let state = seed | 0;
  const share = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const below = (bound: number): number => Math.floor(share() * bound);
  return {
    share,
    below,
    between: (least, most) => least + share() * (most - least),
    is: (wanted) => wanted > 0 && share() < wanted,
    of: (items) => items[below(items.length)]!,
  };
}
