// How one becomes a member. Where everybody left cleanly, at once; where a member says now that it
// holds its lease, beside it; where all have been silent for a lease, in a new epoch, since nobody
// knows what was written meanwhile. An answer counts for a lease from when it was asked for.
import type { Epoch } from '../../core/entry/entry.ts';
import { type Moment, since } from '../../core/promise/lease.ts';
import { Watch } from '../../core/promise/watch.ts';
import { momentOf } from '../moment.ts';
import type { Clock } from '../ports.ts';
import type { Ask } from './claim.ts';
import type { Beats, Joining, Letter, MemberId, Message, Shared } from './shared.ts';

export interface EntranceOptions {
  readonly shared: Pick<Shared, 'join' | 'tell'>;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly ask: Ask;
}

export type Entered =
  /** `at`: before it was asked. */
  | { readonly kind: 'in'; readonly at: Moment }
  | { readonly kind: 'out'; readonly because: 'nobody-answers' | 'outrun' }
  /** The store counts it as a member, or may still do, but so late that it proves nothing. */
  | { readonly kind: 'late' };

/** So many are asked at once whether they live; one that does is enough. */
const CALLED_AT_ONCE = 3;

export class Entrance {
  readonly #o: EntranceOptions;
  readonly #watch = new Watch();
  #attempts = 0;
  #answered: (nonce: string, epoch: Epoch) => void = () => undefined;

  constructor(options: EntranceOptions) {
    this.#o = options;
  }

  /** Whoever was away knows nothing any more of who lives. */
  forget(): void {
    this.#watch.forget();
  }

  hear({ nonce, epoch }: Message & { readonly kind: 'answer' }): void {
    this.#answered(nonce, epoch);
  }

  /** `leaseMs`: the longest that anybody may hold. */
  async attempt(me: MemberId, as: Omit<Joining, 'how'>, leaseMs: number): Promise<Entered> {
    const { ask, clock, shared } = this.#o;
    const at = momentOf(clock);
    const asked = await ask((id) => shared.join(id, { ...as, how: { kind: 'ask' } }));
    if (asked.kind === 'failed') return { kind: 'late' };
    if (asked.head.member) return { kind: 'in', at };
    const { beats, text } = asked.said;
    this.#watch.see(beats, clock.mono());
    const now = clock.mono();
    if ([...beats.keys()].every((id) => this.#watch.gone(id, now, leaseMs))) {
      return this.#enter(as, { kind: 'new-epoch', roster: text }, leaseMs);
    }
    const called = momentOf(clock);
    const epoch = await this.#call(me, beats, leaseMs / 4);
    if (epoch === undefined) return { kind: 'out', because: 'nobody-answers' };
    return this.#enter(as, { kind: 'enter', epoch }, leaseMs, called);
  }

  async #enter(
    as: Omit<Joining, 'how'>, how: Joining['how'], leaseMs: number, called?: Moment,
  ): Promise<Entered> {
    const { ask, clock, shared } = this.#o;
    const at = momentOf(clock);
    const heard = await ask((id) => shared.join(id, { ...as, how }));
    if (heard.kind === 'failed') return { kind: 'late' };
    if (!heard.head.member) return { kind: 'out', because: 'outrun' };
    // A store that was frozen may have let it in long after the one who answered was gone.
    if (since(called ?? at, momentOf(clock)) >= leaseMs) return { kind: 'late' };
    return { kind: 'in', at };
  }

  /** The epoch of one that says that it holds its lease. */
  async #call(me: MemberId, beats: Beats, patienceMs: number): Promise<Epoch | undefined> {
    const { clock, newId, shared } = this.#o;
    const nonce = newId();
    const { promise, resolve } = Promise.withResolvers<Epoch | undefined>();
    this.#answered = (answered, epoch) => answered === nonce && resolve(epoch);
    const cancel = clock.after(patienceMs, () => resolve(undefined));
    const call: Letter = { kind: 'call', from: me, nonce };
    for (const id of this.#some([...beats.keys()])) shared.tell(id, call);
    const epoch = await promise;
    cancel();
    this.#answered = () => undefined;
    return epoch;
  }

  /** Others at each attempt, so that no few silent ones keep it out. */
  #some(members: readonly MemberId[]): readonly MemberId[] {
    const from = (this.#attempts * CALLED_AT_ONCE) % members.length;
    this.#attempts += 1;
    return [...members, ...members].slice(from, from + Math.min(CALLED_AT_ONCE, members.length));
  }
}
