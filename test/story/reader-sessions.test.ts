// In front of an API with logins that nobody here wrote: ten readers, five by cookie and five by
// token, each with a list of their own, fresh after every write, and gone with their login.
import t from 'tap';
import { stage, until } from '../play.ts';
import { startRedis, until as soon } from '../redis.ts';
import { sessionApi } from '../session-api.ts';

const RULES = `
credentials: { cookies: [connect.sid] }
identities:
  session: { from: { cookie: connect.sid }, forget_on: ["POST /logout"] }
  token:   { from: { header: authorization } }
routes:
  /unread:
    GET: { per: [session, token], ttl: 10m }
  /messages:
    POST: { refresh: [/unread] }
  /unread/read:
    POST: { refresh: ["/unread @self"] }
`;

const NAMES = Array.from({ length: 10 }, (_, i) => `user${i}`);

for (const store of ['memory', 'redis'] as const) {
  t.test(`${store}: Express, express-session and Passport, by cookie and by token`, async (t) => {
    const redis = store === 'redis' ? await startRedis() : undefined;
    if (redis !== undefined) t.teardown(() => redis.stop());
    const { app, read, revoke } = sessionApi();
    const s = await stage(t, {
      app,
      rules: `${redis === undefined ? ''
        : `store: "${redis.url}"\nsecret: a secret of the test that is long enough\n`}${RULES}`,
    });
    await soon(() => s.composed!.gateway.store.state().state === 'ready', { what: 'the store' });

    const login = async (name: string, i: number): Promise<Record<string, string>> => {
      const told = await s.send('POST', '/login', { username: name, password: name });
      t.equal(told.status, 200);
      const { token } = JSON.parse(told.body) as { token: string };
      const cookie = told.headers['set-cookie']![0]!.split(';')[0]!;
      return i % 2 === 0 ? { cookie: `${cookie}; _ga=${i}` } : { authorization: `Bearer ${token}` };
    };
    const readers = await Promise.all(NAMES.map(login));
    const all = async (unread: string[], cache: RegExp): Promise<void> => {
      for (const [i, headers] of readers.entries()) {
        const told = await s.get('/unread', headers);
        t.match(told.cache, cache, NAMES[i]!);
        t.same(JSON.parse(told.body), { name: NAMES[i], unread });
      }
    };
    await all([], /fwd=uri-miss; stored/);
    await all([], /; hit; /);
    t.equal(read.length, 10);

    t.equal((await s.send('POST', '/messages', { text: 'hello' }, readers[0])).status, 201);
    await until(() => read.length === 20, 'ten refreshes');
    t.same(read.slice(10).map(({ name }) => name).sort(), NAMES);
    t.ok(read.slice(10).every(({ again }) => again));
    await all(['hello'], /; hit; /);

    await s.send('POST', '/unread/read', {}, readers[1]);
    await until(() => read.length === 21, 'the writer’s own refresh');
    t.same(read[20], { name: 'user1', again: true });
    t.same(JSON.parse((await s.get('/unread', readers[1])).body), { name: 'user1', unread: [] });

    t.equal((await s.get('/unread')).status, 401, 'nobody in particular');
    await s.send('POST', '/logout', {}, readers[2]);
    t.equal((await s.get('/unread', readers[2])).status, 401, 'after a logout');
    for (const i of [3, 4]) {
      revoke(NAMES[i]!);
      t.match((await s.get('/unread', readers[i])).cache, /; hit; /, 'nobody has said so here');
    }
    const refreshed = read.length;
    await s.send('POST', '/messages', { text: 'again' }, readers[0]);
    await until(() => read.length === refreshed + 7, 'those who are left');
    await until(() => s.composed!.gateway.people.size === 7, 'who was refused is known no more');
    for (const i of [2, 3, 4]) t.equal((await s.get('/unread', readers[i])).status, 401);
    t.match((await s.get('/unread', readers[5])).cache, /; hit; /);
    t.equal((await s.get('/unread', { cookie: '_ga=1' })).status, 401);
  });
}
