// When a worker that has ended is started again: at once after a long life, later and later after
// short ones, and never more where none of them gets as far as listening.

export type Restart =
  | {
      readonly kind: 'restart';
      readonly because: 'lived' | 'short-lived' | 'never-listened';
      readonly afterMs: number;
    }
  | { readonly kind: 'give-up'; readonly because: 'none-starts' };

/** A worker that has listened for this long was started well. */
const STEADY_MS = 10_000;
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 10_000;
/** Starts in a row, for each worker, that may fail while nobody listens. */
const STARTS_MAX = 3;

export class Restarts {
  readonly #workers: number;
  /** Short lives in a row, by place. */
  readonly #short: number[];
  /** Starts that failed since anybody last listened. */
  #failed = 0;

  constructor(workers: number) {
    this.#workers = workers;
    this.#short = Array.from({ length: workers }, () => 0);
  }

  listening(): void {
    this.#failed = 0;
  }

  /** `listenedMs`: undefined if it never did. `others`: how many listen now. */
  ended(
    place: number,
    { listenedMs, others }: { readonly listenedMs: number | undefined; readonly others: number },
  ): Restart {
    if (listenedMs !== undefined && listenedMs >= STEADY_MS) {
      this.#short[place] = 0;
      return { kind: 'restart', because: 'lived', afterMs: 0 };
    }
    const before = this.#short[place]!;
    this.#short[place] = before + 1;
    const afterMs = Math.min(PAUSE_MS_MIN * 2 ** Math.min(before, 16), PAUSE_MS_MAX);
    if (listenedMs !== undefined) return { kind: 'restart', because: 'short-lived', afterMs };
    this.#failed += 1;
    if (others === 0 && this.#failed >= STARTS_MAX * this.#workers) {
      return { kind: 'give-up', because: 'none-starts' };
    }
    return { kind: 'restart', because: 'never-listened', afterMs };
  }
}
