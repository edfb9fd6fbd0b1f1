// Several gateways on one real Redis: one fetch for all who lack the same, a refresh wherever
// somebody reads, and trust only in what was heard without a gap.
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { Barrier, json, type Script, stage, type Stage } from '../play.ts';
import { startRedis, until, type RunningRedis } from '../redis.ts';

const on = (url: string, routes: string): string =>
  `store: { url: "${url}" }\nlease: 1s\nlimits: { quarantine: 1s }\nroutes:\n${routes}`;

const POSTS = '  /posts: { GET: { ttl: 1h }, POST: { refresh: [/posts] } }\n';
const CONTROL = '{everfresh}:control';

interface Fleet {
  readonly redis: RunningRedis;
  readonly raw: Redis;
  readonly stages: readonly Stage[];
}

async function fleet(t: Test, script: Script, size = 3, routes = POSTS): Promise<Fleet> {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const raw = new Redis(redis.url);
  t.teardown(() => raw.disconnect());
  const rules = on(redis.url, routes);
  const first = await stage(t, { rules, script });
  const stages = [first];
  while (stages.length < size) stages.push(await stage(t, { rules, behind: first }));
  await ready(stages);
  return { redis, raw, stages };
}

const isReady = (s: Stage): boolean => s.composed!.gateway.store.state().state === 'ready';

const ready = (stages: readonly Stage[]): Promise<void> =>
  until(() => stages.every(isReady), { what: 'the stores' });

const isHit = async (s: Stage): Promise<boolean> => (await s.get('/posts')).cache.includes('; hit');

/** A list that grows with every POST. */
function list(before: () => Promise<unknown> = () => Promise.resolve()): Script {
  const posts = ['one'];
  return async (request, response) => {
    if (request.method === 'POST') posts.push(`post ${posts.length + 1}`);
    else await before();
    json(response, posts, { status: request.method === 'POST' ? 201 : 200 });
  };
}

t.test('concurrent misses of one key on three instances are one fetch', async (t) => {
  const barrier = new Barrier();
  const { raw, stages } = await fleet(t, list(() => barrier.pass()));
  const replies = stages.flatMap((s) => Array.from({ length: 10 }, () => s.get('/posts')));
  await barrier.reached;
  await until(async () => {
    const [turn] = await raw.keys('everfresh:1:l:*');
    return turn !== undefined && (await raw.hget(turn, 'waiters'))?.trim().split(' ').length === 2;
  }, { what: 'the two others to wait' });
  barrier.open();
  const bodies = new Set((await Promise.all(replies)).map(({ status, body }) => status + body));
  t.strictSame([...bodies], ['200["one"]']);
  t.equal(stages[0]!.count('GET /posts'), 1);
  await until(async () => (await raw.keys('everfresh:1:l:*')).length === 0, {
    what: 'all turns to be over',
  });
});

t.test('nobody queues across instances for what cannot be kept', async (t) => {
  let under = 0;
  let most = 0;
  const barrier = new Barrier();
  const { stages } = await fleet(t, async (_request, response) => {
    under += 1;
    most = Math.max(most, under);
    if (under === 1) await barrier.pass();
    else if (under === 2) await until(() => under === 3);
    json(response, {}, { headers: { 'Set-Cookie': 'a=b' } });
  });
  const replies = stages.map((s) => s.get('/posts'));
  await barrier.reached;
  barrier.open();
  await Promise.all(replies);
  t.equal(most, 3, 'when the first was not kept the two others went together');
});

t.test('an owner of a turn that is gone costs its time and no more', async (t) => {
  const { raw, stages: [s] } = await fleet(t, list(), 1);
  await until(() => isHit(s!), { what: 'a hit' });
  const [entry] = await raw.keys('everfresh:1:e:*');
  const turn = entry!.replace(':e:', ':l:');
  const epoch = (await raw.hget(CONTROL, 'epoch'))!;
  const posted = s!.send('POST', '/posts', {});
  await raw.hset(turn, { owner: 'gone', epoch, asOf: 1_000_000 });
  await raw.pexpire(turn, 300);
  await posted;
  const began = performance.now();
  t.match((await s!.get('/posts')).body, /post 2/);
  t.ok(performance.now() - began < 3000);
});

