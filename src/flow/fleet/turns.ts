// Whose turn it is to fetch what several instances lack, asked of the store and told by letters.
// Everything here may fail or get lost: then somebody fetches once more.
import type { Key } from '../../core/entry/entry.ts';
import type { Clock, Ending, Turn, TurnOrder, Turns } from '../ports.ts';
import type { Letter, MemberId, Shared } from './shared.ts';

export class FleetTurns implements Turns {
  readonly #shared: Shared;
  readonly #clock: Clock;
  readonly #me: () => MemberId;
  /** One waits for each key, since there is one flight for each. */
  readonly #waiting = new Map<Key, (ending: Ending) => void>();

  constructor(shared: Shared, clock: Clock, me: () => MemberId) {
    this.#shared = shared;
    this.#clock = clock;
    this.#me = me;
  }

  /** Nobody is waited for any more. */
  leave(): void {
    for (const resolve of [...this.#waiting.values()]) resolve('unkept');
  }

  hear({ key, kept }: Extract<Letter, { kind: 'landed' }>): void {
    this.#waiting.get(key)?.(kept ? 'kept' : 'unkept');
  }

  async take(key: Key, order: TurnOrder): Promise<Turn> {
    // The end of another's turn may be heard before it is known to be another's.
    const { promise: ended, resolve } = Promise.withResolvers<Ending>();
    this.#waiting.set(key, resolve);
    const cancel = this.#clock.after(order.ms, () => resolve('unheard'));
    void ended.then(() => {
      cancel();
      if (this.#waiting.get(key) === resolve) this.#waiting.delete(key);
    });
    const taken = await this.#shared.takeTurn(this.#me(), key, order);
    if (taken === 'theirs') return { kind: 'theirs', ended };
    if (taken === 'done') resolve('kept');
    if (taken === 'done') return { kind: 'theirs', ended };
    resolve('unheard');
    return { kind: taken };
  }

  extend(key: Key, ms: number): Promise<void> {
    return this.#shared.extendTurn(this.#me(), key, ms);
  }

  async end(key: Key, kept: boolean, ms: number): Promise<void> {
    const waiters = await this.#shared.endTurn(this.#me(), key, kept, ms);
    for (const id of waiters) this.#shared.tell(id, { kind: 'landed', key, kept });
  }
}
