// Who may do what at a Redis: the users of the documentation can do all that everfresh needs and
// nothing else, what one may not is told, and TLS has no way round it. No password is ever told.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Redis } from 'ioredis';
import { generate } from 'selfsigned';
import t, { type Test } from 'tap';
import type { Key } from '../../src/core/entry/entry.ts';
import type { RedisStoreOptions } from '../../src/io/redis.ts';
import { startCluster } from '../cluster.ts';
import { freePort, until } from '../redis.ts';
import {
  client, entriesUp, keep, limits, look, open, type Opened, ready, server, sure, vanish,
} from '../redis-store.ts';
import { ask, startGuarded } from '../topologies.ts';

t.setTimeout(120_000);

const PASSWORD = 'p4ss-word';
const CONTROL = '{everfresh}:control';
const docs = readFileSync(new URL('../../docs/redis.md', import.meta.url), 'utf8');
const [forOne, forCluster] = [...docs.matchAll(/^ACL (SETUSER everfresh on .*)$/gm)]
  .map(([, line]) => line!.replace('PASSWORD', PASSWORD).split(' '));

/** Only tried here where nothing moves, and no replica is asked where the others are. */
const SELDOM = ['asking', 'readonly'];

/** All that everfresh ever asks of a Redis; `raw` may ask more of the control key's server. */
async function everything(t: Test, place: Partial<RedisStoreOptions>, raw: Redis): Promise<Opened> {
  const all = { ...place, prefix: 'everfresh', limits: { ...limits, touched: 100 } };
  const opened = open(t, all);
  const a = opened.store;
  await ready(a);
  const [{ store: b }, { store: c }] = [open(t, all), open(t, all)];
  await ready(b, c);
  await Promise.all([a, b].map(entriesUp));
  const use = await keep(a);
  t.equal(await use(b), 'valid');
  const key = randomUUID().padEnd(43, 'x') as Key;
  const { epoch, seq } = await look(a, 'a');
  const order = { epoch, asOf: seq, newest: seq, ms: 5000, anew: false };
  await a.turns!.take(key, order);
  await b.turns!.take(key, order);
  await a.turns!.extend(key, 5000);
  await a.turns!.end(key, true, 5000);
  for (let i = 0; i < 4; i += 1) {
    const tags = Array.from({ length: 60 }, (_, j) => `tag-${i}-${j}`);
    await sure(a.control.touch({ tags, then: 'done' }));
  }
  await until(async () => Number(await raw.hget(CONTROL, 'count')) < 240, { what: 'pruning' });
  await sure(a.control.intend('refused', ['a']));
  await sure(a.control.abandon('refused'));
  await sure(c.control.intend('left', ['b']));
  await vanish(c);
  await until(async () => (await look(a, 'b')).held, { what: 'a write to be taken over' });
  await raw.hset(CONTROL, 'format', '99');
  await until(async () => (await a.control.touch({ tags: ['a'], then: 'done' })).kind === 'said');
  await raw.del(CONTROL);
  await ready(a, b);
  await b.close({ clean: true });
  await a.close({ clean: true });
  return opened;
}

/** Names as INFO has them. */
async function called(raw: Redis): Promise<string[]> {
  const stats = await raw.info('commandstats');
  return [...stats.matchAll(/^cmdstat_([^:]+):/gm)].map(([, name]) => name!);
}

const granted = (line: readonly string[]): string[] =>
  line.filter((word) => word.startsWith('+')).map((word) => word.slice(1));

void t.test('the user of the documentation can do what is needed, and no more', async (t) => {
  const redis = await server(t);
  const replica = await server(t, ['--replicaof', `127.0.0.1 ${redis.port}`]);
  await until(() => ask(replica.port, async (asked) =>
    (await asked.info('replication')).includes('master_link_status:up')));
  const raw = client(t, redis.url);
  await raw.call('ACL', ...forOne!);
  await raw.call('CONFIG', 'RESETSTAT');
  const url = `redis://everfresh:${PASSWORD}@127.0.0.1:${redis.port}`;
  const { troubles } = await everything(t, { url }, raw);
  t.notOk(troubles.includes('auth'));
  t.same(await raw.call('ACL', 'LOG'), [], 'nothing was refused');
  const names = await called(raw);
  t.same(granted(forOne!).filter((name) => !names.includes(name)), [], 'each command is needed');
});

void t.test('the user of a cluster can do what is needed, on every node', async (t) => {
  const shards = await startCluster({ replicas: true });
  t.teardown(() => shards.stop());
  for (const { port } of shards.servers) {
    await ask(port, (redis) => redis.call('ACL', ...forCluster!));
    await ask(port, (redis) => redis.call('CONFIG', 'RESETSTAT'));
  }
  const raw = client(t, (await shards.ownerOf(CONTROL)).url);
  const cluster = [`redis://everfresh:${PASSWORD}@${shards.addresses[0]!}`];
  const { troubles } = await everything(t, { cluster }, raw);
  t.notOk(troubles.includes('auth'));
  const names: string[] = [];
  for (const { port } of shards.servers) {
    t.same(await ask(port, (redis) => redis.call('ACL', 'LOG')), [], 'nothing was refused');
    names.push(...await ask(port, called));
  }
  const needed = granted(forCluster!).filter((name) => !SELDOM.includes(name));
  t.same(needed.filter((name) => !names.includes(name)), [], 'each command is needed');
});

