// The store on a real Redis Cluster: its entries are on all shards, its control part on one, which
// is found again when its slot moves or its master dies. A shard that is gone costs its own
// entries, and nobody a wait that others would not have.
import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import type { Key } from '../../src/core/entry/entry.ts';
import { type Cluster, startCluster } from '../cluster.ts';
import { entry } from '../entries.ts';
import { until, type RunningRedis } from '../redis.ts';
import {
  CONTROL, entriesUp, keep, look, open, type Opened, ready, sure,
} from '../redis-store.ts';
import { ask } from '../topologies.ts';

t.setTimeout(120_000);

const newKey = (): Key => randomUUID().padEnd(43, 'x') as Key;

async function cluster(t: Test, options: { replicas?: boolean } = {}): Promise<Cluster> {
  const cluster = await startCluster(options);
  t.teardown(() => cluster.stop());
  return cluster;
}

/** Knows one node only; the others are learnt. */
const on = (t: Test, { addresses }: Cluster, budgetMs = 1000): Opened =>
  open(t, { cluster: [`redis://${addresses[0]!}`], budgetMs });

/** A key of an entry on this server. */
async function keyOn(cluster: Cluster, server: RunningRedis): Promise<Key> {
  for (;;) {
    const key = newKey();
    if ((await cluster.ownerOf(`test:1:e:${key}`)).port === server.port) return key;
  }
}

void t.test('instances on a cluster share touches, and entries on all of its shards', async (t) => {
  const shards = await cluster(t);
  const [{ store: a, troubles }, { store: b }] = [on(t, shards), on(t, shards)];
  await ready(a, b);
  await Promise.all([a, b].map(entriesUp));
  const use = await keep(a);
  t.equal(await use(a), 'valid');
  t.equal(await use(b), 'valid');
  const { seq } = await sure(b.control.touch({ tags: ['a'], then: 'done' }));
  t.equal((await look(a, 'a')).newest, seq, 'known at once');
  t.equal(await use(a), 'touched');

  const keys = Array.from({ length: 60 }, newKey);
  for (const key of keys) await a.entries.put(entry({ key }));
  for (const key of keys) t.match(await b.entries.get(key), { kind: 'answer' });
  for (const { port } of shards.servers) {
    t.ok(Number(await ask(port, (redis) => redis.dbsize())) > 3, 'each has some');
  }
  const turn = { epoch: (await look(a, 'a')).epoch, asOf: 0, newest: 0, ms: 5000 } as never;
  t.match(await a.turns!.take(keys[0]!, turn), { kind: 'mine' });
  t.match(await b.turns!.take(keys[0]!, turn), { kind: 'theirs' });
  t.same(troubles, []);
});

void t.test('a slot that moves takes the control part along, into a new epoch', async (t) => {
  const shards = await cluster(t);
  const [{ store: a }, { store: b }] = [on(t, shards), on(t, shards)];
  await ready(a, b);
  await Promise.all([a, b].map(entriesUp));
  const use = await keep(a);
  const { epoch } = await look(a, 'a');
  for (const round of [1, 2]) {
    const before = await shards.ownerOf(CONTROL);
    await shards.reshard(CONTROL);
    t.not((await shards.ownerOf(CONTROL)).port, before.port);
    const began = performance.now();
    await until(async () => (await look(a, 'a')).epoch !== epoch, { what: 'another epoch' });
    await ready(a, b);
    t.ok(performance.now() - began < 10_000, `round ${round}`);
    t.not(await use(b), 'valid');
    const { seq } = await sure(a.control.touch({ tags: ['a'], then: 'done' }));
    await until(async () => (await look(b, 'a')).newest === seq, { what: 'b to know' });
  }
});

void t.test('a shard that hangs or dies costs its own entries, and only these', async (t) => {
  const shards = await cluster(t);
  const { store } = on(t, shards, 200);
  await ready(store);
  await entriesUp(store);
  const owner = await shards.ownerOf(CONTROL);
  const [lost, other] = (await shards.masters()).filter(({ port }) => port !== owner.port);
  const [gone, kept] = [await keyOn(shards, lost!), await keyOn(shards, other!)];
  for (const key of [gone, kept]) {
    await store.entries.put(entry({ key }));
    t.match(await store.entries.get(key), { kind: 'answer' });
  }
  const { epoch } = await look(store, 'a');
  const rounds = async (): Promise<void> => {
    t.equal(await store.entries.get(gone), undefined);
    const began = performance.now();
    for (let i = 0; i < 200; i += 1) {
      await store.entries.get(gone);
      if ((await store.entries.get(kept))?.kind !== 'answer') t.fail(`round ${i}`);
    }
    const took = performance.now() - began;
    t.ok(took < 4000, `four hundred calls took ${Math.round(took)} ms together`);
    t.equal((await look(store, 'a')).epoch, epoch, 'the control part has seen nothing of it');
  };
  lost!.pause();
  await rounds();
  lost!.resume();
  await until(async () => (await store.entries.get(gone)) !== undefined, { what: 'it again' });
  await shards.kill(lost!);
  await rounds();
  await shards.revive();
  await until(async () => {
    await store.entries.put(entry({ key: gone }));
    return (await store.entries.get(gone)) !== undefined;
  }, { what: 'the shard to be used again' });
  t.equal((await look(store, 'a')).epoch, epoch);
});

void t.test('the replica of a dead master takes the control part over, anew', async (t) => {
  const shards = await cluster(t, { replicas: true });
  const [{ store: a, troubles }, { store: b }] = [on(t, shards), on(t, shards)];
  await ready(a, b);
  await Promise.all([a, b].map(entriesUp));
  const { epoch } = await look(a, 'a');
  const use = await keep(a);
  await sure(a.control.touch({ tags: ['a'], then: 'done' }));
  await shards.kill(await shards.ownerOf(CONTROL));
  const began = performance.now();
  await until(async () => (await look(a, 'a')).epoch !== epoch, { what: 'another epoch' });
  await ready(a, b);
  t.ok(performance.now() - began < 15_000);
  t.not(await use(b), 'valid');
  const { seq } = await sure(b.control.touch({ tags: ['a'], then: 'done' }));
  t.equal((await look(a, 'a')).newest, seq);
  t.notOk(troubles.includes('not-guarded'), 'a master that is cut off stops by itself');
});
