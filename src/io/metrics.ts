// What is counted, for Prometheus. Labels come from the file's routes and from closed lists, never
// from what a client sends, so that their number is bounded.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Entry } from '../core/entry/entry.ts';
import type { Verdict } from '../core/verdict.ts';
import type { Ear } from '../flow/ports.ts';

export interface Readings {
  entries(): number;
  bytes(): number;
  storeReady(): boolean;
  flights(): number;
  uses(): number;
  writes(): number;
}

export interface Metrics extends Ear {
  request(pattern: string | undefined, verdict: Verdict, ms: number): void;
  troubles(): Readonly<Record<string, number>>;
  text(): Promise<{ contentType: string; text: string }>;
}

const SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const NO_ROUTE = 'none';

export function openMetrics(readings: () => Readings): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
  ): Counter<L> => new Counter({ name: `everfresh_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, read?: (now: Readings) => number): Gauge =>
    new Gauge({
      name: `everfresh_${name}`,
      help,
      registers,
      ...(read === undefined
        ? {}
        : {
            collect(this: Gauge) {
              this.set(read(readings()));
            },
          }),
    });
  const histogram = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
  ): Histogram<L> =>
    new Histogram({ name: `everfresh_${name}`, help, labelNames, buckets: SECONDS, registers });

  const requests = counter('requests_total', 'Requests, by route, result and reason', [
    'route',
    'result',
    'because',
    'kept',
  ]);
  const requestSeconds = histogram(
    'request_seconds',
    'Time until the answer was handed over, by result',
    ['result'],
  );
  const upstreamRequests = counter(
    'upstream_requests_total',
    'Requests to the upstream, by route, cause and result',
    ['route', 'cause', 'result'],
  );
  const upstreamSeconds = histogram(
    'upstream_seconds',
    'Time until the head of the upstream’s answer, by cause',
    ['cause'],
  );
  const refreshes = counter(
    'refreshes_total',
    'Entries fetched again after a write, by route and result',
    ['route', 'result'],
  );
  const touches = counter('touches_total', 'Touches, each of one or more tags', []);
  const touchedTags = counter('touched_tags_total', 'Tags touched', []);
  const kept = counter('kept_total', 'Answers kept', []);
  const keptBytes = counter('kept_bytes_total', 'Bytes of the bodies kept', []);
  const troubles = counter('troubles_total', 'What went wrong inside, by kind', ['what']);
  const waiting = gauge('refresh_waiting', 'Entries waiting to be fetched again');
  const running = gauge('refresh_running', 'Entries being fetched again');
  gauge('entries', 'Entries in memory', (now) => now.entries());
  gauge('entry_bytes', 'Bytes of the entries in memory', (now) => now.bytes());
  gauge('uses', 'Entries in use, known by their readers', (now) => now.uses());
  gauge('flights', 'Fetches under way that fill the cache', (now) => now.flights());
  gauge('writes', 'Writes under way', (now) => now.writes());
  gauge('store_ready', '1 while the store may be used, else 0', (now) => Number(now.storeReady()));
  const counts: Record<string, number> = Object.create(null) as Record<string, number>;

  return {
    request(pattern, verdict, ms) {
      const { result, because, keptAs } = labelsOf(verdict);
      requests.inc({ route: pattern ?? NO_ROUTE, result, because, kept: keptAs });
      requestSeconds.observe({ result }, ms / 1000);
    },
    upstreamRequest(cause, pattern, ms, result) {
      const said = typeof result === 'number' ? `${Math.floor(result / 100)}xx` : result;
      upstreamRequests.inc({ route: pattern || NO_ROUTE, cause, result: said });
      upstreamSeconds.observe({ cause }, ms / 1000);
    },
    touched(tags) {
      touches.inc();
      touchedTags.inc(tags === 'everything' ? 1 : tags);
    },
    refreshed: (pattern, result) => refreshes.inc({ route: pattern, result }),
    backlog(now, under) {
      waiting.set(now);
      running.set(under);
    },
    kept(entry: Entry) {
      kept.inc();
      keptBytes.inc(entry.body.byteLength);
    },
    trouble(what) {
      troubles.inc({ what });
      counts[what] = (counts[what] ?? 0) + 1;
    },
    troubles: () => counts,
    text: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

function labelsOf(verdict: Verdict): { result: string; because: string; keptAs: string } {
  const { kind } = verdict;
  if (kind === 'write') return { result: kind, because: verdict.outcome, keptAs: '' };
  const keptAs = 'kept' in verdict ? (verdict.kept ?? '') : '';
  return { result: kind, because: verdict.because, keptAs };
}
