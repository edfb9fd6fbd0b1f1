// Section A: where one request ends and the next begins. Whatever two parsers could read in two
// ways is refused, the connection ends with it, and nothing reaches the upstream or the cache.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { dial, front, type Front, ok, once, rawUpstream, type RawUpstream } from '../raw.ts';

const RULES = 'routes: { /posts: { GET: { ttl: 1h }, POST: { refresh: [/posts] } } }\n';
const END = 'Host: a\r\n\r\n';

async function gateway(t: Test): Promise<{ upstream: RawUpstream; s: Front }> {
  const upstream = await rawUpstream(t, (exchange) => exchange.write(ok('fine')));
  return { upstream, s: await front(t, upstream.url, { rules: RULES }) };
}

/** Each of these is refused, and the request that follows it on the wire is never carried out. */
async function refused(t: Test, all: readonly string[], statuses = [400]): Promise<void> {
  const { upstream, s } = await gateway(t);
  for (const bytes of all) {
    const shown = JSON.stringify(bytes).slice(0, 90);
    const client = await dial(t, s.url);
    const answer = await client.write(bytes, `GET /smuggled HTTP/1.1\r\n${END}`).answer();
    t.ok(statuses.includes(answer?.status ?? 0), `${answer?.status} for ${shown}`);
    t.same(answer?.values('content-type'), ['application/problem+json'], 'with a reason');
    t.equal(await client.toTheEnd(), '', 'and nothing more');
    await client.closed;
  }
  t.same(upstream.seen, [], 'nothing was sent upstream');
  t.match((await once(t, s.url, `GET /posts HTTP/1.1\r\n${END}`)).head, /uri-miss; stored/);
}

const post = (...lines: string[]): string =>
  `POST /posts HTTP/1.1\r\nHost: a\r\n${lines.join('\r\n')}\r\n\r\n`;
const CHUNKS = '1\r\na\r\n0\r\n\r\n';

t.test('A1 Content-Length with Transfer-Encoding: 400, closed', (t) => refused(t, [
  post('Content-Length: 5', 'Transfer-Encoding: chunked') + CHUNKS,
  post('Transfer-Encoding: chunked', 'Content-Length: 11') + CHUNKS,
]));

t.test('A2 Transfer-Encoding with identity: 400, closed', (t) => refused(t, [
  post('Transfer-Encoding: chunked, identity') + CHUNKS,
  post('Transfer-Encoding: identity, chunked') + CHUNKS,
  post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked') + CHUNKS,
]));

t.test('A3 an unknown Transfer-Encoding: 400, closed', (t) => refused(t, [
  post('Transfer-Encoding: xchunked') + CHUNKS,
  post('Transfer-Encoding: gzip, chunked') + CHUNKS,
]));

t.test('A4 a space before the colon of Transfer-Encoding: 400, closed', (t) => refused(t, [
  post('Transfer-Encoding : chunked') + CHUNKS,
]));

t.test('A5 two Content-Length that differ: 400, closed', (t) => refused(t, [
  `${post('Content-Length: 1', 'Content-Length: 2')}ab`,
]));

t.test('A6 two Content-Length that are equal: 400, closed', (t) => refused(t, [
  `${post('Content-Length: 1', 'Content-Length: 1')}a`,
]));

t.test('A7 a Content-Length that is no plain number: 400, closed', (t) => refused(
  t, ['+1', '1,1', '0x1', '-1', '1 1', '', '99999999999999999999'].map((length) =>
    `${post(`Content-Length: ${length}`)}a`),
));

t.test('A8 a space before the line of Content-Length: 400, closed', (t) => refused(t, [
  `GET /posts HTTP/1.1\r\n Content-Length: 5\r\n${END}hello`,
  `GET /posts HTTP/1.1\r\n\tContent-Length: 5\r\n${END}hello`,
]));

t.test('A9 Transfer-Encoding on a folded line: 400, closed', (t) => refused(t, [
  post('Transfer-Encoding:\r\n chunked') + CHUNKS,
  post('X: y\r\n Transfer-Encoding: chunked') + CHUNKS,
]));

t.test('A10 bare LF, bare CR, or NUL: 400, closed', (t) => refused(t, [
  'GET /posts HTTP/1.1\nHost: a\n\n',
  'GET /posts HTTP/1.1\r\nHost: a\nX: y\r\n\r\n',
  `GET /posts HTTP/1.1\r\nX: y\rz\r\n${END}`,
  `GET /posts HTTP/1.1\r\nX: y\0z\r\n${END}`,
  `GET /po\0sts HTTP/1.1\r\n${END}`,
]));

t.test('A11 a chunk whose size or extension is malformed: 400, closed', (t) => refused(t, [
  `${post('Transfer-Encoding: chunked')}0x1\r\na\r\n0\r\n\r\n`,
  `${post('Transfer-Encoding: chunked')}1;a\rb\r\na\r\n0\r\n\r\n`,
  `${post('Transfer-Encoding: chunked')}1\na\n0\n\n`,
  `${post('Transfer-Encoding: chunked')}fffffffffffffffff\r\na\r\n0\r\n\r\n`,
  `${post('Transfer-Encoding: chunked')}1 \r\nab\r\n0\r\n\r\n`,
]));

