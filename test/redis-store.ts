// Stores on a real Redis for tests, and what tests ask of them in few words. On a virtual clock an
// instance lives only while its test lets time pass for it.
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { Test } from 'tap';
import type { Key } from '../src/core/entry/entry.ts';
import { valid } from '../src/core/promise/validity.ts';
import type { Known, Said, Store } from '../src/flow/ports.ts';
import { redisStore, type RedisStoreOptions } from '../src/io/redis.ts';
import { entry } from './entries.ts';
import { realClock, startRedis, until, type RunningRedis } from './redis.ts';
import { VirtualClock } from './virtual-clock.ts';

export const LEASE_MS = 2000;
export const limits = { touched: 1000, entryLifeMs: 3_600_000, quarantineMs: 60_000 };
/** So much that no virtual time uses it up while a real answer is on its way. */
const NO_BUDGET_MS = 3_600_000;

export interface Opened {
  readonly store: Store;
  readonly troubles: string[];
  readonly messages: string[];
}

export function open(
  t: Test, change: Partial<RedisStoreOptions> & { readonly url: string },
): Opened {
  const troubles: string[] = [];
  const messages: string[] = [];
  const store = redisStore({
    prefix: 'test:', clock: realClock, leaseMs: LEASE_MS, limits, budgetMs: 1000,
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

/** On a clock of its own that only the test moves: where it stands still, the instance is dead. */
export function openVirtual(
  t: Test, url: string, change: Partial<RedisStoreOptions> = {},
): { store: Store; clock: VirtualClock } {
  const clock = new VirtualClock();
  const raw = client(t, url);
  const hangs = new Error('it hangs, or is gone');
  // What was sent to the server before this has been answered before it.
  clock.settled = () => Promise.race([
    raw.ping(), new Promise((_, reject) => void setTimeout(reject, 2000, hangs).unref()),
  ]).catch((error: unknown) => error);
  return { ...open(t, { url, clock, budgetMs: NO_BUDGET_MS, ...change }), clock };
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

export const ready = (store: Store, ...clocks: VirtualClock[]): Promise<void> =>
  until(() => store.state().state === 'ready', { what: 'the store to be ready', clocks });

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
