// The simulation: the production code of core/ and flow/ on virtual clocks, a virtual network,
// store and upstream, under every kind of fault. No history of many thousands breaks the promise,
// none that once did does it again, and what is played is what is shipped.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import kept from './sim/kept-seeds.json' with { type: 'json' };
import { FAULTS, faultNamed } from './sim/faults.ts';
import { history } from './sim/history.ts';
import { onAllProcessors, toldInFull } from './sim/run.ts';

const HISTORIES = Number(process.env['EVERFRESH_HISTORIES'] ?? '100000');
/** The first of them; with another, others are played. */
const SEED = Number(process.env['EVERFRESH_SEED'] ?? '1000000');

t.setTimeout(1_200_000);

t.test('no history breaks the promise', async (t) => {
  const { histories, byFault, found, hits } = await onAllProcessors({
    seed: SEED, histories: HISTORIES,
  });
  t.ok(histories >= HISTORIES, `${histories} histories from seed ${SEED} on`);
  t.ok(hits > histories, `${hits} hits`);
  const missing = FAULTS.filter(({ name }) => byFault[name] === undefined);
  t.same(missing, [], 'every kind of fault befell');
  t.same(found, []);
  const [first] = found;
  if (first !== undefined) {
    t.comment(`node test/sim/run.ts --only ${first.seed}`);
    t.comment(await toldInFull(first.seed));
  }
});

t.test('no history breaks it that once did', async (t) => {
  t.ok(Array.isArray(kept));
  for (const { seed, faults } of kept as { seed: number; faults: string[] | null }[]) {
    const among = faults?.map(faultNamed) ?? FAULTS;
    const { violations } = await history({ seed, faults: among });
    t.same(violations, [], `seed ${seed} (${faults?.join() ?? 'all faults'})`);
  }
});

t.test('the same seed is the same history, to the last word', async (t) => {
  for (let seed = SEED; seed < SEED + 20; seed += 1) {
    const one = await history({ seed, traced: true });
    const other = await history({ seed, traced: true });
    t.ok(one.trace.length > 100);
    t.same(one.trace, other.trace, `seed ${seed}`);
    t.equal(one.events, other.events);
  }
});

t.test('what is simulated is the production code, unchanged', async (t) => {
  const probe = fileURLToPath(new URL('sim/modules.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [probe]);
  const { loaded } = JSON.parse(stdout) as { loaded: Record<string, string> };
  const root = new URL('..', import.meta.url);
  const production = Object.keys(loaded).filter((path) => path.startsWith('src/'));
  for (const needed of [
    'src/flow/assemble.ts', 'src/flow/fleet/member.ts', 'src/flow/enter.ts', 'src/flow/write.ts',
    'src/flow/fill.ts', 'src/core/promise/replica.ts', 'src/core/promise/lease.ts',
    'src/io/tiers.ts', 'src/io/memory.ts',
  ]) t.ok(production.includes(needed), needed);
  const changed = Object.entries(loaded).filter(([path, hash]) =>
    hash !== createHash('sha256').update(readFileSync(new URL(path, root))).digest('hex'));
  t.same(changed, [], 'what was loaded is what stands in the tree');
  const others = Object.keys(loaded).filter((path) =>
    !path.startsWith('src/') && !path.startsWith('test/sim/') && !path.startsWith('node_modules/'));
  t.same(others, [], 'nothing else has a part in it');
  t.same(process.execArgv.filter((arg) => /loader|import|require/.test(arg)
    && !/tap|node_modules/.test(arg)), [], 'no loader of ours stands between');
});
