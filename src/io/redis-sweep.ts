// Looks after the writes that nobody looks after any more: those of instances that left or went,
// and those that this one no longer knows of. Each is taken over and touched, then touched again
// after the quarantine, or as late as its writer wanted, since the upstream may still have been at
// work. Drops none before that, and none that its owner took back.
import type { Watch } from '../core/promise/watch.ts';
import type { Clock } from '../flow/ports.ts';
import type { Call, Mine } from './redis-heard.ts';
import { parseIntent, type Intent, type ListedIntent, type Roster } from './redis-roster.ts';
import { FORGET, RELEASE, TAKE } from './redis-scripts.ts';

export interface SweeperOptions {
  readonly call: Call;
  readonly clock: Clock;
  readonly watch: Watch;
  readonly mine: Mine;
  readonly quarantineMs: number;
  readonly swept: (tags: readonly string[]) => void;
}

interface Adopted {
  readonly tags: Intent['tags'];
  readonly dueAt: number;
}

/** Taken over in one round, so that a beat is never late for it. */
const TAKEN_AT_ONCE = 100;

export class Sweeper {
  readonly #o: SweeperOptions;
  readonly #adopted = new Map<string, Adopted>();

  constructor(options: SweeperOptions) {
    this.#o = options;
  }

  #watch(roster: Roster): void {
    const beats = new Map(roster.beats);
    for (const intent of roster.intents) {
      if (!beats.has(intent.owner)) beats.set(intent.owner, '');
    }
    this.#o.watch.see(beats, this.#o.clock.mono());
  }

  async sweep(roster: Roster, me: string): Promise<void> {
    this.#watch(roster);
    const owners = new Map(roster.intents.map(({ id, owner }) => [id, owner]));
    for (const id of this.#adopted.keys()) if (owners.get(id) !== me) this.#adopted.delete(id);
    let taken = 0;
    for (const intent of roster.intents) {
      if (taken === TAKEN_AT_ONCE) return;
      if (!this.#isLost(intent, me)) continue;
      taken += 1;
      if (!(await this.#take(intent))) return;
    }
    if (!(await this.#release())) return;
    await this.#forget(roster, me);
  }

  #isLost(intent: ListedIntent, me: string): boolean {
    // One's own that one doesn't know: an intent that came late, after its write had ended.
    if (intent.owner === me) {
      return !this.#o.mine.has(intent.id) && !this.#adopted.has(intent.id);
    }
    return this.#o.watch.state(intent.owner, this.#o.clock.mono()) === 'gone';
  }

  async #take({ id, owner }: ListedIntent): Promise<boolean> {
    const { call, clock, quarantineMs, watch } = this.#o;
    const heard = await call(TAKE, id, owner, watch.beat(owner));
    if (heard.kind === 'failed') return false;
    const intent = parseIntent(heard.rest[0]);
    if (intent === undefined) return true; // it moved meanwhile
    const { tags, holdMs } = intent;
    this.#adopted.set(id, { tags, dueAt: clock.mono() + Math.max(quarantineMs, holdMs) });
    this.#tell(tags);
    return true;
  }

  async #release(): Promise<boolean> {
    for (const [id, { tags, dueAt }] of [...this.#adopted]) {
      if (this.#o.clock.mono() < dueAt) continue;
      const heard = await this.#o.call(RELEASE, id);
      if (heard.kind === 'failed') return false;
      this.#adopted.delete(id);
      if (heard.rest[0] === 1) this.#tell(tags);
    }
    return true;
  }

  /** A member that is gone is forgotten once nothing is in its name any more. */
  async #forget(roster: Roster, me: string): Promise<void> {
    const owners = new Set(roster.intents.map((intent) => intent.owner));
    for (const [id, beat] of roster.beats) {
      if (id === me || owners.has(id)) continue;
      if (this.#o.watch.state(id, this.#o.clock.mono()) !== 'gone') continue;
      const heard = await this.#o.call(FORGET, id, beat);
      if (heard.kind === 'failed') return;
    }
  }

  #tell(tags: Intent['tags']): void {
    this.#o.swept(tags === 'everything' ? [] : tags);
  }
}
