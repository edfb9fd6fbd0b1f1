// Where the records of many keys stand: open addressing in typed arrays, in shards that each grow
// by themselves, so that no step of growth is long and the collector has nothing to look at. Knows
// hashes and places; whether a record is the one that is meant is its reader's to say.
import { NOWHERE } from './segments.ts';

const SLOTS_MIN = 8;
const SHARDS_MAX = 256;
const SHARD_BOUND = 1 << 20;
// The first 72 of a digest's bits decide; more tell nothing more.
const HASHED = 12;

/** 32 bits of a text that is a digest, mixed so that any text will do. */
export function hashOf(text: string): number {
  const length = Math.min(text.length, HASHED);
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

interface Table {
  /** A hash and its place, in turn. */
  slots: Uint32Array;
  count: number;
}

export class KeyIndex {
  readonly #tables: readonly Table[];
  readonly #shift: number;
  size = 0;
  bytes = 0;

  constructor(bound: number) {
    const wanted = 2 ** Math.floor(Math.log2(bound / SHARD_BOUND));
    const shards = Math.min(SHARDS_MAX, Math.max(2, wanted));
    this.#shift = 32 - Math.log2(shards);
    const empty = (): Table => ({ slots: this.#slots(SLOTS_MIN), count: 0 });
    this.#tables = Array.from({ length: shards }, empty);
  }

  /** The place of the first record of this hash that matches. */
  find(hash: number, matches: (place: number) => boolean): number {
    const { slots } = this.#tables[hash >>> this.#shift]!;
    const mask = slots.length - 1;
    for (let at = homeOf(hash, mask); ; at = (at + 2) & mask) {
      const place = slots[at + 1]!;
      if (place === NOWHERE || (slots[at] === hash && matches(place))) return place;
    }
  }

  add(hash: number, place: number): void {
    const table = this.#tables[hash >>> this.#shift]!;
    if ((table.count + 1) * 8 > table.slots.length * 3) this.#grow(table);
    insert(table.slots, hash, place);
    table.count += 1;
    this.size += 1;
  }

  move(hash: number, from: number, to: number): void {
    const { slots } = this.#tables[hash >>> this.#shift]!;
    slots[slotOf(slots, hash, from) + 1] = to;
  }

  remove(hash: number, place: number): void {
    const table = this.#tables[hash >>> this.#shift]!;
    const { slots } = table;
    const mask = slots.length - 1;
    let hole = slotOf(slots, hash, place);
    // What stands behind moves up, as far as its own hash lets it, so that no search ends early.
    for (let at = (hole + 2) & mask; slots[at + 1] !== NOWHERE; at = (at + 2) & mask) {
      const home = homeOf(slots[at]!, mask);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at]!;
      slots[hole + 1] = slots[at + 1]!;
      hole = at;
    }
    slots[hole + 1] = NOWHERE;
    table.count -= 1;
    this.size -= 1;
  }

  #grow(table: Table): void {
    const { slots } = table;
    table.slots = this.#slots(slots.length);
    this.bytes -= slots.byteLength;
    for (let at = 0; at < slots.length; at += 2) {
      if (slots[at + 1] !== NOWHERE) insert(table.slots, slots[at]!, slots[at + 1]!);
    }
  }

  #slots(count: number): Uint32Array {
    const slots = new Uint32Array(count * 2);
    this.bytes += slots.byteLength;
    return slots;
  }
}

function homeOf(hash: number, mask: number): number {
  return (hash << 1) & mask;
}

function insert(slots: Uint32Array, hash: number, place: number): void {
  const mask = slots.length - 1;
  let at = homeOf(hash, mask);
  while (slots[at + 1] !== NOWHERE) at = (at + 2) & mask;
  slots[at] = hash;
  slots[at + 1] = place;
}

function slotOf(slots: Uint32Array, hash: number, place: number): number {
  const mask = slots.length - 1;
  for (let at = homeOf(hash, mask); slots[at + 1] !== NOWHERE; at = (at + 2) & mask) {
    if (slots[at + 1] === place) return at;
  }
  throw new Error('the index does not know this record');
}
