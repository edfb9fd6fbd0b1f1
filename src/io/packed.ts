// Entries in their compact form: a record in a segment each, and no object of the collector's.
// Writes, finds, reads, carries and drops them; which of them have to go is not decided here.
import type { Entry, Kept, Key } from '../core/entry/entry.ts';
import { Bodies, type BodyName } from './bodies.ts';
import { hashOf, KeyIndex } from './key-index.ts';
import { assemble, type Flat, flatten, type Loose, readShape } from './packing.ts';
import {
  AS_OF, BODY_HASH, BODY_SERIAL, FETCH_MS, HEAD_BYTES, INLINE, KEY_SHIFT, RECEIVED_AT, Records,
  TEMPLATE, TEXT, USED_SHIFT, WEIGHT,
} from './records.ts';
import {
  FLAGS, HASH, NOWHERE, type Queue, type Segment, Segments, SIZE,
} from './segments.ts';
import { filled, NO_TEMPLATE, type Template, Templates, told } from './templates.ts';

// Sharing a body would cost more than it saves.
const INLINE_MAX = 128;
const NO_BODY = new Uint8Array(0);

/** An entry that is ready to be written. */
export interface Parcel {
  readonly hash: number;
  readonly loose: Loose;
  readonly template: Template | undefined;
  readonly text: string;
  readonly textBytes: number;
  /** Of a body with a record of its own. */
  readonly bodyHash: number | undefined;
  /** Bytes of its own record. */
  readonly record: number;
  /** Of all that it needs, whoever else needs it. */
  readonly weight: number;
  /** Of its body, where that is not there yet: of its record, and of what stands by itself. */
  readonly bodyRecord: number;
  readonly alone: number;
}

export class PackedEntries {
  readonly segments: Segments;
  readonly records: Records;
  /** Bytes of what lives in each queue, as if nothing were shared. */
  readonly weights: [small: number, main: number] = [0, 0];
  readonly #index: KeyIndex;
  readonly #bodies: Bodies;
  readonly #templates: Templates;

  constructor(bound: number) {
    this.segments = new Segments(bound);
    this.records = new Records(this.segments);
    this.#index = new KeyIndex(bound);
    this.#bodies = new Bodies(bound, this.segments);
    this.#templates = new Templates(bound);
  }

  get size(): number {
    return this.#index.size;
  }

  /** All but spare segments. */
  get bytes(): number {
    return this.segments.used + this.#index.bytes + this.#bodies.bytes + this.#templates.bytes;
  }

  find(key: Key): number {
    return this.#index.find(hashOf(key), (place) => this.records.isOf(place, key));
  }

  /** By what it outranks another, or does not. */
  standing(place: number): Pick<Entry, 'kind' | 'epoch' | 'asOf'> | { readonly kind: 'vary' } {
    const id = this.records.word(place, TEMPLATE);
    const segment = this.segments.segment(place);
    const shape = id === NO_TEMPLATE
      ? readShape(this.#untemplated(segment, this.segments.offset(place)).shape)
      : this.#templates.get(id).shape;
    if (shape.kind === 'vary') return shape;
    const asOf = this.records.number(place, AS_OF) as Entry['asOf'];
    return { kind: 'answer', epoch: shape.epoch, asOf };
  }

  read(place: number, key: Key): Kept {
    const segment = this.segments.segment(place);
    const offset = this.segments.offset(place);
    const { words, numbers } = segment;
    const [at, number] = [offset / 4, offset / 8];
    const loose: Loose = {
      key, asOf: numbers[number + AS_OF]!, receivedAt: numbers[number + RECEIVED_AT]!,
      fetchMs: numbers[number + FETCH_MS]!, body: this.#body(segment, offset),
    };
    const id = words[at + TEMPLATE]!;
    if (id === NO_TEMPLATE) {
      const { shape, values, tags } = this.#untemplated(segment, offset);
      return assemble(readShape(shape), values, tags, loose);
    }
    const template = this.#templates.get(id);
    const from = offset + HEAD_BYTES + (words[at + FLAGS]! >>> KEY_SHIFT);
    const texts = segment.text.toString('latin1', from, from + words[at + TEXT]!).split('\n');
    const tags = texts.slice(template.holes.length);
    return assemble(template.shape, filled(template, texts), tags, loose);
  }

  #untemplated({ words, text }: Segment, offset: number): Flat {
    const from = offset + HEAD_BYTES + (words[offset / 4 + FLAGS]! >>> KEY_SHIFT);
    return JSON.parse(text.toString('utf8', from, from + words[offset / 4 + TEXT]!)) as Flat;
  }

