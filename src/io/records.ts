// How the record of an entry is laid out in its segment, and the small things that are read of it,
// and marked in it, where it stands.
import type { Key } from '../core/entry/entry.ts';
import { BODY } from './bodies.ts';
import { FLAGS, type Queue, type Segments } from './segments.ts';

// Words and numbers of an entry's record; its key, its texts and a very small body follow.
export const WEIGHT = 3;
export const TEMPLATE = 4;
export const TEXT = 5;
export const BODY_HASH = 6;
export const INLINE = 7;
export const BODY_SERIAL = 4;
export const AS_OF = 5;
export const RECEIVED_AT = 6;
export const FETCH_MS = 7;
export const HEAD_BYTES = 64;
// Its flags: how often it was asked for, up to three, whether it is decoded, its key's length.
const USED = 0xc00;
const HOT = 0x200;
export const USED_SHIFT = 10;
export const KEY_SHIFT = 16;

export class Records {
  readonly #segments: Segments;

  constructor(segments: Segments) {
    this.#segments = segments;
  }

  word(place: number, word: number): number {
    return this.#segments.segment(place).words[this.#segments.offset(place) / 4 + word]!;
  }

  number(place: number, number: number): number {
    return this.#segments.segment(place).numbers[this.#segments.offset(place) / 8 + number]!;
  }

  isOf(place: number, key: Key): boolean {
    const { words, bytes } = this.#segments.segment(place);
    const at = this.#segments.offset(place);
    if (words[at / 4 + FLAGS]! >>> KEY_SHIFT !== key.length) return false;
    for (let i = 0; i < key.length; i += 1) {
      if (bytes[at + HEAD_BYTES + i] !== key.charCodeAt(i)) return false;
    }
    return true;
  }

  keyAt(place: number): Key {
    const from = this.#segments.offset(place) + HEAD_BYTES;
    const to = from + (this.word(place, FLAGS) >>> KEY_SHIFT);
    return this.#segments.segment(place).text.toString('latin1', from, to) as Key;
  }

  isBody(place: number): boolean {
    return (this.word(place, FLAGS) & BODY) !== 0;
  }

  queueOf(place: number): Queue {
    return this.#segments.segment(place).queue;
  }

  usedAt(place: number): number {
    return (this.word(place, FLAGS) & USED) >>> USED_SHIFT;
  }

  isHot(place: number): boolean {
    return (this.word(place, FLAGS) & HOT) !== 0;
  }

  /** It was so often asked for of late, at most three times; it may be among the decoded. */
  mark(place: number, used: number, hot: boolean): void {
    const { words } = this.#segments.segment(place);
    const at = this.#segments.offset(place) / 4 + FLAGS;
    words[at] = (words[at]! & ~(USED | HOT)) | (used << USED_SHIFT) | (hot ? HOT : 0);
  }
}
