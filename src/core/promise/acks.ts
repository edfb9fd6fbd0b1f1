// Who has heard of which touch. Acknowledgements are cumulative: the newest of a member stands for
// all before it in its epoch. Only counts; how long to wait is the writer's business.
import type { Epoch, Seq } from '../entry/entry.ts';

interface Ack {
  readonly epoch: Epoch;
  readonly seq: Seq;
}

export interface Awaited {
  /** Those who have not acknowledged yet. */
  readonly missing: ReadonlySet<string>;
}

interface Waiting extends Ack {
  readonly missing: Set<string>;
  readonly all: () => void;
}

/** Members come and go; of so many the newest acknowledgements are known. */
const MEMBERS_MAX = 10_000;

export class Acks {
  readonly #newest = new Map<string, Ack>();
  readonly #waiting = new Set<Waiting>();

  hear(member: string, epoch: Epoch, seq: Seq): void {
    const before = this.#newest.get(member);
    if (before?.epoch === epoch && before.seq >= seq) return;
    this.#newest.delete(member);
    if (this.#newest.size >= MEMBERS_MAX) {
      this.#newest.delete(this.#newest.keys().next().value!);
    }
    this.#newest.set(member, { epoch, seq });
    for (const waiting of this.#waiting) {
      if (waiting.epoch !== epoch || waiting.seq > seq) continue;
      if (!waiting.missing.delete(member) || waiting.missing.size > 0) continue;
      this.#waiting.delete(waiting);
      waiting.all();
    }
  }

  /** Calls back once when all of them have acknowledged this touch, perhaps at once. */
  await(touch: Ack, members: Iterable<string>, all: () => void): Awaited {
    const { epoch, seq } = touch;
    const missing = new Set<string>();
    for (const member of members) {
      const ack = this.#newest.get(member);
      if (ack?.epoch !== epoch || ack.seq < seq) missing.add(member);
    }
    const waiting = { epoch, seq, missing, all };
    if (missing.size === 0) all();
    else this.#waiting.add(waiting);
    return waiting;
  }

  /** Nobody waits for it any more. */
  forget(awaited: Awaited): void {
    this.#waiting.delete(awaited as Waiting);
  }
}
