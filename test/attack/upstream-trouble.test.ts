// An upstream that refuses, hangs, breaks off or talks nonsense: a problem with its reason, or a
// broken connection where an answer had begun; nothing kept, and nothing left open.
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { until } from '../play.ts';
import { dial, front, type Front, ok, once, rawUpstream } from '../raw.ts';

const RULES = 'routes: { /posts: { GET: { ttl: 1h }, POST: { refresh: [/posts] } } }\n';
const GET = 'GET /posts HTTP/1.1\r\nHost: a\r\n\r\n';
const PASS = 'GET /pass HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = 'POST /posts HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}';
const HEAD = 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n';

async function nothingLeft(t: Test, s: Front): Promise<void> {
  const { flights, writers, ledger } = s.composed.gateway;
  await until(() => flights.size === 0 && s.composed.handler.active() === 0, 'all is over');
  t.equal(writers.all + ledger.size, 0, 'nothing is kept or left');
}

t.test('an upstream that refuses connections is answered for with 502', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  const s = await front(t, `http://127.0.0.1:${port}`, { rules: RULES });
  for (const bytes of [GET, PASS, POST]) {
    const answer = await once(t, s.url, bytes);
    t.equal(answer.status, 502);
    t.same(answer.values('content-type'), ['application/problem+json']);
    t.match(answer.body, /"because":"upstream-refused"/);
  }
  await nothingLeft(t, s);
});

t.test('an upstream that is silent before its head is answered for with 504', async (t) => {
  const upstream = await rawUpstream(t, () => undefined);
  const s = await front(t, upstream.url, { rules: RULES, options: 'headers_timeout: 100ms' });
  for (const bytes of [GET, PASS, POST]) {
    const answer = await once(t, s.url, bytes);
    t.equal(answer.status, 504);
    t.match(answer.body, /"because":"upstream-timeout"/);
  }
  t.equal(upstream.seen.length, 3, 'none of them was sent twice');
  await until(() => upstream.open === 0, 'its sockets are dropped');
  await nothingLeft(t, s);
});

t.test('an upstream that is silent inside its body ends in a broken connection', async (t) => {
  const upstream = await rawUpstream(t, ({ write }) =>
    write(`${HEAD}Content-Length: 9\r\n\r\nhel`));
  const s = await front(t, upstream.url, { rules: RULES, options: 'body_timeout: 150ms' });
  for (const bytes of [GET, PASS, POST]) {
    const client = await dial(t, s.url);
    t.equal(await client.write(bytes).answer(), undefined, 'no answer is whole');
    await client.closed;
  }
  await until(() => upstream.open === 0, 'its sockets are dropped');
  await nothingLeft(t, s);
});

t.test('an upstream that resets is answered for wherever it does so', async (t) => {
  for (const { sent, status } of [
    { sent: '', status: 502 },
    { sent: 'HTTP/1.1 20', status: 502 },
    { sent: HEAD, status: 502 },
    { sent: `${HEAD}Content-Length: 9\r\n\r\nhel`, status: undefined },
    { sent: `${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n`, status: undefined },
  ]) {
    const upstream = await rawUpstream(t, async ({ write, socket }) => {
      write(sent);
      // After the answer's first piece has gone on, or at once.
      if (status === undefined) await until(() => begun, 'the client has the head');
      socket.resetAndDestroy();
    });
    let begun = false;
    const s = await front(t, upstream.url, { rules: RULES });
    for (const bytes of [GET, PASS, POST]) {
      begun = false;
      const client = await dial(t, s.url);
      client.socket.on('data', () => {
        begun = true;
      });
      // A write's answer is held back by a chunk; its head tells that it streams.
      const answer = await client.write(bytes).answer();
      t.equal(answer?.status, status, JSON.stringify([bytes.slice(0, 10), sent.slice(-20)]));
      client.socket.destroy();
    }
    t.equal(upstream.count('POST /posts'), 1, 'a write is never repeated');
    await nothingLeft(t, s);
    await s.close();
  }
});

