// Each fault of a store can be done to a real one and be healed: afterwards every primary takes
// writes again. Which faults a run draws depends on what it promises.
import t from 'tap';
import { ask } from '../topologies.ts';
import { kindsFor, prepare } from './faults.ts';
import { random } from './random.ts';
import { openStage, type Topology } from './stage.ts';

t.setTimeout(180_000);

const all = { only: '', unfair: false } as const;

for (const topology of ['single', 'sentinel', 'cluster'] satisfies Topology[]) {
  t.test(`what can befall a store is healed: ${topology}`, async (t) => {
    const ends: (() => Promise<unknown>)[] = [];
    t.teardown(async () => {
      for (const end of ends.reverse()) await end();
    });
    const options = { topology, whenDown: 'refuse', instances: 0, seed: 1 } as const;
    const stage = await openStage(options, ends);
    const kinds = kindsFor({ ...options, ...all }).filter(({ hits, name }) =>
      hits === 'store' && !/^(all|one instance):/.test(name));
    t.ok(kinds.length >= 4, `${kinds.length} kinds`);
    for (const kind of kinds) {
      const given = { stage, chance: random(1), holdMsMin: 0, holdMsMax: 100 };
      const fault = prepare(kind, given);
      await fault.begin();
      await fault.heal();
      const ports = await stage.primaries();
      t.equal(ports.length, topology === 'cluster' ? 3 : 1, kind.name);
      for (const port of ports) t.match(await ask(port, (redis) => redis.info()), 'role:master');
    }
  });
}

t.test('under `pass` only what hits all alike is drawn, unless it is asked for', async (t) => {
  const names = (change: Partial<Parameters<typeof kindsFor>[0]>): string[] =>
    kindsFor({ topology: 'single', whenDown: 'pass', ...all, ...change }).map(({ name }) => name);
  const alone = /instance|late|slow$|inside answers/;
  t.same(names({}).filter((name) => alone.test(name.replace('the upstream is slow', ''))), []);
  t.ok(names({}).includes('all: connections hang'));
  t.ok(names({ whenDown: 'refuse' }).includes('one instance: connections hang'));
  t.ok(names({ unfair: true }).includes('an instance is killed and started'));
  t.same(names({ only: 'rolls back' }), ['redis rolls back to an older snapshot']);
  t.throws(() => names({ only: 'no such' }), /no such/);
  t.ok(names({ whenDown: 'refuse' }).length >= 20, 'there are many kinds');
});
