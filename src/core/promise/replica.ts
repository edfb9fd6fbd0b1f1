// What one instance knows of the touches of all: loaded once, page by page, then kept by the
// touches that are published, each the next one after the last. Whatever doesn't follow makes it
// lost; it never guesses what it missed.
import type { Epoch, Seq } from '../entry/entry.ts';
import { type Held, type Looked, Touches, type TouchStep } from './touches.ts';

/** A touch as every instance hears of it, in the order of `seq`, none left out. */
export interface Published extends TouchStep {
  readonly epoch: Epoch;
  readonly seq: Seq;
  /** Who wants to be told that it was heard; undefined where nobody does. */
  readonly writer: string | undefined;
  /** How many of its tags, the first ones, are to be fetched again where they are in use. */
  readonly refreshes: number;
}

/** Some of what the store remembers, with what it was at that moment. */
export interface Page {
  readonly epoch: Epoch;
  readonly seq: Seq;
  readonly floor: number;
  readonly touched: Iterable<readonly [tag: string, seq: number]>;
  readonly held: Iterable<Held>;
}

interface Loading {
  readonly epoch: Epoch;
  /** Of the first page: what is published from here on is heard. */
  readonly seq: number;
  floor: number;
  readonly touched: Map<string, number>;
  readonly held: Map<string, Held>;
}

/** More than that while loading: it begins again, rather than to keep what it may never need. */
const BUFFERED_MAX = 10_000;

export class Replica {
  readonly #limits: { readonly touched: number };
  #live: Touches | undefined;
  #loading: Loading | undefined;
  #buffer: Published[] = [];

  constructor(limits: { readonly touched: number }) {
    this.#limits = limits;
  }

  /** Whether it has been loaded, and nothing was missed since. */
  get live(): boolean {
    return this.#live !== undefined;
  }

  get epoch(): Epoch | undefined {
    return this.#live?.epoch;
  }

  /** The last touch that it knows, and knows all before. */
  get seq(): Seq | undefined {
    return this.#live?.seq;
  }

  /** Of what it looks into, as long as that stays the same; undefined where it is not live. */
  get mark(): object | undefined {
    return this.#live?.mark;
  }

  /** Only of one that is live. */
  look(tags: readonly string[]): Looked {
    return this.#live!.look(tags);
  }

  /** Something was missed, or may have been. What is heard from now on is buffered. */
  lose(): void {
    this.#live = undefined;
    this.#loading = undefined;
    this.#buffer = [];
  }

  /** False where it is lost by this. */
  hear(touch: Published): boolean {
    if (this.#live === undefined) return this.#keepForLater(touch);
    if (touch.epoch === this.#live.epoch && touch.seq <= this.#live.seq) return true;
    if (touch.epoch === this.#live.epoch && touch.seq === this.#live.seq + 1) {
      this.#live.touch(touch);
      return true;
    }
    this.lose();
    return false;
  }

  #keepForLater(touch: Published): boolean {
    if (this.#buffer.length === BUFFERED_MAX) {
      this.lose();
      return false;
    }
    this.#buffer.push(touch);
    return true;
  }

  /** From the first page on. What was heard before it is not needed. */
  loadFirst(page: Page): void {
    this.#live = undefined;
    this.#loading = {
      epoch: page.epoch, seq: page.seq, floor: 0, touched: new Map(), held: new Map(),
    };
    this.loadNext(page);
  }

  /** False where it is not one of the same, or where it was lost meanwhile. */
  loadNext(page: Page): boolean {
    const loading = this.#loading;
    if (loading?.epoch !== page.epoch) return false;
    for (const [tag, seq] of page.touched) loading.touched.set(tag, seq);
    for (const held of page.held) loading.held.set(held.id, held);
    // The last page's counts: what was forgotten while loading lies under it.
    loading.floor = page.floor;
    return true;
  }

  /** All pages are there; what was heard meanwhile follows. False where something is missing. */
  loaded(): boolean {
    const loading = this.#loading;
    if (loading === undefined) return false;
    const { epoch, seq, floor, touched, held } = loading;
    const buffer = this.#buffer;
    this.lose();
    this.#live = new Touches(epoch, this.#limits, { seq, floor, touched, held: held.values() });
    return buffer
      .filter((touch) => touch.epoch === epoch)
      .every((touch) => this.hear(touch));
  }

  /** Whether it knows all that had been touched at that moment, and nothing later. */
  agrees(epoch: Epoch, seq: Seq): boolean {
    return this.#live?.epoch === epoch && this.#live.seq === seq;
  }
}
