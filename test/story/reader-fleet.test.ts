// Readers of two instances that share a Redis: each refreshes those whose credentials it holds,
// also after a write through the other; a refusal or a logout at one ends a reader at both.
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { Barrier, json, stage, type Stage, until } from '../play.ts';
import { startRedis, until as soon } from '../redis.ts';
import { issuer, ISSUER } from '../tokens.ts';

t.setTimeout(180_000);

const rulesWith = (user: string, from: string): string => `
identities:
  user: { from: ${from}, forget_on: [POST /logout]${user} }
routes:
  /unread: { GET: { per: user, ttl: 1h } }
  /posts:  { POST: { refresh: [/unread] } }
`;
const ann = { cookie: 'sid=ann' };
const bob = { cookie: 'sid=bob' };

interface Pair {
  readonly a: Stage;
  readonly b: Stage;
  /** Who was answered, in order; refused from now on. */
  readonly seen: string[];
  readonly refused: Set<string>;
  readonly redis: { readonly url: string };
}

const KEY = Buffer.alloc(32, 7).toString('base64');

async function pair(
  t: Test,
  { secrets = ['one', 'one'], user = '', from = '{ cookie: sid }', before }: {
    secrets?: string[]; user?: string; from?: string; before?: () => Promise<void>;
  } = {},
): Promise<Pair> {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const seen: string[] = [];
  const refused = new Set<string>();
  let version = 0;
  const rules = (secret: string): string =>
    `store: "${redis.url}"\nsecret: ${secret.padEnd(40, 'x')}\n${rulesWith(user, from)}`;
  const a = await stage(t, {
    rules: rules(secrets[0]!),
    script: async ({ method, headers: { authorization, cookie = authorization ?? 'nobody' } },
      response) => {
      if (method === 'POST') return json(response, { version: version += 1 });
      if (!refused.has(cookie)) await before?.();
      if (refused.has(cookie)) return json(response, {}, { status: 401 });
      seen.push(cookie);
      return json(response, { cookie, version });
    },
  });
  const b = await stage(t, { rules: rules(secrets[1]!), behind: a });
  for (const { composed } of [a, b]) {
    await soon(() => composed!.gateway.store.state().state === 'ready', { what: 'both' });
  }
  return { a, b, seen, refused, redis };
}

const rested = (...all: Stage[]): Promise<void> => until(() => all.every(({ composed }) => {
  const { backlog } = composed!.gateway.refresher;
  return backlog.waiting + backlog.running === 0;
}), 'all refreshes');

t.test('a write through one instance refreshes the readers of the other', async (t) => {
  const { a, b, seen } = await pair(t);
  await a.get('/unread', ann);
  await b.get('/unread', bob);
  await b.send('POST', '/posts', 'x');
  await until(() => seen.length === 4, 'two refreshes');
  t.same(seen.slice(2).sort(), ['sid=ann', 'sid=bob']);
  await rested(a, b);
  for (const [s, who] of [[a, ann], [b, bob]] as const) {
    const told = await s.get('/unread', who);
    t.match(told.cache, /; hit; /);
    t.same(JSON.parse(told.body), { ...who, version: 1 });
  }
  t.equal(seen.length, 4);
});

t.test('a reader of both is fetched once for both', async (t) => {
  const { a, b, seen } = await pair(t);
  await a.get('/unread', ann);
  t.match((await b.get('/unread', ann)).cache, /detail="recheck"/, 'each has it accepted');
  await b.send('POST', '/posts', 'x');
  await until(() => seen.length >= 3, 'a refresh');
  await rested(a, b);
  for (const s of [a, b]) t.match(JSON.parse((await s.get('/unread', ann)).body), { version: 1 });
  t.equal(seen.length, 3);
});

t.test('where nobody holds a credential any more, what was kept stays invalid', async (t) => {
  const { a, b, seen } = await pair(t);
  await b.get('/unread', ann);
  await b.leave();
  await a.send('POST', '/posts', 'x');
  await rested(a);
  t.equal(seen.length, 1);
  const told = await a.get('/unread', ann);
  t.notMatch(told.cache, /hit/);
  t.match(JSON.parse(told.body), { version: 1 });
});

t.test('what one instance fetches is no word for another session of the same person', async (t) => {
  const held = await issuer(t, { now: Date.now });
  const from = `{ jwt: { jwks: "${held.jwks}", issuer: "${ISSUER}", audience: shop } }`;
  const barrier = new Barrier();
  const { a, b, refused } = await pair(t, { from, before: () => barrier.pass() });
  const [good, bad] = [await held.sign({ sub: 'ann' }), await held.sign({ sub: 'ann', jti: '2' })];
  refused.add(`Bearer ${bad}`);
  const first = a.get('/unread', { authorization: `Bearer ${good}` });
  await barrier.reached;
  const second = b.get('/unread', { authorization: `Bearer ${bad}` });
  barrier.open();
  t.equal((await first).status, 200);
  t.equal((await second).status, 401);
});

