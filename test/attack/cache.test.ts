// Section C: what would put a wrong answer under a right key, or a reader's own answer before
// others. Whatever reaches the upstream on a fetch that fills the cache is in the key, or decides
// nothing.
import t, { type Test } from 'tap';
import {
  type Exchange, front, type Front, ok, once, rawUpstream, type RawUpstream,
} from '../raw.ts';

const RULES = `conventions: off
routes:
  /posts:   { GET: { ttl: 1h } }
  /listed:  { GET: { ttl: 1h, query: [page] } }
  /free:    { GET: { ttl: 1h, order: free } }
  /account: { GET: { ttl: 1h } }
  /http:    { GET: {} }
`;

const numbered = ({ write, head }: Exchange): void =>
  write(head.startsWith('HEAD') ? ok('', 'X-Body: none') : ok('answer'));

async function gateway(
  t: Test, script: (exchange: Exchange) => unknown = numbered,
): Promise<{ upstream: RawUpstream; s: Front }> {
  const upstream = await rawUpstream(t, script);
  return { upstream, s: await front(t, upstream.url, { rules: RULES }) };
}

const request = (line: string, ...lines: string[]): string =>
  `${[`${line} HTTP/1.1`, 'Host: a', ...lines].join('\r\n')}\r\n\r\n`;
const get = (target: string, ...lines: string[]): string => request(`GET ${target}`, ...lines);
const isHit = ({ head }: { head: string }): boolean => /everfresh; hit/.test(head);

t.test('C33 fields that override host, path or method: not shown to the upstream', async (t) => {
  const { upstream, s } = await gateway(t);
  const names = [
    'X-Forwarded-Host', 'X-Forwarded-Scheme', 'X-Forwarded-Proto', 'X-Forwarded-Port',
    'X-Forwarded-Prefix', 'X-Forwarded-Server', 'Forwarded', 'X-Original-URL', 'X-Rewrite-URL',
    'X-Original-Host', 'X-Host', 'X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override',
    'X-Real-IP', 'True-Client-IP', 'CF-Connecting-IP', 'X-HTTP-Host-Override',
  ];
  for (const [i, name] of names.entries()) {
    await once(t, s.url, get(`/posts?${i}`, `${name}: evil.test`));
    await once(t, s.url, get(`/http?${i}`, `${name}: evil.test`));
  }
  t.equal(upstream.exchanges.length, names.length * 2);
  for (const { head } of upstream.exchanges) t.notMatch(head, /evil\.test/);
});

t.test('C34 a GET with a body: passed with it, neither kept nor answered', async (t) => {
  const { upstream, s } = await gateway(t);
  const fat = `${get('/posts', 'Content-Length: 4')}evil`;
  await once(t, s.url, fat);
  t.equal(upstream.exchanges[0]!.body, 'evil');
  t.notOk(isHit(await once(t, s.url, get('/posts'))));
  t.ok(isHit(await once(t, s.url, get('/posts'))));
  t.notOk(isHit(await once(t, s.url, fat)));
});

t.test('C35 parameters cloaked, repeated, in brackets: keyed as forwarded', async (t) => {
  const { upstream, s } = await gateway(t);
  const queries = [
    'utm_x=a;callback=evil', 'utm_x=a', 'a=1&a=2', 'a=2&a=1', 'a%5B%5D=1', 'a%5b%5d=1', 'a=1',
    'A=1', 'a=1&', '&a=1', 'a', 'a=', '',
  ];
  for (const query of queries) await once(t, s.url, get(`/posts?${query}`));
  t.same(upstream.seen, queries.map((query) => `GET /posts?${query}`), 'no two are one');
  upstream.seen.length = 0;
  await once(t, s.url, get('/listed?evil=1&page=1;x=2&Page=3'));
  await once(t, s.url, get('/listed?page=1%3Bx=2&evil=2'));
  t.same(upstream.seen, ['GET /listed?page=1;x=2', 'GET /listed?page=1%3Bx=2']);
});

t.test('C36 parameters in another order: two keys, unless order is free', async (t) => {
  const { upstream, s } = await gateway(t);
  for (const path of ['/posts', '/free']) {
    for (const query of ['b=2&a=1', 'a=1&b=2']) await once(t, s.url, get(`${path}?${query}`));
  }
  t.same(upstream.seen, ['GET /posts?b=2&a=1', 'GET /posts?a=1&b=2', 'GET /free?a=1&b=2']);
});

