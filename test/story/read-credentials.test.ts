// Who asks: requests that say so are passed, and what is shared is shared by somebody's word only.
import t from 'tap';
import { FORMS, json, stage } from '../play.ts';

const RULES = `
routes:
  /posts:
    GET: { ttl: 1h, query: [page] }
  /http:
    GET: {}
  /all:
    GET: { ttl: 1h, per: everyone }
`;
const WHO: Record<string, string>[] = [
  { authorization: 'Bearer a' }, { cookie: 'sid=a' }, { 'x-api-key': 'a' }, { 'x-auth-token': 'a' },
];

for (const form of FORMS) {
  t.test(`${form}: who says who asks neither reads nor fills shared entries`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: ({ headers }, response) => json(
        response,
        headers.authorization ?? headers.cookie ?? headers['x-api-key']
          ?? headers['x-auth-token'] ?? 'nobody',
      ),
    });
    for (const who of WHO) {
      const reply = await s.get('/posts', who);
      t.equal(reply.cache, 'everfresh; fwd=bypass; detail="credentials"');
      t.equal(reply.body, JSON.stringify(Object.values(who)[0]), 'the credential arrived');
    }
    t.equal(
      (await s.get('/posts')).cache, 'everfresh; fwd=uri-miss; stored', 'nothing had been filled',
    );
    for (const who of WHO) t.not((await s.get('/posts', who)).body, '"nobody"', 'nor is it read');
    t.equal((await s.get('/posts')).body, '"nobody"');
  });

  t.test(`${form}: the upstream’s word shares an answer that was passed`, async (t) => {
    let said = '';
    const s = await stage(t, {
      form,
      rules: RULES,
      script: (_request, response) => json(response, 1, { headers: { 'cache-control': said } }),
    });
    type Who = Record<string, string>;
    const shared = async (path: string, first: Who, then: Who): Promise<boolean> => {
      await s.get(path, first);
      return /hit/.test((await s.get(path, then)).cache);
    };
    for (said of ['public, max-age=60', 's-maxage=60']) {
      t.ok(await shared(`/http?${said.length}`, { authorization: 'a' }, {}), said);
      t.ok(await shared(`/http?${said.length}b`, { cookie: 'sid=a' }, { cookie: 'sid=b' }), said);
      t.ok(
        await shared(`/posts?page=${said.length}`, { cookie: 'sid=a' }, {}), `${said} under a ttl`,
      );
      const odd = { cookie: 'sid=a', 'user-agent': 'odd' };
      t.notOk(await shared(`/posts?page=odd${said.length}`, odd, {}), 'no fill would show it');
    }
    said = 'max-age=60, must-revalidate';
    t.ok(
      await shared('/http?a', { authorization: 'a' }, { authorization: 'b' }),
      'for Authorization alone',
    );
    t.notOk(await shared('/http?b', { cookie: 'sid=a' }, { cookie: 'sid=a' }), 'not for a cookie');
    t.notOk(
      await shared('/posts?page=r', { authorization: 'a' }, { authorization: 'a' }),
      'not under a ttl',
    );
    said = 'max-age=60';
    t.notOk(
      await shared('/http?c', { authorization: 'a' }, { authorization: 'a' }),
      'silence shares nothing',
    );
  });

  t.test(`${form}: what no key holds poisons no answer that is shared`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: (request, response) => json(
        response,
        [request.url, request.headers],
        { headers: { 'cache-control': 'public, max-age=60' } },
      ),
    });
    const who = { authorization: 'evil' };
    await s.get('/posts?page=1&callback=evil', who);
    for (const name of [
      'x-forwarded-prefix', 'x-original-url', 'x-http-method-override', 'x-forwarded-scheme',
      'x-host',
    ]) {
      await s.get('/http', { ...who, [name]: 'evil' });
    }
    await s.get('/http?host', { ...who, host: 'evil.example' });
    for (const path of ['/posts?page=1', '/http', '/http?host']) {
      const { body, cache } = await s.get(path);
      t.notMatch(body.replaceAll('"authorization":"evil"', ''), /evil/, `${path}: ${cache}`);
    }
  });

  t.test(`${form}: what differs by who asks is not taken for everybody’s`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: ({ headers }, response) => json(
        response,
        headers.cookie ?? 'nobody',
        { headers: { 'cache-control': 'public, max-age=60', vary: 'Cookie' } },
      ),
    });
    for (const path of ['/http', '/posts']) {
      for (const cookie of ['sid=a', 'sid=b', 'sid=a']) t.equal(
        (await s.get(path, { cookie })).body, `"${cookie}"`, path,
      );
      t.equal((await s.get(path)).body, '"nobody"', path);
      for (const cookie of ['sid=c', 'sid=a']) t.equal(
        (await s.get(path, { cookie })).body, `"${cookie}"`, `${path} after nobody’s`,
      );
    }
  });

  t.test(`${form}: per: everyone withholds credentials, unless the upstream insists`, async (t) => {
    let insists = false;
    const s = await stage(t, {
      form,
      rules: RULES,
      script({ headers }, response) {
        if (!insists || headers.authorization !== undefined) return json(
          response, headers.authorization ?? 'all',
        );
        json(response, 'who?', { status: 401, headers: { 'cache-control': 'max-age=60' } });
      },
    });
    t.equal(
      (await s.get('/all', { authorization: 'a', cookie: 'sid=1', 'x-api-key': 'k' })).cache,
      'everfresh; fwd=uri-miss; stored',
    );
    const { headers } = s.requests[0]!;
    t.strictSame(
      [headers['authorization'], headers['cookie'], headers['x-api-key']],
      [undefined, undefined, undefined],
    );
    t.match((await s.get('/all', { authorization: 'b' })).cache, /hit/);
    insists = true;
    for (const who of ['a', 'b']) {
      const told = await s.get('/all?me', { authorization: who });
      t.equal(told.status, 200);
      t.equal(told.body, `"${who}"`);
    }
    t.equal((await s.get('/all?me')).status, 401);
  });

  t.test(`${form}: where cookies are named others neither count nor arrive`, async (t) => {
    const rules = `credentials: { headers: [x-who], cookies: [sid] }\n${RULES}`;
    const s = await stage(t, {
      form,
      rules,
      script: ({ headers }, response) => json(
        response,
        headers.cookie ?? 'none',
        { headers: { 'cache-control': 'max-age=60', vary: 'Cookie' } },
      ),
    });
    for (const path of ['/posts', '/http']) {
      const first = await s.get(path, { cookie: '_ga=1; lang=de' });
      t.match(first.cache, /stored/);
      t.equal(first.body, '"none"');
      t.match(
        (await s.get(path, { cookie: '_ga=2' })).cache,
        /hit/,
        'an analytics cookie ends no caching',
      );
      t.equal(
        (await s.get(path, { cookie: '_ga=2; sid=9' })).body,
        '"_ga=2; sid=9"',
        'one that is named does',
      );
      t.match((await s.get(path, { 'x-who': 'me' })).cache, /credentials/);
    }
  });
}
