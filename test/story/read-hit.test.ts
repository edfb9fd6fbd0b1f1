// What a reader is given from the cache: the answer as it was, its age, and what its own conditions
// ask for.
import t from 'tap';
import { FORMS, json, stage } from '../play.ts';
import { VirtualClock } from '../virtual-clock.ts';

const RULES = `
routes:
  /posts:
    GET: { ttl: 1h }
  /told:
    GET: { ttl: 1h, client_cache: no-cache }
  /valued:
    GET: { ttl: 1h, client_cache: "public, max-age=5" }
`;

for (const form of FORMS) {
  t.test(`${form}: the second reader gets the same answer without the upstream`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: (_request, response) => json(response, [1], {
        headers: { 'x-from': 'upstream', 'cache-status': 'origin; hit' },
      }),
    });
    const first = await s.get('/posts');
    t.equal(first.cache, 'everfresh; fwd=uri-miss; stored');
    t.equal(first.headers.via, '1.1 everfresh');
    t.equal(
      first.headers['cache-status'],
      'origin; hit, everfresh; fwd=uri-miss; stored',
      'the upstream’s member stays',
    );
    const second = await s.get('/posts');
    t.match(second.cache, /^everfresh; hit; ttl=\d+$/);
    t.equal(second.body, first.body);
    t.equal(second.headers['x-from'], 'upstream');
    t.equal(second.headers.via, '1.1 everfresh');
    t.match(String(second.headers.age), /^\d+$/);
    t.strictSame(s.seen, ['GET /posts']);
  });

  t.test(`${form}: a client’s condition is answered from the cache`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: (_request, response) => json(response, [1], { headers: { etag: '"1"' } }),
    });
    const cold = await s.get('/posts', { 'if-none-match': '"1"' });
    t.equal(cold.status, 304, 'also where it had to be fetched first');
    t.equal(s.requests[0]!.headers['if-none-match'], undefined, 'the fill asked for all of it');
    const same = await s.get('/posts', { 'if-none-match': 'W/"1", "2"' });
    t.equal(same.status, 304);
    t.equal(same.body, '');
    t.equal(same.headers.etag, '"1"');
    t.match(same.cache, /hit/);
    t.equal((await s.get('/posts', { 'if-none-match': '"2"' })).status, 200);
    t.equal((await s.get('/posts', { 'if-none-match': '*' })).status, 304);
    const many = Array.from({ length: 200 }, (_, i) => `"x${i}"`).join(',');
    t.equal(
      (await s.get('/posts', { 'if-none-match': `${many},"1"` })).status,
      200,
      'a huge list is not read to its end',
    );
    t.equal(s.seen.length, 1);
  });

  t.test(`${form}: HEAD is answered from the cache and never fills it`, async (t) => {
    const s = await stage(t, {
      form, rules: RULES, script: (_request, response) => json(response, [1, 2]),
    });
    const cold = await s.send('HEAD', '/posts');
    t.match(cold.cache, /^everfresh; fwd=/);
    const filled = await s.get('/posts');
    t.equal(filled.cache, 'everfresh; fwd=uri-miss; stored', 'the HEAD left nothing');
    t.equal(filled.body, '[1,2]');
    const head = await s.send('HEAD', '/posts');
    t.match(head.cache, /hit/);
    t.equal(head.body, '');
    t.equal(head.headers['content-length'], '5');
    t.strictSame(s.seen, ['HEAD /posts', 'GET /posts']);
  });

  t.test(`${form}: a part is passed on a miss, and on a hit the whole is given`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script(request, response) {
        if (request.headers.range === undefined) return json(response, 'whole');
        response.writeHead(206, { 'content-range': 'bytes 0-0/7', 'content-length': 1 }).end('"');
      },
    });
    const many = `bytes=${Array.from({ length: 50 }, () => '0-0').join(',')}`;
    t.equal((await s.get('/posts', { range: 'bytes=0-0' })).status, 206);
    t.equal((await s.get('/posts')).body, '"whole"', 'a part is never taken for the whole');
    t.equal(s.requests[1]!.headers.range, undefined);
    const hit = await s.get('/posts', { range: many });
    t.equal(hit.status, 200);
    t.equal(hit.body, '"whole"');
  });

  t.test(`${form}: client_cache is told, but not where nothing may be kept`, async (t) => {
    let said = 'max-age=60';
    const s = await stage(t, {
      form,
      rules: RULES,
      script: (_request, response) => json(response, 1, {
        headers: { 'cache-control': said, etag: '"1"' },
      }),
    });
    t.equal((await s.get('/posts')).headers['cache-control'], 'max-age=60');
    t.equal((await s.get('/told')).headers['cache-control'], 'no-cache');
    const again = await s.get('/told');
    t.equal(again.headers['cache-control'], 'no-cache');
    t.equal(again.headers.etag, '"1"');
    said = 'private, no-store';
    t.equal((await s.get('/valued')).headers['cache-control'], said);
    t.equal((await s.get('/valued?again')).headers['cache-control'], said);
    said = 'max-age=60';
    t.equal((await s.get('/valued?other')).headers['cache-control'], 'public, max-age=5');
  });
}

t.test('the age counts what the upstream said and the time since', async (t) => {
  const clock = new VirtualClock();
  const s = await stage(t, {
    clock,
    rules: RULES,
    script: (_request, response) => json(response, 1, { headers: { age: '30' } }),
  });
  t.equal((await s.get('/posts')).headers.age, '30', 'passed on');
  clock.advance(12_000);
  const hit = await s.get('/posts');
  t.equal(hit.headers.age, '42');
  t.equal(hit.cache, 'everfresh; hit; ttl=3588', 'the operator’s hour began with the arrival');
});
