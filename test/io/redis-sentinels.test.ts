// The store on a real primary that sentinels look after: a fail-over, by their command or since the
// primary died, begins a new epoch in which nothing from before is used, and all goes on by itself.
import t, { type Test } from 'tap';
import { until } from '../redis.ts';
import { entriesUp, keep, look, open, type Opened, ready, sure } from '../redis-store.ts';
import { type Sentinels, startSentinels } from '../sentinels.ts';

t.setTimeout(120_000);

async function sentinels(t: Test): Promise<Sentinels> {
  const set = await startSentinels();
  t.teardown(() => set.stop());
  return set;
}

const on = (t: Test, { addresses, name }: Sentinels): Opened =>
  open(t, { sentinels: addresses.map((address) => `redis://${address}`), name });

const warned = ({ troubles }: Opened): number =>
  troubles.filter((because) => because === 'not-guarded').length;

void t.test('a fail-over begins a new epoch, and is over by itself', async (t) => {
  const set = await sentinels(t);
  const [first, { store: b }] = [on(t, set), on(t, set)];
  const { store: a } = first;
  const astray = open(t, { sentinels: [`redis://${set.addresses[0]!}`], name: 'another' });
  await ready(a, b);
  await until(() => astray.messages.some((message) => message.includes('No such master')));
  t.match(astray.store.state(), { state: 'down', because: 'unreachable' });
  t.equal(warned(first), 1, 'it is told that the primary may go on when it is cut off');
  for (const how of ['failOver', 'killPrimary'] as const) {
    await Promise.all([a, b].map(entriesUp));
    const { epoch } = await look(a, 'a');
    const [untouched, touched] = [await keep(a), await keep(a)];
    t.equal(await untouched(b), 'valid');
    await sure(a.control.touch({ tags: ['a'], then: 'done' }));
    t.equal(await touched(b), 'touched');

    await set[how]();
    const began = performance.now();
    await until(async () => (await look(a, 'a')).epoch !== epoch, { what: 'another epoch' });
    await ready(a, b);
    const took = Math.round(performance.now() - began);
    t.ok(took < 10_000, `${how}: ready again after ${took} ms`);
    for (const use of [untouched, touched]) t.not(await use(b), 'valid', how);

    const { seq } = await sure(b.control.touch({ tags: ['a'], then: 'done' }));
    t.equal((await look(a, 'a')).newest, seq, 'and touches are known at once');
  }
  await set.revive();
  t.equal((await look(a, 'a')).kind, 'known');
  t.equal(warned(first), 1, 'once');
});
