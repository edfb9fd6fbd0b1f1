// A real Redis in trouble: absent, killed, rolled back, flushed, hanging, without memory. The cache
// is never trusted where it might be wrong, and nobody waits beyond a bound.
import t from 'tap';
import { entry } from '../entries.ts';
import {
  client, CONTROL, entriesUp, keep, look, open, ready, server, sure,
} from '../redis-store.ts';
import { freePort, startRedis, until } from '../redis.ts';

void t.test('a server absent at the start is down, and is joined when it comes', async (t) => {
  const port = await freePort();
  const { store, troubles } = open(t, { url: `redis://127.0.0.1:${port}` });
  await until(() => troubles.includes('unreachable'));
  t.match(store.state(), { kind: 'redis', state: 'down', because: 'unreachable' });
  t.strictSame(await store.control.look(['a']), { kind: 'unknown', because: 'store-down' });
  t.strictSame(await store.control.intend('w', ['a']), { kind: 'unsaid', because: 'store-down' });
  t.strictSame(await store.control.touch({ tags: ['a'], then: 'done' }), {
    kind: 'unsaid', because: 'store-down',
  });
  await store.entries.put(entry());
  t.equal(await store.entries.get(entry().key), undefined);
  const redis = await startRedis({ port });
  t.teardown(() => redis.stop());
  await ready(store);
  t.equal((await look(store, 'a')).newest, 0);
});

void t.test('a server killed and started anew is another history: nothing is valid', async (t) => {
  const redis = await server(t);
  const { store, troubles } = open(t, { url: redis.url });
  await ready(store);
  await entriesUp(store);
  const before = await look(store, 'a');
  const use = await keep(store);
  t.equal(await use(store), 'valid');
  await redis.kill();
  await until(() => store.state().state === 'down');
  t.strictSame(await store.control.look(['a']), { kind: 'unknown', because: 'store-down' });
  t.ok(troubles.includes('unreachable'));
  await redis.restart();
  await ready(store);
  t.not((await look(store, 'a')).epoch, before.epoch);
});

void t.test('a server that comes back as an older copy of itself is another history', async (t) => {
  const redis = await server(t);
  const { store } = open(t, { url: redis.url });
  await ready(store);
  await entriesUp(store);
  const use = await keep(store);
  const { epoch } = await look(store, 'a');
  await client(t, redis.url).save();
  await sure(store.control.touch({ tags: ['a'], then: 'done' }));
  t.equal(await use(store), 'touched');
  await redis.restart(); // with the entry, its epoch and its member, but without the touch
  await until(() => store.state().state === 'down');
  await ready(store);
  await entriesUp(store);
  t.equal(await use(store), 'epoch');
  t.not((await look(store, 'a')).epoch, epoch);
});

for (const [what, command] of [
  ['all data flushed', ['flushall']],
  ['the control key deleted', ['del', CONTROL]],
  ['the control key without its epoch', ['hdel', CONTROL, 'epoch']],
  ['a control key with a senseless seq', ['hset', CONTROL, 'seq', 'x']],
  ['a control key of another format', ['hset', CONTROL, 'format', '0']],
] as const) {
  void t.test(`${what} begins a new epoch`, async (t) => {
    const redis = await server(t);
    const { store } = open(t, { url: redis.url });
    await ready(store);
    await entriesUp(store);
    const { epoch } = await look(store, 'a');
    const use = await keep(store);
    await client(t, redis.url).call(...(command as unknown as [string, ...string[]]));
    const touched = await sure(store.control.touch({ tags: ['b'], then: 'done' }));
    t.not(touched.epoch, epoch, 'and the touch that found it applies in it');
    t.equal(touched.seq, 1);
    t.not(await use(store), 'valid');
  });
}

void t.test('writes under way are recorded again in a new epoch', async (t) => {
  const redis = await server(t);
  const { store } = open(t, { url: redis.url, leaseMs: 300 });
  const raw = client(t, redis.url);
  await ready(store);
  await sure(store.control.intend('open', ['a']));
  await sure(store.control.touch({ intent: 'held', tags: ['b'], then: 'unknown' }));
  await sure(store.control.touch({ intent: 'ended', tags: ['c'], then: 'done' }));
  await raw.flushall();
  await until(async () => (await raw.hget(CONTROL, 'i:open')) !== null);
  await until(async () => (await raw.hget(CONTROL, 'i:held')) !== null);
  t.equal((await look(store, 'b')).held, true);
  t.equal(await raw.hget(CONTROL, 'i:ended'), null);
});

for (const command of [['flushall'], ['del', CONTROL]] as const) {
  void t.test(`${command[0]}: what was held is never known as free`, async (t) => {
    const redis = await server(t);
    const { store } = open(t, { url: redis.url });
    const raw = client(t, redis.url);
    await ready(store);
    await sure(store.control.touch({ intent: 'held', tags: ['b'], then: 'settling' }));
    for (let round = 0; round < 3; round += 1) {
      const { epoch } = await look(store, 'b');
      await raw.call(...(command as unknown as [string, ...string[]]));
      await until(() => {
        const known = store.control.look(['b']);
        if (known instanceof Promise || known.kind === 'unknown') return false;
        if (!known.held || known.newest !== 1) t.fail('it counts as free');
        return known.epoch !== epoch;
      }, { what: 'another epoch' });
    }
    t.match(await look(store, 'b'), { held: true, newest: 1 });
  });
}

void t.test('a server that hangs costs one budget, then nothing until it answers', async (t) => {
  const redis = await server(t);
  const { store, troubles } = open(t, { url: redis.url, budgetMs: 150, leaseMs: 300 });
  await ready(store);
  redis.pause();
  const began = performance.now();
  t.equal(await store.entries.get(entry().key), undefined);
  const waited = performance.now() - began;
  t.ok(waited < 1500, `it waited ${Math.round(waited)} ms`);
  await until(() => store.state().state !== 'ready', { what: 'the lease to end' });
  t.ok(performance.now() - began < 1500, 'with the time of the last renewal');
  await until(() => troubles.includes('timeout'));
  const again = performance.now();
  for (let i = 0; i < 100; i += 1) {
    t.equal((await store.control.look(['a'])).kind, 'unknown');
    t.equal(store.control.mark?.(), undefined, 'nor does anybody go by what was known');
    t.equal(await store.entries.get(entry().key), undefined);
  }
  const next = performance.now() - again;
  t.ok(next < 600, `the next two hundred calls took ${Math.round(next)} ms together`);
  redis.resume();
  await ready(store);
  t.equal((await look(store, 'a')).kind, 'known');
});

void t.test('a server without memory for a touch is not used', async (t) => {
  const redis = await server(t);
  const { store, troubles } = open(t, { url: redis.url });
  await ready(store);
  const raw = client(t, redis.url);
  await raw.config('SET', 'maxmemory', '1');
  t.match(await store.control.touch({ tags: ['a'], then: 'done' }), { kind: 'unsaid' });
  t.ok(troubles.includes('out-of-memory'));
  await until(() => store.state().state === 'down', { what: 'the lease to end' });
  await raw.config('SET', 'maxmemory', '0');
  await ready(store);
});