  #body(segment: Segment, offset: number): Uint8Array {
    const { words, numbers, bytes } = segment;
    const at = offset / 4;
    const serial = numbers[offset / 8 + BODY_SERIAL]!;
    if (serial !== 0) {
      const near = this.segments.next(segment, offset);
      return this.#bodies.read({ hash: words[at + BODY_HASH]!, serial }, near);
    }
    const from = offset + HEAD_BYTES + (words[at + FLAGS]! >>> KEY_SHIFT) + words[at + TEXT]!;
    return bytes.slice(from, from + words[at + INLINE]!);
  }

  pack(kept: Kept): Parcel {
    const { key } = kept;
    const loose: Loose = kept.kind === 'answer' ? kept
      : { key, asOf: 0, receivedAt: 0, fetchMs: 0, body: NO_BODY };
    const flat = flatten(kept);
    const template = this.#templates.take(flat);
    const texts = template === undefined ? undefined : plain(told(template, flat));
    if (template !== undefined && texts === undefined) this.#templates.drop(template.id);
    const text = texts ?? JSON.stringify(flat);
    const textBytes = texts === undefined ? Buffer.byteLength(text) : text.length;
    const { body } = loose;
    const shared = body.length > INLINE_MAX;
    const bodyHash = shared ? this.#bodies.hashOf(body) : undefined;
    const sizes = shared ? this.#bodies.sizesOf(body) : { record: 0, alone: 0 };
    const isNew = bodyHash !== undefined && !this.#bodies.has(bodyHash, body);
    const inline = shared ? 0 : body.length;
    const record = this.segments.rounded(HEAD_BYTES + key.length + textBytes + inline);
    return {
      hash: hashOf(key), loose, template: texts === undefined ? undefined : template, text,
      textBytes, bodyHash, record, weight: record + sizes.record + sizes.alone,
      bodyRecord: isNew ? sizes.record : 0, alone: isNew ? sizes.alone : 0,
    };
  }

  /** It is not written. */
  discard({ template }: Parcel): void {
    if (template !== undefined) this.#templates.drop(template.id);
  }

  /** In the place of what stands at its key. */
  write(parcel: Parcel, queue: Queue, used: number): void {
    const { hash, loose: { key, body }, template, bodyHash } = parcel;
    const before = this.find(key);
    const place = this.segments.append(queue, parcel.record);
    const { words, numbers, bytes, text } = this.segments.segment(place);
    const offset = this.segments.offset(place);
    const [at, number] = [offset / 4, offset / 8];
    words[at + FLAGS] = (key.length << KEY_SHIFT) | (used << USED_SHIFT);
    words[at + HASH] = hash;
    words[at + WEIGHT] = parcel.weight;
    words[at + TEMPLATE] = template?.id ?? NO_TEMPLATE;
    words[at + TEXT] = parcel.textBytes;
    words[at + INLINE] = bodyHash === undefined ? body.length : 0;
    numbers[number + AS_OF] = parcel.loose.asOf;
    numbers[number + RECEIVED_AT] = parcel.loose.receivedAt;
    numbers[number + FETCH_MS] = parcel.loose.fetchMs;
    const from = offset + HEAD_BYTES;
    text.write(key, from, 'latin1');
    text.write(parcel.text, from + key.length, template === undefined ? 'utf8' : 'latin1');
    if (bodyHash === undefined) bytes.set(body, from + key.length + parcel.textBytes);
    const name = bodyHash === undefined ? undefined : this.#bodies.put(queue, bodyHash, body);
    words[at + BODY_HASH] = name?.hash ?? 0;
    numbers[number + BODY_SERIAL] = name?.serial ?? 0;
    this.#index.add(hash, place);
    this.weights[queue] += parcel.weight;
    if (before !== NOWHERE) this.drop(before);
  }

  drop(place: number): void {
    const segment = this.segments.segment(place);
    this.#index.remove(this.records.word(place, HASH), place);
    this.#templates.drop(this.records.word(place, TEMPLATE));
    this.weights[segment.queue] -= this.records.word(place, WEIGHT);
    const name = this.#nameOf(place);
    this.segments.kill(place);
    if (name !== undefined) this.#bodies.drop(name);
  }

  #nameOf(place: number): BodyName | undefined {
    const serial = this.records.number(place, BODY_SERIAL);
    return serial === 0 ? undefined : { hash: this.records.word(place, BODY_HASH), serial };
  }

  /** Writes a record, of an entry or of a body, anew at the end of a queue; its new place. */
  carry(place: number, queue: Queue): number {
    const size = this.records.word(place, SIZE);
    const from = this.segments.segment(place);
    const to = this.segments.append(queue, size);
    const offset = this.segments.offset(place);
    const target = this.segments.segment(to);
    target.bytes.set(from.bytes.subarray(offset, offset + size), this.segments.offset(to));
    if (this.records.isBody(place)) {
      this.#bodies.moved(place, to);
    } else {
      this.#index.move(this.records.word(place, HASH), place, to);
      this.weights[from.queue] -= this.records.word(place, WEIGHT);
      this.weights[queue] += this.records.word(place, WEIGHT);
    }
    this.segments.kill(place);
    return to;
  }
}

/** As one text of as many lines and of one byte each character, or undefined where that is lost. */
function plain(texts: readonly string[]): string | undefined {
  const text = texts.join('\n');
  if (/[^\0-\xff]/.test(text)) return undefined;
  let lines = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines === texts.length ? text : undefined;
}
