// The metrics of several processes as those of one: sums that never fall, and gauges as each says.
import t from 'tap';
import { openMetrics } from '../../src/io/metrics.ts';
import { MetricsSum, readSamples, type Samples } from '../../src/io/metrics-sum.ts';

const process_ = (ready: boolean, entries = 0) => openMetrics(() => ({
  entries: () => entries, bytes: () => 0, storeReady: () => ready, flights: () => 0,
  uses: () => 0, quarantined: () => 0, readers: () => new Map(), writes: () => 0,
}));

/** As they come from another process. */
async function samples(metrics: ReturnType<typeof process_>): Promise<Samples> {
  return readSamples(JSON.parse(JSON.stringify(await metrics.samples())))!;
}

async function value(sum: MetricsSum, now: number[], name: string): Promise<number | undefined> {
  const { text } = await sum.text(new Set(now));
  const line = text.split('\n').find((line) => line.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

const TROUBLES = 'everfresh_troubles_total{what="store"}';
const HISTOGRAM = 'everfresh_request_seconds_count{result="refuse"}';

t.test('counters, histograms and gauges are summed, readiness is the least', async (t) => {
  const [a, b] = [process_(true, 3), process_(false, 4)];
  a.trouble('store', {});
  for (const one of [a, b]) {
    one.request('/a', { kind: 'refuse', because: 'bad-framing', status: 400 }, 1);
    one.trouble('store', {});
  }
  const sum = new MetricsSum();
  sum.heard(1, await samples(a));
  sum.heard(2, await samples(b));
  t.equal(await value(sum, [1, 2], TROUBLES), 3);
  t.equal(await value(sum, [1, 2], HISTOGRAM), 2);
  t.equal(await value(sum, [1, 2], 'everfresh_entries'), 7);
  t.equal(await value(sum, [1, 2], 'everfresh_workers'), 2);
  t.equal(await value(sum, [1, 2], 'everfresh_store_ready'), 0);
  t.ok((await value(sum, [1, 2], 'process_resident_memory_bytes'))! > 0);
});

t.test('no counter falls when a process ends, or is too busy to answer', async (t) => {
  const sum = new MetricsSum();
  for (const id of [1, 2, 3]) {
    const one = process_(true, 5);
    one.trouble('store', {});
    one.request('/a', { kind: 'refuse', because: 'bad-framing', status: 400 }, 1);
    sum.heard(id, await samples(one));
  }
  t.equal(await value(sum, [1, 2, 3], TROUBLES), 3);
  t.equal(await value(sum, [1], TROUBLES), 3, 'two are busy');
  t.equal(await value(sum, [1], 'everfresh_entries'), 5, 'what they hold is not known');
  sum.ended(2);
  sum.ended(3);
  sum.ended(3);
  t.equal(await value(sum, [1], TROUBLES), 3, 'two are gone');
  t.equal(await value(sum, [1], HISTOGRAM), 3);
  t.equal(await value(sum, [1], 'everfresh_workers'), 1);
});

t.test('what are no samples is not taken for any', async (t) => {
  const good = { name: 'a', help: 'b', type: 'gauge', aggregator: 'sum', values: [] };
  t.same(readSamples([good]), [good]);
  const known = { value: 1, labels: { a: 1 } };
  const unknown = { ...good, values: [{ value: null, labels: {} }, known] };
  t.same(readSamples([unknown]), [{ ...good, values: [known] }],
    'numbers that are none are left out');
  const wrong: unknown[] = [
    undefined, {}, [1], [{ ...good, name: 1 }], [{ ...good, type: undefined }],
    [{ ...good, aggregator: 'toString' }], [{ ...good, values: {} }],
    [{ ...good, values: [{ value: 'x', labels: {} }] }], [{ ...good, values: [{ value: 1 }] }],
    [{ ...good, values: [{ value: 1, labels: { a: {} } }] }],
    [{ ...good, values: [{ value: 1, labels: {}, metricName: 1 }] }],
  ];
  for (const value of wrong) t.equal(readSamples(value), undefined, JSON.stringify(value));
});
