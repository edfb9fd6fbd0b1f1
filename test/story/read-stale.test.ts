// What is past its time: fetched again by its validator, given while it is fetched, or given when
// the upstream fails; and never any of that past a write.
import t from 'tap';
import { Barrier, json, stage, until } from '../play.ts';
import { VirtualClock } from '../virtual-clock.ts';

const rules = (options: string): string => `
routes:
  /posts:
    GET:  { ttl: 10s${options} }
    POST: { purge: [/posts] }
`;

t.test('an answer that still holds is freshened by a 304', async (t) => {
  const clock = new VirtualClock();
  let etag = '"1"';
  const s = await stage(t, {
    clock,
    rules: rules(''),
    script(request, response) {
      if (request.headers['if-none-match'] !== etag) return json(
        response, `body of ${etag}`, { headers: { etag, 'x-turn': 'first' } },
      );
      response.writeHead(304, { etag, 'x-turn': 'again' }).end();
    },
  });
  const first = await s.get('/posts');
  clock.advance(11_000);
  const again = await s.get('/posts');
  t.equal(again.cache, 'everfresh; fwd=stale; fwd-status=304; stored');
  t.equal(again.status, 200);
  t.equal(again.body, first.body);
  t.equal(again.headers['x-turn'], 'again', 'the fields of the 304 are taken in');
  const hit = await s.get('/posts');
  t.equal(hit.cache, 'everfresh; hit; ttl=10');
  t.equal(hit.headers['x-turn'], 'again');
  t.equal(s.seen.length, 2);
  const { text } = await s.composed!.metrics.text();
  t.match(
    text, /upstream_requests_total\{[^}]*cause="revalidate"[^}]*\} 1\n/, 'counted as what it is',
  );
  clock.advance(11_000);
  etag = '"2"';
  t.equal((await s.get('/posts')).body, '"body of \\"2\\""', 'and replaced when it doesn’t hold');
});

