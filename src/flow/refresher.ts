// Whose turn it is to be fetched again: what waits is in order of its heat and waits once, however
// often it is ordered. Paced by the backlog, bounded for each route and in all.
import type { Key } from '../core/entry/entry.ts';
import type { Use } from '../core/plan/ledger.ts';
import type { FetchCause } from './ports.ts';

/** Over this many waiting, what is coldest is left invalid. */
const WAITING_MAX = 10_000;
/** Orders that are waited for; the others leave nothing in what waits already. */
const WAITED_MAX = 1000;
/** A backlog of so many for each fetch under way opens one more, up to the bound. */
const BACKLOG_PER_FETCH = 4;
const FETCHES_MIN = 4;

/** Somebody waits for it. */
interface Order {
  /** How many have not been tried yet. */
  left: number;
  readonly finish: () => void;
}

interface Waiting {
  readonly use: Use;
  readonly cause: FetchCause;
  readonly orders: Order[];
}

export class Refresher {
  readonly #waiting = new Map<Key, Waiting>();
  readonly #runningByRoute = new Map<string, number>();
  readonly #runningKeys = new Set<Key>();
  #running = 0;
  readonly #run: (use: Use, cause: FetchCause) => Promise<void>;
  readonly #backlog: (waiting: number, running: number) => void;
  readonly #soon: (callback: () => void) => void;
  #runningMax: number;
  /** What was ordered last, to be queued soon. */
  readonly #ordered: (() => void)[] = [];
  #waited = 0;

  constructor({ run, backlog, runningMax, soon }: {
    run: (use: Use, cause: FetchCause) => Promise<void>;
    backlog: (waiting: number, running: number) => void;
    runningMax: number;
    soon: (callback: () => void) => void;
  }) {
    this.#run = run;
    this.#backlog = backlog;
    this.#runningMax = runningMax;
    this.#soon = soon;
  }

  get backlog(): { waiting: number; running: number } {
    return { waiting: this.#waiting.size, running: this.#running };
  }

  bound(runningMax: number): void {
    this.#runningMax = runningMax;
  }

  /**
   * Queues what is not waiting already, when what is at hand has been done, such as a writer's
   * answer. A use whose fetch is under way waits for another, since that one began before this
   * write.
   */
  order(uses: readonly Use[], cause: FetchCause = 'refresh'): void {
    if (uses.length > 0) this.#order(() => this.#queue(uses, cause, undefined));
  }

  /** The same; ends when all of them have been tried, or at once where very many wait so. */
  orderAndWait(uses: readonly Use[]): Promise<void> {
    if (uses.length === 0 || this.#waited === WAITED_MAX) {
      this.order(uses);
      return Promise.resolve();
    }
    this.#waited += 1;
    return new Promise((resolve) => {
      const finish = (): void => {
        this.#waited -= 1;
        resolve();
      };
      this.#order(() => this.#queue(uses, 'refresh', { left: uses.length, finish }));
    });
  }

  #order(queue: () => void): void {
    this.#ordered.push(queue);
    if (this.#ordered.length === 1) this.#soon(() => this.#pump());
  }

  #queue(uses: readonly Use[], cause: FetchCause, order: Order | undefined): void {
    for (const use of uses) {
      let waiting = this.#waiting.get(use.key);
      if (waiting === undefined && this.#waiting.size < WAITING_MAX) {
        waiting = { use, cause, orders: [] };
        this.#waiting.set(use.key, waiting);
      }
      if (order === undefined) continue;
      if (waiting === undefined) tried(order);
      else waiting.orders.push(order);
    }
  }

  #pump(): void {
    for (const queue of this.#ordered.splice(0)) queue();
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
        waiting.orders.forEach(tried);
        this.#pump();
      });
    }
    this.#backlog(this.#waiting.size, this.#running);
  }
}

function tried(order: Order): void {
  order.left -= 1;
  if (order.left === 0) order.finish();
}
