// What the upstream is shown when a shared entry is filled, and what of it is in the key: never
// one without the other.
import t from 'tap';
import { FORMS, json, stage } from '../play.ts';

const RULES = `
routes:
  /listed:
    GET: { ttl: 1h, headers: [x-tenant] }
  /ttl:
    GET: { ttl: 1h }
  /http:
    GET: {}
`;
const BENDING = [
  'x-forwarded-host', 'x-forwarded-scheme', 'x-forwarded-proto', 'x-forwarded-port',
  'x-forwarded-prefix', 'x-forwarded-for', 'forwarded', 'x-original-url', 'x-rewrite-url',
  'x-http-method-override',
  'x-http-method', 'x-method-override', 'x-host', 'x-real-ip',
];

for (const form of FORMS) {
  t.test(`${form}: fields that bend a request never reach the upstream on a fill`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: ({ headers }, response) => json(
        response, headers, { headers: { 'cache-control': 'max-age=60' } },
      ),
    });
    const evil = Object.fromEntries(BENDING.map((name) => [name, 'evil']));
    for (const path of ['/listed', '/ttl', '/http']) {
      t.notMatch(
        (await s.get(path, { ...evil, age: '9', 'x-cache': 'evil', 'cache-status': 'evil' })).body,
        /evil/,
        path,
      );
      t.match((await s.get(path)).cache, /hit/, 'and they are in no key');
    }
    t.ok(
      s.requests.every(({ headers }) => headers.host === new URL(s.upstreamUrl).host),
      'the upstream sees its own name',
    );
    t.ok(s.requests.every(({ headers }) => headers.via === '1.1 everfresh'));
  });

  t.test(`${form}: headers that are given are keyed and shown, the rest is withheld`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: ({ headers }, response) => json(
        response, headers['x-tenant'] ?? 'none', { headers: { vary: 'X-Other, User-Agent' } },
      ),
    });
    t.equal(
      (await s.get('/listed', { 'x-tenant': 'a', 'x-other': '1', 'user-agent': 'u' })).body, '"a"',
    );
    const { headers } = s.requests[0]!;
    t.strictSame(
      [headers['x-tenant'], headers['x-other'], headers['user-agent']], ['a', undefined, undefined],
    );
    t.match(
      (await s.get('/listed', { 'x-tenant': 'a', 'x-other': '2' })).cache,
      /hit/,
      'a Vary on what was withheld is harmless',
    );
    t.equal((await s.get('/listed', { 'x-tenant': 'b' })).body, '"b"');
    t.equal((await s.get('/listed')).body, '"none"');
    t.equal((await s.get('/listed', { 'x-tenant': '' })).body, '""', 'empty is not absent');
    t.equal(s.seen.length, 4);
  });

  t.test(`${form}: not given, with a ttl, every field counts that may matter`, async (t) => {
    const s = await stage(t, {
      form, rules: RULES, script: ({ headers }, response) => json(response, headers),
    });
    const harmless = {
      'user-agent': 'u', referer: '/x', 'sec-fetch-mode': 'cors', 'x-correlation-id': '1', dnt: '1',
    };
    const { body } = await s.get('/ttl', { ...harmless, 'x-api-version': '2' });
    const shown = JSON.parse(body) as Record<string, string>;
    t.equal(shown['x-api-version'], '2');
    for (const name of Object.keys(harmless)) t.equal(
      shown[name], undefined, `${name} is withheld`,
    );
    t.match((await s.get('/ttl', { 'x-api-version': '2', 'user-agent': 'other' })).cache, /hit/);
    t.match((await s.get('/ttl', { 'x-api-version': '3' })).cache, /uri-miss; stored/);
    t.match((await s.get('/ttl')).cache, /uri-miss; stored/);
  });

  t.test(`${form}: not given, without a ttl, all is shown and Vary decides`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: ({ headers }, response) => json(
        response,
        headers['x-lang'] ?? '-',
        { headers: { 'cache-control': 'max-age=60', vary: 'X-Lang' } },
      ),
    });
    t.equal((await s.get('/http', { 'x-lang': 'de', 'user-agent': 'u' })).body, '"de"');
    t.equal(s.requests[0]!.headers['user-agent'], 'u');
    t.match((await s.get('/http', { 'x-lang': 'de', 'user-agent': 'v' })).cache, /hit/);
    t.equal((await s.get('/http', { 'x-lang': 'en' })).cache, 'everfresh; fwd=vary-miss; stored');
    t.equal((await s.get('/http')).body, '"-"');
  });

  t.test(`${form}: codings are asked for in a closed list`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: ({ headers }, response) => json(
        response, headers['accept-encoding'] ?? 'none', { headers: { vary: 'Accept-Encoding' } },
      ),
    });
    const long = Array.from({ length: 500 }, () => 'x;q=1').join(',');
    t.equal((await s.get('/ttl', { 'accept-encoding': `gzip, ${long}` })).body, '"gzip"');
    t.match((await s.get('/ttl', { 'accept-encoding': 'x-gzip' })).cache, /hit/);
    t.match((await s.get('/ttl', { 'accept-encoding': 'br' })).cache, /vary-miss/);
  });

  t.test(`${form}: a reader’s trace follows the fetch and is in no key`, async (t) => {
    const s = await stage(t, {
      form, rules: RULES, script: (_request, response) => json(response, 1),
    });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await s.get('/ttl', { traceparent, 'x-request-id': 'alice-secret' });
    t.equal(s.requests[0]!.headers['traceparent'], traceparent);
    t.match(s.requests[0]!.headers['x-request-id'], /^[0-9a-f]{32}$/, 'says nothing of its own');
    await s.get('/http?x', { 'x-request-id': 'abc' });
    t.equal(s.requests[1]!.headers['x-request-id'], 'abc', 'once');
    await s.get('/ttl?2', { traceparent: '"><script>' });
    t.equal(s.requests[2]!.headers['traceparent'], undefined);
  });
}
