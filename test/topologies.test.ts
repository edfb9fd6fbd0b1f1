// The Redis set-ups that other tests stand on do what they say: data comes back, goes back or is
// gone; who may not is refused; another server becomes the primary; slots move with their keys.
import { Redis } from 'ioredis';
import t from 'tap';
import { startCluster } from './cluster.ts';
import { until } from './redis.ts';
import { startSentinels } from './sentinels.ts';
import { ask, startGuarded, startSingle } from './topologies.ts';

t.setTimeout(180_000);

const historyOf = (port: number): Promise<string> => ask(port, async (redis) =>
  /master_replid:(\w+)/.exec(await redis.info('replication'))?.[1] ?? '');

t.test('a single server comes back with its data, with older data, or with none', async (t) => {
  const single = await startSingle();
  t.teardown(() => single.stop());
  const { port } = single.redis;
  const histories = new Set<string>();
  const value = async (): Promise<string | null> => {
    histories.add(await historyOf(port));
    return ask(port, (redis) => redis.get('a'));
  };
  await ask(port, (redis) => redis.set('a', 'old'));
  t.equal(await value(), 'old');
  await single.snapshot();
  await ask(port, (redis) => redis.set('a', 'new'));
  await single.restartWithData();
  t.equal(await value(), 'new');
  await single.rollBack();
  t.equal(await value(), 'old');
  await single.restartEmpty();
  t.equal(await value(), null);
  t.equal(histories.size, 4, 'each time it is another history');
});

t.test('a guarded server lets in by TLS and by name only, to its own keys only', async (t) => {
  const guarded = await startGuarded({ prefix: 'mine' });
  t.teardown(() => guarded.stop());
  const tls = { ca: guarded.ca, servername: 'localhost' };
  const named = { username: 'everfresh', password: 'a-password' };
  await ask(guarded.port, async (redis) => {
    t.equal(await redis.set('mine:a', '1'), 'OK');
    await t.rejects(redis.set('other', '1'), /NOPERM/);
  }, { tls, ...named });
  await t.rejects(ask(guarded.port, (redis) => redis.ping(), {
    tls, enableReadyCheck: false,
  }), /NOAUTH/);
  await t.rejects(ask(guarded.port, (redis) => redis.ping(), {
    tls: { servername: 'localhost' }, ...named,
  }), 'a certificate that nobody signed');
  await t.rejects(ask(guarded.port, (redis) => redis.ping(), named), 'without TLS');
  const byUrl = new Redis(guarded.url, { tls: { ca: guarded.ca }, retryStrategy: () => null });
  t.teardown(() => byUrl.disconnect());
  t.equal(await byUrl.ping(), 'PONG');
});

t.test('sentinels promote the replica when told to, and when the primary is dead', async (t) => {
  const set = await startSentinels();
  t.teardown(() => set.stop());
  const [host = '', port = ''] = (set.addresses[0] ?? '').split(':');
  const client = new Redis({
    sentinels: [{ host, port: Number(port) }], name: set.name, sentinelRetryStrategy: () => 50,
  });
  client.on('error', () => undefined);
  t.teardown(() => client.disconnect());
  const first = await set.primary();
  const before = await historyOf(first.port);
  await set.failOver();
  const second = await set.primary();
  t.not(second.port, first.port);
  t.not(await historyOf(second.port), before, 'a promotion begins another history');
  await set.killPrimary();
  t.equal((await set.primary()).port, first.port, 'the first one is the primary again');
  await until(async () => (await client.set('a', '1').catch(String)) === 'OK', {
    what: 'a client to find the primary',
  });
  await set.revive();
  // Each time anew: where the machine stalls, an empty one is promoted, and what was taken is gone.
  await until(async () => {
    await client.set('a', '1').catch(() => undefined);
    return (await ask(second.port, (redis) => redis.get('a'))) === '1';
  }, { what: 'the one that was dead to follow' });
});

t.test('three sentinels agree', async (t) => {
  const set = await startSentinels({ sentinels: 3 });
  t.teardown(() => set.stop());
  const before = await set.primary();
  await set.killPrimary();
  t.not((await set.primary()).port, before.port);
});

t.test('a slot of a cluster moves with its keys, also while it is in use', async (t) => {
  const cluster = await startCluster();
  t.teardown(() => cluster.stop());
  t.equal((await cluster.masters()).length, 3);
  const before = await cluster.ownerOf('a{control}');
  await ask(before.port, (redis) => redis.set('a{control}', '1'));
  await cluster.reshard('b{control}');
  const after = await cluster.ownerOf('a{control}');
  t.not(after.port, before.port);
  t.equal(await ask(after.port, (redis) => redis.get('a{control}')), '1');
  await t.rejects(ask(before.port, (redis) => redis.get('a{control}')), /MOVED/);
});

t.test('a master of a cluster comes back with its slots and without its data', async (t) => {
  const cluster = await startCluster();
  t.teardown(() => cluster.stop());
  const owner = await cluster.ownerOf('a{control}');
  await ask(owner.port, (redis) => redis.set('a{control}', '1'));
  await cluster.kill(owner);
  t.equal((await cluster.masters()).length, 2);
  await cluster.revive();
  t.equal((await cluster.ownerOf('a{control}')).port, owner.port);
  t.equal(await ask(owner.port, (redis) => redis.get('a{control}')), null);
});

t.test('a replica in a cluster takes over from its master', async (t) => {
  const cluster = await startCluster({ replicas: true });
  t.teardown(() => cluster.stop());
  t.equal((await cluster.masters()).length, 3);
  const owner = await cluster.ownerOf('a{control}');
  await cluster.kill(owner);
  t.not((await cluster.ownerOf('a{control}')).port, owner.port);
  await cluster.revive();
});
