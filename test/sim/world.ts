// One virtual time for all, and what is to happen in it, in order. Between two events everything
// that they set off runs until nothing is left to run, so that the same seed is the same history.
// No real timer is ever set.
import { type Chance, chance } from './chance.ts';

export interface Planned {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  live: boolean;
}

export class World {
  readonly chance: Chance;
  /** Virtual milliseconds. */
  now = 0;
  /** Undefined where nobody will read it. */
  readonly trace: string[] | undefined;
  events = 0;
  readonly #heap: Planned[] = [];
  #order = 0;

  constructor(seed: number, { traced = false } = {}) {
    this.chance = chance(seed);
    this.trace = traced ? [] : undefined;
  }

  note(text: () => string): void {
    this.trace?.push(`${this.now.toFixed(2).padStart(9)} ${text()}`);
  }

  at(time: number, run: () => void): Planned {
    this.#order += 1;
    const planned = { at: Math.max(time, this.now), order: this.#order, run, live: true };
    this.#push(planned);
    return planned;
  }

  after(ms: number, run: () => void): Planned {
    return this.at(this.now + ms, run);
  }

  /** How many are still to come. */
  get waiting(): number {
    let count = 0;
    for (const { live } of this.#heap) if (live) count += 1;
    return count;
  }

  /** Lets time pass. */
  run(end: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const step = (): void => {
      let planned: Planned | undefined = this.#heap[0];
      while (planned !== undefined && !planned.live) {
        this.#pop();
        planned = this.#heap[0];
      }
      if (planned === undefined || planned.at > end) {
        this.now = end;
        resolve();
        return;
      }
      this.#pop();
      planned.live = false;
      this.now = planned.at;
      this.events += 1;
      try {
        planned.run();
      } catch (error) {
        reject(error);
        return;
      }
      queueMicrotask(later);
    };
    // A tick comes when no microtask is left, however many each of them sets off.
    const later = (): void => process.nextTick(step);
    later();
    return promise;
  }

  #push(planned: Planned): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(planned);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!before(planned, heap[up]!)) break;
      heap[at] = heap[up]!;
      at = up;
    }
    heap[at] = planned;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && before(heap[down + 1]!, heap[down]!)) down += 1;
      if (!before(heap[down]!, last)) break;
      heap[at] = heap[down]!;
      at = down;
    }
    heap[at] = last;
  }
}

function before(one: Planned, other: Planned): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
