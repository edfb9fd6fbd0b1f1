// In front of an API that nobody here wrote: json-server says `no-cache` and `Vary`, and builds
// `Location` from `Host`.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { RequestListener } from 'node:http';
import t from 'tap';
import { stage } from '../play.ts';
import { startRedis, until } from '../redis.ts';

const RULES = `
routes:
  /posts:
    GET:  { ttl: 1h }
    POST: { refresh: [/posts] }
  /posts/:id:
    GET:    { ttl: 1h }
    PATCH:  { refresh: [/posts/:id, /posts] }
    DELETE: { refresh: [/posts/:id, /posts] }
  /profile:
    GET: { ttl: 1h }
`;

interface JsonServer {
  create(): RequestListener & { use(handler: unknown): void };
  router(db: unknown): unknown;
  defaults(options: { logger: boolean }): unknown;
}

function api(): RequestListener {
  const jsonServer = createRequire(import.meta.url)('json-server') as JsonServer;
  const db = JSON.parse(
    readFileSync(new URL('../../examples/db.json', import.meta.url), 'utf8'),
  ) as unknown;
  const app = jsonServer.create();
  app.use(jsonServer.defaults({ logger: false }));
  app.use(jsonServer.router(db));
  return app;
}

const STORES = ['memory', 'redis'] as const;

for (const store of STORES) {
  t.test(
    `${store}: json-server is asked once for 1,000 reads, then only for what a write names`,
    async (t) => {
      const redis = store === 'redis' ? await startRedis() : undefined;
      if (redis !== undefined) t.teardown(() => redis.stop());
      const rules = `${redis === undefined ? '' : `store: "${redis.url}"\n`}${RULES}`;
      const s = await stage(t, { rules, app: api() });
      await until(() => s.composed!.gateway.store.state().state === 'ready', { what: 'the store' });

      const first = await s.get('/posts');
      t.equal(first.cache, 'everfresh; fwd=uri-miss; stored');
      t.equal(
        first.headers['cache-control'],
        'no-cache',
        'what the upstream says to clients is passed',
      );
      for (let batch = 0; batch < 10; batch += 1) {
        const replies = await Promise.all(Array.from({ length: 100 }, () => s.get('/posts')));
        t.same([...new Set(replies.map(({ body }) => body))], [first.body]);
        t.ok(replies.every(({ cache }) => cache.includes('; hit')));
      }
      t.equal(s.count('GET /posts'), 1);
      await s.get('/profile');

      const post = await s.send('POST', '/posts', { title: 'new', author: 'you' });
      t.equal(post.status, 201);
      const { id } = JSON.parse(post.body) as { id: number };
      t.equal(post.headers.location, `${s.url}/posts/${id}`);
      await until(async () => (await s.get('/posts')).cache.includes('; hit'), { what: 'a hit' });
      t.match((await s.get('/posts')).body, /"new"/);
      t.equal(s.count('GET /posts'), 2, 'exactly the refresh that the rule names');
      t.equal(s.count('GET /profile'), 1, 'and no other');

      t.equal((await s.get(`/posts/${id}`)).status, 200);
      t.equal((await s.send('DELETE', `/posts/${id}`)).status, 200);
      t.equal((await s.get(`/posts/${id}`)).status, 404, 'its page does not come back');
      t.notMatch((await s.get('/posts')).body, /"new"/);
    },
  );
}