t.test('A12 a field in the trailers of a request: it is dropped, never merged', async (t) => {
  const { upstream, s } = await gateway(t);
  const chunked = post('Transfer-Encoding: chunked');
  const answer = await once(t, s.url, `${chunked}1\r\na\r\n0\r\nX-Admin: 1\r\n\r\n`);
  t.equal(answer.status, 200);
  t.equal(upstream.exchanges[0]!.body, 'a');
  t.notMatch(upstream.exchanges[0]!.head, /x-admin/i);
});

t.test('A13 HTTP/1.0 with Transfer-Encoding: 400, closed', (t) => refused(t, [
  post('Transfer-Encoding: chunked').replace('HTTP/1.1', 'HTTP/1.0') + CHUNKS,
]));

t.test('A14 another version of HTTP: 400, closed', (t) => refused(
  t, ['HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.1x', 'HTTPS/1.1', ''].map((version) =>
    `GET /posts ${version}\r\n${END}`),
));

t.test('A15 a field without a name: 400, closed', (t) => refused(t, [
  `GET /posts HTTP/1.1\r\n: x\r\n${END}`,
  `GET /posts HTTP/1.1\r\nX\r\n${END}`,
  `GET /posts HTTP/1.1\r\nX\x01Y: z\r\n${END}`,
]));

t.test('A16 pipelined requests: answers in order, each by its own key', async (t) => {
  const upstream = await rawUpstream(t, ({ line, write }) => write(ok(line)));
  const s = await front(t, upstream.url, { rules: RULES });
  await once(t, s.url, `GET /posts HTTP/1.1\r\n${END}`);
  const client = await dial(t, s.url);
  client.write(
    `GET /posts?late HTTP/1.1\r\n${END}GET /posts HTTP/1.1\r\n${END}`,
    `${post('Content-Length: 2')}{}GET /posts HTTP/1.1\r\n${END}`,
  );
  t.equal((await client.answer())?.body, 'GET /posts?late');
  const hit = await client.answer();
  t.match(hit?.head, /everfresh; hit/);
  t.equal(hit?.body, 'GET /posts');
  t.equal((await client.answer())?.body, 'POST /posts');
  t.match((await client.answer())?.head, /detail="touched"|hit/, 'what follows a write is fresh');
  t.equal(upstream.seen.filter((line) => line === 'GET /posts').length, 2);
});

t.test('A17 an answer whose end is not certain: 502, nothing kept, socket dropped', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n';
  const answers = [
    `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`,
    `${head}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
    `${head}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`,
    `${head}Content-Length: 1,1\r\n\r\na`,
    `${head}Transfer-Encoding: chunked, identity\r\nContent-Length: 1\r\n\r\n${CHUNKS}`,
    `HTTP/1.1 200 OK\nContent-Length: 1\n\na`,
    `${head}X: a\nY: b\r\nContent-Length: 1\r\n\r\na`,
    `${head}Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n`,
    'HTTP/1.1 102 Processing\r\n\r\n'.repeat(1000),
    `${head}Content-Length: 9\r\nConnection: close\r\n\r\nshort`,
    `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`,
  ];
  for (const bytes of answers) {
    const upstream = await rawUpstream(t, ({ write, socket }) => {
      write(bytes);
      if (/short|hel$/.test(bytes)) socket.end();
    });
    const s = await front(t, upstream.url, { rules: RULES });
    const shown = JSON.stringify(bytes).slice(0, 110);
    for (const again of ['first', 'again']) {
      const client = await dial(t, s.url);
      let answer = await client.write(`GET /posts HTTP/1.1\r\n${END}`).answer();
      while (answer?.status === 102) answer = await client.answer();
      t.equal(answer?.status ?? 'broken', 502, `${again}: ${shown}`);
      client.socket.destroy();
    }
    t.ok(upstream.connections >= 2, 'each time on a new connection');
    t.equal(s.composed.gateway.ledger.size, 0, 'nothing is kept');
    await s.close();
    await upstream.close();
  }
});

t.test('A18 a lenient parser on the command line: everfresh does not start', async (t) => {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const start = (args: string[], env: Record<string, string>): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, [...args, main, 'serve', '--upstream', 'http://127.0.0.1:1'], {
      env: { ...process.env, ...env }, encoding: 'utf8', timeout: 20_000,
    });
  for (const run of [
    start(['--insecure-http-parser'], {}),
    start([], { NODE_OPTIONS: '--insecure-http-parser' }),
  ]) {
    t.equal(run.status, 2);
    t.match(String(run.stderr), /insecure-http-parser/);
  }
});

t.test('what cannot be parsed is refused with a reason, as everything else is', async (t) => {
  const { s } = await gateway(t);
  const broken = await once(t, s.url, 'GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n');
  t.equal(broken.status, 400);
  t.match(broken.head, /cache-status: everfresh; detail="bad-framing"/i);
  t.match(broken.body, /"because":"bad-framing"/);
  const long = `GET / HTTP/1.1\r\nHost: x\r\nLong: ${'x'.repeat(20_000)}\r\n\r\n`;
  const large = await once(t, s.url, long);
  t.equal(large.status, 431);
  t.match(large.head, /cache-status: everfresh; detail="too-many-fields"/i);
});