t.test('after a write each instance has again what its readers read, by one fetch', async (t) => {
  const { stages } = await fleet(t, list());
  const [writer] = stages;
  for (const s of stages) await until(() => isHit(s), { what: 'a hit' });
  await writer!.send('POST', '/posts', {});
  await until(async () => (await Promise.all(stages.map(isHit))).every(Boolean));
  const fetched = writer!.count('GET /posts');
  for (let round = 0; round < 5; round += 1) {
    const before = writer!.count('GET /posts');
    const written = await writer!.send('POST', '/posts', {});
    for (const s of stages) {
      t.equal((await s.get('/posts')).body, written.body);
      await until(() => isHit(s), { what: 'a hit' });
    }
    await until(() => stages.every((s) => {
      const { waiting, running } = s.composed!.gateway.refresher.backlog;
      return waiting + running === 0;
    }), { what: 'the refreshes' });
    t.equal(writer!.count('GET /posts') - before, 1, `round ${round}`);
  }
  t.ok(fetched >= 2);
});

t.test('what only another instance reads is fetched again there', async (t) => {
  const { stages } = await fleet(t, list(), 2);
  const [writer, reader] = stages;
  await until(() => isHit(reader!), { what: 'a hit' });
  const before = writer!.count('GET /posts');
  const written = await writer!.send('POST', '/posts', {});
  await until(() => writer!.count('GET /posts') > before, { what: 'a fetch unasked for' });
  await until(async () => {
    const reply = await reader!.get('/posts');
    t.equal(reply.body, written.body);
    return reply.cache.includes('; hit');
  });
  t.equal(writer!.count('GET /posts'), before + 1);
});

t.test('an instance that does not hear any more trusts nothing, and comes back', async (t) => {
  const { raw, stages } = await fleet(t, list(), 2);
  const [writer, reader] = stages;
  for (let round = 0; round < 5; round += 1) {
    await until(() => isHit(reader!), { what: 'a hit' });
    const kill = raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const written = await writer!.send('POST', '/posts', {});
    t.equal((await reader!.get('/posts')).body, written.body, `round ${round}`);
    await kill;
    await ready(stages);
  }
});

t.test('beside a later version it is a plain proxy whose writes are seen', async (t) => {
  const { raw, stages } = await fleet(t, list(), 2);
  for (const s of stages) await until(() => isHit(s), { what: 'a hit' });
  await raw.hset(CONTROL, { format: 999 });
  await until(() => !stages.some(isReady), { what: 'the leases to end' });
  const { seq } = await raw.hgetall(CONTROL);
  const [writer, reader] = stages;
  const began = performance.now();
  const written = await writer!.send('POST', '/posts', {});
  t.equal(written.status, 201);
  t.ok(performance.now() - began >= 1000, 'so long may the later one trust what it holds');
  const after = await raw.hgetall(CONTROL);
  t.ok(Number(after['seq']) > Number(seq));
  t.equal(after['floor'], after['seq'], 'everything is touched');
  t.equal(after['format'], '999', 'and nothing else of it');
  const reply = await reader!.get('/posts');
  t.equal(reply.body, written.body);
  t.match(reply.cache, /detail="store-joining"/);
});

t.test('what one has fetched again after its time is there for the others', async (t) => {
  const { stages } = await fleet(t, list(), 2, '  /posts: { GET: { ttl: 1s } }\n');
  const [one, two] = stages as [Stage, Stage];
  for (const s of [one, two]) await until(() => isHit(s), { what: 'a hit' });
  const before = one.count('GET /posts');
  const expired = async (): Promise<boolean> =>
    (await one.get('/posts')).cache.includes('fwd=stale');
  await until(expired, { what: 'it expires' });
  t.ok(await isHit(two), 'who has the old one looks further before it asks');
  t.equal(one.count('GET /posts'), before + 1);
});
