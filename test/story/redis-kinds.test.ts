// The gateway on the other kinds of Redis: a primary that sentinels look after, and a cluster. A
// write through one instance is seen at once through the other, before and after a fail-over.
import t, { type Test } from 'tap';
import { startCluster } from '../cluster.ts';
import { json, type Script, stage, type Stage } from '../play.ts';
import { until } from '../redis.ts';
import { startSentinels } from '../sentinels.ts';

t.setTimeout(120_000);

const rules = (store: string): string => `
store: { ${store} }
lease: 1s
routes:
  /posts:
    GET:  { ttl: 1h }
    POST: { refresh: [/posts] }
`;

/** A list that grows with every POST. */
function list(): Script {
  const posts = ['one'];
  return (request, response) => {
    if (request.method === 'POST') posts.push(`post ${posts.length + 1}`);
    json(response, posts, { status: request.method === 'POST' ? 201 : 200 });
  };
}

const isHit = async (s: Stage): Promise<boolean> => (await s.get('/posts')).cache.includes('; hit');

async function seenAtOnce(t: Test, stages: readonly Stage[], when: string): Promise<void> {
  for (const [round, writer] of stages.entries()) {
    const reader = stages[1 - round]!;
    await until(() => isHit(reader), { what: `a hit ${when}` });
    const written = await writer.send('POST', '/posts', {});
    t.equal(written.status, 201);
    t.equal((await reader.get('/posts')).body, written.body, when);
  }
}

async function pair(t: Test, store: string): Promise<readonly [Stage, Stage]> {
  const a = await stage(t, { rules: rules(store), script: list() });
  return [a, await stage(t, { rules: rules(store), behind: a })];
}

void t.test('on a primary that sentinels name, a write is seen at once', async (t) => {
  const set = await startSentinels();
  t.teardown(() => set.stop());
  const [address] = set.addresses;
  const stages = await pair(t, `sentinels: "redis://${address!}", name: ${set.name}`);
  await seenAtOnce(t, stages, 'before');
  await set.failOver();
  const written = await stages[0].send('POST', '/posts', {});
  t.equal((await stages[1].get('/posts')).body, written.body, 'just then');
  await seenAtOnce(t, stages, 'after');
});

void t.test('on a cluster, a write is seen at once', async (t) => {
  const shards = await startCluster();
  t.teardown(() => shards.stop());
  const urls = shards.addresses.map((address) => `"redis://${address}"`).join(', ');
  const stages = await pair(t, `cluster: [${urls}]`);
  await seenAtOnce(t, stages, 'before');
  await shards.reshard('{everfresh}:control');
  const written = await stages[0].send('POST', '/posts', {});
  t.equal((await stages[1].get('/posts')).body, written.body, 'just then');
  await seenAtOnce(t, stages, 'after');
});
