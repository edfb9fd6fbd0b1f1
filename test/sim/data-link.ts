// An instance's connection for data: entries, and turns. Whatever fails on it is a miss, or
// something that isn't kept; for a while after that it is not asked.
import type { Kept, Key } from '../../src/core/entry/entry.ts';
import type { MemberId } from '../../src/flow/fleet/shared.ts';
import type { Entries, TurnOrder } from '../../src/flow/ports.ts';
import type { Host } from './host.ts';
import type { SimStore } from './store.ts';

const PROBE_MS = 200;
const LIFE_MS = 3_600_000;

export class DataLink {
  readonly #store: SimStore;
  readonly #host: Host;
  readonly #budgetMs: number;
  #at = 0;
  #downUntil = 0;

  constructor(store: SimStore, host: Host, budgetMs: number) {
    this.#store = store;
    this.#host = host;
    this.#budgetMs = budgetMs;
  }

  readonly entries: Entries = {
    get: (key) => this.#ask<Kept | undefined>(false, () => this.#store.data.get(key), undefined),
    put: (kept) => this.#ask(true, () => this.#store.data.put(kept, LIFE_MS), undefined),
  };

  takeTurn(
    me: MemberId, key: Key, order: TurnOrder,
  ): Promise<'mine' | 'theirs' | 'done' | 'unknown'> {
    return this.#ask<'mine' | 'theirs' | 'done' | 'unknown'>(
      true, () => this.#store.data.takeTurn(me, key, order), 'unknown');
  }

  extendTurn(me: MemberId, key: Key, ms: number): Promise<void> {
    return this.#ask(true, () => this.#store.data.extendTurn(me, key, ms), undefined);
  }

  endTurn(
    me: MemberId, key: Key, kept: boolean, ms: number,
  ): Promise<readonly MemberId[]> {
    return this.#ask(true, () => this.#store.data.endTurn(me, key, kept, ms), []);
  }

  #ask<T>(writes: boolean, act: () => T, none: T): Promise<T> {
    const [store, host] = [this.#store, this.#host];
    const { world } = store;
    if (this.#downUntil > world.now) return Promise.resolve(none);
    const { promise, resolve } = Promise.withResolvers<T>();
    const sentAt = world.now;
    this.#at = Math.max(this.#at, world.now + store.latency(host));
    world.at(this.#at, () => {
      const fails = (store.state !== 'up' && store.state !== 'full')
        || store.trouble('away', host) > 0;
      const writable = store.server.role === 'primary' && store.state === 'up';
      const value = !fails && (writable || !writes) ? act() : none;
      const comesAt = world.now + store.latency(host);
      const late = fails || store.has('answer-lost', host) || comesAt - sentAt > this.#budgetMs;
      world.at(late ? sentAt + this.#budgetMs : comesAt, () => host.enter(() => {
        if (late) this.#downUntil = world.now + PROBE_MS;
        resolve(late ? none : value);
      }));
    });
    return promise;
  }
}
