// The way between a client and the upstream: by which scheme the client came, and what it may ask
// with when it is told to ask each time.
import t from 'tap';
import { FORMS, json, stage } from '../play.ts';

for (const form of FORMS) {
  t.test(`${form}: clients told to ask each time get a validator to ask with`, async (t) => {
    let version = 1;
    const s = await stage(t, {
      form,
      rules: 'routes: { /a: { GET: { ttl: 1h, client_cache: no-cache }, PUT: {} } }',
      script: (_request, response) => json(response, { version }),
    });
    const first = await s.get('/a');
    t.equal(first.headers['cache-control'], 'no-cache');
    const etag = String(first.headers.etag);
    t.equal((await s.get('/a', { 'if-none-match': etag })).status, 304);
    version = 2;
    await s.send('PUT', '/a', {});
    const second = await s.get('/a', { 'if-none-match': etag });
    t.equal(second.status, 200, 'another body, another validator');
    t.same(JSON.parse(second.body), { version: 2 });
    t.notOk(s.requests.some(({ headers }) => headers['if-none-match'] !== undefined),
      'the upstream, which did not make it, never sees it');
  });

  t.test(`${form}: a client behind a trusted TLS proxy is told apart and announced`, async (t) => {
    const s = await stage(t, {
      form,
      rules: 'trust_proxy: [127.0.0.1/32]\nroutes: { /a: { GET: { ttl: 1h } } }',
      script: (request, response) => json(response, request.headers['x-forwarded-proto'] ?? 'none'),
    });
    const secure = { 'x-forwarded-proto': 'https' };
    t.equal((await s.get('/a', secure)).body, '"https"');
    t.equal((await s.get('/a')).body, '"none"', 'not the answer that was made for https');
    t.match((await s.get('/a', secure)).cache, /; hit/);
  });

  t.test(`${form}: a client's own word about its scheme is not believed`, async (t) => {
    const s = await stage(t, {
      form,
      rules: 'routes: { /a: { GET: { ttl: 1h } } }',
      script: (request, response) => json(response, request.headers['x-forwarded-proto'] ?? 'none'),
    });
    t.equal((await s.get('/a', { 'x-forwarded-proto': 'https' })).body, '"none"');
    t.match((await s.get('/a')).cache, /; hit/);
  });
}

t.test('a GET of a path that is read is a GET, whatever else it calls itself', async (t) => {
  const s = await stage(t, {
    rules: 'routes: { /a: { GET: { ttl: 1h } } }',
    script: (request, response) => json(response, request.headers['x-http-method-override'] ?? 0),
  });
  const override = { 'x-http-method-override': 'DELETE' };
  t.equal((await s.get('/a', { ...override, authorization: 'me' })).body, '0', 'passed');
  t.equal((await s.get('/a', override)).body, '0', 'filled');
  t.equal((await s.get('/other', override)).body, '"DELETE"', 'elsewhere it goes through');
});

t.test('a 304 that nobody asked for is a broken answer', async (t) => {
  let broken = true;
  const s = await stage(t, {
    rules: 'routes: { /a: { GET: { ttl: 1h } } }',
    script(_request, response) {
      if (!broken) return json(response, 1);
      response.writeHead(304);
      return response.end();
    },
  });
  t.equal((await s.get('/a')).status, 502);
  broken = false;
  t.match((await s.get('/a')).cache, /stored/, 'and nothing is remembered of it');
});
