// What the operator orders through the admin listener: refreshes, purges, modes. What is wrong with
// an order is told at once, and nothing of it is done.
import t from 'tap';
import type { Cacheable } from '../../src/core/key/meaning.ts';
import { meaningOf } from '../../src/core/key/meaning.ts';
import { entry } from '../entries.ts';
import { call, post } from './call.ts';
import { away, configOf, type Fake, fakeGateway, opened, RULES } from './fake-gateway.ts';

/** Somebody has read this path lately. */
function read(fake: Fake, path: string): void {
  const { config, finder, readers } = fake.gateway.live;
  const request = {
    method: 'GET', target: path, path, query: undefined, fields: [], authority: 'a',
    hasBody: false, scheme: 'http' as const,
  };
  const meaning = meaningOf(request, config, (at) => finder.match(at), readers) as Cacheable;
  fake.gateway.ledger.read(entry({ key: meaning.key, tags: meaning.tags }), meaning, 0);
}

t.test('a purge touches what its targets and tags name, and fetches nothing', async (t) => {
  const fake = fakeGateway();
  read(fake, '/posts/7');
  const admin = await opened(t, fake);
  const { status, json } = await post(admin, '/purge', { targets: ['/posts/7', 'tag:a'] });
  t.equal(status, 202);
  t.same(json, { touched: ['/posts/:id id=7', 'tag:a'], refreshing: 0, confirmed: true });
  t.match(await post(admin, '/purge', { tags: ['b'] }), { json: { touched: ['tag:b'] } });
  t.same(fake.touches.map(({ tags }) => tags), [['/posts/:id id=7', 'tag:a'], ['tag:b']]);
  t.same(fake.refreshed, []);
});

t.test('a refresh touches, and fetches again what is in use', async (t) => {
  const fake = fakeGateway();
  for (const path of ['/posts', '/posts/7', '/posts/8']) read(fake, path);
  const admin = await opened(t, fake);
  const { status, json } = await post(admin, '/refresh', { targets: ['/posts/:id'] });
  t.equal(status, 202);
  t.same(json, { touched: ['/posts/:id'], refreshing: 2, confirmed: true });
  t.same(fake.refreshed.sort(), ['/posts/7', '/posts/8']);
});

t.test('all problems of an order are told, and nothing of it is done', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake);
  const { status, headers, json } = await post(admin, '/purge', {
    targets: ['/posts', '/nope', 'posts'],
  });
  t.equal(status, 400);
  t.equal(headers['content-type'], 'application/problem+json');
  t.match(json, { problems: [/`\/nope` names no route/, /`posts` names no route/] });
  t.same(fake.touches, []);
});

t.test('an order of the wrong shape is refused', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake);
  const cases: [unknown, RegExp][] = [
    [[], /must be an object/],
    [null, /must be an object/],
    [{}, /neither `targets` nor `tags`/],
    [{ target: ['/posts'] }, /unknown key `target`/],
    [{ targets: '/posts' }, /`targets` must be a list/],
    [{ targets: ['/posts', 7] }, /`targets` must hold texts/],
    [{ tags: [''] }, /`tags` must hold texts/],
    [{ tags: ['x'.repeat(8193)] }, /longer than 8192/],
    [{ targets: Array(600).fill('/posts'), tags: Array(401).fill('a') }, /1001 are too many/],
  ];
  for (const [body, detail] of cases) {
    const { status, json } = await post(admin, '/refresh', body);
    t.equal(status, 400, JSON.stringify(body).slice(0, 40));
    t.match(json, { detail });
  }
  t.match((await post(admin, '/purge', { targets: 1, tags: 2, x: 3 })).json, {
    problems: { length: 3 },
  });
  t.same(fake.touches, []);
  t.equal((await post(admin, '/purge', { tags: Array(1000).fill('a') })).status, 202);
});

t.test('a body that is not JSON is refused, whatever it says', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake);
  const body = '{"targets":["/posts"]}';
  const form = 'application/x-www-form-urlencoded';
  for (const type of ['text/plain', form, 'multipart/form-data', 'a/json']) {
    const sent = { headers: { 'content-type': type }, body };
    t.equal((await call(admin, 'POST /purge', sent)).status, 415, type);
  }
  t.equal((await call(admin, 'POST /purge', { body })).status, 415, 'no type');
  t.equal((await call(admin, 'POST /purge')).status, 415, 'no type and no body');
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  for (const broken of ['', '{', '{"__proto__":{"targets":["/posts"]}}']) {
    const { status } = await call(admin, 'POST /purge', { headers, body: broken });
    t.equal(status, 400, broken);
  }
  t.same(fake.touches, []);
  t.equal((await call(admin, 'POST /purge', { headers, body })).status, 202);
});

t.test('a body over its bound is too large', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake);
  const { status, headers } = await post(admin, '/purge', { targets: ['/'.repeat(64 * 1024)] });
  t.equal(status, 413);
  t.equal(headers['content-type'], 'application/problem+json');
  t.same(fake.touches, []);
});

/** The store is away for longer than the gateway tries. */
t.test('an order that the store was not told of is remembered, and says so', async (t) => {
  const fake = fakeGateway();
  read(fake, '/posts');
  away(t, fake);
  const admin = await opened(t, fake);
  t.match(await post(admin, '/refresh', { targets: ['/posts'] }), {
    status: 202, json: { touched: ['/posts'], refreshing: 0, confirmed: false },
  });
  t.same(fake.gateway.remembered.all(), ['/posts']);
});

t.test('where writes are refused without the store, such an order is not done', async (t) => {
  const store = 'store: { url: "redis://127.0.0.1:1", when_down: refuse }\n';
  const fake = fakeGateway(configOf(`${store}${RULES}`));
  const admin = await opened(t, fake);
  t.match(await post(admin, '/purge', { targets: ['/posts'] }), { status: 202 });
  away(t, fake);
  t.match(await post(admin, '/purge', { targets: ['/posts'] }), { status: 504 });
  t.same(fake.gateway.remembered.all(), ['/posts'], 'and is remembered all the same');
});

t.test('the mode is switched while the gateway runs', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake);
  for (const mode of ['observe', 'off', 'on']) {
    t.match(await post(admin, '/mode', { mode }), { status: 200, json: { mode } });
    t.equal(fake.gateway.mode, mode);
    t.match(await call(admin, 'GET /readyz'), { json: { mode } });
  }
  t.same(fake.touches, [], 'writes touch in every mode, so that nothing is owed');
});

t.test('an unknown mode changes nothing', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake);
  for (const body of [{ mode: 'On' }, {}, { mode: 'off', for: '1h' }, 'off', { mode: ['off'] }]) {
    t.equal((await post(admin, '/mode', body)).status, 400, JSON.stringify(body));
  }
  t.equal(fake.gateway.mode, 'on');
});
