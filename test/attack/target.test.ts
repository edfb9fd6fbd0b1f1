// Section B: what a request may ask for, and of whom. The upstream's address is the operator's
// alone, and what is keyed is what is forwarded, byte for byte.
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { dial, front, type Front, ok, once, rawUpstream, type RawUpstream } from '../raw.ts';

const RULES = 'routes: { "/*": { GET: { ttl: 1h } } }\n';

async function gateway(t: Test, rules = RULES): Promise<{ upstream: RawUpstream; s: Front }> {
  const upstream = await rawUpstream(t, (exchange) => exchange.write(ok(exchange.line)));
  return { upstream, s: await front(t, upstream.url, { rules }) };
}

const get = (target: string, host = 'a'): string =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

/** Each is answered with this status and by this reason, and nothing is asked of the upstream. */
async function refused(
  t: Test,
  all: readonly string[],
  { status = 400, because = '', rules = RULES } = {},
): Promise<void> {
  const { upstream, s } = await gateway(t, rules);
  for (const bytes of all) {
    const answer = await once(t, s.url, bytes);
    t.equal(answer.status, status, JSON.stringify(bytes).slice(0, 90));
    if (because !== '') t.match(answer.body, new RegExp(`"because":"${because}"`));
  }
  t.same(upstream.seen, []);
}

t.test('B19 a target that names another server: 400, never asked', async (t) => {
  let asked = 0;
  const evil = createServer(() => {
    asked += 1;
  });
  await new Promise<void>((resolve) => void evil.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void evil.close());
  const { port } = evil.address() as { port: number };
  const name = `127.0.0.1:${port}`;
  await refused(t, [
    get('http://169.254.169.254/latest/meta-data'),
    get(`http://${name}/x`),
    get(`http://${name}/x`, name),
    get(`HTTP://${name}/x`, name),
    get('https://a/x'),
    get('ftp://a/x'),
    get(`http://a@${name}/x`),
  ], { because: 'bad-target' });
  t.equal(asked, 0, 'the other server was not asked');
});

t.test('B20 a target that resolves to another server: 400, never asked', (t) => refused(
  t, ['//evil/x', '@evil/x', '/\\evil', '\\\\evil', 'evil:80', '///evil'].map((to) => get(to)),
));

t.test('B21 CONNECT and TRACE: 405, closed', async (t) => {
  const { upstream, s } = await gateway(t);
  for (const bytes of [
    'CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n',
    'TRACE /x HTTP/1.1\r\nHost: a\r\n\r\n',
  ]) {
    const client = await dial(t, s.url);
    const answer = await client.write(bytes, get('/smuggled')).answer();
    t.equal(answer?.status, 405);
    t.ok(answer?.values('allow')[0]?.includes('GET'), 'what is allowed is told');
    t.equal(await client.toTheEnd(), '');
  }
  // A client that breaks off at once must not break the gateway.
  (await dial(t, s.url)).write('CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n').reset();
  t.equal((await once(t, s.url, get('/x'))).status, 200);
  t.same(upstream.seen, ['GET /x']);
});

t.test('B22 OPTIONS of the whole server: 400', (t) => refused(t, [
  'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
]));

t.test('B23 no Host: 400', (t) => refused(t, ['GET /x HTTP/1.1\r\n\r\n'], { because: 'bad-host' }));

t.test('B24 two Host: 400', (t) => refused(t, [
  'GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  'GET /x HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n',
], { because: 'bad-host' }));

t.test('B25 a Host that is no name and port: 400', (t) => refused(
  t, ['a/b@c', 'a b', 'a:99999', 'a:', ':80', '', 'a,b', 'a@b', 'a?b', '[::1', '[x]', 'a:0x50']
    .map((host) => get('/x', host)),
  { because: 'bad-host' },
));

