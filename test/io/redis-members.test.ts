// Instances on one real Redis that leave, or just go, and what they leave behind: who may trust the
// cache afterwards, and who looks after the writes of those that are no more.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import {
  client, CONTROL, entriesUp, keep, LEASE_MS, limits, look, open, ready, server, sure, vanish,
} from '../redis-store.ts';
import { until } from '../redis.ts';

t.setTimeout(120_000);

void t.test('who leaves cleanly leaves a cache that the next one trusts', async (t) => {
  const { url } = await server(t);
  const first = open(t, { url });
  await ready(first.store);
  await entriesUp(first.store);
  const { epoch } = await look(first.store, 'a');
  const use = await keep(first.store);
  await first.store.close({ clean: true });
  t.equal(first.store.state().state, 'down');
  const second = open(t, { url });
  await ready(second.store);
  t.equal((await look(second.store, 'a')).epoch, epoch);
  await entriesUp(second.store);
  t.equal(await use(second.store), 'valid');
});

void t.test('who just goes leaves a cache that nobody trusts', async (t) => {
  const { url } = await server(t);
  const first = open(t, { url });
  await ready(first.store);
  await entriesUp(first.store);
  const { epoch } = await look(first.store, 'a');
  const use = await keep(first.store);
  await vanish(first.store);
  const began = performance.now();
  const second = open(t, { url });
  await until(() => second.store.state().state === 'joining');
  t.strictSame(second.store.control.look(['a']), { kind: 'unknown', because: 'store-joining' });
  t.equal(second.store.control.mark?.(), undefined);
  await ready(second.store);
  const waited = performance.now() - began;
  t.ok(waited >= LEASE_MS, `it watched for a full lease: ${Math.round(waited)} ms`);
  t.not((await look(second.store, 'a')).epoch, epoch);
  await entriesUp(second.store);
  t.equal(await use(second.store), 'epoch');
});

void t.test('one that joins a live member keeps the epoch and hears its touches', async (t) => {
  const { url } = await server(t);
  const first = open(t, { url });
  await ready(first.store);
  const { epoch } = await look(first.store, 'a');
  await sure(first.store.control.touch({ intent: 'w', tags: ['z'], then: 'unknown' }));
  const began = performance.now();
  const second = open(t, { url, leaseMs: LEASE_MS * 10 });
  await ready(second.store);
  t.ok(performance.now() - began < LEASE_MS * 10, 'a live member answers at once');
  t.match(await look(second.store, 'z'), { epoch, newest: 1, held: true });
  const { seq } = await sure(first.store.control.touch({ tags: ['a'], then: 'done' }));
  t.equal(seq, 2);
  t.match(second.store.control.look(['a']), { kind: 'known', newest: 2 }, 'when it is answered');
  t.equal(first.store.leaseMsMax(), LEASE_MS * 10, 'and knows how long others may hold a lease');
});

void t.test('a touch is not answered before a member that hangs holds no lease', async (t) => {
  const { url } = await server(t);
  const first = open(t, { url });
  await ready(first.store);
  await sure(first.store.control.touch({ tags: ['a'], then: 'done' })); // not young any more
  const second = open(t, { url });
  await ready(second.store);
  const quick = performance.now();
  await sure(first.store.control.touch({ tags: ['a'], then: 'done' }));
  t.ok(performance.now() - quick < LEASE_MS / 2, 'a member that lives does not keep it');
  await vanish(second.store);
  const began = performance.now();
  await sure(first.store.control.touch({ tags: ['a'], then: 'done' }));
  const waited = performance.now() - began;
  // A timer may be early by the part of a millisecond that it does not count.
  t.ok(waited >= LEASE_MS - 2, `${waited} ms`);
  await until(async () => {
    const members = await client(t, url).hget(CONTROL, 'members');
    return members?.trim().split(' ').length === 1;
  }, { what: 'it to be no member any more' });
  const again = performance.now();
  await sure(first.store.control.touch({ tags: ['a'], then: 'done' }));
  t.ok(performance.now() - again < LEASE_MS / 2, 'nobody waits for it a second time');
});

