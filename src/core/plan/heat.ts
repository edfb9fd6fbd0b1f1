// Uses in order of heat: hits times what a fetch takes. Very many under one tag are kept in steps
// of a quarter of a doubling, so that a read moves one only when it has come a step further, and
// the hottest are found without looking at the others. What was not read lately is put aside until
// it is read again.
import type { Key } from '../entry/entry.ts';
import type { Cacheable } from '../key/meaning.ts';

/** An answer in use. */
export interface Use {
  readonly key: Key;
  /** What its reader's request meant: the recipe, the rule, the key without request fields. */
  meaning: Cacheable;
  tags: readonly string[];
  hits: number;
  /** Of the order of heat. */
  step: number;
  /** Monotonic milliseconds. */
  readAt: number;
  fetchMs: number;
  /** When the answer that was read last had come, by the wall clock. */
  receivedAt: number;
  /** The last time that those under its tags were looked through. */
  lookedAt?: number;
  /** It is known here no more. */
  forgotten?: boolean;
}

const STEPS_PER_DOUBLING = 4;
/** Of more than a billion hits that take a second each. */
const STEP_MAX = 160;
/** So many times as many as are wanted are looked at for the hottest of one step. */
const LOOKED_FACTOR = 8;
/** The step of those that were not read lately. */
export const ASIDE = 0;

export function heatOf({ hits, fetchMs }: Use): number {
  return hits * Math.max(1, fetchMs);
}

export function stepOf(use: Use): number {
  return 1 + Math.min(STEP_MAX, Math.floor(STEPS_PER_DOUBLING * Math.log2(heatOf(use))));
}

/** Very many uses under one tag. */
export class ManyUses {
  /** By route, then by step. */
  readonly #routes = new Map<string, (Set<Use> | undefined)[]>();
  size = 0;

  constructor(uses: readonly Use[]) {
    for (const use of uses) this.add(use);
  }

  add(use: Use): void {
    const { pattern } = use.meaning.rule;
    let steps = this.#routes.get(pattern);
    if (steps === undefined) this.#routes.set(pattern, steps = []);
    const uses = (steps[use.step] ??= new Set());
    if (uses.has(use)) return;
    uses.add(use);
    this.size += 1;
  }

  delete(use: Use): void {
    const { pattern } = use.meaning.rule;
    const steps = this.#routes.get(pattern);
    const uses = steps?.[use.step];
    if (uses?.delete(use) !== true) return;
    this.size -= 1;
    if (uses.size > 0) return;
    steps![use.step] = undefined;
    if (steps!.every((step) => step === undefined)) this.#routes.delete(pattern);
  }

  /**
   * Those of each route by steps, the hottest first, until so many of it, as its rule says, were
   * `taken`.
   */
  each(taken: (use: Use) => boolean): void {
    for (const steps of this.#routes.values()) eachOf(steps, taken);
  }
}

function eachOf(steps: readonly (Set<Use> | undefined)[], taken: (use: Use) => boolean): void {
  let [count, most] = [0, Infinity];
  for (let step = steps.length - 1; step > ASIDE && count < most; step -= 1) {
    let looked = 0;
    for (const use of steps[step] ?? []) {
      most = use.meaning.rule.keepFresh.top;
      if (count >= most && looked >= most * LOOKED_FACTOR) return;
      if (taken(use)) count += 1;
      looked += 1;
    }
  }
}

/** The hottest uses of a route, so many at most: a heap whose root is the coldest of them. */
export class Hottest {
  readonly uses: Use[] = [];

  add(use: Use, max: number): void {
    const { uses } = this;
    if (uses.length < max) {
      uses.push(use);
      for (let i = uses.length - 1; i > 0;) {
        const parent = (i - 1) >> 1;
        if (heatOf(uses[parent]!) <= heatOf(uses[i]!)) break;
        this.#swap(i, parent);
        i = parent;
      }
    } else if (max > 0 && heatOf(use) > heatOf(uses[0]!)) {
      uses[0] = use;
      this.#sink();
    }
  }

  #sink(): void {
    const { uses } = this;
    for (let i = 0;;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < uses.length && heatOf(uses[child]!) < heatOf(uses[least]!)) least = child;
      }
      if (least === i) return;
      this.#swap(i, least);
      i = least;
    }
  }

  #swap(i: number, j: number): void {
    const { uses } = this;
    [uses[i], uses[j]] = [uses[j]!, uses[i]!];
  }
}
