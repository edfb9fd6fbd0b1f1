// One copy of equal bodies: found by a digest, then compared byte by byte, and kept as long as an
// entry needs it. Those of moderate size are records in segments; larger ones stand by themselves,
// and only their heads are records. An entry knows its body by a hash and a number, not by a place.
import { hash as digest } from 'node:crypto';
import { hashOf, KeyIndex } from './key-index.ts';
import { FLAGS, HASH, NOWHERE, type Queue, type Segments } from './segments.ts';

/** Of a record that is no entry but a body. */
export const BODY = 0x1;
const LARGE = 0x2;
// Words and numbers of a body's record.
const REFS = 3;
const LENGTH = 4;
const SERIAL = 3;
const HEAD_BYTES = 32;

/** Whatever hits copy is at most as large. */
export const COPIED_MAX = 16_384;
const SEGMENT_SHARE = 8;
// Its objects, and its place in the map.
const LARGE_BYTES = 320;

export interface BodyName {
  readonly hash: number;
  /** Tells bodies of one hash apart. */
  readonly serial: number;
}

export class Bodies {
  readonly #segments: Segments;
  readonly #index: KeyIndex;
  readonly #large = new Map<number, Uint8Array>();
  readonly #copiedMax: number;
  #largeBytes = 0;
  #serials = 0;

  constructor(bound: number, segments: Segments) {
    this.#segments = segments;
    this.#index = new KeyIndex(bound);
    this.#copiedMax = Math.min(COPIED_MAX, Math.floor(segments.segmentBytes / SEGMENT_SHARE));
  }

  /** Of what is not in segments. */
  get bytes(): number {
    return this.#index.bytes + this.#largeBytes;
  }

  hashOf(body: Uint8Array): number {
    return hashOf(digest('sha256', body, 'base64url'));
  }

  /** Bytes of the record, and of what stands by itself. */
  sizesOf({ length }: Uint8Array): { readonly record: number; readonly alone: number } {
    const isLarge = length > this.#copiedMax;
    return {
      record: this.#segments.rounded(HEAD_BYTES + (isLarge ? 0 : length)),
      alone: isLarge ? length + LARGE_BYTES : 0,
    };
  }

  has(hash: number, body: Uint8Array): boolean {
    return this.#index.find(hash, (place) => this.#equals(place, body)) !== NOWHERE;
  }

  /** Takes the equal one that is there, or keeps this one. */
  put(queue: Queue, hash: number, body: Uint8Array): BodyName {
    const found = this.#index.find(hash, (place) => this.#equals(place, body));
    if (found === NOWHERE) return this.#add(queue, hash, body);
    const segment = this.#segments.segment(found);
    const at = this.#segments.offset(found);
    segment.words[at / 4 + REFS]! += 1;
    return { hash, serial: segment.numbers[at / 8 + SERIAL]! };
  }

  #add(queue: Queue, hash: number, body: Uint8Array): BodyName {
    const { record, alone } = this.sizesOf(body);
    const place = this.#segments.append(queue, record);
    const { words, numbers, bytes } = this.#segments.segment(place);
    const at = this.#segments.offset(place);
    const serial = (this.#serials += 1);
    words[at / 4 + FLAGS] = BODY | (alone > 0 ? LARGE : 0);
    words[at / 4 + HASH] = hash;
    words[at / 4 + REFS] = 1;
    words[at / 4 + LENGTH] = body.length;
    numbers[at / 8 + SERIAL] = serial;
    if (alone > 0) {
      this.#large.set(serial, compact(body));
      this.#largeBytes += alone;
    } else {
      bytes.set(body, at + HEAD_BYTES);
    }
    this.#index.add(hash, place);
    return { hash, serial };
  }

  /** A copy, so that no segment is kept alive; a large one itself. `near`: where it may stand. */
  read(name: BodyName, near: number): Uint8Array {
    const isNear = near !== NOWHERE && this.#serialAt(near) === name.serial;
    const place = isNear ? near : this.#find(name);
    const { words, bytes } = this.#segments.segment(place);
    const at = this.#segments.offset(place);
    if ((words[at / 4 + FLAGS]! & LARGE) !== 0) return this.#large.get(name.serial)!;
    return bytes.slice(at + HEAD_BYTES, at + HEAD_BYTES + words[at / 4 + LENGTH]!);
  }

  /** Undefined where another kind of record stands. */
  #serialAt(place: number): number | undefined {
    const { words, numbers } = this.#segments.segment(place);
    const at = this.#segments.offset(place);
    return (words[at / 4 + FLAGS]! & BODY) === 0 ? undefined : numbers[at / 8 + SERIAL];
  }

  /** One entry less needs it. */
  drop(name: BodyName): void {
    const place = this.#find(name);
    const { words } = this.#segments.segment(place);
    const at = this.#segments.offset(place) / 4;
    words[at + REFS]! -= 1;
    if (words[at + REFS]! > 0) return;
    this.#index.remove(name.hash, place);
    if (this.#large.delete(name.serial)) this.#largeBytes -= words[at + LENGTH]! + LARGE_BYTES;
    this.#segments.kill(place);
  }

  /** Its record is another. */
  moved(from: number, to: number): void {
    const hash = this.#segments.segment(to).words[this.#segments.offset(to) / 4 + HASH]!;
    this.#index.move(hash, from, to);
  }

  #find({ hash, serial }: BodyName): number {
    return this.#index.find(hash, (place) => this.#serialAt(place) === serial);
  }

  #equals(place: number, body: Uint8Array): boolean {
    const { words, numbers, text } = this.#segments.segment(place);
    const at = this.#segments.offset(place);
    if (words[at / 4 + LENGTH] !== body.length) return false;
    const large = this.#large.get(numbers[at / 8 + SERIAL]!);
    if (large !== undefined) return Buffer.compare(large, body) === 0;
    const from = at + HEAD_BYTES;
    return text.compare(body, 0, body.length, from, from + body.length) === 0;
  }
}

/** A body that is a small view of a large buffer would keep all of that alive, uncounted. */
function compact(body: Uint8Array): Uint8Array {
  return body.buffer.byteLength === body.byteLength ? body : new Uint8Array(body);
}
