// Where one instance runs: its clocks, which need not agree with any other's, and its loop,
// through which everything comes that happens to it. A loop that is stopped lets all of it wait;
// one that is dead drops it.
import type { Clock } from '../../src/flow/ports.ts';
import type { World } from './world.ts';

const START = Date.UTC(2026, 0, 1);

export type Stop =
  /** Something runs too long: timers are first when it ends. */
  | 'blocked'
  /** The machine sleeps: its monotonic clock stands still, and its timers with it. */
  | 'asleep';

export class Host {
  readonly name: string;
  readonly clock: Clock;
  alive = true;
  readonly #world: World;
  /** How fast its clocks go. */
  readonly #pace: number;
  readonly #offset: number;
  #wallOffset: number;
  #stopped: Stop | undefined;
  #asleepSince = 0;
  #slept = 0;
  #timers: (() => void)[] = [];
  /** By the connection that it came on: between two of them there is no order. */
  readonly #arrived = new Map<string, (() => void)[]>();

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.#pace = world.chance.between(0.99, 1.01);
    this.#offset = world.chance.between(0, 1e6);
    this.#wallOffset = START + world.chance.between(-50, 50);
    this.clock = {
      now: () => this.#wallOffset + this.#world.now * this.#pace,
      mono: () => this.#mono(),
      after: (ms, callback) => this.#after(ms, callback),
      soon: (callback) => this.#after(world.chance.between(0, 2), callback),
    };
  }

  get stopped(): boolean {
    return this.#stopped !== undefined;
  }

  /** Something reaches the instance, by this connection. */
  enter(run: () => void, by = 'other'): void {
    if (!this.alive) return;
    if (this.#stopped === undefined) {
      run();
      return;
    }
    const before = this.#arrived.get(by);
    if (before === undefined) this.#arrived.set(by, [run]);
    else before.push(run);
  }

  kill(): void {
    this.alive = false;
    this.#timers = [];
    this.#arrived.clear();
  }

  stop(how: Stop): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = how;
    this.#asleepSince = this.#world.now;
  }

  goOn(): void {
    if (this.#stopped === undefined) return;
    if (this.#stopped === 'asleep') this.#slept += this.#world.now - this.#asleepSince;
    this.#stopped = undefined;
    const waiting = [...this.#arrived.values()];
    if (this.#world.chance.is(0.5)) waiting.reverse();
    const all = [...this.#timers, ...waiting.flat()];
    this.#timers = [];
    this.#arrived.clear();
    for (const run of all) this.#world.after(0, () => this.enter(run));
  }

  /** Its wall clock is set, as an operator or a time server does. */
  setWall(ms: number): void {
    this.#wallOffset += ms;
  }

  #mono(): number {
    const asleep = this.#stopped === 'asleep' ? this.#world.now - this.#asleepSince : 0;
    return this.#offset + (this.#world.now - this.#slept - asleep) * this.#pace;
  }

  #after(ms: number, callback: () => void): () => void {
    const due = this.#mono() + Math.max(0, ms);
    let cancelled = false;
    let planned = this.#world.after(Math.max(0, ms) / this.#pace, () => ring());
    const call = (): void => {
      if (!cancelled && this.alive) callback();
    };
    const ring = (): void => {
      if (cancelled || !this.alive) return;
      const left = due - this.#mono();
      if (left > 1e-6) {
        planned = this.#world.after(left / this.#pace, ring);
      } else if (this.#stopped === undefined) {
        call();
      } else {
        this.#timers.push(call);
      }
    };
    return () => {
      cancelled = true;
      planned.live = false;
    };
  }
}
