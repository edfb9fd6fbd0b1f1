// Section D: fields that speak of one connection only. They end here, and nobody can use them to
// take from a request what it was keyed by.
import t, { type Test } from 'tap';
import { dial, front, type Front, ok, once, rawUpstream, type RawUpstream } from '../raw.ts';

const RULES = 'routes: { /posts: { GET: { ttl: 1h }, POST: { refresh: [/posts] } } }\n';

async function gateway(t: Test): Promise<{ upstream: RawUpstream; s: Front }> {
  const upstream = await rawUpstream(t, (exchange) => exchange.write(ok('fine')));
  return { upstream, s: await front(t, upstream.url, { rules: RULES }) };
}

const get = (target: string, ...lines: string[]): string =>
  `${[`GET ${target} HTTP/1.1`, 'Host: a', ...lines].join('\r\n')}\r\n\r\n`;

t.test('D50 a field that Connection names: it ends here', async (t) => {
  const { upstream, s } = await gateway(t);
  const lines = ['Connection: x-secret, keep-alive', 'X-Secret: 1', 'X-Other: 2'];
  t.equal((await once(t, s.url, get('/pass', ...lines))).status, 200);
  const { head } = upstream.exchanges[0]!;
  t.notMatch(head, /x-secret/i);
  t.match(head, /x-other: 2/i);
  const back = await rawUpstream(t, ({ write }) =>
    write(ok('fine', 'Connection: keep-alive, X-Mine', 'X-Mine: 1', 'Keep-Alive: timeout=9')));
  const other = await front(t, back.url, { rules: RULES });
  for (const target of ['/pass', '/posts', '/posts']) {
    const answer = await once(t, other.url, get(target));
    t.notMatch(answer.head, /x-mine|timeout=9/i, 'nor does one of an answer go on');
  }
});

t.test('D51 Connection that names a field of the whole way: 400', async (t) => {
  const { upstream, s } = await gateway(t);
  for (const name of [
    'authorization', 'Cookie', 'host', 'content-length', 'x-forwarded-for', 'cache-control',
    'x-api-key', 'accept', 'if-none-match', 'range', 'content-type', 'transfer-encoding', '"x"',
  ]) {
    const lines = [`Connection: close, ${name}`, 'Authorization: Bearer mine'];
    const answer = await once(t, s.url, get('/posts', ...lines));
    t.equal(answer.status, 400, name);
    t.match(answer.body, /"because":"bad-connection-field"/);
  }
  t.same(upstream.seen, []);
});

t.test('D52 h2c: ignored, not forwarded, and a WebSocket on a cached route: 426', async (t) => {
  const { upstream, s } = await gateway(t);
  const upgrade = (to: string): string[] => [
    `Upgrade: ${to}`, 'Connection: Upgrade', 'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ];
  const h2c = await dial(t, s.url);
  h2c.write(get('/pass', ...upgrade('h2c'), 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'));
  t.equal((await h2c.answer())?.status, 200);
  h2c.write(get('/pass'));
  t.equal((await h2c.answer())?.status, 200, 'it goes on as HTTP/1.1');
  for (const lines of [['HTTP2-Settings: AA'], ['Upgrade: h2c'], ['Upgrade: h2']]) {
    t.equal((await once(t, s.url, get('/pass', ...lines))).status, 200, lines[0]!);
  }
  const cached = await dial(t, s.url);
  t.equal((await cached.write(get('/posts', ...upgrade('websocket'))).answer())?.status, 426);
  t.equal(await cached.toTheEnd(), '', 'closed');
  const body = await dial(t, s.url);
  body.write(get('/pass', ...upgrade('websocket'), 'Content-Length: 40'), get('/smuggled'));
  t.equal((await body.answer())?.status, 400, 'with a body that could be a second request');
  t.equal(await body.toTheEnd(), '', 'closed');
  (await dial(t, s.url)).write(get('/posts', ...upgrade('websocket'))).reset();
  t.equal((await once(t, s.url, get('/pass', 'Upgrade: websocket'))).status, 200, 'not asked for');
  t.equal(upstream.seen.filter((line) => line !== 'GET /pass').length, 0);
  t.equal(upstream.seen.length, 6);
  for (const { head } of upstream.exchanges) t.notMatch(head, /upgrade|http2-settings/i);
});

t.test('D53 TE, Proxy-Connection, Keep-Alive: they end here', async (t) => {
  const { upstream, s } = await gateway(t);
  const lines = [
    'TE: trailers', 'Proxy-Connection: keep-alive', 'Keep-Alive: timeout=5',
    'Proxy-Authorization: Basic eA==',
  ];
  for (const target of ['/pass', '/posts']) await once(t, s.url, get(target, ...lines));
  t.equal(upstream.seen.length, 2);
  for (const { head } of upstream.exchanges) {
    t.notMatch(head, /^(te|proxy-connection|keep-alive|proxy-authorization):/im);
  }
});

t.test('D54 Expect: 100-continue: 100, then the answer; the upstream never sees it', async (t) => {
  const { upstream, s } = await gateway(t);
  const client = await dial(t, s.url);
  const head = (...lines: string[]): string =>
    `${['POST /posts HTTP/1.1', 'Host: a', 'Expect: 100-continue', ...lines].join('\r\n')}\r\n\r\n`;
  client.write(head('Content-Length: 2'));
  t.equal((await client.answer())?.status, 100);
  t.same(upstream.seen, [], 'the body is waited for');
  client.write('{}');
  t.equal((await client.answer())?.status, 200);
  client.write(head('Content-Length: 2'));
  t.equal((await client.answer())?.status, 100, 'the same on the same connection');
  t.equal((await client.write('{}').answer())?.status, 200);
  t.equal(upstream.exchanges[0]!.body, '{}');
  t.notMatch(upstream.exchanges[0]!.head, /expect/i);

  const bad = await dial(t, s.url);
  bad.write(head('Content-Length: 2', 'Connection: cookie'));
  t.equal((await bad.answer())?.status, 400, 'who is refused is not told to go on first');
});

t.test('D55 another expectation: 417', async (t) => {
  const { upstream, s } = await gateway(t);
  for (const what of ['weird', '100-continue, weird', '200-ok']) {
    t.equal((await once(t, s.url, get('/posts', `Expect: ${what}`))).status, 417, what);
  }
  t.same(upstream.seen, []);
});
