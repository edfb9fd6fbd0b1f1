// Section E: too much, too long, too slow, too often. Every size, count and wait has an end.
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { parseRules } from '../../src/core/rules/parse.ts';
import { compileMatcher } from '../../src/core/rules/match.ts';
import { until } from '../play.ts';
import { dial, front, type Front, ok, once, rawUpstream, type RawUpstream } from '../raw.ts';

const RULES = 'routes: { /posts: { GET: { ttl: 1h }, POST: { refresh: [/posts] } } }\n';

async function gateway(t: Test, rules = RULES): Promise<{ upstream: RawUpstream; s: Front }> {
  const upstream = await rawUpstream(t, (exchange) => exchange.write(ok('fine')));
  return { upstream, s: await front(t, upstream.url, { rules }) };
}

const get = (target: string, ...lines: string[]): string =>
  `${[`GET ${target} HTTP/1.1`, 'Host: a', ...lines].join('\r\n')}\r\n\r\n`;
const post = (length: number, ...lines: string[]): string =>
  [`POST /posts HTTP/1.1`, 'Host: a', ...lines, `Content-Length: ${length}`, '', ''].join('\r\n');

t.test('E56 a head of 17 KiB, or of 2,001 fields: 431', async (t) => {
  const { upstream, s } = await gateway(t);
  t.equal((await once(t, s.url, get('/posts', `X: ${'a'.repeat(17 * 1024)}`))).status, 431);
  const many = Array.from({ length: 2001 }, () => 'a: b');
  t.equal((await once(t, s.url, get('/posts', ...many))).status, 431);
  t.equal((await once(t, s.url, get('/posts', ...many.slice(0, 100)))).status, 431, '101 as well');
  t.same(upstream.seen, []);
  t.equal((await once(t, s.url, get('/posts', ...many.slice(0, 99)))).status, 200, '100 are taken');
});

t.test('E57 a head or a body that comes byte by byte: 408, closed', async (t) => {
  const limits = 'limits: { headers_timeout: 300ms, request_timeout: 600ms }\n';
  const { upstream, s } = await gateway(t, limits + RULES);
  for (const bytes of ['GET /po', 'GET /posts HTTP/1.1\r\nHost: a\r\nX: y', post(999) + 'a']) {
    const client = await dial(t, s.url);
    const drip = setInterval(() => client.write('a'), 50);
    t.teardown(() => clearInterval(drip));
    t.equal((await client.write(bytes).answer())?.status, 408, JSON.stringify(bytes));
    t.equal(await client.toTheEnd(), '');
    await client.closed;
    clearInterval(drip);
  }
  t.same(upstream.seen, []);
  t.equal(s.composed.gateway.writers.all, 0, 'no write is left open');
  const short = await front(t, upstream.url, { rules: 'limits: { request_timeout: 5s }\n' });
  t.equal((await once(t, short.url, get('/x'))).status, 200, 'the shorter bound of the two holds');
});

t.test('E58 a slow body of a write: no intent before it is here, 429 over the cap', async (t) => {
  const { upstream, s } = await gateway(t, `limits: { writes_per_client: 2 }\n${RULES}`);
  const { gateway: { store: { control }, writers } } = s.composed;
  const intended: string[] = [];
  const intend = control.intend.bind(control);
  control.intend = (id, tags) => {
    intended.push(id);
    return intend(id, tags);
  };
  const slow = [await dial(t, s.url), await dial(t, s.url)];
  for (const client of slow) client.write(post(4), 'ab');
  await until(() => writers.all === 2, 'both are under way');
  t.same(intended, [], 'neither holds an intent');
  const third = await once(t, s.url, post(0));
  t.equal(third.status, 429);
  t.ok(Number(third.values('retry-after')[0]) >= 1);
  t.same(upstream.seen, []);
  for (const client of slow) t.equal((await client.write('cd').answer())?.status, 200);
  t.equal(intended.length, 2);
  t.equal(writers.all, 0);
  t.equal((await once(t, s.url, post(0))).status, 200);
  const left = await dial(t, s.url);
  left.write(post(4), 'ab');
  await until(() => writers.all === 1, 'it is under way');
  left.reset();
  await until(() => writers.all === 0, 'who leaves is not counted any more');
  t.equal(upstream.count('POST /posts'), 3, 'and nothing of it was forwarded');
});

