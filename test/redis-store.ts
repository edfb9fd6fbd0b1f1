// Stores on a real Redis for tests, and what tests ask of them in few words. What needs a clock
// that can be moved is told on the simulated store.
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { Test } from 'tap';
import type { Key } from '../src/core/entry/entry.ts';
import { valid } from '../src/core/promise/validity.ts';
import type { Known, Said, Store } from '../src/flow/ports.ts';
import { redisStore, type RedisStoreOptions } from '../src/io/redis.ts';
import { entry } from './entries.ts';
import { realClock, startRedis, until, type RunningRedis } from './redis.ts';

/** Short, since a new epoch's first touches wait for it; long enough for a busy machine. */
export const LEASE_MS = 800;
export const CONTROL = '{test}:control';
export const limits = { touched: 1000, entryLifeMs: 3_600_000, quarantineMs: 60_000 };

export interface Opened {
  readonly store: Store;
  readonly troubles: string[];
  readonly messages: string[];
}

/** `change` says where it is, at least. */
export function open(t: Test, change: Partial<RedisStoreOptions>): Opened {
  const troubles: string[] = [];
  const messages: string[] = [];
  const store = redisStore({
    prefix: 'test', clock: realClock, leaseMs: LEASE_MS, limits, budgetMs: 1000,
    rules: 'rules',
    onTrouble(because, { message }) {
      troubles.push(because);
      messages.push(message);
    },
    ...change,
  });
  t.teardown(() => store.close({ clean: true }));
  return { store, troubles, messages };
}

export async function server(t: Test, args: readonly string[] = []): Promise<RunningRedis> {
  const redis = await startRedis({ args });
  t.teardown(() => redis.stop());
  return redis;
}

export function client(t: Test, url: string): Redis {
  const redis = new Redis(url);
  redis.on('error', () => undefined);
  t.teardown(() => redis.disconnect());
  return redis;
}

export const ready = (...stores: Store[]): Promise<void> =>
  until(() => stores.every((store) => store.state().state === 'ready'), { what: 'the stores' });

/** Gone as by a power cut: whatever it held is left as it stands. */
export const vanish = (store: Store): Promise<void> => store.close({ clean: false });

/** What is known; waited for, since a busy machine may cost an instance its lease. */
export async function look(store: Store, ...tags: string[]): Promise<Known & { kind: 'known' }> {
  let known: Known | undefined;
  await until(async () => {
    known = await store.control.look(tags);
    return known.kind === 'known';
  }, { what: 'the store to know' });
  return known as Known & { kind: 'known' };
}

export async function sure(said: Promise<Said>): Promise<Said & { kind: 'said' }> {
  const answer = await said;
  if (answer.kind !== 'said') throw new Error(answer.because);
  return answer;
}

/** Keeps an entry, and tells later whether it would be used. */
export async function keep(store: Store): Promise<(by: Store) => Promise<string>> {
  const key = randomUUID().padEnd(43, 'x') as Key;
  const { epoch, seq } = await look(store, 'a');
  await store.entries.put(entry({ key, epoch, asOf: seq, tags: ['a'] }));
  return async (by) => {
    const found = await by.entries.get(key);
    if (found?.kind !== 'answer') return 'nothing';
    const judged = valid(found, await look(by, ...found.tags));
    return judged.kind === 'valid' ? 'valid' : judged.because;
  };
}

export async function entriesUp(store: Store): Promise<void> {
  const key = 'up'.padEnd(43, 'x') as Key;
  await until(async () => {
    await store.entries.put(entry({ key }));
    return (await store.entries.get(key)) !== undefined;
  }, { what: 'entries to be reachable' });
}
