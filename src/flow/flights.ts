// Fetches under way, one for each key. Who finds one may wait for it; whether its answer is good
// enough for them, they judge themselves, and otherwise take the next one, which then began after
// they came. So there is at most one running, and one that those who wait will start.
import type { Entry, Key } from '../core/entry/entry.ts';
import type { NotKeptBecause } from '../core/verdict.ts';
import type { FetchFailure } from './ports.ts';

/** How a fetch ended, for those who waited. */
export type Landing =
  | {
      readonly kind: 'answer';
      readonly entry: Entry;
      /** By which fields the answers under this key are told apart. */
      readonly names: readonly string[];
      /** No touch of its tags came between its `asOf` and its end. */
      readonly valid: boolean;
      /** Collapsed: another instance fetched it. */
      readonly kept: 'stored' | 'revalidated' | 'collapsed' | NotKeptBecause;
    }
  | { readonly kind: 'unkept'; readonly because: NotKeptBecause; readonly status: number }
  | { readonly kind: 'failed'; readonly because: FetchFailure };

export interface Flight<First> {
  /** What the one who started it gives to its client, perhaps before the end. */
  readonly first: Promise<First>;
  /** Never rejects. */
  readonly landing: Promise<Landing>;
}

export class Flights {
  readonly #running = new Map<Key, Promise<Landing>>();

  get size(): number {
    return this.#running.size;
  }

  /** The end of the fetch under way, if there is one. */
  running(key: Key): Promise<Landing> | undefined {
    return this.#running.get(key);
  }

  /** Starts one; the caller has seen that none is running. */
  start<First>(key: Key, launch: () => Flight<First>): Flight<First> {
    const flight = launch();
    this.#running.set(key, flight.landing);
    void flight.landing.then(() => this.#running.delete(key));
    return flight;
  }
}
