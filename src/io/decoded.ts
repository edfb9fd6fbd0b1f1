// What the store's bytes were decoded to lately, by key: given again where the very same bytes have
// come. It spares the reading of them, never the asking for them; for a store that no memory stands
// in front of.
import { decode } from '../core/entry/codec.ts';
import type { Kept, Key } from '../core/entry/entry.ts';
import type { Slot } from '../flow/ports.ts';

const COUNT_MAX = 1024;
const BYTES_MAX = 8 * 1024 * 1024;
const ENTRY_SHARE = 64;
/** The bytes, as much decoded, and what is made of it. */
const BYTES_FACTOR = 4;

const weightOf = (bytes: Buffer): number => bytes.byteLength * BYTES_FACTOR;

interface Known extends Slot {
  readonly bytes: Buffer;
  readonly kept: Kept;
}

export class Decoded {
  /** The oldest first. */
  readonly #known = new Map<Key, Known>();
  #bytes = 0;

  /** Undefined where they are no entry of this key. */
  slot(key: Key, bytes: Buffer): Slot | undefined {
    const before = this.#known.get(key);
    if (before?.bytes.equals(bytes) === true) {
      // To the young end.
      this.#known.delete(key);
      this.#known.set(key, before);
      return before;
    }
    this.#forget(key);
    const kept = decode(bytes, key);
    if (kept === undefined) return undefined;
    const slot = { kept, lasts: false, use: () => kept };
    if (weightOf(bytes) * ENTRY_SHARE > BYTES_MAX) return slot;
    // A copy, since what came may be a piece of a larger buffer.
    return this.#keep(key, { ...slot, bytes: Buffer.from(bytes) });
  }

  #keep(key: Key, known: Known): Known {
    const weight = weightOf(known.bytes);
    while (this.#known.size >= COUNT_MAX || this.#bytes + weight > BYTES_MAX) {
      this.#forget(this.#known.keys().next().value!);
    }
    this.#known.set(key, known);
    this.#bytes += weight;
    return known;
  }

  #forget(key: Key): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#bytes -= weightOf(known.bytes);
  }
}
