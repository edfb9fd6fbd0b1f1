// A bounded memory of what happened lately: each key's count, forgotten after its time.
import type { Clock } from './ports.ts';

export class Lately<K> {
  readonly #seen = new Map<K, { until: number; count: number }>();
  readonly #clock: Clock;
  readonly #forMs: number;
  readonly #keysMax: number;

  constructor(clock: Clock, { forMs, keysMax }: { forMs: number; keysMax: number }) {
    this.#clock = clock;
    this.#forMs = forMs;
    this.#keysMax = keysMax;
  }

  /** How often within the time that began with the first. */
  count(key: K): number {
    const seen = this.#seen.get(key);
    if (seen === undefined) return 0;
    if (seen.until > this.#clock.mono()) return seen.count;
    this.#seen.delete(key);
    return 0;
  }

  add(key: K): number {
    const count = this.count(key) + 1;
    if (count > 1) {
      this.#seen.get(key)!.count = count;
      return count;
    }
    if (this.#seen.size >= this.#keysMax) this.#seen.delete(this.#seen.keys().next().value!);
    this.#seen.set(key, { until: this.#clock.mono() + this.#forMs, count });
    return count;
  }
}
