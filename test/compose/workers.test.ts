// Keeping workers alive, and asking them as one: what happens when they are silent, fail or die, on
// a clock that only the test moves. The processes are fakes; test/cli has the real ones.
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import type { Ask } from '../../src/compose/asks.ts';
import { together } from '../../src/compose/together.ts';
import { Workers } from '../../src/compose/workers.ts';
import type { Mode } from '../../src/core/rules/config.ts';
import { openMetrics } from '../../src/io/metrics.ts';
import { MetricsSum } from '../../src/io/metrics-sum.ts';
import { answerAll, Failed } from '../../src/io/talk.ts';
import type { WorkerProcess } from '../../src/io/workers.ts';
import { configOf } from '../admin/fake-gateway.ts';
import { pipes } from '../pipes.ts';
import { VirtualClock } from '../virtual-clock.ts';

const CONFIG = configOf('upstream: http://127.0.0.1:9\nstore: redis://127.0.0.1:1\nworkers: 2\n');
const NEVER = Promise.withResolvers<never>().promise;
const READY = {
  status: 'ready', listening: true, mode: 'on',
  store: { kind: 'redis', state: 'ready' }, backlog: { waiting: 1, running: 2 },
};

interface Child {
  readonly pid: number;
  readonly asked: Ask[];
  readonly end: (how: number | string) => void;
}

/** `act`: what a worker does when it is asked; undefined: what a good one does. */
function crew(act: (ask: Ask, child: Child) => unknown = () => undefined, count = 2) {
  const clock = new VirtualClock();
  const children: Child[] = [];
  const news: string[] = [];
  const fork = (): WorkerProcess => {
    const [here, there] = pipes();
    const ended = Promise.withResolvers<number | string>();
    const child: Child = { pid: children.length + 1, asked: [], end: ended.resolve };
    children.push(child);
    answerAll(there, {
      answer: async (question) => {
        const ask = question as Ask;
        child.asked.push(ask);
        const said = await act(ask, child);
        if (said !== undefined) return said;
        if (ask.ask === 'drain') child.end(0);
        return ask.ask === 'start' ? '127.0.0.1:1' : ask.ask === 'readiness' ? READY : 'done';
      },
      fault: (error) => t.fail(String(error)),
    });
    return { pid: child.pid, pipe: here, ended: ended.promise, kill: () => child.end('SIGKILL') };
  };
  let mode: Mode = 'on';
  const workers = new Workers({
    count, fork, clock,
    start: () => ({ ask: 'start', text: '', file: 'a', overrides: {}, mode, port: 1 }),
    tell: {
      listening: ({ pid }) => void news.push(`${pid} listens`),
      failed: ({ pid }, message) => void news.push(`${pid} failed: ${message}`),
      ended: ({ pid }, how, afterMs) => void news.push(`${pid} ended: ${how}, ${afterMs}`),
    },
  });
  const metrics = openMetrics(() => ({
    entries: () => 0, bytes: () => 0, storeReady: () => true, flights: () => 0, uses: () => 0,
    writes: () => 0, quarantined: () => 0, readers: () => new Map(),
  }));
  const running = together({
    workers, metrics, sum: new MetricsSum(), config: () => CONFIG, masked: () => ({}),
    problems: () => [], mode: () => mode, keepMode: (next) => void (mode = next),
  });
  const pass = async (ms: number): Promise<void> => {
    await turn();
    clock.advance(ms);
    await turn();
  };
  return { workers, running, clock, children, news, pass };
}

t.test('workers start, and are told what they need', async (t) => {
  const { workers, children, news } = crew();
  t.equal(await workers.start(), '127.0.0.1:1');
  await turn();
  t.same(news, ['1 listens', '2 listens']);
  t.same(children.map(({ asked }) => asked), Array(2).fill([
    { ask: 'start', text: '', file: 'a', overrides: {}, mode: 'on', port: 1 }]));
});

t.test('one that ends is replaced after a pause, which grows', async (t) => {
  const { workers, children, news, pass } = crew();
  await workers.start();
  await turn();
  children[0]!.end(1);
  await pass(99);
  t.equal(children.length, 2);
  await pass(1);
  t.equal(children.length, 3);
  children[2]!.end('SIGSEGV');
  await pass(199);
  t.equal(children.length, 3);
  await pass(1);
  t.equal(children.length, 4);
  t.same(news.slice(2), ['1 ended: 1, 100', '3 listens', '3 ended: SIGSEGV, 200', '4 listens']);
});

t.test('what keeps the first from listening ends it all, with its reason', async (t) => {
  const { workers } = crew(({ ask }) => {
    if (ask === 'start') throw new Failed('EADDRINUSE');
  });
  await t.rejects(workers.start(), { message: 'EADDRINUSE' });
  t.equal(await workers.close(1000), true);
});

t.test('workers that die before they listen are given up in the end', async (t) => {
  const { workers, children, pass } = crew(({ ask }, { end }) => {
    if (ask !== 'start') return undefined;
    end(1);
    return NEVER;
  });
  const started = workers.start();
  started.catch(() => undefined); // looked at below
  for (let i = 0; i < 10; i += 1) await pass(10_000);
  await t.rejects(started, { message: 'no worker could be started' });
  t.equal(children.length, 6, 'three times each');
});

