// WebSockets through the gateway: the handshake is passed with what says who asks, frames go both
// ways, and when either side or the gateway ends, so do the others.
import { createHash } from 'node:crypto';
import t from 'tap';
import { until } from '../play.ts';
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

const CLOSE = '\x88';

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
      if (text.includes(CLOSE)) exchange.socket.end();
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

t.test('a WebSocket that the upstream refuses or ends is ended', async (t) => {
  const upstream = await rawUpstream(t, (exchange) => {
    if (exchange.line === 'GET /no') {
      return exchange.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    }
    accepts(exchange);
    exchange.write(frame('hello'));
    return exchange.socket.end();
  });
  const s = await front(t, upstream.url, { rules: RULES });
  for (const target of ['/no', '/ends']) {
    const client = await dial(t, s.url);
    t.equal((await client.write(open(target)).answer())?.status, 101);
    t.ok(await client.sees(CLOSE), 'and is told so');
    client.reset();
  }
  const plain = await once(t, s.url, 'GET /no HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal(plain.status, 403, 'the gateway is still there');
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
    exchange.socket.on('data', (text: string) => {
      if (text.includes(CLOSE)) exchange.socket.end();
    });
  });
  const s = await front(t, upstream.url, { rules: `limits: { drain: 500ms }\n${RULES}` });
  const client = await dial(t, s.url);
  t.equal((await client.write(open('/chat')).answer())?.status, 101);
  await until(() => upstream.open === 1, 'it stands');
  const closed = s.close();
  t.ok(await client.sees(CLOSE), 'the client is told');
  // It does not answer, and is not waited for longer than a moment.
  await client.toTheEnd();
  await closed;
  await until(() => upstream.open === 0, 'the other side is ended as well');
});
