// Who has to go when there is no room: S3-FIFO. What is new passes through a small queue, and goes
// from there to the main one only if it was asked for meanwhile, so that a scan pushes out nothing
// but itself; of what went unasked the hashes are remembered, and who comes back goes to the main
// queue at once. Dead records go first, wherever they stand.
import { Ghosts } from './ghosts.ts';
import type { HotEntries } from './hot.ts';
import type { PackedEntries } from './packed.ts';
import {
  DEAD, FLAGS, HASH, MAIN, type Queue, type Segment, SIZE, SMALL,
} from './segments.ts';

const SMALL_SHARE = 10;
// So much is dead that it goes before anything else does, where there is no room; and also where
// there is.
const DEAD_SHARE = 8;
const UNTIDY_SHARE = 2;
const SPARES = 3;
const BYTES_PER_GHOST = 2048;
// Of what is carried at once, in segments: after so much whoever is next goes, asked for or not.
const PATIENCE = 8;

export class Admission {
  readonly #bound: number;
  readonly #packed: PackedEntries;
  readonly #hot: HotEntries;
  readonly #ghosts: Ghosts;

  constructor(bound: number, packed: PackedEntries, hot: HotEntries) {
    this.#bound = bound;
    this.#packed = packed;
    this.#hot = hot;
    this.#ghosts = new Ghosts(bound / BYTES_PER_GHOST);
  }

  /** All that is resident. */
  get bytes(): number {
    return this.#inUse() + this.#packed.segments.spare;
  }

  #inUse(): number {
    return this.#packed.bytes + this.#hot.bytes + this.#ghosts.bytes;
  }

  /** Where what was not there before belongs. */
  queueFor(hash: number): Queue {
    return this.#ghosts.has(hash) ? MAIN : SMALL;
  }

  /** Whether there is room now for so many bytes; entries that were there may be elsewhere. */
  make(bytes: number): boolean {
    const { segments } = this.#packed;
    // One segment's room is left for what is carried.
    const most = this.#bound - segments.segmentBytes - bytes;
    let patience = PATIENCE * segments.segmentBytes;
    while (this.#inUse() > most) {
      if (this.#packed.size > 0) patience -= this.#step(patience > 0);
      else if (segments.used > 0) segments.releaseAll();
      else if (this.#hot.size > 0) this.#hot.clear();
      else return false;
    }
    const segment = this.#deadBy(UNTIDY_SHARE);
    if (segment !== undefined && patience > 0) this.#compact(segment);
    segments.trim(Math.min(SPARES * segments.segmentBytes, this.#bound - bytes - this.#inUse()));
    return true;
  }

  /** The segment with the largest part dead, if so much of all is dead, and of this one too. */
  #deadBy(share: number): Segment | undefined {
    const { segments } = this.#packed;
    if (segments.dead * share <= segments.used) return undefined;
    const segment = segments.mostDead();
    return segment !== undefined && segment.dead * share >= segment.end ? segment : undefined;
  }

  /** One step towards more room; says how many bytes it carried. */
  #step(patient: boolean): number {
    const { segments, weights } = this.#packed;
    const dead = patient ? this.#deadBy(DEAD_SHARE) : undefined;
    if (dead !== undefined) return this.#compact(dead);
    const queue = weights[SMALL] * SMALL_SHARE > weights[SMALL] + weights[MAIN] ? SMALL : MAIN;
    const segment = segments.oldest(queue)!;
    if (segment.cursor < segment.end) return this.#judge(segment, patient);
    segments.release(segment);
    return 0;
  }

  /** The next record of a segment stays, by going to the end of the main queue, or goes. */
  #judge(segment: Segment, patient: boolean): number {
    const { segments, records } = this.#packed;
    const place = segments.place(segment, segment.cursor);
    const size = segment.words[segment.cursor / 4 + SIZE]!;
    const flags = segment.words[segment.cursor / 4 + FLAGS]!;
    segment.cursor += size;
    if ((flags & DEAD) !== 0) return 0;
    if (records.isBody(place)) {
      this.#packed.carry(place, MAIN);
      return size;
    }
    const used = records.usedAt(place);
    const hot = records.isHot(place);
    const key = hot ? records.keyAt(place) : undefined;
    const spent = key !== undefined && this.#hot.spend(key);
    if (patient && (used > 0 || spent)) {
      const to = this.#packed.carry(place, MAIN);
      const left = segment.queue === SMALL || used === 0 ? 0 : used - 1;
      records.mark(to, left, hot);
      return size;
    }
    if (segment.queue === SMALL) this.#ghosts.add(records.word(place, HASH));
    if (key !== undefined) this.#hot.drop(key);
    this.#packed.drop(place);
    return 0;
  }

  /** Carries what lives in it to the end of its own queue. */
  #compact(segment: Segment): number {
    const { segments } = this.#packed;
    const { end, dead, queue } = segment;
    for (let at = 0; at < end;) {
      const size = segment.words[at / 4 + SIZE]!;
      if ((segment.words[at / 4 + FLAGS]! & DEAD) === 0) {
        this.#packed.carry(segments.place(segment, at), queue);
      }
      at += size;
    }
    segments.release(segment);
    return end - dead;
  }
}
