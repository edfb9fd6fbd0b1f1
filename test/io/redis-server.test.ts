// What a real Redis may be like: with a password, a replica, too old, forgetful, shared with
// others; and what everfresh keeps in it, for how long.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import t from 'tap';
import type { Key } from '../../src/core/entry/entry.ts';
import type { Clock } from '../../src/flow/ports.ts';
import { entry } from '../entries.ts';
import {
  client, CONTROL, entriesUp, keep, limits, look, open, ready, server, sure,
} from '../redis-store.ts';
import { freePort, realClock, until } from '../redis.ts';
import { VirtualClock } from '../virtual-clock.ts';

void t.test('touched tags are forgotten in the background, under a raised floor', async (t) => {
  const redis = await server(t);
  const { store } = open(t, { url: redis.url, limits: { ...limits, touched: 1000 } });
  await ready(store);
  for (let i = 0; i < 30; i += 1) {
    const tags = Array.from({ length: 50 }, (_, j) => `tag-${i}-${j}`);
    await sure(store.control.touch({ tags, then: 'done' }));
  }
  const raw = client(t, redis.url);
  await until(async () => Number(await raw.hget(CONTROL, 'count')) <= 1000);
  const fields = await raw.hkeys(CONTROL);
  const touches = fields.filter((field) => field.startsWith('t:')).length;
  await until(async () => Number(await raw.hget(CONTROL, 'count')) <= touches);
  t.ok((await look(store, 'never')).newest > 0);
  t.match(await look(store, 'tag-29-0'), { seq: 30, newest: 30 });
});

void t.test('scripts that the server forgot are sent again', async (t) => {
  const redis = await server(t);
  const { store } = open(t, { url: redis.url });
  await ready(store);
  await entriesUp(store);
  await client(t, redis.url).script('FLUSH');
  t.equal((await sure(store.control.touch({ tags: ['a'], then: 'done' }))).seq, 1);
  t.equal((await look(store, 'a')).newest, 1);
  const use = await keep(store);
  t.equal(await use(store), 'valid');
  t.equal(store.state().state, 'ready');
});

void t.test('a wrong password is told as such, without the password', async (t) => {
  const redis = await server(t, ['--requirepass', 'right-one']);
  const wrong = open(t, { url: `redis://:wrong-one@127.0.0.1:${redis.port}` });
  await until(() => wrong.troubles.includes('auth'));
  t.match(wrong.store.state(), { state: 'down', because: 'auth' });
  t.notMatch(wrong.messages.join(' '), /wrong-one/);
  const none = open(t, { url: redis.url });
  await until(() => none.troubles.includes('auth'));
  const right = open(t, { url: `redis://:right-one@127.0.0.1:${redis.port}` });
  await ready(right.store);
  t.match(await right.store.control.look(['a']), { kind: 'known' });
});

void t.test('that it goes and comes, and begins anew, is told once, with the reason', async (t) => {
  const redis = await server(t);
  const { store } = open(t, { url: redis.url });
  const news: string[] = [];
  store.onNews((told) => void news.push(told.state === 'down' ? 'down' : told.begun));
  const told = (count: number): Promise<void> =>
    until(() => news.length >= count, { what: `news: ${news.join()}` });
  await told(1);
  await redis.kill();
  await told(2);
  await redis.restart();
  await told(3);
  await client(t, redis.url).flushall();
  await told(4);
  t.strictSame(news, ['empty', 'down', 'empty', 'empty']);
  t.equal(store.state().state, 'ready');
});

void t.test('a replica is not asked', async (t) => {
  const primary = await server(t);
  const replica = await server(t, ['--replicaof', `127.0.0.1 ${primary.port}`]);
  const { store, troubles } = open(t, { url: replica.url });
  await until(() => troubles.includes('not-primary'), { what: 'the replica to refuse' });
  t.match(await store.control.look(['a']), { kind: 'unknown' });
  await client(t, replica.url).call('REPLICAOF', 'NO', 'ONE');
  await ready(store);
});

void t.test('a primary that was made a replica is not asked any more', async (t) => {
  const redis = await server(t);
  const { store, troubles } = open(t, { url: redis.url });
  await ready(store);
  // Its new primary isn't there, so that it still has all its data and its old history.
  await client(t, redis.url).call('REPLICAOF', '127.0.0.1', String(await freePort()));
  await until(() => store.state().state === 'down', { what: 'the lease to end' });
  t.match(store.state(), { because: 'not-primary' });
  t.ok(troubles.includes('not-primary'));
});

