// Whose turn it is to be fetched again: what waits is in order of its heat and waits once, however
// often it is ordered. Paced by the backlog, bounded for each route and in all.
import type { Key } from '../core/entry/entry.ts';
import type { Use } from '../core/plan/ledger.ts';
import type { FetchCause } from './ports.ts';

/** Over this many waiting, what is coldest is left invalid. */
const WAITING_MAX = 10_000;
/** A backlog of so many for each fetch under way opens one more, up to the bound. */
const BACKLOG_PER_FETCH = 4;
const FETCHES_MIN = 4;

interface Waiting {
  readonly use: Use;
  readonly cause: FetchCause;
  readonly done: Promise<void>;
  readonly finish: () => void;
}

export class Refresher {
  readonly #waiting = new Map<Key, Waiting>();
  readonly #runningByRoute = new Map<string, number>();
  readonly #runningKeys = new Set<Key>();
  #running = 0;
  readonly #run: (use: Use, cause: FetchCause) => Promise<void>;
  readonly #backlog: (waiting: number, running: number) => void;
  #runningMax: number;

  constructor({ run, backlog, runningMax }: {
    run: (use: Use, cause: FetchCause) => Promise<void>;
    backlog: (waiting: number, running: number) => void;
    runningMax: number;
  }) {
    this.#run = run;
    this.#backlog = backlog;
    this.#runningMax = runningMax;
  }

  get backlog(): { waiting: number; running: number } {
    return { waiting: this.#waiting.size, running: this.#running };
  }

  bound(runningMax: number): void {
    this.#runningMax = runningMax;
  }

  /**
   * Queues what is not waiting already; the promise ends when all of them have been tried. A use
   * whose fetch is under way waits for another, since that one began before this write.
   */
  order(uses: readonly Use[], cause: FetchCause = 'refresh'): Promise<void> {
    const all: Promise<void>[] = [];
    for (const use of uses) {
      let waiting = this.#waiting.get(use.key);
      if (waiting === undefined) {
        if (this.#waiting.size >= WAITING_MAX) break;
        const { promise: done, resolve: finish } = Promise.withResolvers<void>();
        waiting = { use, cause, done, finish };
        this.#waiting.set(use.key, waiting);
      }
      all.push(waiting.done);
    }
    this.#pump();
    return Promise.all(all).then(() => undefined);
  }

  #pump(): void {
    for (const [key, waiting] of this.#waiting) {
      const wanted = Math.max(FETCHES_MIN, Math.ceil(this.#waiting.size / BACKLOG_PER_FETCH));
      if (this.#running >= Math.min(wanted, this.#runningMax)) break;
      const { pattern, keepFresh } = waiting.use.meaning.rule;
      const ofRoute = this.#runningByRoute.get(pattern) ?? 0;
      // One key has one turn at a time, so that a burst of writes to it takes no other's.
      if (ofRoute >= keepFresh.concurrency || this.#runningKeys.has(key)) continue;
      this.#waiting.delete(key);
      this.#runningKeys.add(key);
      this.#running += 1;
      this.#runningByRoute.set(pattern, ofRoute + 1);
      void this.#run(waiting.use, waiting.cause).finally(() => {
        this.#running -= 1;
        this.#runningKeys.delete(key);
        this.#runningByRoute.set(pattern, this.#runningByRoute.get(pattern)! - 1);
        waiting.finish();
        this.#pump();
      });
    }
    this.#backlog(this.#waiting.size, this.#running);
  }
}
