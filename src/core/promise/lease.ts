// The right to use the cache for a while. It runs from before the renewal was sent that the store
// answered, by the monotonic and by the wall clock, whichever has gone further: a machine that
// slept has no lease when it wakes.

/** One moment by both clocks, in milliseconds. */
export interface Moment {
  readonly mono: number;
  readonly wall: number;
}

export function since(then: Moment, now: Moment): number {
  return Math.max(now.mono - then.mono, now.wall - then.wall);
}

/** Those who wait for a lease to end wait for all of it; who holds it counts on a little less. */
const COUNTED_ON = 0.95;

interface Renewal {
  readonly nonce: string;
  readonly at: Moment;
  /** The store's answer came, and says that it counts. */
  confirmed: boolean;
  /** It came back through the instance's own subscription; `agreed`: with what is known here. */
  heard: 'not-yet' | 'in-vain' | 'agreed';
}

export class Lease {
  readonly #ms: number;
  #from: Moment | undefined;
  #renewal: Renewal | undefined;

  constructor(leaseMs: number) {
    this.#ms = leaseMs * COUNTED_ON;
  }

  holds(now: Moment): boolean {
    return this.#from !== undefined && since(this.#from, now) < this.#ms;
  }

  /** When the last renewal was sent, if the store has answered it and nothing was heard of it. */
  get unheardSince(): Moment | undefined {
    const renewal = this.#renewal;
    return renewal?.confirmed === true && renewal.heard === 'not-yet' ? renewal.at : undefined;
  }

  /** A renewal is about to be sent; one before it that is still under way counts no more. */
  ask(nonce: string, at: Moment): void {
    this.#renewal = { nonce, at, confirmed: false, heard: 'not-yet' };
  }

  confirm(nonce: string): void {
    if (this.#renewal?.nonce !== nonce) return;
    this.#renewal.confirmed = true;
    this.#count(this.#renewal);
  }

  hear(nonce: string, as: 'in-vain' | 'agreed'): void {
    if (this.#renewal?.nonce !== nonce) return;
    this.#renewal.heard = as;
    this.#count(this.#renewal);
  }

  /** Whatever is under way counts no more either. */
  end(): void {
    this.#from = undefined;
    if (this.#renewal?.heard === 'agreed') this.#renewal.heard = 'in-vain';
  }

  /** Nothing is expected to be heard of what was sent. */
  forget(): void {
    this.#from = undefined;
    this.#renewal = undefined;
  }

  #count({ confirmed, heard, at }: Renewal): void {
    if (confirmed && heard === 'agreed') this.#from = at;
  }
}
