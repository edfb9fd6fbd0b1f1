// What is asked of everybody, in which sizes, and by how many at once.
import type { Load } from './load.ts';
import type { Peer } from './peers.ts';

export interface Scenario {
  readonly name: string;
  /** A sentence for the report. */
  readonly about: string;
  readonly load: Omit<Load, 'seconds'>;
  /** Seconds of the same load before anything counts. */
  readonly warmSeconds: number;
  /** Bytes of each body. */
  readonly bytes: number;
  takes(peer: Peer): boolean;
}

const CONNECTIONS = 32;
const kept = (peer: Peer): boolean => peer.keeps;
/** What has one answer and asks nobody. */
const LIMITS: readonly string[] = ['node:http', 'bare sockets'];
const asks = ({ name }: Peer): boolean => !LIMITS.includes(name);

function hit(name: string, about: string, bytes: number, more: Partial<Load> = {}): Scenario {
  return {
    name, about, bytes, warmSeconds: 1, takes: kept,
    load: { path: `/fresh/${bytes}/one`, connections: CONNECTIONS, ...more },
  };
}

export const SCENARIOS: readonly Scenario[] = [
  hit('hit', 'One kept answer of 1 KB.', 1024),
  hit('hit-16k', 'One of 16 KB.', 16_384),
  hit('hit-256k', 'One of 256 KB.', 262_144),
  {
    ...hit('hit-zipf', '10,000 kept answers of 1 KB, asked for by a Zipf law.', 1024, {
      path: '/fresh/1024', keys: 10_000,
    }),
    warmSeconds: 8,
  },
  hit('hit-304', 'The same answer for clients that have it already.', 1024, {
    fields: { 'If-None-Match': '"bench"' },
  }),
  {
    name: 'pass', about: 'Answers of 1 KB that nobody may keep.', bytes: 1024, warmSeconds: 1,
    load: { path: '/private/1024/one', connections: CONNECTIONS }, takes: asks,
  },
  {
    name: 'miss', about: 'Each request another URL, whose answer of 1 KB may be kept.', bytes: 1024,
    load: { path: '/fresh/1024', connections: CONNECTIONS, unique: true }, warmSeconds: 1,
    takes: asks,
  },
];
