// The upstreams, by undici: one pool for each address. Never follows redirects and never repeats a
// write.
import { Pool } from 'undici';
import type { UpstreamConfig } from '../core/rules/config.ts';
import { socketPathOf } from '../core/rules/upstream.ts';
import type { Clock, Ear, Fetch, Upstream } from '../flow/ports.ts';
import { readPem } from './pem.ts';
import { type Attempt, exchange } from './upstream-exchange.ts';

/** An idle connection is closed before the addresses behind a name may have changed for long. */
const CLIENT_TTL_MS = 30_000;

/** undici's own time-outs come first; this much later the wait for the head is over anyhow. */
const HEAD_MARGIN_MS = 1000;

export interface Upstreams extends Upstream {
  /** Lets the connections go whose options no configuration names any more. */
  keepOnly(configs: readonly UpstreamConfig[]): void;
  close(): Promise<void>;
}

export function undiciUpstream(
  defaultUpstream: () => UpstreamConfig,
  { clock, ear }: { clock: Clock; ear: Ear },
): Upstreams {
  const pools = new Map<string, Pool>();
  const ending = new Set<Pool>();
  let known = new WeakMap<UpstreamConfig, Pool>();
  const poolOf = (config: UpstreamConfig): Pool | undefined => {
    const before = known.get(config);
    if (before !== undefined) return before;
    const id = JSON.stringify(config);
    let pool = pools.get(id);
    try {
      if (pool === undefined) pools.set(id, pool = openPool(config));
      known.set(config, pool);
    } catch (error) {
      ear.trouble('config', { upstream: config.url, error });
    }
    return pool;
  };
  const attemptOf = (request: Fetch, config: UpstreamConfig, headBy: number): Promise<Attempt> => {
    const pool = poolOf(config);
    if (pool === undefined) return Promise.resolve(UNOPENED);
    return exchange(pool, request, { clock, headBy });
  };
  return {
    async fetch(request) {
      const startedAt = clock.mono();
      const config = request.route?.upstream ?? defaultUpstream();
      const headMs = config.connectTimeoutMs + config.headersTimeoutMs + HEAD_MARGIN_MS;
      let attempt = await attemptOf(request, config, startedAt + headMs);
      // RFC 9110 §9.2.2: safe requests may be sent again, where a connection that was kept alive
      // closed before any byte of the answer came.
      const { body } = request;
      const repeatable = request.safe && (body === undefined || body instanceof Uint8Array);
      const again = repeatable && request.signal?.aborted !== true;
      if (again && attempt.kind === 'failed' && attempt.because === 'reset' && attempt.untouched) {
        attempt = await attemptOf(request, config, startedAt + headMs);
      }
      const result = attempt.kind === 'failed' ? attempt.because : attempt.status;
      const pattern = request.route?.pattern ?? '';
      ear.upstreamRequest(request.cause, pattern, clock.mono() - startedAt, result);
      return attempt;
    },
    keepOnly(configs) {
      const named = new Set(configs.map((config) => JSON.stringify(config)));
      for (const [id, pool] of pools) {
        if (named.has(id)) continue;
        pools.delete(id);
        known = new WeakMap();
        ending.add(pool);
        // What is under way ends first.
        pool.close().catch((error: unknown) => ear.trouble('assertion', { error }))
          .finally(() => ending.delete(pool));
      }
    },
    async close() {
      await Promise.all([...pools.values(), ...ending].map((pool) => pool.destroy()));
    },
  };
}

function openPool(config: UpstreamConfig): Pool {
  const socketPath = socketPathOf(config);
  return new Pool(socketPath === undefined ? config.url : 'http://localhost', {
    connections: config.connections,
    pipelining: 1,
    headersTimeout: config.headersTimeoutMs,
    bodyTimeout: config.bodyTimeoutMs,
    clientTtl: CLIENT_TTL_MS,
    allowH2: false,
    connect: {
      timeout: config.connectTimeoutMs,
      ...(socketPath === undefined ? {} : { socketPath }),
      ...readPem(config),
    },
  });
}

/** There is nothing to send anything over. */
const UNOPENED = { kind: 'failed', because: 'refused', sent: false, untouched: true } as const;
