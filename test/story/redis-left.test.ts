// What one run of the gateway leaves to the next in Redis: entries that are trusted only if their
// routes were watched all the while, and writes that are held as long as their rules say.
import { Redis } from 'ioredis';
import t from 'tap';
import { json, type Script, stage, type Stage } from '../play.ts';
import { startRedis, until } from '../redis.ts';
import { parseRules } from '../../src/core/rules/parse.ts';

const on = (url: string, routes: string): string =>
  `store: { url: "${url}" }\nlease: 1s\nroutes:\n${routes}`;

const WATCHED = '  /posts/:id: { GET: { ttl: 1h } }\n';
const UNWATCHED = '  /users: { GET: { ttl: 1h } }\n';

/** A post whose text a PUT replaces. */
function post(): Script {
  let text = 'first';
  return (request, response) => {
    if (request.method === 'PUT') text = 'second';
    json(response, { text });
  };
}

const ready = (s: Stage): Promise<void> =>
  until(() => s.composed!.gateway.store.state().state === 'ready', { what: 'the store' });

async function hit(s: Stage, path: string): Promise<void> {
  await until(async () => (await s.get(path)).cache.includes('; hit'), { what: 'a hit' });
}

t.test('what was kept is not trusted after a run of a file that did not watch it', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const first = await stage(t, { rules: on(redis.url, WATCHED), script: post() });
  await ready(first);
  await hit(first, '/posts/1');
  await first.leave();

  const second = await stage(t, { rules: on(redis.url, UNWATCHED), behind: first });
  await ready(second);
  const written = await second.send('PUT', '/posts/1', {});
  await second.leave();

  const third = await stage(t, { rules: on(redis.url, WATCHED), behind: first });
  await ready(third);
  t.equal((await third.get('/posts/1')).body, written.body);
});

t.test('nor after a reload to such a file', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const first = await stage(t, { rules: on(redis.url, WATCHED), script: post() });
  await ready(first);
  await hit(first, '/posts/1');
  const yaml = `upstream: ${first.upstreamUrl}\n${on(redis.url, UNWATCHED)}`;
  const parsed = parseRules(yaml, { file: 'routes.yaml', env: {} });
  if (parsed.kind === 'wrong') throw new Error('the rules are wrong');
  first.composed!.apply(parsed.config);
  const written = await first.send('PUT', '/posts/1', {});
  await first.leave();

  const second = await stage(t, { rules: on(redis.url, WATCHED), behind: first });
  await ready(second);
  t.equal((await second.get('/posts/1')).body, written.body);
});

t.test('a write that settles tells the store for how long', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const raw = new Redis(redis.url);
  t.teardown(() => raw.disconnect());
  const rules = '  /posts/:id: { GET: { ttl: 1h }, PUT: { refresh: [/posts/:id], settle: 10m } }\n';
  const s = await stage(t, { rules: on(redis.url, rules), script: post() });
  await ready(s);
  await s.send('PUT', '/posts/1', {});
  const fields = Object.entries(await raw.hgetall('{everfresh}:control'));
  const intents = fields.filter(([name]) => name.startsWith('i:')).map(([, text]) => text);
  t.equal(intents.length, 1);
  t.match(JSON.parse(intents[0] ?? '{}'), { state: 'settling', holdMs: 600_000 });
});
