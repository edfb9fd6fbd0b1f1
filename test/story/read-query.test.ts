// QUERY (RFC 10008): a read whose question is its content, kept under a key that holds every byte
// of it, and fetched again with it after a write.
import t from 'tap';
import { FORMS, json, type Script, stage } from '../play.ts';
import { startRedis, until } from '../redis.ts';

const RULES = `
routes:
  /search:
    GET:   { ttl: 1h }
    QUERY: { ttl: 1h, query: [page], tags: ["author:{request.body.author}"] }
  /posts:    { POST: { refresh: [/search] } }
  /page:     { POST: { refresh: ["/search?page=1&sort=a"] } }
  /authors/:name: { PUT: { refresh: ["tag:author:{params.name}"] } }
  /plain: { GET: { ttl: 1h } }
limits: { query_body: 1kb }
`.replaceAll('{params.name}', '{request.body.name}');

const JSON_TYPE = { 'content-type': 'application/json' };

for (const form of FORMS) {
  t.test(`${form}: what is asked is in the content, and so is the key`, async (t) => {
    let serial = 0;
    const s = await stage(t, {
      form, rules: RULES,
      script: (request, response, body) => {
        serial += 1;
        json(response, `${serial} ${request.method} ${body} ${request.headers['content-type']}`);
      },
    });
    const query = (body: unknown, headers: Record<string, string> = JSON_TYPE, path = '/search') =>
      s.send('QUERY', path, body, headers);
    const first = await query({ author: 'ann' });
    t.equal(first.body, '"1 QUERY {\\"author\\":\\"ann\\"} application/json"');
    t.match(first.cache, /stored/);
    const hit = await query({ author: 'ann' });
    t.equal(hit.body, first.body);
    t.match(hit.cache, /everfresh; hit/);
    t.not((await query({ author: 'bob' })).body, first.body, 'another content');
    const typed = await query({ author: 'ann' }, { 'content-type': 'application/x+json' });
    t.not(typed.body, first.body, 'another media type');
    t.not((await s.get('/search')).body, first.body, 'a GET is another question');
    const dropped = await query({ author: 'ann' }, JSON_TYPE, '/search?x=1');
    t.equal(dropped.body, first.body, 'a parameter that tells nothing apart');
    t.match((await query('x'.repeat(2000))).cache, /fwd=bypass; detail="request-body"/);
    t.match((await query({ author: 'ann' }, JSON_TYPE, '/plain')).cache, /safe-method/);
  });

  t.test(`${form}: a write fetches it again with its content`, async (t) => {
    let version = 1;
    const s = await stage(t, {
      form, rules: RULES,
      script: (request, response, body) => {
        if (request.method !== 'QUERY' && request.method !== 'GET') version += 1;
        json(response, { version, body });
      },
    });
    const ask = async (author: string, page: string): Promise<unknown> =>
      JSON.parse((await s.send('QUERY', `/search${page}`, { author }, JSON_TYPE)).body);
    for (const author of ['ann', 'bob']) {
      for (const page of ['', '?page=1']) await ask(author, page);
    }
    const fetched = (): number => s.count('QUERY /search') + s.count('QUERY /search?page=1');
    t.equal(fetched(), 4);
    await s.send('POST', '/posts', {}, { ...JSON_TYPE });
    t.match(await ask('ann', ''), { version: 2 });
    for (const author of ['ann', 'bob']) t.match(await ask(author, '?page=1'), { version: 2 });
    t.equal(fetched(), 8, 'each once, whoever fetched it');
    await s.send('POST', '/page', {}, JSON_TYPE);
    t.match(await ask('ann', '?page=1'), { version: 3 }, 'also by a target with its query');
    t.match(await ask('ann', ''), { version: 2 }, 'and no other');
    await s.send('PUT', '/authors/x', { name: 'bob' }, JSON_TYPE);
    t.match(await ask('bob', ''), { version: 4 }, 'or by a tag from the content');
    t.match(await ask('ann', ''), { version: 2 });
  });
}

t.test('conditions and parts hold for it as for a GET, and credentials pass it', async (t) => {
  const s = await stage(t, {
    rules: RULES,
    script: (_request, response, body) => json(response, body, { headers: { etag: '"a"' } }),
  });
  const query = (headers: Record<string, string>) =>
    s.send('QUERY', '/search', { author: 'ann' }, { ...JSON_TYPE, ...headers });
  await query({});
  t.equal((await query({ 'if-none-match': '"a"' })).status, 304);
  const part = await query({ range: 'bytes=0-3' });
  t.match(part, { status: 206 });
  t.equal(part.body.length, 4);
  const own = await query({ authorization: 'Bearer x' });
  t.match(own.cache, /detail="credentials"/);
  t.match(own.body, /author/, 'with its content');
  t.match((await query({ 'cache-control': 'no-store, no-cache' })).body, /author/);
});

t.test('a crowd with one question is one fetch, also where HTTP alone decides', async (t) => {
  const s = await stage(t, {
    script: (_request, response, body) =>
      json(response, body, { headers: { 'cache-control': 'max-age=60' } }),
  });
  const ask = () => s.send('QUERY', '/any', { a: 1 }, JSON_TYPE);
  await Promise.all(Array.from({ length: 20 }, ask));
  t.equal(s.count('QUERY /any'), 1);
  t.match((await ask()).cache, /; hit/);
  await s.send('POST', '/any', {}, JSON_TYPE);
  await ask();
  t.equal(s.count('QUERY /any'), 2, 'a write to its URL has it fetched again');
});

t.test('its content is kept in Redis with it', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  let version = 1;
  const rules = `store: ${redis.url}\n${RULES}`;
  const script: Script = (request, response, body) => {
    if (request.method === 'POST') version += 1;
    json(response, { version, body });
  };
  const one = await stage(t, { rules, script });
  const two = await stage(t, { rules, behind: one });
  for (const s of [one, two]) {
    const ready = (): boolean => s.composed!.gateway.store.state().state === 'ready';
    await until(ready, { what: 'the store' });
  }
  const ask = (s: typeof one) => s.send('QUERY', '/search', { author: 'änn' }, JSON_TYPE);
  const first = await ask(one);
  t.match(await ask(two), { body: first.body, cache: /; hit/ });
  await two.send('POST', '/posts', {}, JSON_TYPE);
  t.match((await ask(one)).body, /"version":2.*änn/);
  t.match((await ask(two)).body, /"version":2.*änn/);
});