t.test('E59 a flood of writes that are refused: they touch nothing', async (t) => {
  const upstream = await rawUpstream(t, ({ line, write }) => write(line.startsWith('POST')
    ? 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n'
    : ok('fine')));
  const s = await front(t, upstream.url, { rules: RULES });
  await once(t, s.url, get('/posts'));
  const client = await dial(t, s.url);
  for (let i = 0; i < 100; i += 1) client.write(post(2), '{}');
  for (let i = 0; i < 100; i += 1) {
    if ((await client.answer())?.status !== 401) t.fail('a write was not refused');
  }
  t.match((await once(t, s.url, get('/posts'))).head, /everfresh; hit/);
  t.equal(upstream.count('GET /posts'), 1);
  t.match((await s.composed.metrics.text()).text, /not-applied.* 100\n/, 'they are counted');
});

t.test('E60 parameters at random: one key if they are named, else so many a minute', async (t) => {
  const limits = 'limits: { new_variants_per_minute: 5 }\n';
  const { upstream, s } = await gateway(t, `${limits}routes:
  /named: { GET: { ttl: 1h, query: [page] } }
  /any: { GET: { ttl: 1h } }
`);
  for (let i = 0; i < 20; i += 1) await once(t, s.url, get(`/named?r=${i}`));
  t.equal(upstream.seen.length, 1);
  t.same(upstream.seen, ['GET /named'], 'what is not named did not reach the upstream');
  for (let i = 0; i < 20; i += 1) await once(t, s.url, get(`/any?r=${i}`));
  const last = await once(t, s.url, get('/any?r=20'));
  t.match(last.head, /fwd=uri-miss; detail="too-many-variants"/);
  t.ok(s.composed.gateway.ledger.size <= 6, 'one and five are kept');
  t.match((await once(t, s.url, get('/any?r=0'))).head, /everfresh; hit/, 'the first still are');
});

