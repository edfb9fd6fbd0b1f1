// The checker of a history: for each item the newest version that a write was answered with
// success for, and for each read what it must not fall behind. At rest everybody must show what
// the upstream has, and show it from the cache.
import type { Shown } from './clients.ts';

export interface Violation {
  readonly what: string;
  readonly at: number;
}

/** What a read that begins now has to show at least, item by item. */
export type Due = readonly number[];

export class Checker {
  readonly violations: Violation[] = [];
  reads = 0;
  writes = 0;
  hits = 0;
  readonly #acked: number[];
  /** What is promised only to those who read where it was written. */
  readonly #apart = new Map<string, number[]>();
  readonly #now: () => number;

  constructor(items: number, now: () => number) {
    this.#acked = Array.from({ length: items }, () => 0);
    this.#now = now;
  }

  /** A write was answered with success; `by`: promised only there. */
  acknowledged(item: number, version: number, by?: string): void {
    this.writes += 1;
    let acked = this.#acked;
    if (by !== undefined) {
      acked = this.#apart.get(by) ?? this.#acked.map(() => 0);
      this.#apart.set(by, acked);
    }
    acked[item] = Math.max(acked[item]!, version);
  }

  /** From now on all of it is promised to everybody. */
  everybody(): void {
    for (const acked of this.#apart.values()) {
      for (const [item, version] of acked.entries()) {
        this.#acked[item] = Math.max(this.#acked[item]!, version);
      }
    }
  }

  due(by: string): Due {
    const own = this.#apart.get(by);
    return this.#acked.map((version, item) => Math.max(version, own?.[item] ?? 0));
  }

  read(what: () => string, due: Due, shown: Shown): void {
    this.reads += 1;
    for (const [item, version] of shown) {
      const least = due[item]!;
      if (version >= least) continue;
      this.violation(`${what()} shows ${item}:${version}, though ${least} was answered before`);
    }
  }

  violation(what: string): void {
    this.violations.push({ what, at: this.#now() });
  }
}
