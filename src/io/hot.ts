// What is asked for often, decoded: found at once, the same object each time, with a place for what
// is made of it. Bounded by number and bytes. Who comes is on trial first, among few, and stays if
// it is asked for again, now or soon after; of those that stay who was not asked for since the hand
// passed goes first. So a hit moves nothing, and a scan leaves nothing behind that lives long.
import type { Kept, Key } from '../core/entry/entry.ts';
import type { Slot } from '../flow/ports.ts';
import { COPIED_MAX } from './bodies.ts';
import { Ghosts } from './ghosts.ts';

interface HotSlot extends Slot {
  readonly hash: number;
  at: number;
  readonly bytes: number;
}

const COUNT_MAX = 16_384;
const TRIALS_MAX = 256;
const TRIALS_SHARE = 8;
const SHARE = 4;
const USED_MAX = 3;
// Its objects, its place in the map, and what is made of it beside bodies.
const SLOT_BYTES = 2048;
const TEXT_FACTOR = 2;
// The body itself, and twice as much for what is made of it.
const BODY_FACTOR = 3;
const PLACE_BYTES = 9;
const SLOT_SHARE = 4;

export class HotEntries {
  readonly #bytesMax: number;
  readonly #byKey = new Map<Key, HotSlot>();
  /** Those on trial have the first places. */
  readonly #trials: number;
  readonly #slots: (HotSlot | undefined)[];
  /** How often each was asked for since its hand passed. */
  readonly #used: Uint8Array;
  /** Who was on trial and not asked for again. */
  readonly #tried: Ghosts;
  #trial = 0;
  #hand: number;
  /** How many are not on trial. */
  #settled = 0;
  bytes: number;

  constructor(bound: number) {
    this.#bytesMax = Math.floor(bound / SHARE);
    const count = Math.min(COUNT_MAX, Math.ceil(this.#bytesMax / SLOT_BYTES) + 2);
    this.#trials = Math.min(TRIALS_MAX, Math.ceil(count / TRIALS_SHARE));
    this.#tried = new Ghosts(count * 2);
    this.#slots = new Array<HotSlot | undefined>(count).fill(undefined);
    this.#used = new Uint8Array(count);
    this.#hand = this.#trials;
    this.bytes = count * PLACE_BYTES + this.#tried.bytes;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: Key): Slot | undefined {
    const slot = this.#byKey.get(key);
    if (slot !== undefined && this.#used[slot.at]! < USED_MAX) this.#used[slot.at]! += 1;
    return slot;
  }

  /** Bytes of a slot, with so many of text. */
  bytesOf(kept: Kept, textBytes: number): number {
    const body = kept.kind === 'answer' && kept.body.length <= COPIED_MAX ? kept.body.length : 0;
    return SLOT_BYTES + textBytes * TEXT_FACTOR + body * BODY_FACTOR;
  }

  /** Others make room for it; undefined for one that is too large for that. */
  add(kept: Kept, hash: number, bytes: number): Slot | undefined {
    if (bytes * SLOT_SHARE > this.#bytesMax) return undefined;
    while (this.bytes + bytes > this.#bytesMax) {
      if (this.#settled > 0) this.#turn();
      else this.#untried();
    }
    const at = this.#tried.has(hash) ? this.#place() : this.#untried();
    const slot: HotSlot = { kept, made: undefined, hash, at, bytes };
    this.#put(slot, at);
    this.#byKey.set(kept.key, slot);
    this.bytes += bytes;
    return slot;
  }

  /** A free place for who stays. */
  #place(): number {
    while (this.#slots[this.#hand] !== undefined) this.#turn();
    const at = this.#hand;
    this.#step();
    return at;
  }

  /** A free place for who comes; whoever was on trial there stays, if it was asked for again. */
  #untried(): number {
    const at = this.#trial;
    this.#trial = (at + 1) % this.#trials;
    const slot = this.#slots[at];
    if (slot !== undefined && this.#used[at]! > 0) {
      this.#slots[at] = undefined;
      this.#put(slot, this.#place());
    } else if (slot !== undefined) {
      this.#tried.add(slot.hash);
      this.#remove(slot);
    }
    return at;
  }

  #put(slot: HotSlot, at: number): void {
    if (at >= this.#trials) this.#settled += 1;
    slot.at = at;
    this.#slots[at] = slot;
    this.#used[at] = 0;
  }

  /** Whether it was asked for, which counts once less from now on. */
  spend(key: Key): boolean {
    const slot = this.#byKey.get(key);
    if (slot === undefined || this.#used[slot.at] === 0) return false;
    this.#used[slot.at]! -= 1;
    return true;
  }

  /** Its entry is another, or gone; who stayed needs no new trial. */
  drop(key: Key): void {
    const slot = this.#byKey.get(key);
    if (slot === undefined) return;
    if (slot.at >= this.#trials) this.#tried.add(slot.hash);
    this.#remove(slot);
  }

  clear(): void {
    for (const slot of [...this.#byKey.values()]) this.#remove(slot);
  }

  /** Whom the hand points at goes, if it was not asked for; otherwise the hand goes on. */
  #turn(): void {
    const slot = this.#slots[this.#hand];
    if (slot !== undefined && this.#used[this.#hand] === 0) return this.#remove(slot);
    if (slot !== undefined) this.#used[this.#hand]! -= 1;
    this.#step();
  }

  #step(): void {
    this.#hand += 1;
    if (this.#hand === this.#slots.length) this.#hand = this.#trials;
  }

  #remove({ kept, at, bytes }: HotSlot): void {
    this.#byKey.delete(kept.key);
    this.#slots[at] = undefined;
    if (at >= this.#trials) this.#settled -= 1;
    this.bytes -= bytes;
  }
}
