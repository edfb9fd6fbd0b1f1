// Entries in Redis, one string each, on a connection of their own so that large bodies never stand
// in the way of the control part. A failure is a miss, or an entry that isn't kept; never more.
import { decode, encode } from '../core/entry/codec.ts';
import type { Kept, Key } from '../core/entry/entry.ts';
import type { Clock, Entries, Slot } from '../flow/ports.ts';
import { Decoded } from './decoded.ts';
import type { RedisLink } from './redis-link.ts';
import { FORMAT } from './redis-lua.ts';
import { PUT } from './redis-scripts.ts';

/** What an expired entry is still good for: to be revalidated. */
const MARGIN_MS = 60_000;

export interface RedisEntriesOptions {
  readonly link: RedisLink;
  readonly prefix: string;
  readonly clock: Clock;
  readonly lifeMsMax: number;
  /** No memory stands in front of them. */
  readonly alone: boolean;
}

export function redisEntries(
  { link, prefix, clock, lifeMsMax, alone }: RedisEntriesOptions,
): Entries {
  const name = (key: string): string => `${prefix}:${FORMAT}:e:${key}`;
  const decoded = new Decoded();
  async function bytesOf(key: Key): Promise<Buffer | undefined> {
    const reply = await link.get(name(key));
    return reply.kind === 'failed' || !Buffer.isBuffer(reply.value) ? undefined : reply.value;
  }
  async function slot(key: Key): Promise<Slot | undefined> {
    const bytes = await bytesOf(key);
    return bytes && decoded.slot(key, bytes);
  }
  return {
    ...(alone && { slot }),
    async get(key) {
      if (alone) return (await slot(key))?.kept;
      const bytes = await bytesOf(key);
      return bytes && decode(bytes, key);
    },
    async put(kept) {
      const life = String(lifeMs(kept, clock.now(), lifeMsMax));
      const [epoch, asOf] = kept.kind === 'vary' ? ['-', '0'] : [kept.epoch, String(kept.asOf)];
      await link.run(PUT, [name(kept.key)], [encode(kept), life, epoch, asOf]);
    },
  };
}

function lifeMs(kept: Kept, now: number, lifeMsMax: number): number {
  if (kept.kind === 'vary') return lifeMsMax;
  const ageMs = kept.initialAgeMs + Math.max(0, now - kept.receivedAt);
  const staleMs = Math.max(kept.staleWhileRevalidateMs, kept.staleIfErrorMs);
  const left = Math.max(0, kept.freshMs + staleMs - ageMs) + MARGIN_MS;
  return Math.max(1, Math.ceil(Math.min(left, lifeMsMax)));
}