t.test('C37 fields that change the answer: keyed or not shown, else not kept', async (t) => {
  const { upstream, s } = await gateway(t, ({ head, write }) =>
    write(ok('x', ...(head.includes('/posts?any') ? ['Vary: *'] : []))));
  await once(t, s.url, get('/posts', 'User-Agent: evil'));
  t.notMatch(upstream.exchanges[0]!.head, /evil/, 'what decides nothing is not shown');
  for (const value of ['one', 'two', 'one']) await once(t, s.url, get('/posts', `X-Any: ${value}`));
  t.equal(upstream.seen.length, 3, 'what is shown is keyed');
  for (let i = 0; i < 2; i += 1) t.notOk(isHit(await once(t, s.url, get('/posts?any'))), 'Vary: *');
});

t.test('C38 Authorization, or a cookie: passed, kept for nobody else', async (t) => {
  const { upstream, s } = await gateway(t, ({ head, write }) =>
    write(ok(/^(?:authorization|cookie): /im.test(head) ? 'private' : 'public')));
  for (const field of ['Authorization: Bearer mine', 'Cookie: sid=mine', 'X-Api-Key: mine']) {
    for (const path of ['/posts', '/http']) {
      const own = await once(t, s.url, get(path, field));
      t.notOk(isHit(own), `${path} ${field}`);
      if (field.startsWith('X-')) continue;
      t.equal(own.body, 'private');
    }
  }
  t.equal((await once(t, s.url, get('/posts'))).body, 'public');
  t.equal((await once(t, s.url, get('/posts'))).body, 'public');
  t.equal(upstream.seen.length, 7);
});

t.test('C39 a path that looks like a file: kept by route, never by its name', async (t) => {
  const { upstream, s } = await gateway(t);
  const paths = [
    '/account/x.css', '/account;x.js', '/account%2fx.css', '/account%3Bx.js', '/account/.js',
    '/account%00.css', '/account%0Ax.png', '/account.css', '/static/app.js', '/account/',
    '//account',
  ];
  for (const path of paths) {
    for (let i = 0; i < 2; i += 1) t.notOk(isHit(await once(t, s.url, get(path))), path);
  }
  t.ok(upstream.seen.length <= paths.length * 2);
  for (const path of ['/account%2f..%2fstatic/x.css', '/account/../static/x.css']) {
    t.notOk(isHit(await once(t, s.url, get(path))), path);
  }
});

t.test('C40 Set-Cookie in an answer: not kept', async (t) => {
  const { upstream, s } = await gateway(t, ({ write }) => write(ok('x', 'Set-Cookie: sid=1')));
  for (let i = 0; i < 2; i += 1) {
    const answer = await once(t, s.url, get('/posts'));
    t.notOk(isHit(answer));
    t.same(answer.values('set-cookie'), ['sid=1'], 'its own client gets it');
  }
  t.equal(upstream.seen.length, 2);
});

t.test('C41 an error that an odd field provokes: the field is not shown', async (t) => {
  const { upstream, s } = await gateway(t, ({ head, line, write }) => {
    if (line === 'GET /posts?500') return write('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n');
    if (/method-override|x-original-url|x-forwarded-scheme: evil/i.test(head)) {
      return write('HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n');
    }
    return write(ok('fine'));
  });
  for (const field of [
    'X-HTTP-Method-Override: POST', 'X-Original-URL: /x', 'X-Forwarded-Scheme: evil',
  ]) t.equal((await once(t, s.url, get('/posts', field))).status, 200, field);
  for (let i = 0; i < 2; i += 1) {
    t.equal((await once(t, s.url, get('/posts?500'))).status, 500);
  }
  t.equal(upstream.count('GET /posts?500'), 2, 'and no other error is kept under a ttl');
});

t.test('C42 HEAD before GET: never its body', async (t) => {
  const { upstream, s } = await gateway(t);
  const head = `${request('HEAD /posts')}${request('HEAD /posts', 'Connection: close')}`;
  await once(t, s.url, head);
  t.equal((await once(t, s.url, get('/posts', 'X-HTTP-Method: HEAD'))).body, 'answer');
  t.ok(upstream.seen.includes('GET /posts'));
  t.ok(isHit(await once(t, s.url, get('/posts'))));
});

