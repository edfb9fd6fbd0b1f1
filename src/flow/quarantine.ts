// Routes whose answers, shared by the operator's word, were seen to differ by who asks: they are
// passed. And when each was last looked at, since looking costs the upstream some requests.
import type { ReadRule } from '../core/rules/config.ts';

/** A route is looked at no more often. */
const AGAIN_AFTER_MS = 10_000;
const UNDER_WAY_MAX = 4;

export class Quarantine {
  readonly #lookedAt = new Map<string, number>();
  /** Patterns, by the hashes of their rules. */
  readonly #held = new Map<string, string>();
  #underWay = 0;

  /** Patterns of the routes that are passed. */
  get patterns(): readonly string[] {
    return [...new Set(this.#held.values())];
  }

  holds({ hash }: Pick<ReadRule, 'hash'>): boolean {
    return this.#held.size > 0 && this.#held.has(hash);
  }

  /** Whether one is to be compared now; whoever is told so says when it is over. */
  begins({ hash }: Pick<ReadRule, 'hash'>, mono: number): boolean {
    const last = this.#lookedAt.get(hash) ?? -Infinity;
    if (this.#underWay >= UNDER_WAY_MAX || mono - last < AGAIN_AFTER_MS) return false;
    this.#lookedAt.set(hash, mono);
    this.#underWay += 1;
    return true;
  }

  over(): void {
    this.#underWay -= 1;
  }

  add({ hash, pattern }: Pick<ReadRule, 'hash' | 'pattern'>): void {
    this.#held.set(hash, pattern);
  }

  /** A rule that is another now is looked at anew. */
  keepOnly(hashes: ReadonlySet<string>): void {
    for (const map of [this.#lookedAt, this.#held]) {
      for (const hash of map.keys()) if (!hashes.has(hash)) map.delete(hash);
    }
  }
}