t.test('B26 a Host that is not served: 421; those that are have their own keys', async (t) => {
  const upstream = await rawUpstream(t, ({ head, write }) =>
    write(ok(/^host: (.*)$/im.exec(head)![1]!)));
  const hosts = 'hosts: [one.example, two.example]\n';
  const s = await front(t, upstream.url, { rules: hosts + RULES });
  const answer = await once(t, s.url, get('/x', 'evil.example'));
  t.equal(answer.status, 421);
  t.match(answer.body, /"because":"unknown-host"/);
  for (const host of ['one.example', 'two.example', 'ONE.example', 'two.example']) {
    t.equal((await once(t, s.url, get('/x', host))).body, host.toLowerCase());
  }
  t.equal((await once(t, s.url, get('http://one.example/x', 'one.example'))).body, 'one.example');
  t.equal(upstream.seen.length, 2, 'one request for each name');
  const any = await front(t, upstream.url, { rules: RULES });
  await once(t, any.url, get('/x', 'one.example'));
  t.match((await once(t, any.url, get('/x', 'two.example'))).head, /everfresh; hit/, 'one key');
});

t.test('B27 dot segments: 400', (t) => refused(
  t, ['/a/../b', '/a/%2e%2e%2fb', '/a/..\\b', '/a/..', '/./a', '/a/%2E%2e/b', '/a/..%5cb']
    .map((to) => get(to)),
  { because: 'bad-target' },
));

t.test('B28 escaped bytes in a path: forwarded as they came, under their own key', async (t) => {
  const { upstream, s } = await gateway(t);
  const targets = [
    '/a/%252e%252e%252fb', '/a%2fb', '/a%2Fb', '/a/b', '/a;a=1/b', '/a;a=2/b', '/%61/b', '/A/b',
    '/a//b', '/a/b/', '/a/b?', '/a/b?x=%41', '/a/b?x=A', '/a/b?x=+', '/a/b?x=%20',
  ];
  for (const target of targets) {
    t.equal((await once(t, s.url, get(target))).body, `GET ${target}`);
    t.equal((await once(t, s.url, get(target))).body, `GET ${target}`, 'and again');
  }
  const first = upstream.seen.filter((line, i, all) => all.indexOf(line) === i);
  t.same(first, targets.map((target) => `GET ${target}`), 'each was asked for, none is changed');
});

t.test('B29 a fragment in a target: 400', (t) => refused(
  t, ['/x#y', '/#', '/x?y#z'].map((to) => get(to)), { because: 'bad-target' },
));

t.test('B30 a broken escape, raw UTF-8, or a TAB in a target: 400', (t) => refused(
  t, ['/%zz', '/%2', '/x?%', '/\xc3\xa4', '/\xff', '/a\tb', '/a\x7f', '/a\x01']
    .map((to) => get(to)),
));

t.test('B31 a long target, or many parameters: 414', async (t) => {
  await refused(t, [get(`/${'a'.repeat(8192)}`)], { status: 414, because: 'target-too-long' });
  const many = `/x?${Array.from({ length: 501 }, (_, i) => `a${i}`).join('&')}`;
  await refused(t, [get(many)], { status: 414, because: 'too-many-parameters' });
  const { s } = await gateway(t);
  const longest = `/${'a'.repeat(8191)}`;
  t.equal((await once(t, s.url, get(longest))).body, `GET ${longest}`, 'the longest passes');
  t.ok([414, 431].includes((await once(t, s.url, get(`/${'a'.repeat(16_384)}`))).status), '16 KiB');
});

t.test('B32 a redirect to an internal address: passed on, never followed', async (t) => {
  let asked = 0;
  const inner = createServer((socket) => {
    asked += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => void inner.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void inner.close());
  const to = `http://127.0.0.1:${(inner.address() as { port: number }).port}/secret`;
  const upstream = await rawUpstream(t, ({ line, write }) => write(line.startsWith('GET /posts')
    ? `HTTP/1.1 301 Moved Permanently\r\nLocation: ${to}\r\nContent-Length: 0\r\n\r\n`
    : ok('done')));
  const rules =
    'routes: { /posts: { GET: { ttl: 1h }, POST: { refresh: [/posts], wait: true } } }\n';
  const s = await front(t, upstream.url, { rules });
  t.same((await once(t, s.url, get('/posts'))).values('location'), [to]);
  const post = 'POST /posts HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n';
  t.equal((await once(t, s.url, post)).status, 200);
  t.equal(upstream.count('GET /posts'), 2, 'the refresh asked the upstream');
  t.same((await once(t, s.url, get('/posts'))).values('location'), [to]);
  t.equal(asked, 0);
});