t.test('E61 many variants of one route: no more than it may have are kept', async (t) => {
  const { s } = await gateway(t, 'routes: { /any: { GET: { ttl: 1h, max_variants: 5 } } }\n');
  for (let i = 0; i < 20; i += 1) await once(t, s.url, get(`/any?r=${i}`));
  t.equal(s.composed.gateway.ledger.size, 5);
  t.match((await once(t, s.url, get('/any?r=4'))).head, /everfresh; hit/);
  t.match((await once(t, s.url, get('/any?r=5'))).head, /detail="(too-many-variants|uncach)/);
});

t.test('E62 a bomb, or a chain of codings: passed on as received, never decoded', async (t) => {
  const bomb = gzipSync(Buffer.alloc(20 * 1024 * 1024)).toString('latin1');
  const chain = Array.from({ length: 100 }, () => 'Content-Encoding: gzip');
  const upstream = await rawUpstream(t, ({ line, write }) =>
    write(ok(bomb, ...(line === 'GET /chain' ? chain : ['Content-Encoding: gzip']))));
  const s = await front(t, upstream.url, { rules: 'routes: { "/*": { GET: { ttl: 1h } } }\n' });
  for (const target of ['/bomb', '/bomb', '/chain', '/chain']) {
    const answer = await once(t, s.url, get(target));
    t.ok(answer.body === bomb, `${target}: the same bytes`);
    t.equal(answer.values('content-encoding').length, target === '/chain' ? 100 : 1);
  }
  t.equal(upstream.count('GET /bomb'), 1, 'it was kept');
  const { text } = await s.composed.metrics.text();
  const kept = Number(/^everfresh_entry_bytes (\d+)$/m.exec(text)?.[1]);
  t.ok(kept < 4 * 1024 * 1024, `${kept} bytes, with all that keeping takes: never unfolded`);
});

t.test('E63 a body without an end: streamed, not kept, and nobody waits for it', async (t) => {
  const block = 'x'.repeat(64 * 1024);
  let sent = 0;
  const upstream = await rawUpstream(t, ({ socket, write }) => {
    write('HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\n');
    const pump = (): void => {
      while (!socket.destroyed && socket.write(block)) sent += block.length;
      sent += block.length;
    };
    socket.on('drain', pump);
    pump();
  });
  const rules = 'routes: { /endless: { GET: { ttl: 1h, max_body: 64kb } } }\n';
  const s = await front(t, upstream.url, { rules });
  const clients = await Promise.all([1, 2, 3].map(() => dial(t, s.url)));
  for (const client of clients) client.write(get('/endless'));
  for (const { socket } of clients) {
    const before = socket.bytesRead;
    await until(() => socket.bytesRead > before + 8 * 1024 * 1024, 'each reads on');
    socket.pause();
  }
  t.equal(upstream.connections, 3, 'each has an answer of its own');
  let before = -1;
  await until(async () => {
    const still = before === sent;
    before = sent;
    await new Promise<void>((resolve) => void setTimeout(resolve, 100));
    return still && before === sent;
  }, 'who does not read stops the upstream');
  const taken = clients.reduce((sum, { socket }) => sum + socket.bytesRead, 0);
  t.ok(sent - taken < 100 * 1024 * 1024, `${(sent - taken) >> 20} MiB are on their way`);
  for (const client of clients) client.reset();
  await until(() => upstream.open === 0, 'the upstream is let go');
  t.equal(s.composed.gateway.ledger.size, 0);
  t.equal(s.composed.gateway.flights.size, 0);
});

t.test('E64 names that objects have: they are names like others', async (t) => {
  const upstream = await rawUpstream(t, ({ line, write }) =>
    write(ok(JSON.stringify({ line }), '__proto__: a', 'constructor: b')));
  const s = await front(t, upstream.url, { rules: `routes:
  /posts/:id:
    GET:
      ttl: 1h
      query: [__proto__, constructor]
      headers: [__proto__]
      tags: ["t:{query.__proto__}"]
    POST: { refresh: ["/posts/{request.body.constructor}"] }
` });
  for (const target of ['/posts/__proto__?__proto__=1', '/posts/constructor?constructor=1']) {
    for (const value of ['x', 'y']) {
      t.match((await once(t, s.url, get(target, `__proto__: ${value}`))).head, /uri-miss/);
      const again = await once(t, s.url, get(target, `__proto__: ${value}`));
      const unkept = /tag-not-computable|uncacheable-lately/;
      t.match(again.head, target.includes('?__') ? /everfresh; hit/ : unkept);
      t.same(again.values('__proto__'), ['a']);
      t.same(again.values('constructor'), ['b']);
    }
  }
  const body = '{"__proto__":{"polluted":1}}';
  const write = post(body.length, 'Content-Type: application/json') + body;
  const wrote = await once(t, s.url, write.replace('/posts', '/posts/7'));
  t.equal(wrote.status, 200);
  const touched = await once(t, s.url, get('/posts/__proto__?__proto__=1', '__proto__: x'));
  t.notMatch(touched.head, /everfresh; hit; ttl=3600; x/);
  t.equal(({} as { polluted?: number }).polluted, undefined);
});

t.test('E65 a long path against many parameters: matched in one pass', async (t) => {
  const upstream = 'upstream: http://127.0.0.1:1\n';
  const parsed = parseRules(`${upstream}routes:
  /a/:b/c/:d/e/:f/*: { GET: { ttl: 1h } }
  /:a/:b/:c/:d/:e/:f/:g/:h/*: { GET: { ttl: 1h } }
`, { file: 'routes.yaml', env: {} });
  if (parsed.kind === 'wrong') throw new Error('it is well formed');
  const match = compileMatcher(parsed.config.routes);
  const timed = (segments: number): number => {
    const path = '/a'.repeat(segments);
    const from = process.hrtime.bigint();
    for (let i = 0; i < 50; i += 1) match(path);
    return Number(process.hrtime.bigint() - from) / 50e6;
  };
  timed(100);
  t.ok(timed(4000) < 20, 'milliseconds for a path of 4,000 segments');
  for (const path of ['/posts/:id(\\\\d+)', '/posts/(a+)+', '/^posts$']) {
    const wrong = parseRules(`${upstream}routes: { "${path}": { GET: { ttl: 1h } } }\n`, {
      file: 'routes.yaml', env: {},
    });
    const literal = wrong.kind === 'ok' && compileMatcher(wrong.config.routes)('/posts/aaaa');
    t.notOk(literal, `${path} is refused, or means itself`);
  }
});

t.test('E66 a write that reaches very much: so many are fetched again, not the rest', async (t) => {
  let running = 0;
  let most = 0;
  const upstream = await rawUpstream(t, async ({ line, write }) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise<void>((resolve) => void setImmediate(resolve));
    running -= 1;
    write(ok(line));
  });
  const s = await front(t, upstream.url, { rules: `routes:
  /posts:
    GET: { ttl: 1h, keep_fresh: { top: 10, concurrency: 2 } }
    POST: { refresh: [/posts], wait: true }
` });
  for (let i = 0; i < 60; i += 1) await once(t, s.url, get(`/posts?page=${i}`));
  most = 0;
  t.equal((await once(t, s.url, post(0))).status, 200);
  await until(() => s.composed.gateway.refresher.backlog.running === 0, 'all refreshes are over');
  t.equal(upstream.seen.length, 60 + 1 + 10);
  t.ok(most <= 2, `${most} at once`);
  let misses = 0;
  for (let i = 0; i < 60; i += 1) {
    const { head } = await once(t, s.url, get(`/posts?page=${i}`));
    if (/touched/.test(head)) misses += 1;
  }
  t.equal(misses, 50, 'what was not refreshed is not used');
});
