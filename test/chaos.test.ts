// Faults on real processes, for as long as a test may take: what `npm run chaos` does for longer.
import t, { type Test } from 'tap';
import { chaos, type ChaosOptions, type Report } from './chaos/chaos.ts';

t.setTimeout(600_000);

const SEED = Number(process.env['CHAOS_SEED'] ?? 7);
/** Shared with other tests, the machine is not always there when an answer is due. */
const AVAILABLE = 0.98;
/** Over so few faults a hit ratio is not as certain as over many. */
const RECOVERED = 0.8;

async function run(t: Test, change: Partial<ChaosOptions>): Promise<Report> {
  const report = await chaos({
    seconds: 60, seed: SEED, topology: 'single', whenDown: 'refuse', instances: 3, clients: 50,
    thinkMs: 200, holdMsMin: 0, holdMsMax: 3000, only: '', unfair: false,
    dense: true, tell: (line) => t.comment(line),
    ...change,
  });
  const { violations, unserved, ...figures } = report;
  t.comment(JSON.stringify(figures));
  for (const violation of violations) t.comment(violation);
  t.ok(report.reads > 500, 'there was something to read');
  t.ok(report.writes.ok > 10, 'there was something to write');
  t.ok(Object.keys(report.faults).length > 0, 'something was wrong');
  return report;
}

function holds(t: Test, report: Report): void {
  t.equal(report.stale, 0, 'no read was older than an answered write');
  t.equal(report.foreign, 0, 'no reader got what is for another one');
  t.equal(report.wrong, 0, 'every answer was to its own question');
  t.equal(report.crashed, 0, 'nobody ended by itself');
  const unserved = JSON.stringify(report.unserved);
  t.ok(report.availability >= AVAILABLE, `${report.availability} was served, but for ${unserved}`);
}

t.test('a single Redis and refusing: nothing stale, whatever is cut off or killed', async (t) => {
  holds(t, await run(t, {}));
});

t.test('a single Redis and passing: nothing stale, whatever befalls all at once', async (t) => {
  const report = await run(t, { whenDown: 'pass', seed: SEED + 1, dense: false, seconds: 30 });
  holds(t, report);
  const { before, after, faults } = report.hitRatio;
  t.ok(faults > 0, 'hit ratios were taken');
  t.ok(after >= RECOVERED * before, `the cache is of use again: ${before} before, ${after} after`);
});

t.test('stale reads are seen where one is cut off and passes writes by the others', async (t) => {
  const report = await run(t, {
    whenDown: 'pass', unfair: true, only: 'one instance: connections hang', seconds: 18,
    holdMsMin: 4000, holdMsMax: 5000, clients: 20, thinkMs: 40,
  });
  t.ok(report.stale > 0, 'stale reads are found where they must be');
  t.match(report.violations[0], /stale, seed \d+: gateway-\d GET .*\n.* had answered a write/);
});

for (const topology of ['sentinel', 'cluster'] as const) {
  t.test(`${topology}: nothing stale while primaries come and go`, async (t) => {
    holds(t, await run(t, { topology, seconds: 24 }));
  });
}
