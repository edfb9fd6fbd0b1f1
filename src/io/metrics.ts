// What is counted, for Prometheus. Labels come from the file's routes and from closed lists, never
// from what a client sends, so that their number is bounded.
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Aggregator } from 'prom-client';
import type { Entry } from '../core/entry/entry.ts';
import { resultOf, type Verdict } from '../core/verdict.ts';
import type { Ear } from '../flow/ports.ts';
import { Durations, Tally } from './counting.ts';

export interface Readings {
  entries(): number;
  bytes(): number;
  storeReady(): boolean;
  flights(): number;
  uses(): number;
  writes(): number;
  /** Readers that are known, by identity. */
  readers(): ReadonlyMap<string, number>;
  /** Routes that are passed because their answers differ by reader. */
  quarantined(): number;
  /** Processes that answer requests: this one, unless it only looks after others. */
  workers?(): number;
}

/** Hits of one route that are answered at once: counting costs next to nothing. */
export interface HitCounter {
  count(ms: number): void;
}

export interface Metrics extends Ear {
  hits(pattern: string | undefined): HitCounter;
  request(pattern: string | undefined, verdict: Verdict, ms: number): void;
  text(): Promise<{ contentType: string; text: string }>;
  /** The same as plain JSON, to be summed over processes. */
  samples(): Promise<object[]>;
}

const SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const NO_ROUTE = 'none';

export function openMetrics(readings: () => Readings): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const meters = metersIn(registry, readings);

  return {
    hits(pattern = NO_ROUTE) {
      const counted = meters.requests.of(
        { route: pattern, result: 'hit', because: 'fresh', kept: '' });
      const took = meters.requestSeconds.of('hit');
      return {
        count(ms) {
          counted.waiting += 1;
          took(ms);
        },
      };
    },
    request(pattern = NO_ROUTE, verdict, ms) {
      const { result, because, keptAs } = labelsOf(verdict);
      meters.requests.of({ route: pattern, result, because, kept: keptAs }).waiting += 1;
      meters.requestSeconds.of(result)(ms);
    },
    upstreamRequest(cause, pattern, ms, result) {
      const said = typeof result === 'number' ? `${Math.floor(result / 100)}xx` : result;
      meters.upstreamRequests.of({ route: pattern || NO_ROUTE, cause, result: said }).waiting += 1;
      meters.upstreamSeconds.of(cause)(ms);
    },
    touched(tags) {
      meters.touches.inc();
      meters.touchedTags.inc(tags === 'everything' ? 1 : tags);
    },
    guarded: (pattern, result) => meters.guarded.inc({ route: pattern, result }),
    readerEnded: (identity, because) => meters.ended.inc({ identity, because }),
    refreshed: (pattern, result) => meters.refreshes.inc({ route: pattern, result }),
    backlog(now, under) {
      meters.waiting.set(now);
      meters.running.set(under);
    },
    kept(entry: Entry) {
      meters.kept.inc();
      meters.keptBytes.inc(entry.body.byteLength);
    },
    store: ({ state }) => meters.storeChanges.inc({ state }),
    trouble(what) {
      meters.troubles.inc({ what });
    },
    text: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    samples: () => registry.getMetricsAsJSON(),
  };
}

/** What is counted as it happens; what can be read at any time is read when it is asked for. */
function metersIn(registry: Registry, readings: () => Readings) {
  const registers = [registry];
  const counter = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
  ): Counter<L> => new Counter({ name: `everfresh_${name}`, help, labelNames, registers });
  const tally = <L extends string>(
    name: string, help: string, labelNames: readonly L[],
  ): Tally<L> => new Tally(`everfresh_${name}`, { help, labelNames, registers });
  const durations = (name: string, help: string, label: string): Durations =>
    new Durations({ name: `everfresh_${name}`, help, label, bounds: SECONDS }, registry);
  const gauge: OpenGauge = (name, help, read, aggregator = 'sum') =>
    new Gauge({
      name: `everfresh_${name}`,
      help,
      aggregator,
      registers,
      ...(read === undefined
        ? {}
        : {
            collect(this: Gauge) {
              this.set(read(readings()));
            },
          }),
    });

  readAnyTime(gauge);
  new Gauge({
    name: 'everfresh_readers', help: 'Readers that are known, by identity', registers,
    labelNames: ['identity'], aggregator: 'sum',
    collect() {
      this.reset();
      for (const [identity, count] of readings().readers()) this.set({ identity }, count);
    },
  });
  return {
    requests: tally('requests_total', 'Requests, by route, result and reason', [
      'route', 'result', 'because', 'kept',
    ]),
    requestSeconds: durations(
      'request_seconds', 'Time until the answer was handed over, by result', 'result'),
    upstreamRequests: tally(
      'upstream_requests_total', 'Requests to the upstream, by route, cause and result',
      ['route', 'cause', 'result']),
    upstreamSeconds: durations(
      'upstream_seconds', 'Time until the head of the upstream’s answer, by cause', 'cause'),
    refreshes: counter(
      'refreshes_total',
      'Entries fetched again after a write, by route and result',
      ['route', 'result'],
    ),
    guarded: counter(
      'leak_checks_total', 'Answers that all share, compared for two readers', ['route', 'result'],
    ),
    ended: counter(
      'readers_ended_total', 'Readers whose credential was refused or given up, by identity',
      ['identity', 'because'],
    ),
    touches: counter('touches_total', 'Touches, each of one or more tags', []),
    touchedTags: counter('touched_tags_total', 'Tags touched', []),
    kept: counter('kept_total', 'Answers kept', []),
    keptBytes: counter('kept_bytes_total', 'Bytes of the bodies kept', []),
    troubles: counter('troubles_total', 'What went wrong inside, by kind', ['what']),
    storeChanges: counter('store_changes_total', 'The store went down, or was ready', ['state']),
    waiting: gauge('refresh_waiting', 'Entries waiting to be fetched again'),
    running: gauge('refresh_running', 'Entries being fetched again'),
  };
}

/** `aggregator`: how the values of several processes become one. */
type OpenGauge = (
  name: string, help: string, read?: (now: Readings) => number, aggregator?: Aggregator,
) => Gauge;

function readAnyTime(gauge: OpenGauge): void {
  gauge('entries', 'Entries in memory', (now) => now.entries());
  gauge('entry_bytes', 'Bytes that the entries in memory take', (now) => now.bytes());
  gauge('uses', 'Entries in use, known by their readers', (now) => now.uses());
  gauge('flights', 'Fetches under way that fill the cache', (now) => now.flights());
  gauge('writes', 'Writes under way', (now) => now.writes());
  gauge('quarantined_routes', 'Routes whose shared answers were seen to differ by reader',
    (now) => now.quarantined(), 'max');
  gauge('store_ready', '1 while the store may be used, else 0', (now) => Number(now.storeReady()),
    'min');
  gauge('workers', 'Processes that answer requests', (now) => now.workers?.() ?? 1);
}

function labelsOf(verdict: Verdict): { result: string; because: string; keptAs: string } {
  const result = resultOf(verdict);
  if (verdict.kind === 'write') return { result, because: verdict.outcome, keptAs: '' };
  const keptAs = 'kept' in verdict ? (verdict.kept ?? '') : '';
  return { result, because: verdict.because, keptAs };
}