void t.test('a server that may evict the control key is told of', async (t) => {
  const redis = await server(t, ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru']);
  const { store, troubles } = open(t, { url: redis.url });
  await ready(store);
  t.ok(troubles.includes('evicts'));
});

void t.test('a primary with replicas that takes writes without them is told of once', async (t) => {
  const primary = await server(t);
  const replica = await server(t, ['--replicaof', `127.0.0.1 ${primary.port}`]);
  const raw = client(t, primary.url);
  await until(async () => (await raw.info('replication')).includes('state=online'));
  const careless = open(t, { url: primary.url });
  await ready(careless.store);
  await raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until(() => careless.troubles.includes('unreachable'));
  await ready(careless.store);
  t.equal(careless.troubles.filter((because) => because === 'not-guarded').length, 1);

  await raw.config('SET', 'min-replicas-to-write', '1');
  const { store, troubles } = open(t, { url: primary.url });
  await ready(store);
  t.notOk(troubles.includes('not-guarded'));
  await replica.kill();
  await until(() => troubles.includes('not-replicated'));
  await until(() => store.state().state === 'down', { what: 'the lease to end' });
  await replica.restart();
  await ready(store);
});

void t.test('a foreign value at an entry is a miss and breaks nothing', async (t) => {
  const redis = await server(t);
  const { store } = open(t, { url: redis.url });
  await ready(store);
  await entriesUp(store);
  const raw = client(t, redis.url);
  const key = 'f'.repeat(43) as Key;
  await raw.lpush(`test:1:e:${key}`, 'a list');
  t.equal(await store.entries.get(key), undefined);
  await store.entries.put(entry({ key }));
  await raw.set(`test:1:e:${key}`, 'EVF1 nonsense');
  t.equal(await store.entries.get(key), undefined);
  // Another key's value, copied here.
  await store.entries.put(entry());
  await raw.copy(`test:1:e:${entry().key}`, `test:1:e:${key}`, 'REPLACE');
  t.equal(await store.entries.get(key), undefined);
  t.match(await store.entries.get(entry().key), { kind: 'answer' });
});

void t.test('an entry is never kept in Redis longer than it can be of use', async (t) => {
  const redis = await server(t);
  const { store } = open(t, { url: redis.url });
  await ready(store);
  await entriesUp(store);
  const raw = client(t, redis.url);
  const life = async (change: Parameters<typeof entry>[0]): Promise<number> => {
    await store.entries.put(entry({ epoch: randomUUID() as never, ...change }));
    return raw.pttl(`test:1:e:${entry().key}`);
  };
  const hour = 3_600_000;
  t.ok((await life({ freshMs: 10 * hour })) <= hour, 'the operator bounds it');
  const short = await life({ freshMs: 1000, staleIfErrorMs: 2000, initialAgeMs: 500 });
  t.ok(short > 50_000 && short <= 62_500, `${short} ms`);
  t.ok((await life({ freshMs: 0 })) > 0);
});

void t.test('a server that is too old is refused', async (t) => {
  const stub = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      for (const word of data.toString().toLowerCase().match(/\r\n(info|ping)\r\n/g) ?? []) {
        const text = '# Server\r\nredis_version:6.0.16\r\nloading:0\r\n';
        socket.write(word.includes('ping') ? '+PONG\r\n' : `$${text.length}\r\n${text}\r\n`);
      }
    });
  });
  stub.listen(0, '127.0.0.1');
  await once(stub, 'listening');
  t.teardown(() => stub.close());
  const { port } = stub.address() as AddressInfo;
  const { store, troubles, messages } = open(t, { url: `redis://127.0.0.1:${port}` });
  await until(() => troubles.includes('too-old'));
  t.match(store.state(), { state: 'down', because: 'too-old' });
  t.match(messages.join(' '), /6\.0\.16.*6\.2 is needed/);
  t.strictSame(await store.control.look(['a']), { kind: 'unknown', because: 'store-down' });
});

void t.test('trouble that repeats is told sparingly', async (t) => {
  const told = new VirtualClock();
  const clock: Clock = { ...realClock, mono: () => told.mono() };
  const { troubles } = open(t, { url: `redis://127.0.0.1:${await freePort()}`, clock });
  await until(() => troubles.length === 1);
  told.advance(9999);
  const quiet = troubles.length;
  told.advance(1);
  await until(() => troubles.length === 2);
  t.equal(quiet, 1);
});
