// Groups that the upstream names (RFC 9875): a write's answer ends all answers of a group, and what
// of them is in use is fetched again.
import t from 'tap';
import { FORMS, json, stage, until } from '../play.ts';

const RULES = `routes:
  /a: { GET: { ttl: 1h } }
  /b: { GET: { ttl: 1h } }
  /jobs: { POST: {} }
`;

for (const form of FORMS) {
  t.test(`${form}: a write ends the groups that its answer names`, async (t) => {
    let version = 0;
    const s = await stage(t, {
      form,
      rules: RULES,
      script({ method, url }, response) {
        if (method !== 'POST') {
          const groups = url === '/a' ? '"hot", "x"' : '"cold"';
          response.writeHead(200, { 'cache-groups': groups }).end(`${url} ${version}`);
          return;
        }
        version += 1;
        const refused = version === 1;
        const named = { 'cache-group-invalidation': '"hot"' };
        response.writeHead(refused ? 403 : 200, named).end();
      },
    });
    for (const path of ['/a', '/b']) await s.get(path);
    t.equal((await s.send('POST', '/jobs', {})).status, 403);
    t.equal((await s.get('/a')).body, '/a 0', 'a refused write ends nothing');
    t.match(await s.send('POST', '/jobs', {}), { status: 200, cache: /refreshing=1/ });
    t.equal((await s.get('/a')).body, '/a 2');
    t.equal((await s.get('/b')).body, '/b 0', 'of another group');
    await until(() => s.count('GET /a') === 2, 'it is fetched once more');
    t.equal(s.count('GET /b'), 1);
  });

  t.test(`${form}: a read ends no groups`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: (_, response) => response.writeHead(200, {
        'cache-groups': '"hot"', 'cache-group-invalidation': '"hot"',
      }).end(),
    });
    await s.get('/a');
    await s.get('/b');
    t.match((await s.get('/a')).cache, /hit/);
  });
}

t.test('a write ends all groups that it names, however many', async (t) => {
  const names = Array.from({ length: 40 }, (_, i) => `"g${i}"`).join(', ');
  const s = await stage(t, {
    script: (request, response) => json(response, 1, {
      headers: request.method === 'POST' ? { 'cache-group-invalidation': names }
        : { 'cache-control': 'max-age=60', 'cache-groups': '"g36"' },
    }),
  });
  await s.get('/x');
  t.match((await s.get('/x')).cache, /; hit/);
  await s.send('POST', '/y/z');
  await s.get('/x');
  t.equal(s.count('GET /x'), 2);
});