t.test('C43 fifty ranges, or a part nobody asked for: the whole, or nothing kept', async (t) => {
  const { upstream, s } = await gateway(t, ({ line, write }) => write(line.endsWith('?part')
    ? 'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nan'
    : ok('answer')));
  const many = Array.from({ length: 50 }, (_, i) => `${i}-${i}`).join(',');
  const whole = await once(t, s.url, get('/posts', `Range: bytes=${many}`));
  t.same([whole.status, whole.body], [200, 'answer']);
  t.notMatch(upstream.exchanges[0]!.head, /^range:/im);
  for (let i = 0; i < 2; i += 1) t.notOk(isHit(await once(t, s.url, get('/posts?part'))));
});

t.test('C44 If-None-Match with a star, or without an end: judged here, and bounded', async (t) => {
  const { upstream, s } = await gateway(t, ({ write }) => write(ok('x', 'ETag: "mine"')));
  await once(t, s.url, get('/posts'));
  const asked = async (value: string): Promise<number> =>
    (await once(t, s.url, get('/posts', `If-None-Match: ${value}`))).status;
  t.equal(await asked('*'), 304);
  t.equal(await asked('"other", W/"mine"'), 304);
  t.equal(await asked(`${'"x", '.repeat(100)}"mine"`), 200, 'so many are looked at');
  t.equal(upstream.seen.length, 1);
  t.notMatch(upstream.exchanges[0]!.head, /if-none-match/i);
});

t.test('C45 a thousand codings: said in a closed list', async (t) => {
  const { upstream, s } = await gateway(t);
  await once(t, s.url, get('/posts', `Accept-Encoding: gzip, ${'x;q=1, '.repeat(1000)}br;q=0.5`));
  t.match(upstream.exchanges[0]!.head, /^accept-encoding: br, gzip$/im);
  t.ok(isHit(await once(t, s.url, get('/posts', 'Accept-Encoding: br, x-gzip'))));
});

t.test('C46 clients that want it new: one fetch at a time', async (t) => {
  let [running, most] = [0, 0];
  const { s } = await gateway(t, async ({ write }) => {
    most = Math.max(most, running += 1);
    for (let i = 0; i < 20; i += 1) await new Promise((resolve) => void setImmediate(resolve));
    running -= 1;
    write(ok('x'));
  });
  for (const directive of ['no-cache', 'max-age=0']) {
    await Promise.all(Array.from({ length: 10 }, () =>
      once(t, s.url, get('/posts', `Cache-Control: ${directive}`))));
    t.equal(most, 1, directive);
  }
  t.equal((await once(t, s.url, get('/posts?cold', 'Cache-Control: only-if-cached'))).status, 504);
});

t.test('C47 parts that join to the same text: different keys', async (t) => {
  const { upstream, s } = await gateway(t);
  const requests = [
    get('/posts', 'X-A: b', 'X-C: d'), get('/posts', 'X-A: bX-C1d'), get('/posts', 'X-Ab: X-Cd'),
    get('/posts?X-A', 'X-C: d'), get('/posts', 'X-A: b,d'), get('/posts', 'X-A: b', 'X-A: d'),
  ];
  for (const one of requests) t.notOk(isHit(await once(t, s.url, one)), one);
  t.equal(upstream.seen.length, requests.length);
});

t.test('C48 an answer that would be two: 502, nothing kept', async (t) => {
  const { s } = await gateway(t, ({ write, socket }) => {
    write('HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: evil=1\r\nContent-Length: 1\r\n\r\nx');
    socket.end();
  });
  for (let i = 0; i < 2; i += 1) {
    const answer = await once(t, s.url, get('/posts'));
    t.equal(answer.status, 502);
    t.notMatch(answer.head, /evil/);
  }
});

t.test('C49 Age, X-Cache and Cache-Status of others: a client’s end here', async (t) => {
  const { upstream, s } = await gateway(t, ({ write }) =>
    write(ok('x', 'Cache-Status: other; hit', 'Age: 100')));
  const lines = ['Age: 9', 'X-Cache: HIT', 'Cache-Status: evil; hit'];
  await once(t, s.url, get('/posts', ...lines));
  t.notMatch(upstream.exchanges[0]!.head, /^(?:age|x-cache|cache-status):/im);
  const hit = await once(t, s.url, get('/posts', ...lines));
  t.match(hit.values('cache-status').join(', '), /^other; hit, everfresh; hit; ttl=\d+$/);
  t.ok(Number(hit.values('age')[0]) >= 100, 'the upstream’s is counted in');
});
