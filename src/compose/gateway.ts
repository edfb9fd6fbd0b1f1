// Puts the gateway together: configuration, store, upstreams, stories. The one place where every
// port meets its implementation; it decides nothing else.
import { randomBytes } from 'node:crypto';
import type { Key } from '../core/entry/entry.ts';
import { Ledger } from '../core/plan/ledger.ts';
import type { Config } from '../core/rules/config.ts';
import { Flights } from '../flow/flights.ts';
import type { Gateway, Outage } from '../flow/gateway.ts';
import { Lately } from '../flow/lately.ts';
import type { Clock, Store } from '../flow/ports.ts';
import { refreshAfter } from '../flow/purge.ts';
import { refreshOne } from '../flow/refresh.ts';
import { Refresher } from '../flow/refresher.ts';
import { Remembered } from '../flow/remembered.ts';
import { guarded } from '../flow/touching.ts';
import { warmUp } from '../flow/warm.ts';
import { realClock } from '../io/clock.ts';
import { type CountedHandler, requestHandler } from '../io/handler.ts';
import { type Logger, openLog } from '../io/log.ts';
import { type Metrics, openMetrics } from '../io/metrics.ts';
import { undiciUpstream } from '../io/upstream.ts';
import { earOf } from './ear.ts';
import { liveOf, reload } from './reload.ts';
import { openStore } from './store.ts';

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
  const ear = earOf(metrics, log);
  const outage: Outage = { since: undefined };
  const remembered = new Remembered(config.limits.remembered);
  const { store: opened, near } = openStore(config, { clock, ear });
  const store: Store = { ...opened, control: guarded(opened.control, remembered, outage) };
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
    outage,
    writers: { all: 0, byClient: new Map() },
    newId,
  };
  store.onSwept((tags) => {
    ear.trouble('swept', { tags: tags.length });
    refreshAfter(gateway, tags);
  });
  const handler = requestHandler({
    gateway, metrics, log, newId, draw: Math.random, draining: () => drains,
  });
  warmUp(gateway);
  return {
    gateway,
    handler,
    metrics,
    log,
    apply(next) {
      reload(gateway, next, log);
      const ofRoutes = next.routes.flatMap((route) => route.upstream ?? []);
      upstream.keepOnly([next.upstream, ...ofRoutes]);
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
