// Hearing and being heard: tells each writer which of its touches this instance knows, all of those
// that came together in one letter, and lets a writer wait until everybody knows, or can hold no
// lease any more that began before.
import type { Epoch, Seq } from '../../core/entry/entry.ts';
import { Acks } from '../../core/promise/acks.ts';
import type { Published } from '../../core/promise/replica.ts';
import type { Clock } from '../ports.ts';
import type { Beats, MemberId, Shared } from './shared.ts';

export class Acknowledging {
  readonly #shared: Pick<Shared, 'tell'>;
  readonly #clock: Clock;
  readonly #acks = new Acks();
  /** Writer to the newest of its touches that were heard since the last letters. */
  readonly #owed = new Map<MemberId, { readonly epoch: Epoch; readonly seq: Seq }>();

  constructor(shared: Pick<Shared, 'tell'>, clock: Clock) {
    this.#shared = shared;
    this.#clock = clock;
  }

  /** This instance knows of it, or holds no lease. */
  heard(me: MemberId, { writer, epoch, seq }: Published): void {
    if (writer === undefined) return;
    if (writer === me) {
      this.#acks.hear(me, epoch, seq);
      return;
    }
    // What the store sent in one go is heard before this turn is over.
    if (this.#owed.size === 0) queueMicrotask(() => this.#tell(me));
    this.#owed.set(writer, { epoch, seq });
  }

  #tell(by: MemberId): void {
    for (const [writer, touch] of this.#owed) {
      this.#shared.tell(writer, { kind: 'acked', by, ...touch });
    }
    this.#owed.clear();
  }

  acked(by: MemberId, epoch: Epoch, seq: Seq): void {
    this.#acks.hear(by, epoch, seq);
  }

  /** Those who have not said so after `patienceMs`. */
  async everybody(
    touch: { readonly epoch: Epoch; readonly seq: Seq }, members: Beats, patienceMs: number,
  ): Promise<Beats> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const done = (): void => resolve(undefined);
    const awaited = this.#acks.await(touch, members.keys(), done);
    if (awaited.missing.size > 0) {
      const cancel = this.#clock.after(patienceMs, done);
      await promise;
      cancel();
      this.#acks.forget(awaited);
    }
    return new Map([...members].filter(([id]) => awaited.missing.has(id)));
  }
}