t.test('a head that no client may be sent is answered for with 502', async (t) => {
  const heads = [
    'X: a\0b', 'X: a\rb', 'X: a\x7fb', 'X: a\x01b', 'X\0: a', 'X Y: a', ': a', 'no colon',
    `X: ${'a'.repeat(20_000)}`,
    Array.from({ length: 20_000 }, (_, i) => `X${i}: a`).join('\r\n'),
  ];
  for (const line of heads) {
    const upstream = await rawUpstream(t, ({ write }) => write(ok('fine', line)));
    const s = await front(t, upstream.url, { rules: RULES });
    for (const bytes of [GET, GET, PASS]) {
      const answer = await once(t, s.url, bytes);
      t.equal(answer.status, 502, JSON.stringify(line.slice(0, 20)));
      t.match(answer.body, /"because":"upstream-(broken|reset)"/);
    }
    await until(() => upstream.open === 0, 'its socket is dropped');
    await nothingLeft(t, s);
    const { text } = await s.composed.metrics.text();
    t.notMatch(text, /what="assertion"/, 'it is no mistake of ours');
    await s.close();
    await upstream.close();
  }
});

t.test('1xx answers without end are cut off', async (t) => {
  const upstream = await rawUpstream(t, ({ write, socket }) => {
    const drip = setInterval(() => write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'), 5);
    socket.on('close', () => clearInterval(drip));
  });
  const s = await front(t, upstream.url, { rules: RULES });
  const client = await dial(t, s.url);
  client.write(GET);
  let hints = 0;
  let answer = await client.answer();
  for (; answer?.status === 103; answer = await client.answer()) hints += 1;
  t.equal(answer?.status, 502);
  t.ok(hints > 0 && hints < 40, `${hints} of them were passed on`);
  await until(() => upstream.open === 0, 'its socket is dropped');
  await nothingLeft(t, s);
});

t.test('bytes that nobody asked for are never taken for the next answer', async (t) => {
  const upstream = await rawUpstream(t, ({ line, write }) =>
    write(ok(line), ok('smuggled', 'Cache-Control: max-age=60')));
  const s = await front(t, upstream.url, { rules: RULES });
  for (let i = 0; i < 5; i += 1) {
    t.equal((await once(t, s.url, PASS)).body, 'GET /pass');
    t.equal((await once(t, s.url, GET.replace('/posts', '/other'))).body, 'GET /other');
  }
});

t.test('a read is asked again when a kept connection closes, a write is not', async (t) => {
  let closing = false;
  const upstream = await rawUpstream(t, ({ turn, write, socket }) => {
    if (closing && turn > 0) return socket.destroy();
    return write(ok('fine'));
  });
  const s = await front(t, upstream.url, { rules: RULES, options: 'connections: 1' });
  t.equal((await once(t, s.url, PASS)).status, 200);
  closing = true;
  t.equal((await once(t, s.url, PASS)).status, 200, 'on another connection');
  t.equal(upstream.count('GET /pass'), 3, 'it was asked once more');
  t.equal(upstream.connections, 2);
  t.equal((await once(t, s.url, POST)).status, 502, 'the write fails');
  t.equal(upstream.count('POST /posts'), 1, 'and was sent once');
});

t.test('a read that fails again is not asked a third time', async (t) => {
  const upstream = await rawUpstream(t, ({ socket }) => socket.destroy());
  const s = await front(t, upstream.url, { rules: RULES });
  t.equal((await once(t, s.url, PASS)).status, 502);
  t.equal(upstream.seen.length, 2);
  const late = await rawUpstream(t, ({ write, socket }) => {
    write('HTTP/1.1 ');
    socket.end();
  });
  const other = await front(t, late.url, { rules: RULES });
  t.equal((await once(t, other.url, PASS)).status, 502);
  t.equal(late.seen.length, 1, 'nor at all, once a byte had come');
});
