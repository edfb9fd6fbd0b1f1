// What is asked for often, decoded: found at once, the same object each time, with a place for what
// is made of it. Bounded by number and bytes. Who comes is on trial first, among few, and stays if
// it is asked for again, now or soon after; of those that stay who was not asked for since the hand
// passed goes first. So a hit moves nothing, and a scan leaves nothing behind that lives long.
import type { Kept, Key } from '../core/entry/entry.ts';
import type { Slot } from '../flow/ports.ts';
import { COPIED_MAX } from './bodies.ts';
import { Ghosts } from './ghosts.ts';
import { hashOf } from './key-index.ts';

class HotSlot implements Slot {
  kept: Kept | undefined;
  readonly key: Key;
  made: unknown = undefined;
  readonly lasts = true;
  at = 0;
  /** How often it was asked for since the hand passed, or since its trial began. */
  used = 0;
  readonly bytes: number;

  constructor(kept: Kept, bytes: number) {
    this.kept = kept;
    this.key = kept.key;
    this.bytes = bytes;
  }

  use(): Kept | undefined {
    if (this.used < USED_MAX) this.used += 1;
    return this.kept;
  }
}

const COUNT_MAX = 16_384;
const TRIALS_MAX = 256;
const TRIALS_SHARE = 8;
// One in so many of those that come again after their trial.
const STAYING = 4;
const SHARE = 4;
const USED_MAX = 3;
// Its objects, its place in the map, and what is made of it beside bodies.
const SLOT_BYTES = 2048;
const TEXT_FACTOR = 2;
// The body itself, and twice as much for what is made of it.
const BODY_FACTOR = 3;
const PLACE_BYTES = 8;
const SLOT_SHARE = 4;

export class HotEntries {
  readonly #bytesMax: number;
  /** Those that stay. A map that others passed through would keep them alive beyond their time. */
  readonly #byKey = new Map<Key, HotSlot>();
  /** Those on trial have the first places, each the one that its hash says. */
  readonly #slots: (HotSlot | undefined)[];
  readonly #trials: number;
  /** Who was on trial and not asked for again. */
  readonly #tried: Ghosts;
  /** How many came again after their trial. */
  #returned = 0;
  #hand: number;
  size = 0;
  bytes: number;

  constructor(bound: number) {
    this.#bytesMax = Math.floor(bound / SHARE);
    const count = Math.min(COUNT_MAX, Math.ceil(this.#bytesMax / SLOT_BYTES) + 2);
    const trials = Math.min(TRIALS_MAX, Math.ceil(count / TRIALS_SHARE));
    this.#trials = 2 ** Math.floor(Math.log2(trials));
    this.#tried = new Ghosts(count * 2);
    this.#slots = new Array<HotSlot | undefined>(count).fill(undefined);
    this.#hand = this.#trials;
    this.bytes = count * PLACE_BYTES + this.#tried.bytes;
  }

  get(key: Key): Slot | undefined {
    const slot = this.#find(key);
    slot?.use();
    return slot;
  }

  #find(key: Key): HotSlot | undefined {
    const stays = this.#byKey.get(key);
    if (stays !== undefined) return stays;
    const slot = this.#slots[hashOf(key) & (this.#trials - 1)];
    return slot?.key === key ? slot : undefined;
  }

  /** Bytes of a slot, with so many of text. */
  bytesOf(kept: Kept, textBytes: number): number {
    const body = kept.kind === 'answer' && kept.body.length <= COPIED_MAX ? kept.body.length : 0;
    return SLOT_BYTES + textBytes * TEXT_FACTOR + body * BODY_FACTOR;
  }

  /** Others make room for it; undefined for one that is too large for that. */
  add(kept: Kept, bytes: number): Slot | undefined {
    if (bytes * SLOT_SHARE > this.#bytesMax) return undefined;
    const hash = hashOf(kept.key);
    const stays = this.#mayStay(hash, bytes);
    const trial = hash & (this.#trials - 1);
    if (!stays) this.#endTrial(trial);
    this.#makeRoom(bytes);
    const slot = new HotSlot(kept, bytes);
    this.#put(slot, stays ? this.#freePlace() : trial);
    this.size += 1;
    this.bytes += bytes;
    return slot;
  }

  /** Where more come again than there is room for, those that stay do not change too often. */
  #mayStay(hash: number, bytes: number): boolean {
    if (!this.#tried.has(hash)) return false;
    if (this.#slots[this.#hand] === undefined && this.bytes + bytes <= this.#bytesMax) return true;
    this.#returned += 1;
    return this.#returned % STAYING === 0;
  }

  /** Whoever is on trial there stays, if it was asked for again. */
  #endTrial(at: number): void {
    const slot = this.#slots[at];
    if (slot === undefined) return;
    if (slot.used === 0) {
      this.#tried.add(hashOf(slot.key));
      this.#remove(slot);
    } else {
      this.#slots[at] = undefined;
      this.#put(slot, this.#freePlace());
    }
  }

  #makeRoom(bytes: number): void {
    for (let trial = 0; this.bytes + bytes > this.#bytesMax;) {
      if (this.#byKey.size > 0) this.#turn();
      else this.#endTrial(trial++);
    }
  }

  /** For one that stays. */
  #freePlace(): number {
    while (this.#slots[this.#hand] !== undefined) this.#turn();
    const at = this.#hand;
    this.#step();
    return at;
  }

  #put(slot: HotSlot, at: number): void {
    this.#slots[at] = slot;
    slot.at = at;
    slot.used = 0;
    if (at >= this.#trials) this.#byKey.set(slot.key, slot);
  }

  /** Whether it was asked for, which counts once less from now on. */
  spend(key: Key): boolean {
    const slot = this.#find(key);
    if (slot === undefined || slot.used === 0) return false;
    slot.used -= 1;
    return true;
  }

  /** Its entry is another, or gone; who stayed needs no new trial. */
  drop(key: Key): void {
    const slot = this.#find(key);
    if (slot === undefined) return;
    if (slot.at >= this.#trials) this.#tried.add(hashOf(key));
    this.#remove(slot);
  }

  clear(): void {
    for (const slot of this.#slots) if (slot !== undefined) this.#remove(slot);
  }

  /** Whom the hand points at goes, if it was not asked for; otherwise the hand goes on. */
  #turn(): void {
    const slot = this.#slots[this.#hand];
    if (slot?.used === 0) return this.#remove(slot);
    if (slot !== undefined) slot.used -= 1;
    this.#step();
  }

  #step(): void {
    this.#hand += 1;
    if (this.#hand === this.#slots.length) this.#hand = this.#trials;
  }

  #remove(slot: HotSlot): void {
    if (slot.at >= this.#trials) this.#byKey.delete(slot.key);
    this.#slots[slot.at] = undefined;
    this.size -= 1;
    this.bytes -= slot.bytes;
    // Whoever holds it shall find that, and keep nothing of it alive.
    slot.kept = undefined;
    slot.made = undefined;
  }
}
