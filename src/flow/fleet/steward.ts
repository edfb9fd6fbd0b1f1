// Looks after what nobody looks after any more: members that went without leaving, their writes,
// and one's own writes that came to the store late. Each write is taken over and touched, then
// touched again after the quarantine, or as late as its writer wanted, since the upstream may still
// have been at work. Ends none before that, and none that its owner took back.
import { Watch } from '../../core/promise/watch.ts';
import type { Clock, Swept } from '../ports.ts';
import type { Ask, Mine } from './claim.ts';
import type { Beats, ListedIntent, MemberId, Shared, Watched } from './shared.ts';

export interface StewardOptions {
  readonly shared: Pick<Shared, 'take' | 'release' | 'expel'>;
  readonly clock: Clock;
  readonly ask: Ask;
  readonly mine: Mine;
  readonly quarantineMs: number;
  /** A write was touched for somebody who is gone. */
  readonly swept: (swept: Swept) => void;
}

/** Taken over in one round, so that a renewal is never late for it. */
const TAKEN_AT_ONCE = 100;

export class Steward {
  readonly #o: StewardOptions;
  readonly #watch = new Watch();
  /** Id to when it may be released, in monotonic milliseconds. */
  readonly #adopted = new Map<string, number>();

  constructor(options: StewardOptions) {
    this.#o = options;
  }

  /** Whoever was away knows nothing any more of who lives. */
  forget(): void {
    this.#watch.forget();
    this.#adopted.clear();
  }

  /** `leaseMs`: the longest that anybody may hold. */
  async look(me: MemberId, { beats, intents }: Watched, leaseMs: number): Promise<void> {
    this.#see(beats, intents);
    const owners = new Map(intents.map(({ id, owner }) => [id, owner]));
    for (const id of this.#adopted.keys()) if (owners.get(id) !== me) this.#adopted.delete(id);
    const lost = intents.filter((intent) => this.#isLost(intent, me, leaseMs));
    for (const intent of lost.slice(0, TAKEN_AT_ONCE)) {
      if (!(await this.#take(intent))) return;
    }
    if (!(await this.#release())) return;
    for (const [id, beat] of beats) {
      if (id === me || !this.#watch.gone(id, this.#o.clock.mono(), leaseMs)) continue;
      const heard = await this.#o.ask((self) => this.#o.shared.expel(self, id, beat));
      if (heard.kind === 'failed') return;
    }
  }

  #see(beats: Beats, intents: readonly ListedIntent[]): void {
    const all = new Map(beats);
    for (const { owner } of intents) if (!all.has(owner)) all.set(owner, '');
    this.#watch.see(all, this.#o.clock.mono());
  }

  #isLost({ id, owner }: ListedIntent, me: MemberId, leaseMs: number): boolean {
    // One's own that one doesn't know: an intent that came late, after its write had ended.
    if (owner === me) return !this.#o.mine.has(id) && !this.#adopted.has(id);
    return this.#watch.gone(owner, this.#o.clock.mono(), leaseMs);
  }

  async #take(intent: ListedIntent): Promise<boolean> {
    const { ask, clock, quarantineMs, shared, swept } = this.#o;
    const beat = this.#watch.beat(intent.owner);
    const heard = await ask((me) => shared.take(me, intent, beat));
    if (heard.kind === 'failed') return false;
    if (heard.said === undefined) return true; // it moved meanwhile
    const { holdMs, tags } = heard.said;
    const heldMs = Math.max(quarantineMs, holdMs);
    this.#adopted.set(intent.id, clock.mono() + heldMs);
    const reached = tags === 'everything' ? tags : tags.length;
    swept({ owner: intent.owner, tags: reached, heldMs });
    return true;
  }

  async #release(): Promise<boolean> {
    for (const [id, dueAt] of [...this.#adopted]) {
      if (this.#o.clock.mono() < dueAt) continue;
      const heard = await this.#o.ask((me) => this.#o.shared.release(me, id));
      if (heard.kind === 'failed') return false;
      this.#adopted.delete(id);
    }
    return true;
  }
}