void t.test('a process that is killed is one that just goes', async (t) => {
  const redis = await server(t);
  const program = `
    import { redisStore } from ${JSON.stringify(new URL('../../src/io/redis.ts', import.meta.url))};
    import { realClock } from ${JSON.stringify(new URL('../redis.ts', import.meta.url))};
    const store = redisStore({
      url: ${JSON.stringify(redis.url)}, prefix: 'test', clock: realClock, leaseMs: 300,
      limits: ${JSON.stringify(limits)}, budgetMs: 1000, rules: 'rules', onTrouble() {},
    });
    const known = setInterval(async () => {
      if (store.state().state !== 'ready') return;
      clearInterval(known);
      await store.control.intend('lost-write', ['a']);
      console.log(store.control.look(['a']).epoch);
    }, 5);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGKILL');
  await once(child, 'exit');
  const { store } = open(t, { url: redis.url, leaseMs: 300 });
  await ready(store);
  t.not((await look(store, 'a')).epoch, chunk.toString().trim());
});

void t.test('a write whose instance is gone is touched for it, and later again', async (t) => {
  const { url } = await server(t);
  const quarantineMs = 1500;
  const change = { url, limits: { ...limits, quarantineMs } };
  const first = open(t, change);
  await ready(first.store);
  const second = open(t, change);
  await ready(second.store);
  await entriesUp(first.store);
  const use = await keep(first.store);
  const [swept, refreshed] = [[] as number[], [] as (readonly string[])[]];
  second.store.onSwept(() => swept.push(performance.now()));
  second.store.onTouched((tags) => refreshed.push(tags));
  await sure(first.store.control.intend('w1', ['a', 'z']));
  await vanish(first.store);
  await until(() => swept.length === 1);
  await until(async () => (await look(second.store, 'a')).held);
  t.match(await look(second.store, 'a'), { newest: 1, held: true });
  t.not(await use(second.store), 'valid');
  await until(async () => !(await look(second.store, 'z')).held);
  t.ok(performance.now() - swept[0]! >= quarantineMs, 'the upstream had its time');
  t.match(await look(second.store, 'z'), { newest: 2 });
  t.strictSame(refreshed, [['a', 'z']], 'what was in use is fetched again when it is over');
});

void t.test('a write left by one that left cleanly is touched by the next', async (t) => {
  const { url } = await server(t);
  const first = open(t, { url });
  await ready(first.store);
  await sure(first.store.control.intend('w1', ['a']));
  await first.store.close({ clean: true });
  const second = open(t, { url });
  await ready(second.store);
  await until(async () => (await look(second.store, 'a')).held);
  t.match(await look(second.store, 'a'), { newest: 1 });
});

void t.test('an intent that arrives after its write has ended is swept', async (t) => {
  const { url } = await server(t);
  const { store } = open(t, { url, limits: { ...limits, quarantineMs: 500 } });
  await ready(store);
  await sure(store.control.intend('late', ['a']));
  const raw = client(t, url);
  const before = await raw.hgetall(CONTROL);
  await sure(store.control.touch({ intent: 'late', tags: ['a'], then: 'done' }));
  const late = Object.entries(before).filter(([name]) => /^[iwo]/.test(name)).flat();
  t.equal(late.length, 6, 'the write, its owner’s list, the owners');
  await raw.hset(CONTROL, ...late);
  await until(async () => (await look(store, 'a')).held);
  await until(async () => (await raw.hget(CONTROL, 'i:late')) === null);
  await until(async () => !(await look(store, 'a')).held);
  t.match(await look(store, 'a'), { newest: 3 });
});

void t.test('one that owes a touch does not leave cleanly', async (t) => {
  const { url } = await server(t);
  const { store } = open(t, { url });
  await ready(store);
  const { epoch } = await look(store, 'a');
  await store.close({ clean: false });
  t.match(await client(t, url).hget(CONTROL, 'members'), /\S/, 'it is missing, and seen to be');
  const next = open(t, { url });
  await ready(next.store);
  t.not((await look(next.store, 'a')).epoch, epoch, 'nothing of what was kept is trusted');
});

void t.test('a write that settles longer than the quarantine is held as long', async (t) => {
  const { url } = await server(t);
  const [quarantineMs, holdMs] = [100, 1500];
  const change = { url, limits: { ...limits, quarantineMs } };
  const first = open(t, change);
  await ready(first.store);
  const second = open(t, change);
  await ready(second.store);
  const touch = { intent: 'w1', tags: ['a'], then: 'settling', holdMs } as const;
  await sure(first.store.control.touch(touch));
  const raw = client(t, url);
  await raw.flushall(); // it is claimed again as it was
  await until(async () => (await raw.hget(CONTROL, 'i:w1')) !== null);
  await ready(first.store, second.store);
  let taken = 0;
  second.store.onSwept(() => void (taken = performance.now()));
  await vanish(first.store);
  await until(() => taken > 0);
  await until(async () => !(await look(second.store, 'a')).held);
  t.ok(performance.now() - taken >= holdMs, 'its time went by in full');
});
