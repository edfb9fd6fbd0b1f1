// Chance by a seed, so that a run can be told again: numbers, picks, decks and a Zipf-like choice.
// The faults of a run follow from its seed alone; how the machine schedules them does not.

export interface Random {
  /** In [0, 1). */
  next(): number;
  between(least: number, most: number): number;
  pick<T>(items: readonly [T, ...T[]]): T;
  /** Another source, that does not depend on how much is asked of this one. */
  fork(): Random;
}

/** Mulberry32: small, and even enough to pick faults by. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    between: (least, most) => least + next() * (most - least),
    pick: (items) => items[Math.floor(next() * items.length)] ?? items[0],
    fork: () => random(Math.floor(next() * 2 ** 32)),
  };
}

/** Deals each card once before any comes again. */
export function deck<T>(cards: readonly [T, ...T[]], chance: Random): () => T {
  let rest: T[] = [];
  return () => {
    if (rest.length === 0) rest = [...cards];
    const [card] = rest.splice(Math.floor(chance.next() * rest.length), 1);
    return card ?? cards[0];
  };
}

/** Numbers below `count`: the first is asked for most, the last seldom. */
export function zipf(count: number, chance: Random): () => number {
  const sums: number[] = [];
  for (let rank = 1; rank <= count; rank += 1) sums.push((sums.at(-1) ?? 0) + 1 / rank ** 0.9);
  const whole = sums.at(-1) ?? 1;
  return () => {
    const at = chance.next() * whole;
    const found = sums.findIndex((sum) => at < sum);
    return found === -1 ? count - 1 : found;
  };
}
