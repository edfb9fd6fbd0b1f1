// Memory outside of the collector's sight: segments of equal size that records are appended to, in
// two queues, oldest first. A record is told by its place, a number. Nobody else ever holds a view
// of a segment, so one that nothing lives in any more is written anew. Knows of a record only its
// size, which is its first word, and whether it is dead.

/** The queue of those that are new, and that of those that were asked for. */
export const SMALL = 0;
export const MAIN = 1;
export type Queue = typeof SMALL | typeof MAIN;

/** A place that no record has. */
export const NOWHERE = 0;

// Words that every record begins with; FLAGS has those below.
export const SIZE = 0;
export const FLAGS = 1;
export const HASH = 2;
export const DEAD = 0x100;

const SEGMENT_BYTES_MIN = 1024;
const SEGMENT_BYTES_MAX = 1 << 20;
const SHARE = 32;
// Its views, and its place in the lists.
const OVERHEAD_BYTES = 512;
// A place is 16 bits of segment and 16 of units within it.
const SEGMENTS_MAX = 0xffff;
const UNITS = 0x10000;

export class Segment {
  readonly id: number;
  readonly bytes: Uint8Array;
  /** The same bytes, as texts and words and numbers. */
  readonly text: Buffer;
  readonly words: Uint32Array;
  readonly numbers: Float64Array;
  queue: Queue = SMALL;
  /** Where the next record goes. */
  end = 0;
  /** Records before it were looked at for the last time. */
  cursor = 0;
  /** Bytes of dead records. */
  dead = 0;

  constructor(id: number, size: number) {
    const { buffer } = Buffer.allocUnsafeSlow(size);
    this.id = id;
    this.bytes = new Uint8Array(buffer);
    this.text = Buffer.from(buffer);
    this.words = new Uint32Array(buffer);
    this.numbers = new Float64Array(buffer);
  }
}

export class Segments {
  /** Of a segment; a larger record has one of its own. */
  readonly segmentBytes: number;
  readonly #unit: number;
  readonly #byId: (Segment | undefined)[] = [undefined];
  readonly #freeIds: number[] = [];
  readonly #spares: Segment[] = [];
  readonly #queues: readonly [Segment[], Segment[]] = [[], []];
  /** Bytes of the segments in use. */
  used = 0;
  /** Bytes of dead records in them. */
  dead = 0;

  constructor(bound: number) {
    const most = Math.max(SEGMENT_BYTES_MAX, bound / (SEGMENTS_MAX * 0.9));
    const size = Math.min(Math.max(bound / SHARE, SEGMENT_BYTES_MIN), most);
    this.#unit = Math.max(8, Math.ceil(size / UNITS / 8) * 8);
    this.segmentBytes = Math.floor(size / this.#unit) * this.#unit;
  }

  /** Bytes of the segments that wait to be used. */
  get spare(): number {
    return this.#spares.length * this.#costOf(this.segmentBytes);
  }

  segment(place: number): Segment {
    return this.#byId[place >>> 16]!;
  }

  offset(place: number): number {
    return (place & 0xffff) * this.#unit;
  }

  place(segment: Segment, offset: number): number {
    return ((segment.id << 16) | (offset / this.#unit)) >>> 0;
  }

  /** The place of the record behind this one, in the same segment. */
  next(segment: Segment, offset: number): number {
    const behind = offset + segment.words[offset / 4 + SIZE]!;
    return behind < segment.end ? this.place(segment, behind) : NOWHERE;
  }

  rounded(size: number): number {
    return Math.ceil(size / this.#unit) * this.#unit;
  }

  /** How much `used` grows if so many bytes are appended. */
  growth(queue: Queue, size: number): number {
    const last = this.#queues[queue].at(-1);
    if (last !== undefined && last.end + size <= last.bytes.length) return 0;
    return this.#costOf(Math.max(size, this.segmentBytes));
  }

  /** Room for a record of that rounded size, which is written into it. */
  append(queue: Queue, size: number): number {
    const segment = this.#open(queue, size);
    const offset = segment.end;
    segment.end += size;
    segment.words[offset / 4 + SIZE] = size;
    return this.place(segment, offset);
  }

  #open(queue: Queue, size: number): Segment {
    const list = this.#queues[queue];
    const last = list.at(-1);
    if (last !== undefined && last.end + size <= last.bytes.length) return last;
    const segment = size > this.segmentBytes ? this.#create(size)
      : this.#spares.pop() ?? this.#create(this.segmentBytes);
    this.used += this.#costOf(segment.bytes.length);
    segment.queue = queue;
    // What is filled at once does not end the one that is being filled.
    if (size > this.segmentBytes && last !== undefined) list.splice(-1, 0, segment);
    else list.push(segment);
    return segment;
  }

  #create(size: number): Segment {
    const id = this.#freeIds.pop() ?? this.#byId.length;
    if (id > SEGMENTS_MAX) throw new Error('there are more segments than places for them');
    const segment = new Segment(id, size);
    this.#byId[id] = segment;
    return segment;
  }

  /** A record is of no use any more. */
  kill(place: number): void {
    const segment = this.segment(place);
    const at = this.offset(place) / 4;
    segment.words[at + FLAGS]! |= DEAD;
    segment.dead += segment.words[at + SIZE]!;
    this.dead += segment.words[at + SIZE]!;
  }

  oldest(queue: Queue): Segment | undefined {
    return this.#queues[queue][0];
  }

  /** The segment with the largest part dead, of those that are full. */
  mostDead(): Segment | undefined {
    let most: Segment | undefined;
    for (const list of this.#queues) {
      for (let i = 0; i < list.length - 1; i += 1) {
        const segment = list[i]!;
        if (most === undefined || segment.dead * most.end > most.dead * segment.end) most = segment;
      }
    }
    return most;
  }

  /** Nothing lives in it any more. */
  release(segment: Segment): void {
    const list = this.#queues[segment.queue];
    list.splice(list.indexOf(segment), 1);
    this.used -= this.#costOf(segment.bytes.length);
    this.dead -= segment.dead;
    segment.end = segment.cursor = segment.dead = 0;
    if (segment.bytes.length === this.segmentBytes) this.#spares.push(segment);
    else this.#forget(segment);
  }

  releaseAll(): void {
    for (const list of this.#queues) while (list.length > 0) this.release(list.at(-1)!);
  }

  /** Gives spare segments back until they are of no more bytes. */
  trim(bytes: number): void {
    while (this.#spares.length > 0 && this.spare > bytes) this.#forget(this.#spares.pop()!);
  }

  #forget(segment: Segment): void {
    this.#byId[segment.id] = undefined;
    this.#freeIds.push(segment.id);
  }

  #costOf(size: number): number {
    return size + OVERHEAD_BYTES;
  }
}
