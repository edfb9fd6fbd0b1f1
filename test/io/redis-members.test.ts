// Instances that leave, or just go, and what they leave behind: who may trust the cache afterwards,
// and who looks after the writes of those that are no more.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import {
  LEASE_MS, limits, open, openVirtual, server, client, ready, look, sure, keep, entriesUp,
} from '../redis-store.ts';
import { until } from '../redis.ts';

void t.test('who leaves cleanly leaves a cache that the next one trusts', async (t) => {
  const redis = await server(t);
  const first = open(t, { url: redis.url });
  await ready(first.store);
  await entriesUp(first.store);
  const { epoch } = await look(first.store, 'a');
  const use = await keep(first.store);
  await first.store.close({ clean: true });
  t.equal(first.store.state().state, 'down');
  const second = openVirtual(t, redis.url);
  await until(() => second.store.state().state === 'ready'); // with no time passing for it
  t.equal((await look(second.store, 'a')).epoch, epoch);
  await entriesUp(second.store);
  t.equal(await use(second.store), 'valid');
});

void t.test('who just goes leaves a cache that nobody trusts', async (t) => {
  const redis = await server(t);
  const first = openVirtual(t, redis.url);
  await ready(first.store, first.clock);
  await entriesUp(first.store);
  const { epoch } = await look(first.store, 'a');
  const use = await keep(first.store);
  const second = openVirtual(t, redis.url); // the first one's clock stands still from here on
  await until(() => second.store.state().state === 'joining');
  t.strictSame(await second.store.control.look(['a']), {
    kind: 'unknown', because: 'store-joining',
  });
  let longest = 0;
  await until(() => {
    if (second.store.state().state !== 'ready') longest = second.clock.mono();
    return second.store.state().state === 'ready';
  }, { clocks: [second.clock] });
  t.ok(longest >= LEASE_MS - 10, `it watched for a full lease: ${longest}`);
  t.not((await look(second.store, 'a')).epoch, epoch);
  await entriesUp(second.store);
  t.equal(await use(second.store), 'epoch');
  t.match(await first.store.control.look(['a']), { kind: 'unknown', because: 'store-joining' });
});

void t.test('one that joins a live member keeps the epoch', async (t) => {
  const redis = await server(t);
  const first = openVirtual(t, redis.url);
  await ready(first.store, first.clock);
  const { epoch } = await look(first.store, 'a');
  const second = openVirtual(t, redis.url);
  await ready(second.store, first.clock, second.clock);
  t.equal((await look(second.store, 'a')).epoch, epoch);
  await sure(first.store.control.touch({ tags: ['a'], then: 'done' }));
  t.match(await look(second.store, 'a'), { newest: 1 }, 'and sees what the other one touches');
});

