// What one client alone has said, or what one query alone means, is never another's answer; nor is
// what a write has ended for one of those who share it.
import t from 'tap';
import { json, type Script, stage, type Stage } from '../play.ts';
import { VirtualClock } from '../virtual-clock.ts';

const SEARCH = { 'no-vary-search': 'params=("utm")' };

t.test('a shared answer that a write ended for one query is proven again', async (t) => {
  const validators: Record<string, string>[] = [
    { etag: 'W/"1"' },
    { 'last-modified': 'Wed, 31 Dec 2025 00:00:00 GMT', 'date': 'Thu, 01 Jan 2026 00:00:00 GMT' },
  ];
  for (const validator of validators) {
    for (const renews of ['GET', 'HEAD', 'behind']) {
      const clock = new VirtualClock();
      let version = 1;
      const s = await stage(t, {
        clock,
        rules: `routes:
  /s: { GET: { ttl: 10s${renews === 'behind' ? ', stale_while_revalidate: 1m' : ''} } }
  /one: { POST: { refresh: ["/s?q=1"] } }
`,
        script(request, response) {
          if (request.method === 'POST') return json(response, version += 1);
          const asked = request.headers['if-none-match'] ?? request.headers['if-modified-since'];
          const headers = { ...SEARCH, ...validator };
          if (asked !== undefined) return void response.writeHead(304, headers).end();
          json(response, version, { headers });
        },
      });
      await s.get('/s?q=1&utm=a');
      await s.send('POST', '/one');
      clock.advance(11_000);
      await s.send(renews === 'HEAD' ? 'HEAD' : 'GET', '/s?q=1&utm=a');
      if (renews === 'behind') await s.get('/s?q=1&utm=a');
      t.equal((await s.get('/s?q=1')).body, '2', `${renews} ${JSON.stringify(validator)}`);
    }
  }
});

t.test('all behind the first question mark is the query, in tags and in keys', async (t) => {
  let version = 1;
  const s = await stage(t, {
    rules: `routes:
  /a: { GET: { ttl: 1h, tags: ["u-{query.id}"] } }
  /w: { POST: { refresh: ["tag:u-{query.id}"] } }
  /s: { GET: { ttl: 1h } }
`,
    script(request, response) {
      if (request.method === 'POST') version += 1;
      json(response, `${version} ${request.url}`, { headers: SEARCH });
    },
  });
  await s.get('/a?id=a?b');
  await s.send('POST', '/w?id=a?b');
  t.equal((await s.get('/a?id=a?b')).body, '"2 /a?id=a?b"');
  await s.get('/s?q=a?b');
  t.equal((await s.get('/s?q=a?c')).body, '"2 /s?q=a?c"');
});

t.test('what a tag of the rule reads tells queries apart in any case', async (t) => {
  let version = 1;
  const s = await stage(t, {
    rules: `routes:
  /s: { GET: { ttl: 1h, tags: ["u-{query.id}"] } }
  /w: { POST: { refresh: ["tag:u-{query.id}"] } }
`,
    script(request, response) {
      if (request.method === 'POST') version += 1;
      json(response, version, { headers: { 'no-vary-search': 'params=("id")' } });
    },
  });
  await s.get('/s?id=8');
  await s.get('/s?id=7');
  await s.send('POST', '/w?id=7');
  t.equal((await s.get('/s?id=7')).body, '2');
});

t.test('queries are alike by the word of the answer that is given', async (t) => {
  const s = await stage(t, {
    rules: 'routes: { /s: { GET: { ttl: 1h } } }',
    script: (request, response) => json(response, request.url, {
      headers: { 'no-vary-search': request.url === '/s?q=2' ? 'params=("x")' : 'params=("utm")' },
    }),
  });
  await s.get('/s?q=1&utm=a');
  await s.get('/s?q=2');
  t.equal((await s.get('/s?q=1&x=9')).body, '"/s?q=1&x=9"');
});

t.test('what a Range or a condition of its own provoked is its client’s alone', async (t) => {
  const script: Script = (request, response) => {
    const { range, 'if-match': match, 'max-forwards': hops } = request.headers;
    const status = range !== undefined ? 416 : match !== undefined ? 412 : hops === '0' ? 400 : 200;
    json(response, status, { status, headers: { 'cache-control': 'public, max-age=60' } });
  };
  for (const own of [
    { range: 'bytes=9999-' }, { range: 'bytes=9999-', authorization: 'x' },
    { 'if-match': '"b"', 'authorization': 'x' }, { 'max-forwards': '0', 'cookie': 'a=b' },
  ] as Record<string, string>[]) {
    const s = await stage(t, { script });
    t.not((await s.get('/x', own)).status, 200);
    t.equal((await s.get('/x')).status, 200, JSON.stringify(own));
  }
});

