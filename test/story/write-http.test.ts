// What every write reaches, rule or not: its own URL and where its answer points, when that is
// here;
// and by REST convention the collection above a path for which no rule speaks.
import t from 'tap';
import { FORMS, json, type Script, stage, until } from '../play.ts';
import { renewed, serials } from '../serials.ts';

const RULES = `
routes:
  /posts:     { GET: { ttl: 1h } }
  /posts/:id: { GET: { ttl: 1h }, PUT: { refresh: [/other] } }
  /other:     { GET: { ttl: 1h } }
  /deep/:a/list: { GET: { ttl: 1h } }
`;
const ALL = ['/posts', '/posts/1', '/posts/1?x=1', '/posts/2', '/other'];

/** Answers a write with the fields that its body names, `HOST` in them being the client's. */
const pointing: Script = (request, response, body) => {
  const said = body === '' ? {} : JSON.parse(body) as Record<string, string> & { status?: number };
  const { status = 200, ...headers } = said;
  const host = String(request.headers['x-forwarded-host']);
  const own = String(request.headers.host);
  const told = Object.entries(headers).map(
    ([name, value]) => [name, value.replace('CLIENT', host).replace('UPSTREAM', own)],
  );
  return json(
    response, {}, { status, headers: Object.fromEntries(told) as Record<string, string> },
  );
};

for (const form of FORMS) {
  t.test(`${form}: a write reaches its own URL, whatever the query`, async (t) => {
    const s = await stage(t, { form, rules: RULES, script: serials(pointing) });
    t.same(
      await renewed(s, ALL, () => s.send('PUT', '/posts/1')),
      ['/posts/1', '/posts/1?x=1', '/other'],
    );
  });

  t.test(`${form}: without a rule a write reaches the collection above it`, async (t) => {
    const s = await stage(t, { form, rules: RULES, script: serials(pointing) });
    t.same(await renewed(s, ALL, () => s.send('DELETE', '/posts/2')), ['/posts', '/posts/2']);
    t.same(
      await renewed(s, ALL, () => s.send('POST', '/posts/1/comments')),
      ['/posts/1', '/posts/1?x=1'],
    );
    t.same(await renewed(s, ALL, () => s.send('POST', '/elsewhere')), []);
    t.same(
      await renewed(s, ['/deep/1/list', '/deep/2/list'], () => s.send('POST', '/deep/1/list/')),
      ['/deep/1/list'],
    );
  });
}

t.test('with `conventions: off` only HTTP’s own rule holds', async (t) => {
  const s = await stage(t, { rules: `conventions: off\n${RULES}`, script: serials(pointing) });
  t.same(await renewed(s, ALL, () => s.send('DELETE', '/posts/2')), ['/posts/2']);
});

t.test('a write reaches where its answer points, on the same origin only', async (t) => {
  const s = await stage(t, { rules: `conventions: off\n${RULES}`, script: serials(pointing) });
  const post = (fields: Record<string, unknown>) => () => s.send('POST', '/made', fields);
  t.same(await renewed(s, ALL, post({ location: '/posts/2' })), ['/posts/2'], 'Location');
  t.same(
    await renewed(s, ALL, post({ 'content-location': 'posts/1' })), ['/posts/1', '/posts/1?x=1'],
    'relative',
  );
  t.same(
    await renewed(s, ALL, post({ location: 'http://CLIENT/other' })), ['/other'],
    'the client’s name',
  );
  t.same(
    await renewed(s, ALL, post({ location: 'http://UPSTREAM/other' })), ['/other'],
    'the upstream’s own',
  );
  t.same(
    await renewed(s, ALL, post({ location: '/posts/2', 'content-location': '/other' })),
    ['/posts/2', '/other'],
  );
  t.same(
    await renewed(s, ALL, post({ location: '/other', status: 303 })), ['/other'],
    'a redirect is a success',
  );
  t.same(
    await renewed(s, ALL, post({ location: 'http://elsewhere.example/other' })), [],
    'another origin',
  );
  t.same(await renewed(s, ALL, post({ location: 'https://CLIENT/other' })), [], 'another scheme');
  t.same(
    await renewed(s, ALL, post({ location: '/other', status: 409 })), [],
    'a refused write points nowhere',
  );
});

t.test('where no rule speaks, only what was read more than once is fetched again', async (t) => {
  const s = await stage(t, { rules: RULES, script: serials(pointing) });
  await s.get('/posts');
  await s.get('/posts/2');
  await s.get('/posts/2');
  s.seen.length = 0;
  t.match((await s.send('DELETE', '/posts/2')).cache, /refreshing=1/);
  await until(() => s.seen.length === 2, 'the refresh');
  t.same(s.seen, ['DELETE /posts/2', 'GET /posts/2']);
  t.match((await s.get('/posts')).cache, /touched/, 'the rest is only invalid');
  await s.get('/other');
  t.match((await s.send('PUT', '/posts/1')).cache, /refreshing=1/, 'a rule knows what it names');
});

t.test('with no routes at all writes reach what HTTP and REST say', async (t) => {
  let serial = 0;
  const script: Script = (request, response, body) => {
    if (request.method !== 'GET') return pointing(request, response, body);
    return json(
      response, { serial: serial += 1 }, { headers: { 'cache-control': 'max-age=3600' } },
    );
  };
  for (const form of FORMS) {
    const s = await stage(t, { form, script });
    const paths = [
      '/posts', '/posts?page=2', '/posts/', '/Posts', '/posts/1', '/posts/2', '/other',
    ];
    t.same(await renewed(s, paths, () => s.get('/posts')), [], 'all are kept');
    t.same(await renewed(s, paths, () => s.send('PUT', '/posts/1')),
      ['/posts', '/posts?page=2', '/posts/', '/Posts', '/posts/1'], 'in any spelling');
    t.same(
      await renewed(s, paths, () => s.send('POST', '/made', { location: '/posts/2' })),
      ['/posts/2'],
    );
    t.same(
      await renewed(s, paths, () => s.send('POST', '/POSTS/1/')),
      ['/posts', '/posts?page=2', '/posts/', '/Posts', '/posts/1'],
    );
    t.same(
      await renewed(s, paths, () => s.send('POST', '/posts;v=1/2')),
      ['/posts', '/posts?page=2', '/posts/', '/Posts', '/posts/2'],
    );
  }
});

t.test('a write in the absolute form is one like others', async (t) => {
  const s = await stage(t, {
    rules: 'hosts: [a.test]\nroutes: { "/things/:id": { GET: { ttl: 1h } } }',
    script(request, response) {
      const headers = request.method === 'POST' ? { location: 'http://a.test/things/9' } : {};
      json(response, request.url, { headers });
    },
  });
  const host = { host: 'a.test' };
  await s.get('/things/9', host);
  await s.send('POST', 'http://a.test/posts?x', undefined, host);
  t.equal(s.seen.at(1), 'POST /posts?x', 'and goes on in the origin form');
  await s.get('/things/9', host);
  t.equal(s.count('GET /things/9'), 2);
});