void t.test('a process that is killed is one that just goes', async (t) => {
  const redis = await server(t);
  const program = `
    import { redisStore } from ${JSON.stringify(new URL('../../src/io/redis.ts', import.meta.url))};
    import { realClock } from ${JSON.stringify(new URL('../redis.ts', import.meta.url))};
    const store = redisStore({
      url: ${JSON.stringify(redis.url)}, prefix: 'test:', clock: realClock, leaseMs: 300,
      limits: ${JSON.stringify(limits)}, budgetMs: 1000, rules: 'rules', onTrouble() {},
    });
    const known = setInterval(async () => {
      if (store.state().state !== 'ready') return;
      clearInterval(known);
      await store.control.intend('lost-write', ['a']);
      console.log((await store.control.look(['a'])).epoch);
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
  const redis = await server(t);
  const quarantineMs = 4000;
  const change = { limits: { ...limits, quarantineMs } };
  const first = openVirtual(t, redis.url, change);
  await ready(first.store, first.clock);
  const second = openVirtual(t, redis.url, change);
  await ready(second.store, first.clock, second.clock);
  await entriesUp(first.store);
  const use = await keep(first.store);
  const swept: (readonly string[])[] = [];
  second.store.onSwept((tags) => swept.push(tags));
  await sure(first.store.control.intend('w1', ['a', 'z']));
  // A slow write of one that lives is nobody else's business.
  const now = second.clock.mono();
  const clocks = [first.clock, second.clock];
  await until(() => second.clock.mono() > now + LEASE_MS * 2, { clocks });
  t.strictSame(swept, []);
  t.equal((await look(second.store, 'a')).newest, 0);
  // Now it dies.
  await until(() => swept.length === 1, { clocks: [second.clock] });
  const taken = second.clock.mono();
  t.match(await look(second.store, 'a'), { newest: 1, held: true });
  await entriesUp(second.store);
  t.not(await use(second.store), 'valid');
  await until(() => swept.length === 2, { clocks: [second.clock] });
  t.ok(second.clock.mono() - taken >= quarantineMs, 'the upstream had its time');
  t.match(await look(second.store, 'z'), { newest: 2, held: false });
  t.strictSame(swept, [['a', 'z'], ['a', 'z']]);
  const raw = client(t, redis.url);
  const members = (): Promise<string | null> => raw.hget('test:1:{control}', 'members');
  await until(async () => (await members())?.trim().split(' ').length === 1, {
    what: 'the one that is gone to be forgotten', clocks: [second.clock],
  });
});

void t.test('a write left by one that left cleanly is touched by the next', async (t) => {
  const redis = await server(t);
  const first = openVirtual(t, redis.url);
  await ready(first.store, first.clock);
  await sure(first.store.control.intend('w1', ['a']));
  await first.store.close({ clean: true });
  const second = openVirtual(t, redis.url);
  await ready(second.store);
  const swept: (readonly string[])[] = [];
  second.store.onSwept((tags) => swept.push(tags));
  await until(() => swept.length === 1, { clocks: [second.clock] });
  t.match(await look(second.store, 'a'), { newest: 1, held: true });
});

void t.test('an intent that arrives after its write has ended is swept', async (t) => {
  const redis = await server(t);
  const { store, clock } = openVirtual(t, redis.url);
  await ready(store, clock);
  await sure(store.control.intend('late', ['a']));
  const raw = client(t, redis.url);
  const [json, ids] = [
    await raw.hget('test:1:{control}', 'i:late'), await raw.hget('test:1:{control}', 'intents'),
  ];
  await sure(store.control.touch({ intent: 'late', tags: ['a'], then: 'done' }));
  await raw.hset('test:1:{control}', 'i:late', json!, 'intents', ids!);
  await until(async () => (await look(store, 'a')).held, { clocks: [clock] });
  await until(async () => (await raw.hget('test:1:{control}', 'i:late')) === null, {
    clocks: [clock], stepMs: 200,
  });
  t.match(await look(store, 'a'), { held: false, newest: 3 });
});

void t.test('one that owes a touch does not leave cleanly', async (t) => {
  const redis = await server(t);
  const { store } = open(t, { url: redis.url });
  await ready(store);
  const { epoch } = await look(store, 'a');
  await store.close({ clean: false });
  const members = await client(t, redis.url).hget('test:1:{control}', 'members');
  t.match(members, /\S/, 'it is missing, and seen to be');
  const next = openVirtual(t, redis.url);
  await ready(next.store, next.clock);
  t.not((await look(next.store, 'a')).epoch, epoch, 'nothing of what was kept is trusted');
});

void t.test('a write that its owner took back is released by its owner alone', async (t) => {
  const redis = await server(t);
  const quarantineMs = 4000;
  const change = { limits: { ...limits, quarantineMs } };
  const first = openVirtual(t, redis.url, change);
  await ready(first.store, first.clock);
  const second = openVirtual(t, redis.url, change);
  await ready(second.store, first.clock, second.clock);
  await sure(first.store.control.intend('w1', ['a']));
  const swept: (readonly string[])[] = [];
  second.store.onSwept((tags) => swept.push(tags));
  await until(() => swept.length === 1, { clocks: [second.clock] });
  const clocks = [first.clock, second.clock];
  // It was only asleep.
  first.clock.advance(LEASE_MS + 1);
  await until(() => first.store.state().state === 'joining');
  await ready(first.store, ...clocks);
  const now = second.clock.mono();
  await until(() => second.clock.mono() > now + quarantineMs * 2, { clocks });
  t.equal(swept.length, 1, 'nobody else ends it');
  t.match(await look(second.store, 'a'), { newest: 1, held: true });
  await sure(first.store.control.touch({ intent: 'w1', tags: ['a'], then: 'done' }));
  t.match(await look(second.store, 'a'), { newest: 2, held: false });
});

void t.test('a write that settles longer than the quarantine is held as long', async (t) => {
  const redis = await server(t);
  const [quarantineMs, holdMs] = [500, 4000];
  const change = { limits: { ...limits, quarantineMs } };
  const first = openVirtual(t, redis.url, change);
  await ready(first.store, first.clock);
  const second = openVirtual(t, redis.url, change);
  await ready(second.store, first.clock, second.clock);
  const touch = { intent: 'w1', tags: ['a'], then: 'settling', holdMs } as const;
  await sure(first.store.control.touch(touch));
  await client(t, redis.url).flushall(); // it is claimed again as it was
  for (const { store } of [first, second]) {
    await until(async () => (await store.control.look(['a'])).kind === 'known', {
      what: 'both to be members again', clocks: [first.clock, second.clock],
    });
  }
  const swept: (readonly string[])[] = [];
  second.store.onSwept((tags) => swept.push(tags));
  await until(() => swept.length === 1, { clocks: [second.clock] });
  const taken = second.clock.mono();
  await until(() => swept.length === 2, { clocks: [second.clock] });
  t.ok(second.clock.mono() - taken >= holdMs, 'its time went by in full');
  t.equal((await look(second.store, 'a')).held, false);
});
