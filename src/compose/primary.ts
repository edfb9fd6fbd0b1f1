// The process that looks after several workers: reads the configuration for all of them, keeps them
// alive, and has the one admin listener. It answers no request of the gateway's, and has no store.
import { fileURLToPath } from 'node:url';
import { openAdmin } from '../admin/api.ts';
import type { Config, Mode } from '../core/rules/config.ts';
import type { Ear } from '../flow/ports.ts';
import { realClock } from '../io/clock.ts';
import type { ConfigSource } from '../io/config.ts';
import { type Logger, openLog } from '../io/log.ts';
import { openMetrics } from '../io/metrics.ts';
import { MetricsSum } from '../io/metrics-sum.ts';
import { forkWorker, freePort } from '../io/workers.ts';
import type { Start } from './asks.ts';
import { earOf } from './ear.ts';
import type { Shown } from './listeners.ts';
import type { Open, Service } from './service.ts';
import { together } from './together.ts';
import { type WorkerNews, Workers } from './workers.ts';

/** Beside this file's folder, in the language that this file is in. */
const PROGRAM = fileURLToPath(new URL('../worker.ts', import.meta.url))
  .replace(/\.ts$/, import.meta.url.endsWith('.ts') ? '.ts' : '.js');

/** Of its own it counts its process, and what goes wrong with the others. */
const NOTHING = {
  entries: () => 0, bytes: () => 0, storeReady: () => true, flights: () => 0, uses: () => 0,
  writes: () => 0, workers: () => 0, quarantined: () => 0, readers: () => new Map<string, number>(),
};

export function servePrimary(source: ConfigSource): Service {
  const first = source.current();
  const log = openLog(first.log.level);
  const metrics = openMetrics(() => NOTHING);
  const ear = earOf(metrics, log);
  const sum = new MetricsSum();
  const state: { config: Config; mode: Mode; port: number } = {
    config: first, mode: first.mode, port: first.listen.port,
  };
  const start = (): Start =>
    ({ ask: 'start', ...source.origin(), mode: state.mode, port: state.port });
  const workers = new Workers({
    count: first.workers,
    fork: () => forkWorker(PROGRAM),
    clock: realClock,
    start,
    tell: newsOf(log, ear, sum),
  });
  const running = (shown: Shown) => together({
    workers, metrics, sum,
    config: () => state.config,
    masked: shown.masked,
    problems: shown.refused,
    mode: () => state.mode,
    keepMode: (mode) => void (state.mode = mode),
  });
  const close = async (): Promise<boolean> =>
    workers.close(state.config.limits.drainMs);

  return {
    log,
    ear,
    async apply(next) {
      // As each of them does: a mode that was switched by hand stays, unless the file changed it.
      if (next.mode !== state.config.mode) state.mode = next.mode;
      state.config = next;
      log.level = next.log.level;
      await workers.change({ ask: 'apply', text: source.origin().text });
    },
    async open(shown, stop): Promise<Open> {
      const { listen, admin: at, adminToken: token } = first;
      if (state.port === 0) state.port = await freePort(listen.host);
      const admin = at === 'off'
        ? undefined
        : await openAdmin({ running: running(shown), ear, clock: realClock, token }, at);
      try {
        const listening = await Promise.race([workers.start(), aborted(stop)]);
        return {
          listen: listening,
          admin: admin && `${admin.address}:${admin.port}`,
          lost: workers.lost,
          async drain() {
            const inTime = await close();
            await admin?.close();
            return inTime;
          },
        };
      } catch (error) {
        await admin?.close();
        throw error;
      }
    },
    async close() {
      await close();
    },
  };
}

function aborted(stop: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (stop.aborted) resolve(undefined);
    else stop.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

function newsOf(log: Logger, ear: Ear, sum: MetricsSum): WorkerNews {
  return {
    listening: ({ pid }, listen) => log.info({ worker: pid, listen }, 'worker listening'),
    failed: ({ pid }, message) => ear.trouble('worker', { worker: pid, because: message }),
    ended({ pid }, how, afterMs) {
      if (pid !== undefined) sum.ended(pid);
      if (afterMs === undefined) return log.info({ worker: pid, how }, 'worker ended');
      return ear.trouble('worker', { worker: pid, because: 'ended', how, againAfterMs: afterMs });
    },
  };
}