for (const missing of ['hscan', 'subscribe', 'info', 'publish']) {
  void t.test(`a user that may not ${missing} is told of, by that name`, async (t) => {
    const redis = await server(t);
    const raw = client(t, redis.url);
    await raw.call('ACL', ...forOne!, `-${missing}`);
    const { store, troubles, messages } = open(t, {
      url: `redis://everfresh:${PASSWORD}@127.0.0.1:${redis.port}`, prefix: 'everfresh',
    });
    await until(() => troubles.includes('auth'), { what: 'the trouble' });
    t.match(messages.join('\n'), new RegExp(missing));
    t.notMatch(messages.join('\n'), PASSWORD);
    t.not(store.state().state, 'ready');
    t.not(((await raw.call('ACL', 'LOG')) as unknown[]).length, 0);
    await raw.call('ACL', 'SETUSER', 'everfresh', `+${missing}`);
    await ready(store);
  });
}

void t.test('by TLS, a server is used only if its certificate is right', async (t) => {
  const guarded = await startGuarded({ prefix: '', password: PASSWORD });
  t.teardown(() => guarded.stop());
  const { url, caFile: ca } = guarded;
  const key = join(dirname(ca), 'key.pem');
  const right = open(t, { url, ca });
  await ready(right.store);
  t.same(right.troubles, []);

  const other = await generate([{ name: 'commonName', value: 'another' }], { keyType: 'ec' });
  const folder = t.testdir({ 'other.pem': other.cert });
  for (const [wrong, said] of [
    [{ url, ca: join(folder, 'other.pem') }, /certificate/],
    [{ url }, /certificate/],
    [{ url: url.replace('localhost', '127.1'), ca }, /altnames/],
    [{ url: url.replace('rediss:', 'redis:') }, /./],
  ] as const) {
    const { store, troubles, messages } = open(t, wrong);
    await until(() => messages.length > 0, { what: 'the trouble' });
    t.match(messages.join('\n'), said);
    t.match(store.state(), { state: 'down' });
    t.notMatch([...troubles, ...messages].join('\n'), PASSWORD);
    await store.close({ clean: true });
  }

  const as = { username: 'everfresh', password: PASSWORD };
  const tls = { ca: guarded.ca, servername: 'localhost' };
  await ask(guarded.port, (redis) => redis.config('SET', 'tls-auth-clients', 'yes'), {
    tls, ...as,
  });
  const nameless = open(t, { url, ca });
  await until(() => nameless.troubles.includes('unreachable'), { what: 'the server to ask' });
  const named = open(t, { url, ca, cert: ca, key });
  await ready(named.store);
  t.throws(() => open(t, { url, ca: join(folder, 'none.pem') }), /ENOENT.*none\.pem/);
});

void t.test('by TLS, all nodes of a cluster are asked, and no other server', async (t) => {
  const guarded = await startGuarded();
  t.teardown(() => guarded.stop());
  const { caFile: ca } = guarded;
  const [port, busPort] = [await freePort(), await freePort()];
  const node = await server(t, [
    '--tls-port', String(port), '--tls-cert-file', ca, '--tls-ca-cert-file', ca,
    '--tls-key-file', join(dirname(ca), 'key.pem'), '--tls-auth-clients', 'no',
    '--cluster-enabled', 'yes', '--tls-cluster', 'yes', '--cluster-port', String(busPort),
    '--cluster-announce-ip', '127.0.0.1', '--requirepass', PASSWORD,
  ]);
  const as = { password: PASSWORD };
  await ask(node.port, (redis) => redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383'), as);
  const right = open(t, { cluster: [`rediss://:${PASSWORD}@localhost:${port}`], ca });
  await ready(right.store);
  await entriesUp(right.store);
  t.notOk(right.troubles.includes('auth'));

  for (const [cluster, because] of [
    [`rediss://:wrong@localhost:${port}`, 'auth'],
    [`rediss://:${PASSWORD}@127.1:${port}`, 'unreachable'],
    [`rediss://everfresh:a-password@localhost:${guarded.port}`, 'refused'],
  ] as const) {
    const { store, troubles, messages } = open(t, { cluster: [cluster], ca });
    await until(() => troubles.includes(because), { what: `${because} to be told` });
    await until(() => store.state().because === because, { what: 'it to be why' });
    t.equal(store.state().state, 'down');
    t.notMatch(messages.join('\n'), /p4ss-word|a-password|wrong/);
    await store.close({ clean: true });
  }
});
