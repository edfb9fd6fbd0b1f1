// WebSockets through the gateway: the handshake is passed with what says who asks, frames go both
// ways, and when either side or the gateway ends, so do the others.
import { createHash } from 'node:crypto';
import Fastify from 'fastify';
import t from 'tap';
import everfresh from '../../src/plugin.ts';
import { Barrier, until } from '../play.ts';
import { dial, type Exchange, front, ok, once, rawUpstream } from '../raw.ts';

const RULES = 'routes: { /posts: { GET: { ttl: 1h } } }\n';

function accepts({ head, write, socket }: Exchange, ...lines: string[]): void {
  const key = /^sec-websocket-key: (.*)$/im.exec(head)![1]!;
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  write([
    'HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept.digest('base64')}`, ...lines, '', '',
  ].join('\r\n'));
  socket.removeAllListeners('data');
}

/** A text frame as a server sends it; and as a client does, masked with zeros. */
const frame = (text: string): string => `\x81${String.fromCharCode(text.length)}${text}`;
const masked = (text: string): string =>
  `\x81${String.fromCharCode(0x80 | text.length)}\0\0\0\0${text}`;

const open = (target: string, ...lines: string[]): string => [
  `GET ${target} HTTP/1.1`, 'Host: a.example', 'Upgrade: websocket', 'Connection: Upgrade',
  'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...lines, '', '',
].join('\r\n');

t.test('a WebSocket is carried both ways, and the upstream learns who asks', async (t) => {
  let heard = '';
  const upstream = await rawUpstream(t, (exchange) => {
    accepts(exchange, 'Sec-WebSocket-Protocol: chat');
    exchange.socket.on('data', (text: string) => {
      heard += text;
    });
    exchange.write(frame('hello'));
  });
  const s = await front(t, upstream.url, { rules: RULES });
  const client = await dial(t, s.url);
  client.write(open(
    '/chat?room=1', 'Sec-WebSocket-Protocol: chat', 'Authorization: Bearer mine', 'Cookie: sid=1',
    'Origin: http://a.example', 'X-Forwarded-For: 9.9.9.9', 'X-Custom: yes',
  ));
  const answer = await client.answer();
  t.equal(answer?.status, 101);
  t.same(answer?.values('sec-websocket-accept'), ['s3pPLMBiTxaQ9kYGzzhZRbK+xOo=']);
  t.same(answer?.values('sec-websocket-protocol'), ['chat']);
  t.ok(await client.sees(frame('hello')));
  client.write(masked('back'));
  await until(() => heard.length >= 10, 'the upstream hears it');
  const { line, head } = upstream.exchanges[0]!;
  t.equal(line, 'GET /chat?room=1');
  for (const told of [
    /^authorization: Bearer mine$/im, /^cookie: sid=1$/im, /^origin: http:\/\/a\.example$/im,
    /^x-custom: yes$/im, /^x-forwarded-for: 127\.0\.0\.1$/im, /^sec-websocket-protocol: chat$/im,
  ]) t.match(head, told);
  t.equal(head.match(/^sec-websocket-key:/gim)?.length, 1);
  client.reset();
  await until(() => upstream.open === 0, 'a client that leaves ends the other side');
});