t.test('a refresh is no word of a reader for which credentials are held longer', async (t) => {
  process.env['EVERFRESH_CREDENTIALS_KEY'] = KEY;
  t.teardown(() => void delete process.env['EVERFRESH_CREDENTIALS_KEY']);
  const { a, seen, redis } = await pair(t, { user: ', hold: store, recheck: 1ms' });
  await a.get('/unread', ann);
  const raw = new Redis(redis.url);
  t.teardown(() => raw.disconnect());
  const [name] = await raw.keys('everfresh:1:c:*');
  const before = await raw.get(name!);
  await a.send('POST', '/posts', 'x');
  await until(() => seen.length === 2, 'a refresh');
  await rested(a);
  t.equal(await raw.get(name!), before);
  await a.get('/unread', ann);
  t.not(await raw.get(name!), before);
});

for (const how of ['logout', 'refusal'] as const) {
  t.test(`a ${how} at an instance that never saw the reader ends it at the other`, async (t) => {
    const { a, b, refused } = await pair(t);
    await a.get('/unread', ann);
    await a.get('/unread', bob);
    t.match((await a.get('/unread', ann)).cache, /; hit; /);
    refused.add('sid=ann');
    if (how === 'logout') await b.send('POST', '/logout', 'x', ann);
    else t.equal((await b.get('/unread?page=2', ann)).status, 401);
    t.equal((await a.get('/unread', ann)).status, 401, 'at once');
    t.match((await a.get('/unread', bob)).cache, /; hit; /, 'and nobody else');
  });
}

t.test('strangers who are refused cost no touches', async (t) => {
  const { a, b, refused } = await pair(t);
  await a.get('/unread', ann);
  const { control } = a.composed!.gateway.store;
  const before = control.look([]);
  for (let i = 0; i < 20; i += 1) {
    refused.add(`sid=${i}`);
    for (const s of [a, b]) t.equal((await s.get('/unread', { cookie: `sid=${i}` })).status, 401);
    await b.send('POST', '/logout', 'x', { cookie: `sid=${i}` });
  }
  // Each of these logouts is a write as well, to a path that nothing is read at.
  t.same(control.look([]), before);
});

for (const hold of ['memory', 'store'] as const) {
  t.test(`who is known here no more is refreshed if held in the ${hold}`, async (t) => {
    process.env['EVERFRESH_CREDENTIALS_KEY'] = KEY;
    t.teardown(() => void delete process.env['EVERFRESH_CREDENTIALS_KEY']);
    const { a, seen } = await pair(t, { user: `, hold: ${hold}, max: { identities: 1 }` });
    for (const who of [ann, bob]) await a.get('/unread', who);
    t.equal(a.composed!.gateway.people.count('user'), 1);
    await a.send('POST', '/posts', 'x');
    await rested(a);
    t.same(seen.slice(2).sort(), hold === 'memory' ? ['sid=bob'] : ['sid=ann', 'sid=bob']);
    await a.send('POST', '/logout', 'x', ann);
    await a.send('POST', '/posts', 'x');
    await rested(a);
    t.equal(seen.at(-1), 'sid=bob', 'and not after its logout');
    t.equal(seen.filter((who) => who === 'sid=ann').length, hold === 'memory' ? 1 : 2);
  });
}

t.test('who has another secret uses nothing of the others', async (t) => {
  const { a, b } = await pair(t, { secrets: ['one', 'two'] });
  await a.get('/unread', ann);
  t.match((await b.get('/unread', ann)).cache, /uri-miss|store/);
});

t.test('a session that is over and still asks costs one touch', async (t) => {
  const { a, b, refused } = await pair(t);
  await a.get('/unread', ann);
  await b.get('/unread', ann);
  refused.add('sid=ann');
  t.equal((await a.get('/unread?page=2', ann)).status, 401);
  const { control } = a.composed!.gateway.store;
  const after = control.look([]);
  for (const s of [a, b, a, b]) t.equal((await s.get('/unread', ann)).status, 401);
  t.same(control.look([]), after);
  // And it is noted anew once it is good again, however lately it was.
  refused.delete('sid=ann');
  t.equal((await a.get('/unread', ann)).status, 200);
  refused.add('sid=ann');
  t.equal((await b.get('/unread?page=3', ann)).status, 401);
  t.equal((await a.get('/unread', ann)).status, 401);
});
