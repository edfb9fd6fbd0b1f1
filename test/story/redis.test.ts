// The gateway on a real Redis: what is kept outlives it, another instance never answers older, and
// a Redis in trouble makes everfresh a plain proxy, never a wrong or a hanging one.
import { Redis } from 'ioredis';
import t from 'tap';
import { json, type Script, stage, type Stage } from '../play.ts';
import { freePort, startRedis, until } from '../redis.ts';

const RULES = `
routes:
  /posts:
    GET:  { ttl: 1h }
    POST: { refresh: [/posts] }
`;

const on = (url: string, more = ''): string =>
  `store: { url: "${url}"${more} }\nlease: 300ms\nlimits: { store_budget: 200ms }\n${RULES}`;

/** A list that grows with every POST. */
function list(): Script {
  const posts = ['one'];
  return (request, response) => {
    if (request.method === 'POST') posts.push(`post ${posts.length + 1}`);
    json(response, posts, { status: request.method === 'POST' ? 201 : 200 });
  };
}

const ready = (s: Stage): Promise<void> =>
  until(() => s.composed!.gateway.store.state().state === 'ready', { what: 'the store' });

const isHit = async (s: Stage): Promise<boolean> => (await s.get('/posts')).cache.includes('; hit');

t.test('what is kept answers after a restart of the gateway', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  // A lease that no busy machine takes away: only who still holds one leaves cleanly.
  const rules = on(redis.url).replace('lease: 300ms', 'lease: 5s');
  const first = await stage(t, { rules, script: list() });
  await ready(first);
  await until(() => isHit(first), { what: 'a hit' });
  const fetched = first.count('GET /posts');
  t.equal(fetched, 1);

  await first.leave();
  const second = await stage(t, { rules, behind: first });
  await ready(second);
  t.match((await second.get('/posts')).cache, /^everfresh; hit; ttl=3\d\d\d$/);
  t.equal(second.count('GET /posts'), fetched, 'nobody asked the upstream again');
});

t.test('with the memory off entries are in Redis only, and a write ends them there', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const s = await stage(t, { rules: `memory: off\n${on(redis.url)}`, script: list() });
  await ready(s);
  await until(() => isHit(s), { what: 'a hit' });
  const fetched = s.count('GET /posts');
  const client = new Redis(redis.url);
  t.teardown(() => client.disconnect());
  const [key, ...others] = await client.keys('*:e:*');
  t.same(others, []);
  await client.del(key!);
  t.notOk(await isHit(s), 'it is nowhere else');
  t.equal(s.count('GET /posts'), fetched + 1);
  const written = await s.send('POST', '/posts', {});
  t.equal((await s.get('/posts')).body, written.body);
});

for (const more of ['', 'memory: off\n']) {
  t.test(`a write through one instance is seen by the other at once ${more}`, async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    const rules = `${more}${on(redis.url)}`;
    const a = await stage(t, { rules, script: list() });
    const b = await stage(t, { rules, behind: a });
    await Promise.all([ready(a), ready(b)]);
    for (let round = 0; round < 20; round += 1) {
      const [writer, reader] = round % 2 === 0 ? [a, b] : [b, a];
      for (let hits = 0; hits < 3; hits += 1) {
        await until(() => isHit(reader), { what: 'a hit of the reader' });
      }
      const written = await writer.send('POST', '/posts', {});
      t.equal((await reader.get('/posts')).body, written.body, `round ${round}`);
    }
  });
}

t.test('a Redis that is absent at start is done without, and used when it comes', async (t) => {
  const port = await freePort();
  const s = await stage(t, { rules: on(`redis://127.0.0.1:${port}`), script: list() });
  t.match((await s.get('/posts')).cache, /detail="store-(?:down|joining)"/);
  t.equal((await s.send('POST', '/posts', {})).status, 201, 'a write is passed');
  t.match((await s.get('/posts')).body, /post 2/, 'and seen');
  const redis = await startRedis({ port });
  t.teardown(() => redis.stop());
  await ready(s);
  await until(() => isHit(s), { what: 'a hit' });
  t.match((await s.get('/posts')).body, /post 2/);
});

