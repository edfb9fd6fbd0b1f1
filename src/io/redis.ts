// The store in Redis, shared by several instances, each of which answers from its own memory while
// it holds its lease. Needs Redis 6.2 or later, a cluster 7, or Valkey. Never throws at its callers
// and never lets them wait beyond their budget: when it is down, slow or not joined, it says so.
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Limits, RedisPlace } from '../core/rules/config.ts';
import { type Fleet, joinFleet } from '../flow/fleet/fleet.ts';
import type { Clock, Store, StoreNews, Swept } from '../flow/ports.ts';
import { redisAddress } from './redis-address.ts';
import { redisEntries } from './redis-entries.ts';
import { Hearing } from './redis-hearing.ts';
import { CALM, type Connect, RedisLink } from './redis-link.ts';
import { FORMAT } from './redis-lua.ts';
import { redisReaders } from './redis-readers.ts';
import { RedisShared } from './redis-shared.ts';
import { serverTroubles } from './redis-server.ts';
import type { RedisTrouble, Tell } from './redis-troubles.ts';

export interface RedisStoreOptions extends RedisPlace {
  /** Before every name in Redis; instances with the same one share a cache. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Stands for the rules in force: what was kept under others is not trusted. */
  readonly rules: string;
  readonly limits: Pick<Limits, 'touched' | 'entryLifeMs' | 'quarantineMs'>;
  /** Bounds every single call. */
  readonly budgetMs: number;
  /** No memory stands in front of it. */
  readonly alone?: boolean;
  /** The message never holds a password. The same reason is told at most every ten seconds. */
  readonly onTrouble: (because: RedisTrouble, detail: { readonly message: string }) => void;
}

const OTHER_RULES = 'another instance has other routes, or another secret, and may not reach '
  + 'what is kept here';
const TOLD_AGAIN_MS = 10_000;

/** Throws where a PEM file that is named can't be read. */
export function redisStore(options: RedisStoreOptions): Store {
  const { prefix, clock, leaseMs, rules, limits, budgetMs } = options;
  const touched: ((tags: readonly string[]) => void)[] = [];
  const swept: ((swept: Swept) => void)[] = [];
  const news: ((news: StoreNews) => void)[] = [];
  const tell = sparingly(options);
  const probeMs = Math.max(10, Math.min(leaseMs / 10, 200));
  const name = `{${prefix}}:control`;
  const { sharded, control: connect, data } = redisAddress(options, name);
  const shared = { clock, budgetMs, probeMs, tell };
  const link = new RedisLink({
    ...shared, strict: true,
    reach: (how) => ({ redis: connect(how) }),
    judge: (info) => serverTroubles(info, sharded),
    onUp: () => control.listener?.up(), onDown: () => control.listener?.down(),
  });
  const dataLink = new RedisLink({
    ...shared, strict: false, reach: data, onUp: () => undefined, onDown: () => undefined,
  });
  const hearing = new Hearing({
    sharded, clock, budgetMs: Math.max(budgetMs, LISTENING_MS_MIN), tell,
    connect: () => once(connect),
    heard: (text) => control.heard(text),
    deaf: () => control.listener?.deaf(),
  });
  const control: RedisShared = new RedisShared({
    link, dataLink, hearing, sharded, leaseMs, tell,
    control: name,
    turnName: (key) => `${prefix}:${FORMAT}:l:${key}`,
  });
  const fleet: Fleet = joinFleet({
    shared: control, clock, newId: randomUUID, leaseMs, rules, limits,
    onTouched: (tags) => touched.forEach((callback) => callback(tags)),
    onSwept: (told) => swept.forEach((callback) => callback(told)),
    onOtherRules: () => tell('other-rules', OTHER_RULES),
    onNews(told) {
      const whole = told.state === 'down' ? { ...told, because: link.because } : told;
      for (const callback of news) callback(whole);
    },
    onBroken: (error) => tell('internal', error instanceof Error ? error.message : 'unknown'),
  });
  return {
    control: fleet.control,
    turns: fleet.turns,
    readers: redisReaders({ link: dataLink, prefix, clock }),
    entries: redisEntries({
      link: dataLink, prefix, clock, lifeMsMax: limits.entryLifeMs, alone: options.alone === true,
    }),
    state() {
      const trouble = fleet.trouble();
      if (trouble === undefined) return { kind: 'redis', state: 'ready' };
      if (trouble !== 'store-down') return { kind: 'redis', state: 'joining' };
      return { kind: 'redis', state: 'down', because: link.because };
    },
    onTouched: (callback) => void touched.push(callback),
    onSwept: (callback) => void swept.push(callback),
    onNews: (callback) => void news.push(callback),
    leaseMsMax: () => fleet.leaseMsMax(),
    wroteAt: () => fleet.wroteAt(),
    rules: (next) => fleet.rules(next),
    async close({ clean }) {
      await fleet.close(clean);
      dataLink.close();
    },
  };
}

/** Before it listens, it may have to ask where. */
const LISTENING_MS_MIN = 1000;

/** A connection that is ready, and isn't opened again by itself; undefined where it fails. */
async function once(connect: Connect): Promise<Redis | undefined> {
  const redis = connect({ ...CALM, lazyConnect: true, retryStrategy: () => null });
  try {
    redis.on('error', () => undefined); // what is wrong is told by the other connections
    await redis.connect();
    return redis;
  } catch {
    redis.disconnect(); // and what fails here is tried again
    return undefined;
  }
}

/** What does not go away by itself, and is no trouble yet. */
const TOLD_ONCE: ReadonlySet<RedisTrouble> = new Set(['not-guarded']);

function sparingly({ clock, onTrouble }: RedisStoreOptions): Tell {
  const told = new Map<RedisTrouble, number>();
  return (because, message) => {
    const last = told.get(because);
    const again = TOLD_ONCE.has(because) ? Infinity : TOLD_AGAIN_MS;
    if (last !== undefined && clock.mono() - last < again) return;
    told.set(because, clock.mono());
    onTrouble(because, { message });
  };
}
