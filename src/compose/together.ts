// Several workers as the admin listener asks for them: as one. What concerns one request is asked
// of one of them, what is counted is summed, and of their states the worst is shown.
import type {
  Answered, Readiness, Ready, Running, Status, WorkerState,
} from '../admin/running.ts';
import type { Config, Mode } from '../core/rules/config.ts';
import type { Metrics } from '../io/metrics.ts';
import { type MetricsSum, readSamples } from '../io/metrics-sum.ts';
import type { Asked } from '../io/talk.ts';
import { type Ask, readExplanation, readOrdered, readReadiness } from './asks.ts';
import type { Worker, Workers } from './workers.ts';

export interface TogetherParts {
  readonly workers: Workers;
  /** The primary's own: its process, and what went wrong with the others. */
  readonly metrics: Metrics;
  readonly sum: MetricsSum;
  config(): Config;
  masked(): unknown;
  problems(): readonly string[];
  mode(): Mode;
  /** For workers that are started from now on; those that run are told by whoever calls. */
  keepMode(mode: Mode): void;
}

/** A probe waits for a second at most, by default. */
const READINESS_MS_MAX = 700;
const METRICS_MS_MAX = 2000;
const EXPLAIN_MS_MAX = 5000;
/** An order waits for the store for a lease and a quarter; this comes on top. */
const ORDER_MARGIN_MS = 10_000;
/** The primary's own among the numbers of processes. */
const PRIMARY = 0;

export function together(parts: TogetherParts): Running {
  const { workers } = parts;
  return {
    readiness: () => readiness(parts),
    metrics: () => metrics(parts),
    explain: (question) => ofOne(workers, { ask: 'explain', question }, {
      deadlineMs: EXPLAIN_MS_MAX, read: readExplanation,
    }),
    order: (order, act) => ofOne(workers, { ask: 'order', order, act }, {
      deadlineMs: parts.config().leaseMs * 1.25 + ORDER_MARGIN_MS, read: readOrdered,
    }),
    async switchMode(mode) {
      parts.keepMode(mode);
      await workers.change({ ask: 'mode', mode });
    },
    config: () => parts.masked(),
    problems: () => parts.problems(),
  };
}

async function ofOne<T>(workers: Workers, ask: Ask, how: Asked<T>): Promise<Answered<T>> {
  const [one] = workers.listening;
  if (one === undefined) return { kind: 'unanswered', because: 'no-worker' };
  return one.ask(ask, how);
}

async function readiness(parts: TogetherParts): Promise<Ready> {
  const { workers } = parts;
  const states = await Promise.all(workers.places.map(stateOf));
  const up = states.flatMap(({ readiness }) => readiness ?? []);
  const listening = up.some((one) => one.listening);
  return {
    status: workers.closing ? 'draining' : statusOf(up),
    listening,
    mode: parts.mode(),
    store: up.map(({ store }) => store).sort((a, b) => badness(b) - badness(a))[0]
      ?? { kind: 'redis', state: 'joining' },
    quarantined: [...new Set(up.flatMap(({ quarantined }) => quarantined))],
    backlog: {
      waiting: up.reduce((all, { backlog }) => all + backlog.waiting, 0),
      running: up.reduce((all, { backlog }) => all + backlog.running, 0),
    },
    workers: states.map(({ state }) => state),
  };
}

async function stateOf(
  worker: Worker | undefined,
): Promise<{ readonly state: WorkerState; readonly readiness?: Readiness }> {
  if (worker === undefined) return { state: { status: 'restarting' } };
  const { pid, state } = worker;
  const known = pid === undefined ? {} : { pid };
  if (state === 'starting') return { state: { ...known, status: state } };
  const heard = await worker.ask({ ask: 'readiness' }, {
    deadlineMs: READINESS_MS_MAX, read: readReadiness,
  });
  if (heard.kind === 'unanswered') {
    const status = heard.because === 'gone' ? 'restarting' : 'silent';
    return { state: { ...known, status } };
  }
  const { status, mode, store } = heard.value;
  return { state: { ...known, status, mode, store }, readiness: heard.value };
}

/** As long as one listens, requests are answered. */
function statusOf(up: readonly Readiness[]): Status {
  const listening = up.filter((one) => one.listening);
  if (listening.length === 0) return 'starting';
  return listening.every(({ status }) => status === 'ready') ? 'ready' : 'degraded';
}

function badness({ state }: Readiness['store']): number {
  return ['ready', 'joining', 'down'].indexOf(state);
}

async function metrics(
  { workers, metrics, sum }: TogetherParts,
): Promise<{ contentType: string; text: string }> {
  const answered = new Set([PRIMARY]);
  sum.heard(PRIMARY, readSamples(await metrics.samples()) ?? []);
  await Promise.all(workers.listening.map(async (worker) => {
    const heard = await worker.ask({ ask: 'metrics' }, {
      deadlineMs: METRICS_MS_MAX, read: readSamples,
    });
    if (heard.kind === 'unanswered' || worker.pid === undefined) return;
    // One that has ended meanwhile is among the ended.
    if (workers.places[worker.place] !== worker) return;
    sum.heard(worker.pid, heard.value);
    answered.add(worker.pid);
  }));
  return sum.text(answered);
}