t.test('a Redis that goes away and comes back leaves nothing stale', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const s = await stage(t, { rules: on(redis.url), script: list() });
  await ready(s);
  await until(() => isHit(s), { what: 'a hit' });
  await redis.kill();
  t.match((await s.get('/posts')).cache, /detail="store-(?:down|slow|joining)"/);
  const written = await s.send('POST', '/posts', {});
  t.equal(written.status, 201);
  t.equal((await s.get('/posts')).body, written.body);
  await redis.restart();
  await ready(s);
  await until(async () => {
    const reply = await s.get('/posts');
    t.equal(reply.body, written.body);
    t.notMatch(reply.cache, /uncacheable-lately/, 'the outage says nothing of the answer');
    return reply.cache.includes('; hit');
  }, { what: 'a hit' });
});

t.test('a Redis that hangs costs a read its budget and no more', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const s = await stage(t, { rules: on(redis.url), script: list() });
  await ready(s);
  await until(() => isHit(s), { what: 'a hit' });
  redis.pause();
  try {
    await until(() => s.composed!.gateway.store.state().state !== 'ready', { what: 'its lease' });
    const begun = performance.now();
    const replies = await Promise.all(Array.from({ length: 20 }, () => s.get('/posts')));
    t.same([...new Set(replies.map(({ status }) => status))], [200]);
    t.notOk(replies.some(({ cache }) => cache.includes('; hit')), 'nothing unchecked is used');
    t.ok(performance.now() - begun < 3000, 'within budgets');
    const written = await s.send('POST', '/posts', {});
    t.equal(written.status, 201, 'a write is passed when a lease has gone by');
    t.equal((await s.get('/posts')).body, written.body);
  } finally {
    redis.resume();
  }
  await ready(s);
  await until(() => isHit(s), { what: 'a hit again' });
  t.match((await s.get('/posts')).body, /post 2/);
});

t.test('where the operator says refuse, a write without a store is not forwarded', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const s = await stage(t, { rules: on(redis.url, ', when_down: refuse'), script: list() });
  await ready(s);
  await redis.kill();
  const refused = await s.send('POST', '/posts', {});
  t.equal(refused.status, 503);
  t.ok(refused.headers['retry-after']);
  t.equal(refused.headers['content-type'], 'application/problem+json');
  t.equal(s.count('POST /posts'), 0);
});

t.test('where the operator says refuse, a touch that nobody confirms is a 504', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const script = list();
  const s = await stage(t, {
    rules: on(redis.url, ', when_down: refuse'),
    async script(request, response, body) {
      // Between the intent and the touch.
      if (request.method === 'POST') await redis.kill();
      return script(request, response, body);
    },
  });
  await ready(s);
  const unconfirmed = await s.send('POST', '/posts', {});
  t.equal(unconfirmed.status, 504);
  t.match(unconfirmed.cache, /touch-unconfirmed/);
  await redis.restart();
  await ready(s);
  t.match((await s.get('/posts')).body, /post 2/, 'and it was touched before anything is used');
});

t.test('a write through an instance that only observes is seen by the others', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const a = await stage(t, { rules: on(redis.url), script: list() });
  for (const mode of ['observe', 'off']) {
    const b = await stage(t, { rules: `mode: ${mode}\n${on(redis.url)}`, behind: a });
    await Promise.all([ready(a), ready(b)]);
    await until(() => isHit(a), { what: 'a hit' });
    const written = await b.send('POST', '/posts', {});
    t.equal((await a.get('/posts')).body, written.body, mode);
    await b.leave();
  }
});

t.test('after an outage of all, nobody uses what a write meanwhile has ended', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const a = await stage(t, { rules: on(redis.url), script: list() });
  const b = await stage(t, { rules: on(redis.url), behind: a });
  for (let round = 0; round < 4; round += 1) {
    await Promise.all([ready(a), ready(b)]);
    await until(() => isHit(a), { what: 'a hit at a' });
    await until(() => isHit(b), { what: 'a hit at b' });
    // Frozen, it keeps what was sent to it, beats too, and runs all of it when it wakes.
    redis.pause();
    const written = await a.send('POST', '/posts', {});
    t.equal(written.status, 201);
    // Whoever wrote may be gone before it could tell of it.
    const { remembered } = a.composed!.gateway;
    if (round % 2 === 1) remembered.forget(remembered.recall()!);
    redis.resume();
    await until(async () => {
      const reply = await b.get('/posts');
      t.equal(reply.body, written.body, `round ${round}`);
      return reply.cache.includes('; hit');
    }, { what: 'a hit again' });
  }
});
