// Instances under other rules than those that what is kept was kept by: a write that they let pass
// untouched may have changed it, so it is not trusted afterwards.
import t from 'tap';
import {
  client, CONTROL, entriesUp, keep, look, open, ready, server, sure, type Opened,
} from '../redis-store.ts';
import { until } from '../redis.ts';

void t.test('under the same rules what was kept stays valid', async (t) => {
  const { url } = await server(t);
  const first = open(t, { url, rules: 'one' });
  await ready(first.store);
  await entriesUp(first.store);
  const use = await keep(first.store);
  await first.store.close({ clean: true });
  const second = open(t, { url, rules: 'one' });
  await ready(second.store);
  await entriesUp(second.store);
  t.equal(await use(second.store), 'valid');
});

void t.test('with other rules nothing of before is valid, nor with the first again', async (t) => {
  const { url } = await server(t);
  const uses: ((by: Opened['store']) => Promise<string>)[] = [];
  let last = open(t, { url, rules: 'one' });
  await ready(last.store);
  await entriesUp(last.store);
  uses.push(await keep(last.store));
  for (const rules of ['two', 'one']) {
    await last.store.close({ clean: true });
    last = open(t, { url, rules });
    await ready(last.store);
    await entriesUp(last.store);
    for (const use of uses) t.equal(await use(last.store), 'touched', rules);
    uses.push(await keep(last.store));
    t.equal(await uses.at(-1)!(last.store), 'valid');
  }
});

void t.test('rules that change at a reload are those of whoever comes next', async (t) => {
  const { url } = await server(t);
  const first = open(t, { url, rules: 'one' });
  await ready(first.store);
  await entriesUp(first.store);
  const use = await keep(first.store);
  first.store.rules!('two');
  const stored = (): Promise<string | null> =>
    client(t, url).hget(CONTROL, 'rules');
  await until(async () => (await stored()) === 'two', { what: 'them to be stored' });
  t.equal(await use(first.store), 'valid', 'what a reload touches is not for the store to say');
  await first.store.close({ clean: true });
  const second = open(t, { url, rules: 'two' });
  await ready(second.store);
  await entriesUp(second.store);
  t.equal(await use(second.store), 'valid');
});

void t.test('who leaves after a reload that was not stored leaves nothing trusted', async (t) => {
  const { url } = await server(t);
  const first = open(t, { url, rules: 'one' });
  await ready(first.store);
  await entriesUp(first.store);
  const use = await keep(first.store);
  first.store.rules!('two');
  await first.store.close({ clean: true });
  const second = open(t, { url, rules: 'one' });
  await ready(second.store);
  await entriesUp(second.store);
  t.equal(await use(second.store), 'touched');
});

void t.test('one that leaves beside others with other rules touches everything', async (t) => {
  const { url } = await server(t);
  const old = open(t, { url, rules: 'one' });
  await ready(old.store);
  const next = open(t, { url, rules: 'two' });
  await ready(next.store);
  await entriesUp(next.store);
  const use = await keep(next.store);
  t.equal(await use(next.store), 'valid');
  await old.store.close({ clean: true });
  t.equal(await use(next.store), 'touched');
  t.match(await client(t, url).hget(CONTROL, 'rules'), 'two');
});

void t.test('in a new epoch the rules are stored again, and nothing more is touched', async (t) => {
  const { url } = await server(t);
  const { store } = open(t, { url, rules: 'one' });
  await ready(store);
  const raw = client(t, url);
  await raw.flushall();
  await sure(store.control.touch({ tags: ['a'], then: 'done' }));
  await until(async () => (await raw.hget(CONTROL, 'rules')) === 'one');
  t.match(await look(store, 'b'), { seq: 1, newest: 0 });
});

void t.test('whoever was there before one with other routes tells of it', async (t) => {
  const { url } = await server(t);
  const first = open(t, { url, rules: 'one' });
  const same = open(t, { url, rules: 'one' });
  await ready(first.store, same.store);
  const other = open(t, { url, rules: 'two' });
  await ready(other.store);
  const tells = ({ troubles }: Opened): boolean => troubles.includes('other-rules');
  await until(() => tells(first) && tells(same));
  t.notOk(tells(other));
});
