// HTTP/2 from clients, on the same port as HTTP/1: what is said is the same, whichever carries it.
import { readFile } from 'node:fs/promises';
import {
  type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { buffer } from 'node:stream/consumers';
import Fastify from 'fastify';
import t, { type Test } from 'tap';
import everfresh from '../../src/plugin.ts';
import { pair } from '../certificates.ts';
import { dialFrames, END_HEADERS, frame, type FrameClient, lines, TYPE } from '../frames.ts';
import { Barrier, stage, until } from '../play.ts';
import { type Exchange, type Front, front, ok, once, rawUpstream } from '../raw.ts';

const RULES = `routes:
  /posts: { GET: { ttl: 1h }, POST: { refresh: [/posts] } }
limits: { write_body: 1kb }
`;

interface Got {
  readonly status: number;
  readonly head: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly hints: readonly IncomingHttpHeaders[];
}

async function receive(stream: ClientHttp2Stream): Promise<Got> {
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  const hints: IncomingHttpHeaders[] = [];
  stream.on('response', (given) => {
    head = given;
  });
  stream.on('headers', (given) => void hints.push(given));
  stream.on('trailers', (given) => {
    trailers = given;
  });
  const body = await buffer(stream);
  if (stream.rstCode !== 0) throw new Error(`reset with ${stream.rstCode}`);
  return { status: Number(head[':status']), head, body, trailers, hints };
}

class Client {
  readonly session: ClientHttp2Session;
  constructor(t: Test, url: string, options: { ca?: Buffer } = {}) {
    this.session = connect(url, options);
    this.session.on('error', () => undefined);
    t.teardown(() => this.session.destroy());
  }

  stream(path: string, head: OutgoingHttpHeaders = {}, endStream = true): ClientHttp2Stream {
    const stream = this.session.request({ ':path': path, ...head }, { endStream });
    stream.on('error', () => undefined);
    return stream;
  }

  ask(path: string, head: OutgoingHttpHeaders = {}, body?: Buffer | string): Promise<Got> {
    const stream = this.stream(path, head, body === undefined);
    if (body !== undefined) stream.end(body);
    return receive(stream);
  }
}

async function before(t: Test, script: (exchange: Exchange) => unknown): Promise<Front> {
  const upstream = await rawUpstream(t, script);
  return front(t, upstream.url, { rules: RULES });
}

t.test('reads and writes keep the promise, in clear text beside HTTP/1', async (t) => {
  let version = 1;
  const heads: string[] = [];
  const s = await before(t, ({ line, head, body, write }) => {
    heads.push(head);
    if (line === 'POST /posts') version += Number(body);
    write(ok(`v${version}`, 'X-Two: 1', 'X-Two: 2'));
  });
  const client = new Client(t, s.url);
  const first = await client.ask('/posts');
  t.match([first.status, String(first.body), first.head['cache-status']],
    [200, 'v1', 'everfresh; fwd=uri-miss; stored']);
  t.equal(first.head['x-two'], '1, 2');
  t.equal(first.head.via, '1.1 everfresh');
  t.match((await client.ask('/posts')).head['cache-status'], /everfresh; hit/);
  t.match((await once(t, s.url, 'GET /posts HTTP/1.1\r\nHost: a\r\n\r\n')).head, /; hit/);
  const wrote = await client.ask('/posts', { ':method': 'POST' }, '2');
  t.equal(String(wrote.body), 'v3');
  t.equal(String((await client.ask('/posts')).body), 'v3');
  t.equal((await client.ask('/posts', { ':method': 'HEAD' })).body.length, 0);
  const post = heads.find((head) => head.startsWith('POST'))!;
  t.match(post, /^Via: 2\.0 everfresh$/m);
  t.notMatch(post, /^:|^http2|^te:/mi);
});

t.test('behind TLS the client says which of them it speaks', async (t) => {
  const { cert, key } = await pair(t);
  const s = await stage(t, {
    rules: `tls: { cert: ${cert}, key: ${key} }\nroutes: { /a: { GET: { ttl: 1h } } }`,
    script: (request, response) => {
      response.end(String(request.headers['x-forwarded-proto']));
    },
  });
  const client = new Client(t, s.url.replace('http:', 'https:'), { ca: await readFile(cert) });
  t.equal(String((await client.ask('/a')).body), 'https');
  t.match((await client.ask('/a')).head['cache-status'], /; hit/);
  t.equal(client.session.alpnProtocol, 'h2');
});

t.test('what an answer is made of comes through: hints, cookies, trailers, no body', async (t) => {
  const s = await before(t, ({ line, write }) => {
    if (line === 'GET /trailers') {
      return write(
        'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n',
        'HTTP/1.1 200 Fine\r\nConnection: close\r\nKeep-Alive: timeout=1\r\nSet-Cookie: a=1\r\n'
        + 'Set-Cookie: b=2\r\nX-Obs: caf\xe9\r\nTransfer-Encoding: chunked\r\n\r\n',
        '4\r\nfine\r\n0\r\nX-Sum: 1\r\nSet-Cookie: c=3\r\n\r\n',
      );
    }
    if (line === 'GET /204') return write('HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n');
    if (line === 'GET /205') {
      return write('HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nhi');
    }
    if (line.startsWith('HEAD')) return write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n');
    if (line === 'GET /599') return write('HTTP/1.1 599 Odd\r\nContent-Length: 2\r\n\r\nhi');
    if (line === 'GET /999') return write('HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nhi');
    return write('HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n');
  });
  const client = new Client(t, s.url);
  const got = await client.ask('/trailers');
  t.match(got, { status: 200, trailers: { 'x-sum': '1' } });
  t.equal(String(got.body), 'fine');
  t.same(got.head['set-cookie'], ['a=1', 'b=2']);
  t.equal(got.head['x-obs'], 'caf\xe9');
  t.match(got.hints, [{ ':status': 103, 'link': '</a.css>; rel=preload' }]);
  t.equal(got.head.connection, undefined);
  t.equal(got.trailers?.['set-cookie'], undefined);
  t.match(await client.ask('/204'), { status: 204, head: { 'x-a': '1' } });
  t.match(await client.ask('/205'), { status: 205, head: { 'content-length': undefined } });
  t.match(await client.ask('/h', { ':method': 'HEAD' }), { head: { 'content-length': '9' } });
  t.match(await client.ask('/n', { 'if-none-match': '"a"' }), { status: 304 });
  t.equal(String((await client.ask('/599')).body), 'hi');
  t.match(await client.ask('/999'), { status: 502 }, 'HTTP/2 of Node ends at 599');
  t.match(await client.ask('/204'), { status: 204 }, 'and the connection goes on');
});

t.test('what a request is made of comes through: cookies in one line, a long body', async (t) => {
  let seen: { head: string; length: number } | undefined;
  const s = await before(t, ({ head, body, write }) => {
    seen = { head, length: body.length };
    write(ok('fine'));
  });
  const client = new Client(t, s.url);
  const body = Buffer.alloc(300_000, 'x');
  const sent = await client.ask('/in', {
    ':method': 'PUT', 'cookie': ['a=1', 'b=2'], 'x-obs': 'caf\xe9', 'te': 'trailers',
    'content-length': String(body.length),
  }, body);
  t.equal(sent.status, 200);
  t.equal(seen?.length, body.length);
  t.match(seen?.head, /^cookie: a=1; b=2$/m);
  t.match(seen?.head, /^x-obs: caf\xe9$/m);
  t.match(seen?.head, /^content-length: 300000$/m);
  t.notMatch(seen?.head, /^te:/m);
  await client.ask('/in', { ':method': 'POST' }, body);
  t.match(seen?.head, /^transfer-encoding: chunked$/m, 'of a length that nobody knows');
  const expects = client.stream('/in', { ':method': 'POST', 'expect': '100-continue' }, false);
  const told = new Promise<void>((resolve) => void expects.once('continue', () => resolve()));
  await told;
  expects.end('now');
  t.equal((await receive(expects)).status, 200, '100 first');
});

t.test('a body that is broken off is never taken for whole, in either direction', async (t) => {
  const begun = new Barrier();
  const s = await before(t, ({ line, write, socket }) => {
    if (line !== 'GET /broken') return write(ok('fine'));
    write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
    void begun.pass().then(() => socket.destroy());
  });
  const client = new Client(t, s.url);
  const stream = client.stream('/broken');
  stream.once('data', () => void begun.open());
  await t.rejects(receive(stream), /INTERNAL_ERROR/);
  t.match(await client.ask('/fine'), { status: 200 }, 'of one stream only');

  const upstream = await rawUpstream(t, ({ write }) => write(ok('fine')));
  const other = await front(t, upstream.url, { rules: RULES });
  const post = lines(
    [':method', 'POST'], [':scheme', 'http'], [':authority', 'a'], [':path', '/posts'],
  );
  const active = (): number => other.composed.handler.active();
  for (const leave of [
    (one: FrameClient) => one.send(frame(TYPE.reset, 0, 1, '\0\0\0\0')),
    (one: FrameClient) => one.send(frame(TYPE.reset, 0, 1, '\0\0\0\x08')),
    (one: FrameClient) => one.socket.end(),
    (one: FrameClient) => one.socket.destroy(),
  ]) {
    const half = await dialFrames(t, other.url);
    half.send(frame(TYPE.headers, END_HEADERS, 1, post), frame(TYPE.data, 0, 1, 'half'));
    await until(() => active() === 1, 'begun');
    leave(half);
    await until(() => active() === 0, 'rest');
  }
  t.same(upstream.seen, [], 'a write whose client left is not sent');
});

t.test('a client that leaves ends what it reads, and never a write', async (t) => {
  const held = new Barrier();
  let open = 0;
  const s = await before(t, async ({ line, write, socket }) => {
    open += 1;
    socket.once('close', () => {
      open -= 1;
    });
    if (line === 'GET /slow') return write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
    await held.pass();
    return write(ok('written'));
  });
  const client = new Client(t, s.url);
  const reader = client.stream('/slow');
  await new Promise((resolve) => void reader.once('data', resolve));
  reader.close(8);
  await until(() => open === 0 && s.composed.handler.active() === 0, 'rest');
  const writer = client.stream('/posts', { ':method': 'POST' });
  await until(() => open === 1, 'begun');
  writer.close(8);
  await client.ask('/nothing', { ':method': 'TRACE' });
  t.equal(open, 1, 'the write goes on');
  held.open();
  await until(() => s.composed.handler.active() === 0, 'rest');
});

t.test('a slow reader is waited for, and who takes nothing is cut off', async (t) => {
  const upstream = await rawUpstream(t, ({ write }) => write(ok('x'.repeat(4_000_000))));
  const s = await front(t, upstream.url, { rules: 'limits: { send_timeout: 200ms }\n' });
  const client = new Client(t, s.url);
  const slow = client.stream('/big', { authorization: 'x' });
  slow.pause();
  await new Promise((resolve) => void slow.once('close', resolve));
  await until(() => s.composed.handler.active() === 0, 'rest');
  t.equal((await client.ask('/big', { authorization: 'x' })).body.length, 4_000_000);
});

t.test('going away is told, and what is under way ends first', async (t) => {
  const held = new Barrier();
  const s = await before(t, async ({ write }) => {
    await held.pass();
    write(ok('fine'));
  });
  const client = new Client(t, s.url);
  const told = new Promise<void>((resolve) => void client.session.once('goaway', () => resolve()));
  const asked = client.ask('/x');
  await until(() => s.composed.handler.active() === 1, 'begun');
  const closed = s.close();
  await told;
  held.open();
  t.equal(String((await asked).body), 'fine');
  await closed;
});

t.test('an idle connection, and one that begins with nothing, is closed in its time', async (t) => {
  const upstream = await rawUpstream(t, ({ write }) => write(ok('fine')));
  const s = await front(t, upstream.url, {
    rules: 'limits: { keep_alive_timeout: 50ms, headers_timeout: 100ms }\n',
  });
  const used = new Client(t, s.url);
  await used.ask('/x');
  await new Promise((resolve) => void used.session.once('close', resolve));
  const unused = new Client(t, s.url);
  await new Promise((resolve) => void unused.session.once('close', resolve));
  t.pass('both are closed');
});

t.test('trailers that mean nothing there, and hints with a length, harm nobody', async (t) => {
  const s = await before(t, ({ write }) => write(
    'HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\nLink: </a>\r\nConnection: x\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n',
    'Proxy-Connection: 1\r\nHTTP2-Settings: x\r\nX-Sum: 1\r\n\r\n',
  ));
  const client = new Client(t, s.url);
  const got = await client.ask('/x');
  t.match(got, { status: 200, trailers: { 'x-sum': '1' }, hints: [{ ':status': 103 }] });
  t.equal(String(got.body), 'fine');
});

t.test('who takes nothing is cut off also after the upstream was silent for long', async (t) => {
  const upstream = await rawUpstream(t, ({ write }) => {
    write('HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n');
    setTimeout(() => write('x'.repeat(4_000_000)), 400);
  });
  const s = await front(t, upstream.url, { rules: 'limits: { send_timeout: 100ms }\n' });
  const client = new Client(t, s.url);
  const slow = client.stream('/big');
  slow.pause();
  await new Promise((resolve) => void slow.once('close', resolve));
  await until(() => s.composed.handler.active() === 0 && upstream.open === 0, 'rest');
  t.pass('with all that feeds it');
});

t.test('a request that is taken back at once is nobody’s mistake', async (t) => {
  const s = await before(t, ({ write }) => write(ok('fine')));
  const troubles: string[] = [];
  s.composed.gateway.ear.trouble = (what) => void troubles.push(what);
  const expecting = lines(
    [':method', 'POST'], [':scheme', 'http'], [':authority', 'a'], [':path', '/posts'],
    ['expect', '100-continue'],
  );
  for (const code of ['\0', '\x08']) {
    const client = await dialFrames(t, s.url);
    client.send(
      frame(TYPE.headers, END_HEADERS, 1, expecting), frame(TYPE.reset, 0, 1, `\0\0\0${code}`),
    );
    await until(() => client.came.length > 0 && s.composed.handler.active() === 0, 'rest');
    client.socket.destroy();
  }
  await until(() => s.composed.handler.active() === 0, 'rest');
  t.same(troubles, []);
});

t.test('inside a server of somebody’s that speaks it', async (t) => {
  const upstream = await rawUpstream(t, ({ line, write }) => write(
    'HTTP/1.1 200 OK\r\nETag: "a"\r\nETag: "b"\r\nTransfer-Encoding: chunked\r\n\r\n',
    `${line.length.toString(16)}\r\n${line}\r\n0\r\nX-Sum: 1\r\n\r\n`,
  ));
  const app = Fastify({ http2: true });
  await app.register(everfresh, { config: { upstream: upstream.url } });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const client = new Client(t, url);
  for (let turn = 0; turn < 2; turn += 1) {
    const got = await client.ask('/x');
    t.match(got, { status: 200, trailers: { 'x-sum': '1' } });
    t.equal(String(got.body), 'GET /x');
  }
  client.session.close();
});
