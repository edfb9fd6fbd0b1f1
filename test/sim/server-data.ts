// The simulated store's other rooms: entries, and turns, each with its end by the server's own
// clock, which need not go as any other does. Losing what is here harms nothing.
import type { Kept, Key } from '../../src/core/entry/entry.ts';
import type { MemberId } from '../../src/flow/fleet/shared.ts';
import type { TurnOrder } from '../../src/flow/ports.ts';

interface Turn {
  owner: MemberId;
  epoch: string;
  asOf: number;
  endsAt: number;
  waiters: MemberId[];
  done: boolean;
}

export class DataServer {
  readonly entries = new Map<Key, { readonly kept: Kept; readonly endsAt: number }>();
  readonly turns = new Map<Key, Turn>();
  onPut: ((key: Key) => void) | undefined;
  readonly #now: () => number;

  /** `now`: the server's wall clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  flush(): void {
    this.entries.clear();
    this.turns.clear();
  }

  get(key: Key): Kept | undefined {
    const found = this.entries.get(key);
    if (found === undefined || found.endsAt > this.#now()) return found?.kept;
    this.entries.delete(key);
    return undefined;
  }

  /** An older one never replaces. */
  put(kept: Kept, lifeMs: number): void {
    const before = this.get(kept.key);
    if (before?.kind === 'answer' && kept.kind === 'answer' && before.epoch === kept.epoch
      && before.asOf > kept.asOf) return;
    this.entries.set(kept.key, { kept, endsAt: this.#now() + lifeMs });
    this.onPut?.(kept.key);
  }

  takeTurn(
    me: MemberId, key: Key, { epoch, asOf, newest, ms, anew }: TurnOrder,
  ): 'mine' | 'theirs' | 'done' {
    const turn = this.#turn(key);
    if (turn?.epoch === epoch && turn.asOf >= newest) {
      if (turn.done && !anew) return 'done';
      if (!turn.done && turn.owner !== me) {
        if (!turn.waiters.includes(me)) turn.waiters.push(me);
        return 'theirs';
      }
    }
    const endsAt = this.#now() + Math.ceil(ms);
    const waiters = turn?.done === false ? turn.waiters : [];
    this.turns.set(key, { owner: me, epoch, asOf, endsAt, waiters, done: false });
    return 'mine';
  }

  extendTurn(me: MemberId, key: Key, ms: number): void {
    const turn = this.#turn(key);
    if (turn?.owner === me && !turn.done) turn.endsAt = this.#now() + Math.ceil(ms);
  }

  /** Those who wait for it; nobody where it isn't the caller's. */
  endTurn(me: MemberId, key: Key, kept: boolean, ms: number): readonly MemberId[] {
    const turn = this.#turn(key);
    if (turn?.owner !== me || turn.done) return [];
    if (kept) this.turns.set(key, { ...turn, waiters: [], done: true, endsAt: this.#now() + ms });
    else this.turns.delete(key);
    return turn.waiters;
  }

  #turn(key: Key): Turn | undefined {
    const turn = this.turns.get(key);
    if (turn === undefined || turn.endsAt > this.#now()) return turn;
    this.turns.delete(key);
    return undefined;
  }
}
