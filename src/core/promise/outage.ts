// How long the store has been out of reach, as far as one instance has seen it without a break. Who
// was away meanwhile, its loop blocked or its machine asleep, saw nothing: others may have reached
// the store, and count on it for a lease from then on.
import { type Moment, since } from './lease.ts';

export interface Evidence {
  readonly now: Moment;
  /** Monotonic milliseconds: when the store last took something. */
  readonly wroteAt: number;
  /** Who looks away for longer, in milliseconds, has not seen what was meanwhile. */
  readonly gapMsMax: number;
}

export class Outage {
  /** Somebody looks at it again and again until it is over. */
  watched = false;
  #from = 0;
  #last: Moment | undefined;

  /** It is out of reach now. Says for how many milliseconds that has been seen on end. */
  seen(evidence: Evidence): number {
    const { now } = evidence;
    if (!this.goesOn(evidence)) this.#from = now.mono;
    this.#last = now;
    return now.mono - this.#from;
  }

  /** Whether it was seen to begin, and nothing since speaks against it. */
  goesOn({ now, wroteAt, gapMsMax }: Evidence): boolean {
    return this.#last !== undefined && wroteAt < this.#from && since(this.#last, now) <= gapMsMax;
  }
}
