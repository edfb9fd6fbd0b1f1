// Who this instance is in the store's eyes, and what the store has said of itself: its epoch, and
// whether it counts this instance. An id has one life; whoever may have been given up comes back
// under another.
import type { Epoch } from '../../core/entry/entry.ts';
import { type Moment, since } from '../../core/promise/lease.ts';
import { momentOf } from '../moment.ts';
import type { Clock } from '../ports.ts';
import type { Ask } from './claim.ts';
import type { Head, MemberId } from './shared.ts';

export interface MembershipOptions {
  readonly clock: Clock;
  readonly newId: () => string;
  readonly leaseMs: number;
  /** Another epoch, or another id: what was known of touches is not known any more. */
  readonly changed: (what: 'epoch' | 'id') => void;
}

export class Membership {
  readonly #o: MembershipOptions;
  #me: MemberId;
  #former: MemberId | undefined;
  #joined = false;
  /** Before the last renewal was sent, or the joining, that was answered. */
  #beatAt: Moment = { mono: -Infinity, wall: -Infinity };
  #epoch: Epoch | undefined;
  #young: string | undefined;
  /** When it was first seen to be young by this name. */
  #youngSeenAt = 0;
  #leaseMsMax: number;
  #wroteAt = -Infinity;

  constructor(options: MembershipOptions) {
    this.#o = options;
    this.#me = options.newId();
    this.#leaseMsMax = options.leaseMs;
  }

  get me(): MemberId {
    return this.#me;
  }

  /** The id before this one, until the store has been told that nobody has it any more. */
  get former(): MemberId | undefined {
    return this.#former;
  }

  get joined(): boolean {
    return this.#joined;
  }

  get epoch(): Epoch | undefined {
    return this.#epoch;
  }

  /** The longest lease that anybody may hold, as far as is known. */
  get leaseMsMax(): number {
    return this.#leaseMsMax;
  }

  /** When the store last took something of this instance's, in monotonic milliseconds. */
  get wroteAt(): number {
    return this.#wroteAt;
  }

  /** It has just done so: others may have renewed their leases as well. */
  wrote(): void {
    this.#wroteAt = this.#o.clock.mono();
  }

  /** Asks the store under this id, and takes note of what it says with every answer. */
  readonly ask: Ask = async (step) => {
    const me = this.#me;
    const joined = this.#joined;
    const heard = await step(me);
    if (heard.kind === 'heard' && me === this.#me) {
      this.#note(heard.head);
      if (joined && this.#joined && !heard.head.member) this.rename();
    }
    return heard;
  };

  /** By which name the store is young, as far as is known. */
  get young(): string | undefined {
    return this.#young;
  }

  /** How long it still is: a full lease from when it was first seen. */
  youngForMs(young = this.#young): number {
    if (young === undefined) return 0;
    const mono = this.#o.clock.mono();
    const seenAt = young === this.#young ? this.#youngSeenAt : mono;
    return Math.max(0, seenAt + this.#leaseMsMax - mono);
  }

  entered(at: Moment): void {
    this.#joined = true;
    this.#former = undefined;
    this.#beatAt = at;
    this.wrote();
  }

  /** An answer came; false where it came so late that others may have given this one up before. */
  renewed(at: Moment): boolean {
    this.wrote();
    if (this.lapses()) return false;
    this.#beatAt = at;
    return true;
  }

  /** How long ago the last renewal was sent that was answered. */
  get sinceBeatMs(): number {
    return since(this.#beatAt, momentOf(this.#o.clock));
  }

  /** Whoever was not heard of for a lease may have missed an outage of all, and is not the same. */
  lapses(): boolean {
    if (!this.#joined || this.sinceBeatMs < this.#o.leaseMs) return false;
    this.rename();
    return true;
  }

  /** Comes back as somebody else. */
  rename(): void {
    this.#former = this.#me;
    this.#me = this.#o.newId();
    this.#joined = false;
    this.#o.changed('id');
  }

  #note({ epoch, young, leaseMs }: Head): void {
    this.#leaseMsMax = Math.max(this.#leaseMsMax, leaseMs);
    if (young !== this.#young) this.#youngSeenAt = this.#o.clock.mono();
    this.#young = young;
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#o.changed('epoch');
  }
}