t.test('an answer to a passed request is not kept where Vary names its way', async (t) => {
  const s = await stage(t, {
    rules: 'trust_proxy: [127.0.0.0/8]',
    script: (request, response) => json(response, request.headers['x-forwarded-for'] ?? 'none', {
      headers: { 'cache-control': 'public, max-age=60', 'vary': 'X-Forwarded-For' },
    }),
  });
  await s.get('/x', { 'authorization': 'x', 'x-forwarded-for': '1.1.1.1' });
  t.notMatch((await s.get('/x', { 'x-forwarded-for': '2.2.2.2' })).body, /1\.1\.1\.1/);
});

t.test('an Accept with two weights is like nothing but itself', async (t) => {
  const s = await stage(t, {
    script: (request, response) => json(response, request.headers.accept, {
      headers: { 'cache-control': 'max-age=60', 'vary': 'Accept' },
    }),
  });
  await s.get('/x', { accept: 'a/b;q=0;q=1, c/d;q=0.9' });
  t.equal((await s.get('/x', { accept: 'a/b, c/d;q=0.9' })).body, '"a/b, c/d;q=0.9"');
});

t.test('fields that are not kept reach the reader that fetches, however quick', async (t) => {
  const s = await stage(t, {
    script: (_request, response) => json(response, 1, {
      headers: { 'cache-control': 'max-age=60, private="x-mine"', 'x-mine': '1', 'x-all': '2' },
    }),
  });
  const mine = await s.get('/x');
  t.match(mine, { cache: /stored/, headers: { 'x-mine': '1', 'x-all': '2' } });
  const other = await s.get('/x');
  t.match(other.cache, /; hit/);
  t.same([other.headers['x-mine'], other.headers['x-all']], [undefined, '2']);
});

/** What is kept for ten seconds, and then said otherwise. */
async function saidOtherwise(
  t: Parameters<typeof stage>[0], next: (response: Parameters<Script>[1]) => void,
): Promise<{ s: Stage; clock: VirtualClock }> {
  const clock = new VirtualClock();
  let turn = 0;
  const s = await stage(t, {
    clock,
    script(_request, response) {
      turn += 1;
      if (turn > 1) return void next(response);
      json(response, 'old', {
        headers: { 'cache-control': 'max-age=10, stale-while-revalidate=86400', 'etag': '"1"' },
      });
    },
  });
  await s.get('/x');
  return { s, clock };
}

t.test('what the upstream says instead ends what is kept, also where it is not kept', async (t) => {
  for (const [status, headers] of [
    [404, {}], [200, { 'cache-control': 'private' }], [200, { 'cache-control': 'no-store' }],
    [304, { 'cache-control': 'private', 'etag': '"1"' }],
  ] as [number, Record<string, string>][]) {
    const { s } = await saidOtherwise(t, (response) => {
      if (status === 304) response.writeHead(304, headers).end();
      else json(response, 'new', { status, headers });
    });
    await s.get('/x', { 'cache-control': 'no-cache' });
    t.notMatch((await s.get('/x')).cache, /; hit/, `${status} ${JSON.stringify(headers)}`);
  }
  for (const status of [503, 429]) {
    const { s } = await saidOtherwise(t, (response) => json(response, 'new', { status }));
    await s.get('/x', { 'cache-control': 'no-cache' });
    t.match(await s.get('/x'), { body: '"old"', cache: /; hit/ }, `${status} is about the moment`);
  }
});

t.test('who wants nothing stale is given none, whatever fails', async (t) => {
  const clock = new VirtualClock();
  let fails = false;
  const s = await stage(t, {
    clock,
    script(request, response) {
      if (fails) return void request.socket.destroy();
      json(response, 'old', { headers: { 'cache-control': 'max-age=10, stale-if-error=60' } });
    },
  });
  await s.get('/x');
  clock.advance(20_000);
  fails = true;
  t.equal((await s.get('/x')).status, 200);
  for (const wants of ['max-age=5', 'no-cache']) {
    t.equal((await s.get('/x', { 'cache-control': wants })).status, 502, wants);
  }
  t.equal((await s.get('/x', { range: 'bytes=1-2' })).body, 'ol', 'a part is given as well');
});
