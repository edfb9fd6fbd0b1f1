// What is asked of everybody by wrk, in which sizes, by how many at once, and what is wanted of it.
import type { Load } from './load.ts';
import { MINE, MINE_ON_REDIS, type Role, SLOW_WAY } from './peers.ts';

export interface Scenario {
  readonly name: string;
  /** A sentence for the report. */
  readonly about: string;
  readonly load: Omit<Load, 'seconds'>;
  /** Seconds of the same load before anything counts. */
  readonly warmSeconds: number;
  /** Bytes of each body. */
  readonly bytes: number;
  readonly takes: readonly Role[];
  /** Whom the others are compared with. */
  readonly mine: string;
  readonly wanted: readonly AtLeast[];
}

/** `who` answers at least so many times as many requests as `than`. */
export interface AtLeast {
  readonly who: string;
  readonly times: number;
  readonly than: string;
}

const CONNECTIONS = 32;

const atLeast = (times: number, than: string, who = MINE): AtLeast => ({ who, times, than });
const AHEAD = [atLeast(1.3, 'nginx'), atLeast(1.8, 'Varnish')];

function hit(
  name: string, about: string, bytes: number,
  more: Partial<Scenario> & { ask?: Partial<Load> } = {},
): Scenario {
  const { ask = {}, ...rest } = more;
  return {
    name, about, bytes, warmSeconds: 1, takes: ['cache', 'variant', 'limit'], mine: MINE,
    wanted: [],
    load: { path: `/fresh/${bytes}/one`, connections: CONNECTIONS, ...ask }, ...rest,
  };
}

export const SCENARIOS: readonly Scenario[] = [
  hit('hit', 'One kept answer of 1 KB.', 1024, {
    wanted: [...AHEAD, atLeast(0.9, 'nginx', SLOW_WAY)],
  }),
  hit('hit-16k', 'One of 16 KB.', 16_384, { wanted: [atLeast(1, 'nginx')] }),
  hit('hit-256k', 'One of 256 KB.', 262_144, { wanted: [atLeast(1, 'nginx')] }),
  hit('hit-zipf', '10,000 kept answers of 1 KB, asked for by a Zipf law.', 1024, {
    ask: { path: '/fresh/1024', keys: 10_000 }, warmSeconds: 8, wanted: AHEAD,
  }),
  hit('hit-304', 'The same answer for clients that have it already.', 1024, {
    ask: { fields: { 'If-None-Match': '"bench"' } },
  }),
  hit('hit-redis', 'One kept answer of 1 KB that is in Redis only, and asked for there each time: '
    + 'everfresh without its memory, beside the few lines that one would write by hand.', 1024, {
    takes: ['redis'], mine: MINE_ON_REDIS,
    wanted: [atLeast(0.8, 'node:http + ioredis', MINE_ON_REDIS)],
  }),
  {
    name: 'pass', about: 'Answers of 1 KB that nobody may keep.', bytes: 1024, warmSeconds: 1,
    load: { path: '/private/1024/one', connections: CONNECTIONS }, takes: ['cache', 'passing'],
    mine: MINE, wanted: [atLeast(1.8, '@fastify/http-proxy')],
  },
  {
    name: 'miss', about: 'Each request another URL, whose answer of 1 KB may be kept.', bytes: 1024,
    load: { path: '/fresh/1024', connections: CONNECTIONS, unique: true }, warmSeconds: 1,
    takes: ['cache', 'passing'], mine: MINE, wanted: [atLeast(1.5, '@fastify/http-proxy')],
  },
];