t.test('after a write only a strong validator counts', async (t) => {
  let fields: Record<string, string> = { etag: 'W/"1"' };
  const s = await stage(t, {
    rules: rules(''),
    script: (request, response) => json(response, 1, {
      headers: request.method === 'GET' ? fields : {},
    }),
  });
  for (const [given, sent] of [
    [{ etag: 'W/"1"' }, undefined],
    [{ 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT' }, undefined],
    [{ etag: '"1"' }, '"1"'],
  ] as [Record<string, string>, string | undefined][]) {
    fields = given;
    await s.send('POST', '/posts');
    await s.get('/posts');
    await s.send('POST', '/posts');
    await s.get('/posts');
    const { headers } = s.requests.at(-1)!;
    t.equal(headers['if-none-match'], sent);
    t.equal(headers['if-modified-since'], undefined);
  }
});

t.test('stale_while_revalidate gives the stale answer and fetches once behind it', async (t) => {
  const clock = new VirtualClock();
  const slow = new Barrier();
  let turn = 0;
  const s = await stage(t, {
    clock,
    rules: rules(', stale_while_revalidate: 1m'),
    async script(_request, response) {
      turn += 1;
      if (turn === 2) await slow.pass();
      json(response, turn);
    },
  });
  await s.get('/posts');
  clock.advance(12_000);
  const stale = await s.get('/posts');
  t.equal(stale.cache, 'everfresh; hit; ttl=-2; detail="stale-while-revalidate"');
  t.equal(stale.headers.age, '12');
  await slow.reached;
  t.equal((await s.get('/posts')).body, '1');
  t.equal(s.seen.length, 2, 'one fetch for all who read meanwhile');
  slow.open();
  await until(async () => (await s.get('/posts')).body === '2', 'the new one is there');
  clock.advance(10_000 + 60_000);
  t.equal((await s.get('/posts')).body, '3', 'past its time nothing stale is given');
});

t.test('stale answers are never given past a write', async (t) => {
  const clock = new VirtualClock();
  let value = 'old';
  let fails = false;
  const s = await stage(t, {
    clock,
    rules: rules(', stale_while_revalidate: 1h, stale_if_error: 1h'),
    script(request, response) {
      if (request.method === 'POST') value = 'new';
      json(response, value, { status: fails ? 503 : 200 });
    },
  });
  await s.get('/posts');
  clock.advance(20_000);
  await s.send('POST', '/posts');
  fails = true;
  t.equal((await s.get('/posts')).status, 503, 'rather an error than the old');
  fails = false;
  t.equal((await s.get('/posts')).body, '"new"');
});

t.test('stale_if_error gives the stale answer when the upstream fails', async (t) => {
  const clock = new VirtualClock();
  let fails: 'no' | 'status' | 'reset' = 'no';
  const s = await stage(t, {
    clock,
    rules: rules(', stale_if_error: 1m'),
    script(request, response) {
      if (fails === 'reset') return request.socket.destroy();
      json(response, 1, { status: fails === 'status' ? 500 : 200 });
    },
  });
  await s.get('/posts');
  clock.advance(11_000);
  for (fails of ['status', 'reset'] as const) {
    const reply = await s.get('/posts');
    t.equal(reply.status, 200, fails);
    t.equal(reply.cache, 'everfresh; hit; ttl=-1; detail="stale-if-error"');
  }
  clock.advance(60_000);
  t.equal((await s.get('/posts')).status, 502, 'too old');
  fails = 'status';
  t.equal((await s.get('/posts?cold')).status, 500, 'and nothing to give');
});

t.test('the upstream’s own stale-if-error counts, unless it must revalidate', async (t) => {
  const clock = new VirtualClock();
  let said = 'max-age=1, stale-if-error=60';
  let fails = false;
  const s = await stage(t, {
    clock,
    script: (_request, response) => json(response, 1, {
      status: fails ? 500 : 200, headers: { 'cache-control': said },
    }),
  });
  for (const [words, status] of [
    [said, 200], [`${said}, must-revalidate`, 500], ['max-age=1', 500],
  ] as const) {
    said = words;
    fails = false;
    await s.get(`/x?${status}${words.length}`);
    clock.advance(2000);
    fails = true;
    t.equal((await s.get(`/x?${status}${words.length}`)).status, status, words);
  }
});

t.test('whom nobody reaches is stood in for, where nothing forbids it', async (t) => {
  const clock = new VirtualClock();
  let [said, gone] = ['', false];
  const s = await stage(t, {
    clock,
    script(request, response) {
      if (gone) return request.socket.destroy();
      return json(response, 1, { headers: { 'cache-control': said } });
    },
  });
  const after = async (words: string, ms: number, headers = {}): Promise<string> => {
    [said, gone] = [words, false];
    const path = `/x?${clock.mono()}`;
    await s.get(path);
    clock.advance(ms);
    gone = true;
    const { status, cache } = await s.get(path, headers);
    return status === 200 ? /detail="([^"]+)"/.exec(cache)![1]! : String(status);
  };
  t.equal(await after('max-age=1', 2000), 'disconnected');
  t.equal(await after('max-age=1', 23 * 3_600_000), 'disconnected');
  t.equal(await after('max-age=1', 25 * 3_600_000), '502', 'for a day at most');
  for (const words of ['must-revalidate', 'proxy-revalidate', 's-maxage=1', 'no-cache="a"']) {
    const forbids = words !== 'no-cache="a"';
    t.equal(await after(`max-age=1, ${words}`, 2000), forbids ? '502' : 'disconnected', words);
  }
  t.equal(await after('max-age=1', 2000, { 'cache-control': 'no-cache' }), '502', 'nor the client');
});

t.test('nobody who cannot be reached is stood in for by what a write has ended', async (t) => {
  const clock = new VirtualClock();
  let gone = false;
  const s = await stage(t, {
    clock,
    script(request, response) {
      if (gone && request.method === 'GET') return request.socket.destroy();
      return json(response, 1, { headers: { 'cache-control': 'max-age=60' } });
    },
  });
  await s.get('/posts');
  gone = true;
  await s.send('POST', '/posts');
  t.equal((await s.get('/posts')).status, 502);
});

t.test('after a write a weak tag that matches a strong one proves nothing', async (t) => {
  let etag = '"1"';
  const s = await stage(t, {
    rules: rules(''),
    script(request, response) {
      if (request.method === 'POST') return json(response, etag = 'W/"1"');
      if (request.headers['if-none-match'] === '"1"') {
        return void response.writeHead(304, { etag }).end();
      }
      json(response, etag, { headers: { etag } });
    },
  });
  await s.get('/posts');
  await s.send('POST', '/posts');
  t.equal((await s.get('/posts')).body, '"W/\\"1\\""');
});