t.test('one that does not come to listen in time is ended', async (t) => {
  const { workers, news, pass } = crew((_, { pid }) => (pid === 1 ? NEVER : undefined));
  await workers.start();
  await pass(30_000);
  t.match(news, ['2 listens', '1 failed: start: late']);
  await pass(5_000);
  t.match(news.at(-1), /^1 ended: SIGKILL, \d+$/);
});

t.test('a change is over when all go by it, and ends whoever does not confirm', async (t) => {
  const silent = ({ ask }: Ask, { pid }: Child): unknown =>
    (ask === 'mode' && pid === 1 ? NEVER : undefined);
  const { workers, running, children, pass } = crew(silent);
  await workers.start();
  await turn();
  let over = false;
  const switching = running.switchMode('off').then(() => { over = true; });
  await pass(4_999);
  t.same(children[1]!.asked.at(-1), { ask: 'mode', mode: 'off' });
  t.equal(over, false);
  await pass(1);
  await switching;
  await pass(100);
  t.match(children[2]!.asked[0], { ask: 'start', mode: 'off' }, 'its successor starts with it');
});

t.test('one that is still starting is told as well', async (t) => {
  const held = Promise.withResolvers<string>();
  const { workers, running, children } = crew(({ ask }, { pid }) =>
    (ask === 'start' && pid === 2 ? held.promise : undefined));
  await workers.start();
  await running.switchMode('observe');
  t.same(children[1]!.asked.map(({ ask }) => ask), ['start', 'mode']);
  held.resolve('127.0.0.1:1');
  await turn();
  t.equal(workers.listening.length, 2);
});

t.test('closing waits for the drain and a little more, and no longer', async (t) => {
  const stuck = ({ ask }: Ask, { pid }: Child): unknown =>
    (ask === 'drain' && pid === 1 ? 'done' : undefined);
  const { workers, news, pass } = crew(stuck);
  await workers.start();
  await turn();
  let inTime: boolean | undefined;
  const closing = workers.close(10_000).then((said) => { inTime = said; });
  await pass(14_999);
  t.equal(inTime, undefined);
  await pass(1);
  await closing;
  t.equal(inTime, false);
  t.same(news.slice(2), ['2 ended: 0, undefined', '1 ended: SIGKILL, undefined']);
  t.equal(await workers.close(10_000), true, 'nothing is left to close');
});

t.test('nobody is started while all are ended', async (t) => {
  const { workers, children, pass } = crew();
  await workers.start();
  await turn();
  children[0]!.end(1);
  await turn();
  t.equal(await workers.close(1000), true);
  await pass(60_000);
  t.equal(children.length, 2);
});

t.test('of the workers\' states the worst store is shown, and every one of them', async (t) => {
  const states = [READY, {
    ...READY, status: 'degraded', store: { kind: 'redis', state: 'down', because: 'refused' },
  }];
  const { workers, running, children } = crew(({ ask }, { pid }) =>
    (ask === 'readiness' ? states[pid - 1] : undefined));
  t.match(await running.readiness(), { status: 'starting', listening: false, workers: [
    { status: 'restarting' }, { status: 'restarting' }] });
  await workers.start();
  await turn();
  t.match(await running.readiness(), {
    status: 'degraded', listening: true, mode: 'on', backlog: { waiting: 2, running: 4 },
    store: { kind: 'redis', state: 'down', because: 'refused' },
    workers: [{ pid: 1, status: 'ready' }, { pid: 2, status: 'degraded' }],
  });
  children[1]!.end(1);
  await turn();
  t.match(await running.readiness(), {
    status: 'ready', store: { state: 'ready' },
    workers: [{ pid: 1, status: 'ready' }, { status: 'restarting' }],
  });
});

t.test('a silent worker costs a probe no more than its bound', async (t) => {
  const { workers, running, clock } = crew(({ ask }, { pid }) =>
    (ask === 'readiness' && pid === 1 ? NEVER : ask === 'readiness' ? READY : undefined));
  await workers.start();
  await turn();
  const asked = running.readiness();
  await turn();
  clock.advance(700);
  t.match(await asked, { status: 'ready', workers: [{ pid: 1, status: 'silent' }, { pid: 2 }] });
});

t.test('an order is answered whatever becomes of its worker', async (t) => {
  const { workers, running, children, clock } = crew(({ ask }) =>
    (ask === 'order' ? NEVER : undefined));
  const order = { targets: ['/a'], tags: [] };
  t.same(await running.order(order, 'purge'), { kind: 'unanswered', because: 'no-worker' });
  await workers.start();
  await turn();
  const late = running.order(order, 'purge');
  await turn();
  clock.advance(CONFIG.leaseMs * 1.25 + 9_999);
  await turn();
  const gone = running.order(order, 'purge');
  clock.advance(1);
  t.same(await late, { kind: 'unanswered', because: 'late' });
  await turn();
  children[0]!.end('SIGKILL');
  t.same(await gone, { kind: 'unanswered', because: 'gone' });
});
