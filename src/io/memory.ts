// The store inside this process: entries bounded by the bytes that they really keep, and the
// control part of one epoch, which begins with the process. Never down, never asked over a wire.
import { randomUUID } from 'node:crypto';
import { Touches } from '../core/promise/touches.ts';
import type { Epoch, Kept, Key, Seq } from '../core/entry/entry.ts';
import type { Limits } from '../core/rules/config.ts';
import type { Clock, Control, Entries, Said, Slot, Store } from '../flow/ports.ts';
import { Admission } from './admission.ts';
import { memoryReaders } from './memory-readers.ts';
import { HotEntries } from './hot.ts';
import { PackedEntries } from './packed.ts';
import { TEXT } from './records.ts';
import { NOWHERE } from './segments.ts';

export interface MemoryOptions {
  /** Bound of the entries, in bytes. */
  readonly bytes: number;
  readonly limits: Pick<Limits, 'touched'>;
  readonly clock: Pick<Clock, 'mono'>;
}

const READERS_MAX = 100_000;

export interface MemoryEntries extends Entries {
  get(key: Key): Kept | undefined;
  slot(key: Key): Slot | undefined;
  put(kept: Kept): void;
  readonly size: number;
  /** All that is resident: entries and bodies, the index, what is decoded. */
  readonly bytes: number;
}

// A larger entry would push out most of the others.
const ENTRY_SHARE = 2;
const USED_MAX = 3;

export function memoryEntries({ bytes: bound }: { readonly bytes: number }): MemoryEntries {
  const packed = new PackedEntries(bound);
  const { records } = packed;
  const hot = new HotEntries(bound);
  const admission = new Admission(bound, packed, hot);

  function decode(key: Key): Slot | undefined {
    const place = packed.find(key);
    if (place === NOWHERE) return undefined;
    const kept = packed.read(place, key);
    records.mark(place, Math.min(USED_MAX, records.usedAt(place) + 1), true);
    const bytes = hot.bytesOf(kept, records.word(place, TEXT));
    const slot = hot.add(kept, bytes);
    if (slot !== undefined) admission.make(0);
    // It may have had to go at once.
    return slot?.kept === undefined ? { kept, lasts: false, use: () => kept } : slot;
  }

  function put(kept: Kept): void {
    const { key } = kept;
    let before = packed.find(key);
    if (before !== NOWHERE && outranks(packed.standing(before), kept)) return;
    hot.drop(key);
    const parcel = packed.pack(kept);
    const size = parcel.record + parcel.bodyRecord;
    const queue = before === NOWHERE ? admission.queueFor(parcel.hash) : records.queueOf(before);
    const fits = parcel.weight * ENTRY_SHARE <= bound
      && admission.make(packed.segments.growth(queue, size) + parcel.alone);
    before = packed.find(key); // it may be elsewhere by now, or gone
    if (!fits) {
      packed.discard(parcel);
      if (before !== NOWHERE) packed.drop(before);
      return;
    }
    packed.write(parcel, queue, before === NOWHERE ? 0 : records.usedAt(before));
    admission.make(0);
  }

  return {
    get: (key) => (hot.get(key) ?? decode(key))?.kept,
    slot: (key) => hot.get(key) ?? decode(key),
    put,
    get size() {
      return packed.size;
    },
    get bytes() {
      return admission.bytes;
    },
  };
}

type Standing = ReturnType<PackedEntries['standing']>;

/** Whether what stands there is of the same epoch and knew of more touches. */
function outranks(before: Standing, kept: Kept): boolean {
  if (before.kind === 'vary' || kept.kind === 'vary') return false;
  return before.epoch === kept.epoch && before.asOf > kept.asOf;
}

/** One instance is all there is, so nobody else's intents are ever left behind. */
export function memoryStore(options: MemoryOptions): Store & { readonly entries: MemoryEntries } {
  const state = new Touches(randomUUID() as Epoch, options.limits);
  const said = (seq: Seq): Promise<Said> =>
    Promise.resolve({ kind: 'said', epoch: state.epoch, seq });
  const control: Control = {
    look: (tags) => ({ kind: 'known', ...state.look(tags) }),
    mark: () => state.mark,
    intend: () => said(state.seq),
    abandon(id) {
      state.release(id);
      return said(state.seq);
    },
    touch: (touch) => said(state.touch(touch)),
  };
  return {
    control,
    entries: memoryEntries(options),
    readers: memoryReaders({
      clock: options.clock,
      readersMax: READERS_MAX,
      end: (tag) => void state.touch({ tags: [tag], then: 'done' }),
    }),
    state: () => ({ kind: 'memory', state: 'ready' }),
    onTouched: () => undefined,
    onSwept: () => undefined,
    onNews: () => undefined,
    leaseMsMax: () => 0,
    wroteAt: () => Infinity,
    close: () => Promise.resolve(),
  };
}
