// The control part of one epoch as a state machine: what was touched when, and which writes are on
// their way. Every step is one atomic change; it never waits, and never looks at a clock.
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
  /** The intent that this touch ends, or keeps in another state. */
  readonly intent?: string;
  readonly tags: readonly string[] | 'everything';
  readonly then: 'done' | 'unknown' | 'settling';
}

interface Intent {
  readonly owner: string;
  readonly tags: readonly string[] | 'everything';
  readonly state: 'open' | 'unknown' | 'settling';
}

export class ControlState {
  readonly epoch: Epoch;
  readonly #touchedMax: number;
  #seq = 0;
  #floor = 0;
  /** In the order of touching, the oldest first. */
  readonly #touched = new Map<string, number>();
  readonly #intents = new Map<string, Intent>();
  /** Tag to the ids that hold it: named, never counted, so that repeating a step is harmless. */
  readonly #holders = new Map<string, Set<string>>();
  readonly #holdersOfEverything = new Set<string>();

  constructor(epoch: Epoch, limits: { readonly touched: number }) {
    this.epoch = epoch;
    this.#touchedMax = limits.touched;
  }

  /** How much is remembered, for those who count. */
  get sizes(): { readonly touched: number; readonly intents: number } {
    return { touched: this.#touched.size, intents: this.#intents.size };
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

  /** Records a write before it is forwarded; one that is recorded already stays as it is. */
  intend(id: string, owner: string, tags: readonly string[]): Seq {
    if (!this.#intents.has(id)) this.#intents.set(id, { owner, tags, state: 'open' });
    return this.#seq as Seq;
  }

  /** The write was not applied: its intent goes, nothing is touched. */
  abandon(id: string): Seq {
    this.#release(id);
    return this.#seq as Seq;
  }

  /** Applies also if the intent is gone, or was never recorded. */
  touch(step: TouchStep, owner: string): Seq {
    this.#seq += 1;
    if (step.tags === 'everything') {
      this.#touched.clear();
      this.#floor = this.#seq;
    } else {
      for (const tag of step.tags) this.#touchOne(tag);
      if (this.#touched.size > this.#touchedMax) this.#prune();
    }
    if (step.intent !== undefined) {
      this.#release(step.intent);
      if (step.then !== 'done') {
        this.#hold(step.intent, { owner, tags: step.tags, state: step.then });
      }
    }
    return this.#seq as Seq;
  }

  #touchOne(tag: string): void {
    this.#touched.delete(tag); // so that it moves to the end
    this.#touched.set(tag, this.#seq);
  }

  /** The floor rises before a touch is forgotten: forgetting can only make entries invalid. */
  #prune(): void {
    const spare = Math.floor(this.#touchedMax / 2);
    for (const [tag, seq] of this.#touched) {
      if (this.#touched.size <= spare) return;
      this.#floor = Math.max(this.#floor, seq);
      this.#touched.delete(tag);
    }
  }

  #hold(id: string, intent: Intent): void {
    this.#intents.set(id, intent);
    if (intent.tags === 'everything') {
      this.#holdersOfEverything.add(id);
      return;
    }
    for (const tag of intent.tags) {
      const holders = this.#holders.get(tag);
      if (holders === undefined) this.#holders.set(tag, new Set([id]));
      else holders.add(id);
    }
  }

  #release(id: string): void {
    const intent = this.#intents.get(id);
    if (intent === undefined) return;
    this.#intents.delete(id);
    this.#holdersOfEverything.delete(id);
    if (intent.state === 'open' || intent.tags === 'everything') return;
    for (const tag of intent.tags) {
      const holders = this.#holders.get(tag);
      if (holders?.delete(id) === true && holders.size === 0) this.#holders.delete(tag);
    }
  }
}
