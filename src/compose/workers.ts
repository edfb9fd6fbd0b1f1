// Keeps as many workers as the operator asked for: starts them, starts others in the place of those
// that end, and ends them all. What a worker does is its own; when to try again is core/'s.
import { Restarts } from '../core/restarts.ts';
import type { Clock } from '../flow/ports.ts';
import { type Asked, Asking, type Heard } from '../io/talk.ts';
import type { WorkerProcess } from '../io/workers.ts';
import { type Ask, readDone, readListening, type Start } from './asks.ts';

/** One worker in its place, from its fork to its end. */
export interface Worker {
  readonly place: number;
  readonly pid: number | undefined;
  state: 'starting' | 'listening' | 'draining';
  /** Monotonic. */
  listenedAt: number | undefined;
  ask<T>(ask: Ask, how: Asked<T>): Promise<Heard<T>>;
  readonly ended: Promise<number | string>;
  kill(): void;
}

export interface WorkersOptions {
  readonly count: number;
  readonly fork: () => WorkerProcess;
  readonly clock: Clock;
  /** What a worker that is started now is told. */
  readonly start: () => Start;
  readonly tell: WorkerNews;
}

export interface WorkerNews {
  /** `listen`: as it is shown. */
  listening(worker: Worker, listen: string): void;
  failed(worker: Worker, message: string): void;
  /** `afterMs`: until another one is started; undefined: none is. */
  ended(worker: Worker, how: number | string, afterMs: number | undefined): void;
}

const START_MS_MAX = 30_000;
const CHANGE_MS_MAX = 5000;
/** Beyond the drain's own bound: to leave the store, and to end. */
const LEAVE_MS_MAX = 5000;

export class Workers {
  readonly #o: WorkersOptions;
  readonly #restarts: Restarts;
  readonly #places: (Worker | undefined)[];
  readonly #waiting = new Map<number, () => void>();
  readonly #first = Promise.withResolvers<string>();
  readonly #lost = Promise.withResolvers<string>();
  #failure = 'no worker could be started';
  #everListened = false;
  #closing = false;

  constructor(options: WorkersOptions) {
    this.#o = options;
    this.#restarts = new Restarts(options.count);
    this.#places = Array.from({ length: options.count }, () => undefined);
  }

  /** Gives back where they listen, once one of them does; rejects if none ever will. */
  start(): Promise<string> {
    for (const place of this.#places.keys()) this.#fork(place);
    return Promise.race([
      this.#first.promise,
      this.#lost.promise.then((message) => Promise.reject(new Error(message))),
    ]);
  }

  /** Why no worker is started any more; settles only if it comes to that. */
  get lost(): Promise<string> {
    return this.#lost.promise;
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** By place; undefined where none is now. */
  get places(): readonly (Worker | undefined)[] {
    return this.#places;
  }

  get listening(): readonly Worker[] {
    return this.#places.filter((worker) => worker?.state === 'listening') as Worker[];
  }

  /**
   * Tells everyone; whoever does not confirm it is ended, and its successor starts with it. So
   * when this returns, nobody answers any request without it.
   */
  async change(ask: Ask): Promise<void> {
    const told = this.#places.map(async (worker) => {
      if (worker === undefined || worker.state === 'draining') return;
      const deadlineMs = worker.state === 'starting' ? START_MS_MAX : CHANGE_MS_MAX;
      const heard = await worker.ask(ask, { deadlineMs, read: readDone });
      if (heard.kind === 'answered' || heard.because === 'gone') return;
      this.#o.tell.failed(worker, heard.message ?? `${ask.ask}: ${heard.because}`);
      worker.kill();
      await this.#within(worker.ended, CHANGE_MS_MAX);
    });
    await Promise.all(told);
  }

  /** False: somebody did not end in time, and was ended. */
  async close(drainMs: number): Promise<boolean> {
    this.#startNoMore();
    const left = this.#places.filter((worker) => worker !== undefined);
    for (const worker of left) {
      worker.state = 'draining';
      void worker.ask({ ask: 'drain' }, { deadlineMs: drainMs, read: readDone });
    }
    const all = Promise.all(left.map(({ ended }) => ended));
    if (await this.#within(all, drainMs + LEAVE_MS_MAX)) return true;
    for (const worker of this.#places) worker?.kill();
    await this.#within(all, LEAVE_MS_MAX);
    return false;
  }

  #startNoMore(): void {
    this.#closing = true;
    for (const forget of this.#waiting.values()) forget();
    this.#waiting.clear();
  }

  #giveUp(): void {
    this.#startNoMore();
    this.#lost.resolve(this.#failure);
  }

  #fork(place: number): void {
    const { clock, fork, start } = this.#o;
    const child = fork();
    const { pid, pipe, ended } = child;
    const asking = new Asking(pipe, clock);
    const worker: Worker = {
      place, pid, state: 'starting', listenedAt: undefined, ended,
      kill: () => child.kill(),
      ask: (ask, how) => asking.ask(ask, how),
    };
    this.#places[place] = worker;
    void ended.then((how) => {
      asking.end();
      this.#ended(worker, how);
    });
    void worker.ask(start(), { deadlineMs: START_MS_MAX, read: readListening })
      .then((heard) => this.#started(worker, heard));
  }

  #started(worker: Worker, heard: Heard<string>): void {
    if (worker.state !== 'starting') return;
    if (heard.kind === 'answered') {
      worker.state = 'listening';
      worker.listenedAt = this.#o.clock.mono();
      this.#everListened = true;
      this.#restarts.listening();
      this.#o.tell.listening(worker, heard.value);
      return this.#first.resolve(heard.value);
    }
    if (heard.because === 'gone') return; // its end is told
    const message = heard.message ?? `start: ${heard.because}`;
    this.#failure = message;
    this.#o.tell.failed(worker, message);
    void this.#dismiss(worker);
    // What keeps the first from listening, such as a port that is taken, keeps them all.
    if (heard.because === 'failed' && !this.#everListened) this.#giveUp();
  }

  /** It may be of no use and still hold a place in the store that is better left cleanly. */
  async #dismiss(worker: Worker): Promise<void> {
    worker.state = 'draining';
    void worker.ask({ ask: 'drain' }, { deadlineMs: LEAVE_MS_MAX, read: readDone });
    if (!(await this.#within(worker.ended, LEAVE_MS_MAX))) worker.kill();
  }

  #ended(worker: Worker, how: number | string): void {
    const { clock, tell } = this.#o;
    const { place, listenedAt } = worker;
    this.#places[place] = undefined;
    if (this.#closing) return tell.ended(worker, how, undefined);
    const listenedMs = listenedAt === undefined ? undefined : clock.mono() - listenedAt;
    const next = this.#restarts.ended(place, { listenedMs, others: this.listening.length });
    if (next.kind === 'give-up') {
      tell.ended(worker, how, undefined);
      return this.#giveUp();
    }
    tell.ended(worker, how, next.afterMs);
    const forget = clock.after(next.afterMs, () => {
      this.#waiting.delete(place);
      this.#fork(place);
    });
    this.#waiting.set(place, forget);
  }

  #within(done: Promise<unknown>, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const forget = this.#o.clock.after(ms, () => resolve(false));
      void done.then(() => {
        forget();
        resolve(true);
      });
    });
  }
}
