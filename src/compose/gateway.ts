// Puts the gateway together: configuration, store, upstreams, stories. The one place where every
// port meets its implementation; it decides nothing else.
import { randomBytes, randomUUID } from 'node:crypto';
import { keyOf } from '../core/rules/check.ts';
import type { Config } from '../core/rules/config.ts';
import { assemble } from '../flow/assemble.ts';
import type { Gateway } from '../flow/gateway.ts';
import type { Clock } from '../flow/ports.ts';
import { lastWords } from '../flow/touching.ts';
import { warmUp } from '../flow/warm.ts';
import { realClock } from '../io/clock.ts';
import { type CountedHandler, requestHandler } from '../io/handler.ts';
import { type Logger, openLog } from '../io/log.ts';
import { type Metrics, openMetrics } from '../io/metrics.ts';
import { sealingBy } from '../io/sealing.ts';
import { Shortcuts } from '../io/shortcuts.ts';
import { openTokens } from '../io/tokens.ts';
import { openTunnels, type Tunnels } from '../io/tunnel.ts';
import { keepAliveLines } from '../io/wire.ts';
import { undiciUpstream } from '../io/upstream.ts';
import { earOf } from './ear.ts';
import { liveOf } from './live.ts';
import { reload } from './reload.ts';
import { openStore } from './store.ts';

/** A gateway without its listeners. */
export interface Composed {
  readonly gateway: Gateway;
  readonly handler: CountedHandler;
  readonly shortcuts: Shortcuts;
  /** Of WebSockets. */
  readonly tunnels: Tunnels;
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

export async function compose(
  config: Config, { clock = realClock }: { clock?: Clock } = {},
): Promise<Composed> {
  const log = openLog(config.log.level);
  let drains = false;
  const metrics = openMetrics(() => ({
    entries: () => near.size,
    bytes: () => near.bytes,
    storeReady: () => store.state().state === 'ready',
    flights: () => gateway.flights.size,
    uses: () => gateway.ledger.size,
    writes: () => gateway.writers.all,
    quarantined: () => gateway.quarantine.patterns.length,
    readers: () => new Map(gateway.live.config.identities.map(({ name }) =>
      [name, gateway.people.count(name)])),
  }));
  const ear = earOf(metrics, log);
  const { store, near } = await openStore(config, { clock, ear });
  const upstream = undiciUpstream(() => gateway.live.config.upstream, { clock, ear });
  const newId = (): string => randomUUID();
  const tokens = openTokens({ clock, ear });
  // Entries of readers in a memory of its own are nobody else's to find.
  const live = liveOf(config, config.secret ?? randomBytes(32).toString('base64url'), tokens);
  const key = keyOf(config.credentialsKey);
  const sealing = key && sealingBy(key);
  const gateway: Gateway = assemble({
    live, clock, upstream, store, ear, tokens, sealing, newId,
  });
  const draining = (): boolean => drains;
  const shortcuts = new Shortcuts({
    gateway, metrics, draw: Math.random, draining,
    keepAlive: keepAliveLines(config.limits.keepAliveTimeoutMs),
    memoryBytes: config.memoryBytes,
  });
  const handler = requestHandler({
    gateway, metrics, log, newId, draw: Math.random, draining, shortcuts,
  });
  tokens.prepare(config.identities);
  warmUp(gateway);
  return {
    gateway,
    handler,
    shortcuts,
    tunnels: openTunnels({ live: () => gateway.live, newId, log, ear }),
    metrics,
    log,
    apply(next) {
      reload(gateway, next, log);
      const ofRoutes = next.routes.flatMap((route) => route.upstream ?? []);
      upstream.keepOnly([next.upstream, ...ofRoutes]);
    },
    draining,
    drain() {
      drains = true;
    },
    async close() {
      await lastWords(gateway);
      await store.close({ clean: !gateway.remembered.pending });
      await upstream.close();
    },
  };
}
