// The store inside this process: entries bounded by the bytes that they really keep, and the
// control part of one epoch, which begins with the process. Never down, never asked over a wire.
import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { Touches } from '../core/promise/touches.ts';
import type { Entry, Epoch, Kept, Key, Seq } from '../core/entry/entry.ts';
import type { Limits } from '../core/rules/config.ts';
import type { Control, Entries, Said, Store } from '../flow/ports.ts';

export interface MemoryOptions {
  /** Bound of the entries, in bytes. */
  readonly bytes: number;
  readonly limits: Pick<Limits, 'touched'>;
}

// What an entry costs beyond its text and body: its objects, and its place in the map.
const ENTRY_BYTES = 1024;
const STRING_BYTES = 24;

export interface MemoryEntries extends Entries {
  get(key: Key): Kept | undefined;
  put(kept: Kept): void;
  readonly size: number;
  readonly bytes: number;
}

export function memoryEntries(options: { readonly bytes: number }): MemoryEntries {
  const cache = new LRUCache<Key, Kept>({ maxSize: options.bytes, sizeCalculation: bytesOf });
  return {
    get: (key) => cache.get(key),
    put(kept) {
      const before = cache.peek(kept.key);
      if (before !== undefined && outranks(before, kept)) return;
      cache.set(kept.key, compact(kept));
    },
    get size() {
      return cache.size;
    },
    get bytes() {
      return cache.calculatedSize;
    },
  };
}

/** Whether what stands there is of the same epoch and knew of more touches. */
function outranks(before: Kept, kept: Kept): boolean {
  if (before.kind === 'vary' || kept.kind === 'vary') return false;
  return before.epoch === kept.epoch && before.asOf > kept.asOf;
}

/** A body that is a small view of a large buffer would keep all of that alive, uncounted. */
function compact(kept: Kept): Kept {
  if (kept.kind === 'vary' || kept.body.buffer.byteLength === kept.body.byteLength) return kept;
  return { ...kept, body: new Uint8Array(kept.body) };
}

function bytesOf(kept: Kept): number {
  if (kept.kind === 'vary') return ENTRY_BYTES + stringsBytes([kept.key, ...kept.names]);
  const asked = kept.recipe.body?.byteLength ?? 0;
  return ENTRY_BYTES + kept.body.byteLength + asked + textBytes(kept);
}

function textBytes({ key, tags, fields, recipe }: Entry): number {
  return stringsBytes([key, recipe.target, recipe.path])
    + stringsBytes(tags) + stringsBytes(fields) + stringsBytes(recipe.fields);
}

function stringsBytes(strings: readonly string[]): number {
  let bytes = 0;
  for (const text of strings) bytes += STRING_BYTES + text.length;
  return bytes;
}

/** One instance is all there is, so nobody else's intents are ever left behind. */
export function memoryStore(options: MemoryOptions): Store & { readonly entries: MemoryEntries } {
  const state = new Touches(randomUUID() as Epoch, options.limits);
  const said = (seq: Seq): Promise<Said> =>
    Promise.resolve({ kind: 'said', epoch: state.epoch, seq });
  const control: Control = {
    look: (tags) => ({ kind: 'known', ...state.look(tags) }),
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
    state: () => ({ kind: 'memory', state: 'ready' }),
    onTouched: () => undefined,
    onSwept: () => undefined,
    onNews: () => undefined,
    leaseMsMax: () => 0,
    wroteAt: () => Infinity,
    close: () => Promise.resolve(),
  };
}
