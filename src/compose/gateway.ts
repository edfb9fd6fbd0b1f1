// Puts the gateway together: configuration, store, upstreams, stories. The one place where every
// port meets its implementation; it decides nothing else.
import { randomBytes } from 'node:crypto';
import type { Key } from '../core/entry/entry.ts';
import { Ledger } from '../core/plan/ledger.ts';
import { unwatched } from '../core/plan/unwatched.ts';
import type { Config, Mode } from '../core/rules/config.ts';
import { compileLooseMatcher, compileMatcher } from '../core/rules/match.ts';
import { Flights } from '../flow/flights.ts';
import type { Gateway, Live } from '../flow/gateway.ts';
import { Lately } from '../flow/lately.ts';
import type { Clock, Ear, Store } from '../flow/ports.ts';
import { switchMode } from '../flow/mode.ts';
import { refreshAfter } from '../flow/purge.ts';
import { refreshOne } from '../flow/refresh.ts';
import { Refresher } from '../flow/refresher.ts';
import { Remembered } from '../flow/remembered.ts';
import { guarded, touchOrRemember } from '../flow/touching.ts';
import { warmUp } from '../flow/warm.ts';
import { realClock } from '../io/clock.ts';
import { trustedPeers } from '../io/door.ts';
import { type CountedHandler, requestHandler } from '../io/handler.ts';
import { type Logger, openLog } from '../io/log.ts';
import { memoryEntries, type MemoryEntries, memoryStore } from '../io/memory.ts';
import { type Metrics, openMetrics } from '../io/metrics.ts';
import { redisStore } from '../io/redis.ts';
import { tieredEntries } from '../io/tiers.ts';
import { undiciUpstream } from '../io/upstream.ts';

/** A gateway without its listeners. */
export interface Composed {
  readonly gateway: Gateway;
  readonly handler: CountedHandler;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Takes a new configuration as a whole. */
  apply(config: Config): void;
  draining(): boolean;
  /** From now on connections are closed after their answers. */
  drain(): void;
  /** Leaves the store cleanly and ends the upstream's connections. */
  close(): Promise<void>;
}

const UNCACHEABLE_FOR_MS = 30_000;
const KEYS_REMEMBERED = 10_000;
const USES_MAX = 200_000;

export function compose(config: Config, { clock = realClock }: { clock?: Clock } = {}): Composed {
  const log = openLog(config.log.level);
  let drains = false;
  const metrics = openMetrics(() => ({
    entries: () => near.size,
    bytes: () => near.bytes,
    storeReady: () => store.state().state === 'ready',
    flights: () => gateway.flights.size,
    uses: () => gateway.ledger.size,
    writes: () => gateway.writers.all,
  }));
  const ear = loud(metrics, log);
  const remembered = new Remembered(config.limits.remembered);
  const { store: opened, near } = openStore(config, { clock, ear });
  const store: Store = { ...opened, control: guarded(opened.control, remembered) };
  const upstream = undiciUpstream(() => gateway.live.config.upstream, { clock, ear });
  const newId = (): string => randomBytes(16).toString('hex');
  const gateway: Gateway = {
    live: liveOf(config),
    mode: config.mode,
    clock,
    upstream,
    store,
    ear,
    ledger: new Ledger(USES_MAX),
    flights: new Flights(),
    refresher: new Refresher({
      run: (use, cause) => refreshOne(gateway, use, cause),
      backlog: (waiting, running) => ear.backlog(waiting, running),
      runningMax: config.limits.refreshConcurrency,
    }),
    uncacheable: new Lately<Key>(clock, { forMs: UNCACHEABLE_FOR_MS, keysMax: KEYS_REMEMBERED }),
    newVariants: new Lately<string>(clock, { forMs: 60_000, keysMax: KEYS_REMEMBERED }),
    remembered,
    outage: { since: undefined },
    writers: { all: 0, byClient: new Map() },
    newId,
  };
  store.onSwept((tags) => {
    ear.trouble('swept', { tags: tags.length });
    refreshAfter(gateway, tags);
  });
  const behind = (work: Promise<unknown>): void => {
    work.catch((error: unknown) => ear.trouble('assertion', { error }));
  };
  const handler = requestHandler({
    gateway,
    metrics,
    log,
    trusts: trustedPeers(config.trustProxy),
    newId,
    draw: Math.random,
    draining: () => drains,
  });
  warmUp(gateway);
  return {
    gateway,
    handler,
    metrics,
    log,
    apply(next) {
      const before: Mode = gateway.live.config.mode;
      const tags = unwatched(gateway.live.config, next);
      // The memory's touch is done when this line is; the store's is at least on its way.
      if (tags.length > 0) behind(touchOrRemember(gateway, { tags, then: 'done' }));
      gateway.live = liveOf(next);
      // A mode that was switched by hand stays, unless the file says another than before.
      if (next.mode !== before) behind(switchMode(gateway, next.mode));
      gateway.refresher.bound(next.limits.refreshConcurrency);
      gateway.ledger.keepOnly(
        new Set(next.routes.flatMap((route) => [...route.reads.values()]).map((rule) => rule.hash)),
      );
      log.level = next.log.level;
      warmUp(gateway);
    },
    draining: () => drains,
    drain() {
      drains = true;
    },
    async close() {
      await store.close({ clean: !remembered.pending });
      await upstream.close();
    },
  };
}

function liveOf(config: Config): Live {
  const match = compileMatcher(config.routes);
  const matchLoosely = compileLooseMatcher(config.routes);
  return { config, finder: { match, matchLoosely } };
}

function openStore(
  config: Config,
  { clock, ear }: { clock: Clock; ear: Ear },
): { store: Store; near: MemoryEntries } {
  const { store, limits, leaseMs, memoryBytes: bytes } = config;
  if (store.kind === 'memory') {
    const memory = memoryStore({ bytes, limits });
    return { store: memory, near: memory.entries };
  }
  const near = memoryEntries({ bytes });
  const far = redisStore({
    url: store.url!,
    prefix: store.prefix,
    clock,
    leaseMs,
    limits,
    budgetMs: limits.storeBudgetMs,
    onTrouble: (because, detail) => ear.trouble('store', { because, ...detail }),
  });
  return { store: { ...far, entries: tieredEntries(near, far.entries) }, near };
}

/** Counts, and tells what is trouble as well. */
function loud(metrics: Metrics, log: Logger): Ear {
  return {
    ...metrics,
    trouble(what, detail) {
      metrics.trouble(what, detail);
      const { error, ...rest } = detail;
      const err =
        error instanceof Error
          ? { type: error.name, message: error.message, stack: error.stack }
          : undefined;
      log[what === 'assertion' ? 'error' : 'warn'](
        { what, ...rest, ...(err === undefined ? {} : { err }) },
        'trouble',
      );
    },
  };
}