t.test('what the upstream says to the handshake is what the client gets', async (t) => {
  const upstream = await rawUpstream(t, (exchange) => {
    switch (exchange.line) {
      case 'GET /no': return exchange.write(
        'HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic\r\nX-Two: 1\r\nX-Two: 2\r\n',
        'Transfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n0\r\n\r\n',
      );
      case 'GET /b':
        accepts(exchange, 'Sec-WebSocket-Protocol: b', 'Set-Cookie: a=1', 'X-Session: 7');
        return exchange.write(frame('at once'));
      case 'GET /none': return accepts(exchange);
      case 'GET /reset': return exchange.socket.destroy();
      default:
        accepts(exchange);
        exchange.write(frame('hello'));
        return exchange.socket.end();
    }
  });
  const s = await front(t, upstream.url, { rules: RULES });
  const asks = async (target: string) => {
    const client = await dial(t, s.url);
    const protocols = 'Sec-WebSocket-Protocol: a, b';
    return { client, answer: await client.write(open(target, protocols)).answer() };
  };
  const no = await asks('/no');
  t.match(no.answer, { status: 401, reason: 'Who', body: 'nope' });
  t.same(no.answer?.values('www-authenticate'), ['Basic']);
  t.same(no.answer?.values('x-two'), ['1', '2']);
  t.same(no.answer?.values('connection'), ['close']);
  const b = await asks('/b');
  t.match(b.answer, { status: 101 });
  t.same(['sec-websocket-protocol', 'set-cookie', 'x-session'].map((name) =>
    b.answer!.values(name)[0]), ['b', 'a=1', '7']);
  t.ok(await b.client.sees(frame('at once')));
  t.same((await asks('/none')).answer?.values('sec-websocket-protocol'), []);
  t.match((await asks('/reset')).answer, { status: 502, body: /upstream-reset/ });
  const ends = await asks('/ends');
  t.equal(ends.answer?.status, 101);
  t.match(await ends.client.toTheEnd(), frame('hello'), 'what it said last still comes');
  const plain = await once(t, s.url, 'GET /no HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal(plain.status, 401, 'the gateway is still there');
  await upstream.close();
  const gone = await asks('/chat');
  t.match(gone.answer, { status: 502, body: /upstream-refused/ });
  t.same(gone.answer?.values('cache-status'), ['everfresh; detail="upstream-refused"']);
  t.notMatch(gone.answer?.body, /127\.0\.0\.1/, 'nobody is told where it is');
});

t.test('an upgrade that is no GET is a request like others', async (t) => {
  const upstream = await rawUpstream(t, ({ line, body, head, write }) =>
    write(ok(`${line} ${body} ${/^upgrade/im.test(head)}`)));
  const s = await front(t, upstream.url, { rules: RULES });
  const client = await dial(t, s.url);
  client.write([
    'POST /ws HTTP/1.1', 'Host: a', 'Upgrade: websocket', 'Connection: Upgrade',
    'Content-Length: 2', '', 'hi',
  ].join('\r\n'));
  t.equal((await client.answer())?.body, 'POST /ws hi false');
});

t.test('a WebSocket in what is passed by the file is let in by the door alone', async (t) => {
  const upstream = await rawUpstream(t, (exchange) => exchange.write(ok('fine')));
  const s = await front(t, upstream.url, { rules: `hosts: [b.example]\n${RULES}` });
  const client = await dial(t, s.url);
  t.equal((await client.write(open('/chat')).answer())?.status, 421);
  const other = await dial(t, s.url);
  t.equal((await other.write(open('/a/../chat')).answer())?.status, 400);
  t.same(upstream.seen, []);
});

t.test('closing the gateway ends its WebSockets', async (t) => {
  const upstream = await rawUpstream(t, (exchange) => {
    accepts(exchange);
  });
  const s = await front(t, upstream.url, { rules: `limits: { drain: 500ms }\n${RULES}` });
  const client = await dial(t, s.url);
  t.equal((await client.write(open('/chat')).answer())?.status, 101);
  await until(() => upstream.open === 1, 'it stands');
  const closed = s.close();
  // It does not answer, and is not waited for longer than a moment.
  t.equal(await client.toTheEnd(), '');
  await closed;
  await until(() => upstream.open === 0, 'the other side is ended as well');
});

t.test('inside somebody’s server it is carried too, and left to a route of theirs', async (t) => {
  const upstream = await rawUpstream(t, (exchange) => {
    if (!/^sec-websocket-key/im.test(exchange.head)) return exchange.write(ok('plain'));
    accepts(exchange);
    return exchange.write(frame(exchange.line));
  });
  const app = Fastify();
  app.get('/mine', async () => 'theirs');
  for (const prefix of ['/one', '/two']) {
    await app.register(everfresh, { prefix, config: { upstream: upstream.url } });
  }
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const client = await dial(t, url);
  t.equal((await client.write(open('/one/chat')).answer())?.status, 101);
  t.ok(await client.sees(frame('GET /one/chat')));
  t.equal(upstream.seen.length, 1, 'once, however often the host has us');
  const theirs = await dial(t, url);
  t.match(await theirs.write(open('/mine')).answer(), { status: 200, body: 'theirs' });
  const other = await dial(t, url);
  const h2c = open('/one/x').replace('websocket', 'h2c').replace(/Sec-WebSocket-Key.*\r\n/, '');
  t.equal((await other.write(h2c).answer())?.body, 'plain', 'what else is offered is ignored');
  const pipelined = await dial(t, url);
  pipelined.write('GET /one/x HTTP/1.1\r\nHost: a\r\n\r\n', open('/one/chat'));
  await pipelined.closed;
  const leaving = await dial(t, url);
  leaving.write(open('/one/chat')).reset();
  t.equal((await (await dial(t, url)).write(open('/mine')).answer())?.body, 'theirs', 'it lives');
  await app.close();
  await client.closed;
});

t.test('a handshake that cannot be sent is answered, and ends nobody', async (t) => {
  const upstream = await rawUpstream(t, accepts);
  const s = await front(t, upstream.url, { rules: RULES });
  const client = await dial(t, s.url);
  const odd = open('/chat', 'Trailer: x', 'Expect: 100-continue');
  t.equal((await client.write(odd).answer())?.status, 101, 'without what says nothing there');
  t.notMatch(upstream.exchanges[0]!.head, /^(?:trailer|expect):/im);
  const secure = await front(t, upstream.url.replace('http:', 'https:'), {
    rules: RULES, options: 'ca: /none/such',
  });
  const other = await dial(t, secure.url);
  t.equal((await other.write(open('/chat')).answer())?.status, 502);
  const old = await dial(t, s.url);
  const said = await old.write(open('/chat').replace('HTTP/1.1', 'HTTP/1.0')).answer();
  t.not(said?.status, 101, 'HTTP/1.0 knows of no upgrade');
});

t.test('an upgrade waits for what was asked before, and ends with its client', async (t) => {
  const held = new Barrier();
  const upstream = await rawUpstream(t, async (exchange) => {
    if (exchange.line === 'GET /never') return;
    if (exchange.line === 'GET /slow') {
      await held.pass();
      return exchange.write(ok('slow'));
    }
    accepts(exchange);
    return exchange.write(frame('hello'));
  });
  const s = await front(t, upstream.url, { rules: RULES });
  const client = await dial(t, s.url);
  client.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n', open('/chat'));
  await held.reached;
  held.open();
  t.equal((await client.answer())?.body, 'slow');
  t.equal((await client.answer())?.status, 101);
  t.ok(await client.sees(frame('hello')));
  client.reset();
  await until(() => upstream.open <= 1, 'gone');
  const gone = await dial(t, s.url);
  gone.write(open('/never'));
  await until(() => upstream.seen.includes('GET /never'), 'asked');
  const open1 = upstream.open;
  gone.socket.end();
  await until(() => upstream.open === open1 - 1, 'the upstream is left as well');
});

t.test('what is cut looks cut, and closing ends what comes late', async (t) => {
  const half = new Barrier();
  const upstream = await rawUpstream(t, (exchange) => {
    if (exchange.line === 'GET /odd') return exchange.write('HTTP/1.1 101 X\r\n\r\n');
    if (exchange.line !== 'GET /cut') return undefined;
    exchange.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    return half.pass().then(() => exchange.socket.resetAndDestroy());
  });
  const s = await front(t, upstream.url, { rules: `limits: { drain: 200ms }\n${RULES}` });
  const cut = await dial(t, s.url);
  cut.write(open('/cut'));
  t.ok(await cut.sees('hello'));
  half.open();
  await cut.closed;
  t.ok(cut.broken, 'by a reset');
  const odd = await dial(t, s.url);
  t.match(await odd.write(open('/odd')).answer(), { status: 502, body: /upstream-broken/ });
  const busy = await dial(t, s.url);
  busy.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  const late = await dial(t, s.url);
  const handshake = open('/late');
  late.write(handshake.slice(0, 30));
  await until(() => s.composed.handler.active() === 1, 'asked');
  const closed = s.close();
  late.write(handshake.slice(30));
  await closed;
  await late.closed;
  t.notOk(upstream.seen.includes('GET /late'));
});
