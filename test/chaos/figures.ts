// What a run counts besides its history: reads, writes, availability, the worst delay of a write,
// and hit ratios before faults and after they were healed. Pure; times are given.

export type Written = 'ok' | 'refused' | 'failed';

const BUCKET_MS = 100;
/** Over this time a hit ratio is taken. */
export const WINDOW_MS = 2000;
/** So long after healing the cache should be of use again. */
export const SETTLE_MS = 5000;

export class Figures {
  reads = 0;
  readonly writes: Record<Written, number> = { ok: 0, refused: 0, failed: 0 };
  /** Reads that an instance was there for, and those of them that it answered in time. */
  asked = 0;
  served = 0;
  worstWriteMs = 0;
  /** Why reads were not served, and how often. */
  readonly unserved = new Map<string, number>();
  readonly #buckets = new Map<number, { hits: number; reads: number }>();
  readonly #ratios: { readonly before: number; readonly after: number }[] = [];

  shared(beganAt: number, hit: boolean): void {
    const index = Math.floor(beganAt / BUCKET_MS);
    const bucket = this.#buckets.get(index) ?? { hits: 0, reads: 0 };
    bucket.reads += 1;
    if (hit) bucket.hits += 1;
    this.#buckets.set(index, bucket);
  }

  answered(because: string | undefined): void {
    this.asked += 1;
    if (because === undefined) this.served += 1;
    else this.unserved.set(because, (this.unserved.get(because) ?? 0) + 1);
  }

  /** A fault began and was healed; its windows are over. The hit ratios of these, if any. */
  fault(
    { beganAt, healedAt }: { readonly beganAt: number; readonly healedAt: number },
  ): { before: number; after: number } | undefined {
    const before = this.#ratio(beganAt - WINDOW_MS, beganAt);
    const after = this.#ratio(healedAt + SETTLE_MS, healedAt + SETTLE_MS + WINDOW_MS);
    for (const index of this.#buckets.keys()) {
      if (index * BUCKET_MS < healedAt) this.#buckets.delete(index);
    }
    if (before === undefined || after === undefined) return undefined;
    this.#ratios.push({ before, after });
    return { before, after };
  }

  #ratio(from: number, to: number): number | undefined {
    let [hits, reads] = [0, 0];
    for (const [index, bucket] of this.#buckets) {
      if (index * BUCKET_MS < from || index * BUCKET_MS >= to) continue;
      hits += bucket.hits;
      reads += bucket.reads;
    }
    return reads === 0 ? undefined : hits / reads;
  }

  get availability(): number {
    return this.asked === 0 ? 0 : this.served / this.asked;
  }

  /** Medians over the faults. */
  hitRatio(): { before: number; after: number; faults: number } {
    return {
      before: median(this.#ratios.map(({ before }) => before)),
      after: median(this.#ratios.map(({ after }) => after)),
      faults: this.#ratios.length,
    };
  }
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return 0;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
