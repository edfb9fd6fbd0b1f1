// What was touched when, and what is held: the part of the control state by which entries are
// judged, of one epoch. The memory store's whole truth, and what every instance of a fleet has a
// replica of. Each step is one change; it never waits, and never looks at a clock.
import type { Epoch, Seq } from '../entry/entry.ts';

export interface Looked {
  readonly epoch: Epoch;
  readonly seq: Seq;
  /** The newest touch of any of the tags; the floor where there is none. */
  readonly newest: Seq;
  /** Some write of unknown outcome, or one that settles, has one of the tags. */
  readonly held: boolean;
}

export interface TouchStep {
  /** The write that this touch ends, or holds. */
  readonly intent?: string | undefined;
  readonly tags: readonly string[] | 'everything';
  readonly then: 'done' | 'unknown' | 'settling';
}

/** A write that is held, and where. */
export interface Held {
  readonly id: string;
  readonly tags: readonly string[] | 'everything';
}

/** What was known of an epoch at some moment, to go on from. */
export interface Snapshot {
  readonly seq: number;
  readonly floor: number;
  readonly touched: ReadonlyMap<string, number>;
  readonly held: Iterable<Held>;
}

export class Touches {
  readonly epoch: Epoch;
  readonly #touchedMax: number;
  #seq = 0;
  #floor = 0;
  /** In the order of touching, the oldest first. */
  readonly #touched = new Map<string, number>();
  readonly #held = new Map<string, Held['tags']>();
  /** Tag to the ids that hold it: named, never counted, so that repeating a step is harmless. */
  readonly #holders = new Map<string, Set<string>>();
  readonly #holdersOfEverything = new Set<string>();
  #mark: object = {};

  constructor(epoch: Epoch, limits: { readonly touched: number }, from?: Snapshot) {
    this.epoch = epoch;
    this.#touchedMax = limits.touched;
    if (from === undefined) return;
    this.#seq = from.seq;
    this.#floor = from.floor;
    const inOrder = [...from.touched].sort(([, one], [, other]) => one - other);
    for (const [tag, seq] of inOrder) this.#touched.set(tag, seq);
    for (const { id, tags } of from.held) this.#hold(id, tags);
    this.#prune();
  }

  get seq(): Seq {
    return this.#seq as Seq;
  }

  /** The same object for as long as every look is answered as before. */
  get mark(): object {
    return this.#mark;
  }

  /** How much is remembered, for those who count. */
  get sizes(): { readonly touched: number; readonly held: number } {
    return { touched: this.#touched.size, held: this.#held.size };
  }

  look(tags: readonly string[]): Looked {
    let newest = this.#floor;
    let held = this.#holdersOfEverything.size > 0;
    for (const tag of tags) {
      newest = Math.max(newest, this.#touched.get(tag) ?? 0);
      held ||= this.#holders.has(tag);
    }
    return { epoch: this.epoch, seq: this.#seq as Seq, newest: newest as Seq, held };
  }

  touch({ tags, intent, then }: TouchStep): Seq {
    this.#seq += 1;
    this.#mark = {};
    if (tags === 'everything') {
      this.#touched.clear();
      this.#floor = this.#seq;
    } else {
      for (const tag of tags) this.#touchOne(tag);
      this.#prune();
    }
    if (intent !== undefined) {
      this.release(intent);
      if (then !== 'done') this.#hold(intent, tags);
    }
    return this.#seq as Seq;
  }

  /** Nothing is held under this id any more. */
  release(id: string): void {
    const tags = this.#held.get(id);
    if (tags === undefined) return;
    this.#mark = {};
    this.#held.delete(id);
    this.#holdersOfEverything.delete(id);
    if (tags === 'everything') return;
    for (const tag of tags) {
      const holders = this.#holders.get(tag);
      if (holders?.delete(id) === true && holders.size === 0) this.#holders.delete(tag);
    }
  }

  #touchOne(tag: string): void {
    // A snapshot may know of a later touch than the one that is made good now.
    const seq = Math.max(this.#seq, this.#touched.get(tag) ?? 0);
    this.#touched.delete(tag); // so that it moves to the end
    this.#touched.set(tag, seq);
  }

  /** The floor rises before a touch is forgotten: forgetting can only make entries invalid. */
  #prune(): void {
    if (this.#touched.size <= this.#touchedMax) return;
    const spare = Math.floor(this.#touchedMax / 2);
    for (const [tag, seq] of this.#touched) {
      if (this.#touched.size <= spare) return;
      this.#floor = Math.max(this.#floor, seq);
      this.#touched.delete(tag);
    }
  }

  #hold(id: string, tags: Held['tags']): void {
    this.#held.set(id, tags);
    if (tags === 'everything') {
      this.#holdersOfEverything.add(id);
      return;
    }
    for (const tag of tags) {
      const holders = this.#holders.get(tag);
      if (holders === undefined) this.#holders.set(tag, new Set([id]));
      else holders.add(id);
    }
  }
}
