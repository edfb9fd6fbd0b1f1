// Whose turn it is to be fetched again: bounded for each route and in all, each key once at a time.
import t from 'tap';
import type { Key } from '../../src/core/entry/entry.ts';
import type { Use } from '../../src/core/plan/ledger.ts';
import { Refresher } from '../../src/flow/refresher.ts';
import { rulesOf } from '../asking.ts';

const rules = rulesOf(`
routes:
  /a: { GET: { ttl: 1h, keep_fresh: { concurrency: 2 } } }
  /b: { GET: { ttl: 1h, keep_fresh: { concurrency: 100 } } }
`);
const use = (path: string, name: string): Use => ({
  key: name as Key, meaning: rules.reads(path), tags: [], hits: 1, step: 1, readAt: 0, fetchMs: 1,
  receivedAt: 0,
});
const uses = (path: string, count: number): Use[] =>
  Array.from({ length: count }, (_, i) => use(path, `${path}${i}`));
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

function refresher(runningMax = 8) {
  const running: { key: string; end: () => void }[] = [];
  const started: string[] = [];
  const made = new Refresher({
    run: ({ key }) => new Promise<void>((resolve) => {
      started.push(key);
      running.push({ key, end: resolve });
    }),
    backlog: () => undefined,
    runningMax,
    soon: (callback) => callback(),
  });
  const end = async (): Promise<void> => {
    running.shift()!.end();
    await turn();
  };
  return { made, running, started, end };
}

t.test('what is ordered begins when what is at hand has been done', async (t) => {
  const begun: string[] = [];
  const later: (() => void)[] = [];
  const made = new Refresher({
    run: ({ key }) => Promise.resolve(void begun.push(key)),
    backlog: () => undefined,
    runningMax: 8,
    soon: (callback) => void later.push(callback),
  });
  const done = [made.orderAndWait(uses('/b', 1)), made.orderAndWait(uses('/b', 2))];
  t.strictSame([begun, later.length], [[], 1]);
  later[0]!();
  await Promise.all(done);
  t.strictSame(begun, ['/b0', '/b1']);
});

t.test('at most so many of a route are under way, and others need not wait for it', async (t) => {
  const { made, running, end } = refresher();
  const done = made.orderAndWait([...uses('/a', 5), ...uses('/b', 2)]);
  t.strictSame(running.map(({ key }) => key), ['/a0', '/a1', '/b0', '/b1']);
  t.strictSame(made.backlog, { waiting: 3, running: 4 });
  while (running.length > 0) {
    t.ok(running.filter(({ key }) => key.startsWith('/a')).length <= 2);
    await end();
  }
  await done;
  t.strictSame(made.backlog, { waiting: 0, running: 0 });
});

t.test('a backlog opens more at once, up to the bound', (t) => {
  const { made, running } = refresher(8);
  made.order(uses('/b', 12));
  t.equal(running.length, 4, 'a short one is no reason for many');
  const { made: busy, running: many } = refresher(8);
  busy.order(uses('/b', 1000));
  t.equal(many.length, 8);
  t.end();
});

t.test('what waits already waits once, and what is under way is fetched once more', async (t) => {
  const { made, started, end } = refresher();
  const first = made.orderAndWait([use('/a', 'x')]);
  const second = made.orderAndWait([use('/a', 'x')]);
  const third = made.orderAndWait([use('/a', 'x')]);
  let over = 0;
  for (const order of [first, second, third]) void order.then(() => over += 1);
  t.strictSame(started, ['x'], 'one turn at a time');
  await end();
  t.equal(over, 1, 'the fetch that began before a write does not answer for it');
  t.strictSame(started, ['x', 'x']);
  await end();
  t.equal(over, 3);
});

t.test('a queue that is full leaves the coldest invalid', async (t) => {
  const { made } = refresher(1);
  made.order(uses('/b', 20_000));
  t.strictSame(made.backlog, { waiting: 9999, running: 1 });
  made.order(uses('/a', 1));
  await made.orderAndWait(uses('/a', 6).slice(1));
  t.pass('whoever waits for what is left is not kept waiting');
});

t.test('so many may wait for what they order, and the others are not kept waiting', async (t) => {
  const { made, end } = refresher(1);
  made.order(uses('/b', 2));
  let over = 0;
  for (let i = 0; i < 2000; i += 1) void made.orderAndWait(uses('/b', 2)).then(() => over += 1);
  await turn();
  t.equal(over, 1000, 'of those that came when a thousand waited');
  for (let i = 0; i < 3; i += 1) await end();
  t.equal(over, 2000);
});
