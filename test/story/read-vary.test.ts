// Answers that differ by request fields: several variants side by side, each given only to those
// who asked alike.
import t from 'tap';
import { gzipSync } from 'node:zlib';
import { FORMS, json, stage } from '../play.ts';

const RULES = `
routes:
  /posts:
    GET: { ttl: 1h }
  /http:
    GET: {}
`;

for (const form of FORMS) {
  t.test(`${form}: variants stand side by side`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: ({ headers }, response) => json(
        response, headers['accept-language'] ?? '-', { headers: { vary: 'Accept-Language' } },
      ),
    });
    for (const language of ['de', 'en', 'de, en;q=0.5']) {
      t.equal((await s.get('/posts', { 'accept-language': language })).body, `"${language}"`);
    }
    t.equal((await s.get('/posts')).body, '"-"');
    for (const language of ['DE', 'en', 'de,en; q=0.500']) {
      t.match((await s.get('/posts', { 'accept-language': language })).cache, /hit/, language);
    }
    t.equal(s.seen.length, 4);
  });

  t.test(`${form}: json-server’s Vary keeps origins and codings apart and is kept`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: ({ headers }, response) => json(response, 1, {
        headers: {
          vary: 'Origin, Accept-Encoding',
          'access-control-allow-origin': headers.origin ?? '*',
          'cache-control': 'no-cache',
          pragma: 'no-cache',
          expires: '-1',
        },
      }),
    });
    for (const origin of ['http://a.example', 'http://b.example']) {
      t.equal((await s.get('/posts', { origin })).headers['access-control-allow-origin'], origin);
      const hit = await s.get('/posts', { origin });
      t.match(hit.cache, /hit/);
      t.equal(hit.headers['access-control-allow-origin'], origin);
    }
    t.equal((await s.get('/posts')).headers['access-control-allow-origin'], '*');
  });

  t.test(`${form}: a coded body without Vary goes only to those who asked alike`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script({ headers }, response) {
        if (!/gzip/.test(headers['accept-encoding'] ?? '')) return json(response, 'plain');
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('"coded"'));
      },
    });
    t.equal(
      (await s.get('/posts', { 'accept-encoding': 'gzip' })).headers['content-encoding'], 'gzip',
    );
    const plain = await s.get('/posts');
    t.equal(plain.headers['content-encoding'], undefined);
    t.equal(plain.body, '"plain"');
    t.match((await s.get('/posts', { 'accept-encoding': 'gzip' })).cache, /hit/);
    t.match((await s.get('/posts', { 'accept-encoding': 'br' })).cache, /vary-miss/);
  });

  t.test(`${form}: what the fields are called may change between answers`, async (t) => {
    let vary: string | undefined;
    const s = await stage(t, {
      form,
      rules: RULES,
      script: ({ headers }, response) => json(
        response,
        `${headers.accept ?? ''}|${headers['accept-language'] ?? ''}`,
        { headers: vary === undefined ? {} : { vary } },
      ),
    });
    const as = (accept: string, language: string): Record<string, string> => ({
      accept, 'accept-language': language,
    });
    vary = 'Accept';
    await s.get('/posts', as('a/x', 'de'));
    t.match((await s.get('/posts', as('a/x', 'en'))).cache, /hit/, 'told apart by Accept alone');
    vary = 'Accept-Language';
    t.equal((await s.get('/posts', as('b/x', 'de'))).body, '"b/x|de"');
    t.equal((await s.get('/posts', as('b/x', 'en'))).body, '"b/x|en"', 'and now by both');
    t.equal((await s.get('/posts', as('a/x', 'en'))).body, '"a/x|en"');
    vary = undefined;
    t.equal((await s.get('/posts', as('c/x', 'fr'))).body, '"c/x|fr"');
    t.equal(
      (await s.get('/posts', as('b/x', 'en'))).body, '"b/x|en"', 'what was told apart stays apart',
    );
  });

  t.test(`${form}: Vary: * is not kept`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: (_request, response) => json(response, 1, { headers: { vary: 'Accept, *' } }),
    });
    await s.get('/posts');
    t.match((await s.get('/posts')).cache, /upstream-vary/);
    t.equal(s.seen.length, 2);
  });
}
