// What the store's bytes were decoded to lately, by key: given again where the very same bytes have
// come. It spares the reading of them, never the asking for them.
import { decode } from '../core/entry/codec.ts';
import type { Kept, Key } from '../core/entry/entry.ts';
import type { Slot } from '../flow/ports.ts';

const COUNT_MAX = 1024;
const BYTES_MAX = 8 * 1024 * 1024;
const ENTRY_SHARE = 64;
/** The bytes, as much decoded, and what is made of it. */
const BYTES_FACTOR = 4;

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
    if (before?.bytes.equals(bytes) === true) return before;
    const kept = decode(bytes, key);
    this.#forget(key);
    if (kept === undefined) return undefined;
    // A copy, since what came may be a piece of a larger buffer.
    const known: Known = { kept, lasts: false, again: () => kept, bytes: Buffer.from(bytes) };
    this.#keep(key, known);
    return known;
  }

  #keep(key: Key, known: Known): void {
    const bytes = weightOf(known);
    if (bytes * ENTRY_SHARE > BYTES_MAX) return;
    while (this.#known.size >= COUNT_MAX || this.#bytes + bytes > BYTES_MAX) {
      this.#forget(this.#known.keys().next().value!);
    }
    this.#known.set(key, known);
    this.#bytes += bytes;
  }

  #forget(key: Key): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#bytes -= weightOf(known);
  }
}

const weightOf = ({ bytes }: Known): number => bytes.byteLength * BYTES_FACTOR;
