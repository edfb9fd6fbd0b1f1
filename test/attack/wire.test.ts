// What passes through unchanged: informational answers, trailers, field lines in their order, odd
// statuses and bytes, streams as they come, and bodies in both directions.
import t, { type Test } from 'tap';
import { Barrier, until } from '../play.ts';
import { dial, type Exchange, front, type Front, ok, once, rawUpstream } from '../raw.ts';

const RULES = `routes:
  /posts: { GET: { ttl: 1h }, POST: { refresh: [/posts] } }
limits: { write_body: 1kb }
`;
const get = (target: string, ...lines: string[]): string =>
  `${[`GET ${target} HTTP/1.1`, 'Host: a', ...lines].join('\r\n')}\r\n\r\n`;

async function before(t: Test, script: (exchange: Exchange) => unknown): Promise<Front> {
  const upstream = await rawUpstream(t, script);
  return front(t, upstream.url, { rules: RULES });
}

t.test('102 and 103 are passed on, and a hint that is no link is only left out', async (t) => {
  const s = await before(t, ({ write }) => write(
    'HTTP/1.1 102 Processing\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload, </b.css>; rel="x"\r\nX-A: 1\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: nonsense\r\n__proto__: x\r\n\r\n',
    ok('fine'),
  ));
  const client = await dial(t, s.url);
  client.write(get('/pass'));
  t.equal((await client.answer())?.status, 102);
  const hints = await client.answer();
  t.equal(hints?.status, 103);
  t.match(hints?.head, /<\/a\.css>; rel=preload, <\/b\.css>; rel="x"/i);
  t.equal((await client.answer())?.body, 'fine');
  const old = await dial(t, s.url);
  old.write('GET /pass HTTP/1.0\r\nHost: a\r\n\r\n');
  t.equal((await old.answer())?.status, 200, 'HTTP/1.0 knows none of them');
});

t.test('trailers of an answer are passed on, but for those that mean nothing there', async (t) => {
  const s = await before(t, ({ write }) => write(
    'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n',
    '4\r\nfine\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\nVary: *\r\n\r\n',
  ));
  const answer = await once(t, s.url, get('/pass'));
  t.same([answer.body, answer.trailers], ['fine', ['X-Sum: 1']]);
  t.same(answer.values('trailer'), ['X-Sum']);
  for (const target of ['/posts', '/posts']) {
    t.equal((await once(t, s.url, get(target))).body, 'fine', 'also where it is kept');
  }
  const head = await dial(t, s.url);
  head.write(get('/posts').replace('GET', 'HEAD'));
  t.equal((await head.answer({ toHead: true }))?.status, 200, 'and told of without a body');
  const old = await dial(t, s.url);
  t.equal((await old.write(get('/pass').replace('1.1', '1.0')).answer())?.body, 'fine');
});

t.test('field lines keep their order, number, case and bytes', async (t) => {
  const lines = [
    'x-ODD-Case: A', 'X-Two: 1', 'X-Between:', 'x-two: 2', 'X-Obs: caf\xe9 \xff\xc3\xa9',
  ];
  const s = await before(t, ({ write }) => write(ok('fine', ...lines)));
  for (const target of ['/pass', '/posts', '/posts']) {
    const answer = await once(t, s.url, get(target));
    const had = answer.head.split('\r\n').map((line) => line.trim())
      .filter((line) => /^x-/i.test(line));
    t.same(had, lines, target);
  }
});

t.test('requests keep theirs', async (t) => {
  let seen = '';
  const s = await before(t, ({ head, write }) => {
    seen = head;
    write(ok('fine'));
  });
  const lines = ['x-ODD-Case: A', 'X-Two: 1', 'x-two: 2', 'X-Obs: caf\xe9\xff'];
  await once(t, s.url, get('/pass', ...lines));
  t.same(seen.split('\r\n').filter((line) => /^x-(odd|two|obs)/i.test(line)), lines);
});

t.test('odd statuses and reasons are passed on', async (t) => {
  for (const line of [
    '299 Fine', '999 Odd', '200 ', '200', '418 I\'m a teapot', '200 caf\xc3\xa9', '200 caf\xe9',
    '200 a\x01b', '226 IM Used', '600 x', '404 \xff',
  ]) {
    const s = await before(t, ({ write }) =>
      write(`HTTP/1.1 ${line}\r\nContent-Length: 4\r\n\r\nfine`));
    for (const target of ['/pass', '/posts', '/posts']) {
      const answer = await once(t, s.url, get(target));
      const status = Number(line.slice(0, 3));
      t.same([answer.status, answer.body], [status, 'fine'], JSON.stringify(line));
      if (/^[^\x01\x80-\xff]*$|\xc3/.test(line) && line.length > 4) {
        t.equal(answer.reason, line.slice(4));
      }
    }
    t.notMatch((await s.composed.metrics.text()).text, /what="assertion"/);
    await s.close();
  }
});

t.test('HEAD, 204 and 304 have no body, and the connection goes on', async (t) => {
  const s = await before(t, ({ line, write }) => {
    if (line === 'HEAD /pass') return write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n');
    if (line === 'GET /204') return write('HTTP/1.1 204 No Content\r\n\r\n');
    if (line === 'GET /304') return write('HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n');
    return write(ok('fine', 'ETag: "a"'));
  });
  const client = await dial(t, s.url);
  const toHead = true;
  const head = await client.write(get('/pass').replace('GET', 'HEAD')).answer({ toHead });
  t.same(head?.values('content-length'), ['99']);
  t.equal((await client.write(get('/204')).answer())?.status, 204);
  t.equal((await client.write(get('/304', 'If-None-Match: "a"')).answer())?.status, 304);
  t.equal((await client.write(get('/posts')).answer())?.body, 'fine');
  t.equal((await client.write(get('/posts', 'If-None-Match: "a"')).answer())?.status, 304);
  const kept = await client.write(get('/posts').replace('GET', 'HEAD')).answer({ toHead });
  t.match(kept?.head, /everfresh; hit/);
  t.same(kept?.values('content-length'), ['4']);
  t.equal((await client.write(get('/posts')).answer())?.body, 'fine');
});

t.test('an event stream is passed on as it comes, also on a cached route', async (t) => {
  for (const target of ['/pass', '/posts']) {
    const [first, second] = [new Barrier(), new Barrier()];
    const s = await before(t, async ({ write, socket }) => {
      write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
      await first.pass();
      write('data: 1\n\n');
      await second.pass();
      write('data: 2\n\n');
      socket.end();
    });
    const client = await dial(t, s.url);
    client.write(get(target));
    t.ok(await client.sees('text/event-stream'), 'the head comes before any event');
    first.open();
    t.ok(await client.sees('data: 1'));
    t.notMatch(client.rest, /data: 2/);
    second.open();
    t.ok(await client.sees('data: 2'));
    t.ok(await client.sees('0\r\n\r\n'), 'and its end');
  }
});

t.test('a chunked body is streamed to the upstream while it comes', async (t) => {
  let heard = '';
  const s = await before(t, () => undefined);
  const upstream = await rawUpstream(t, (exchange) => exchange.write(ok('fine')));
  const { createServer } = await import('node:net');
  const server = createServer((socket) => {
    socket.setEncoding('latin1').on('data', (text) => {
      heard += String(text);
      if (heard.endsWith('0\r\n\r\n')) socket.write(ok('fine'));
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const { port } = server.address() as { port: number };
  const other = await front(t, `http://127.0.0.1:${port}`, { rules: RULES });
  const client = await dial(t, other.url);
  const chunk = `800\r\n${'x'.repeat(0x800)}\r\n`;
  client.write('POST /posts HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', chunk);
  await until(() => heard.includes('x'.repeat(0x800)), 'the first piece is there before the last');
  client.write('4\r\nlast\r\n');
  await until(() => heard.includes('last'), 'and the second');
  t.equal((await client.write('0\r\n\r\n').answer())?.body, 'fine');
  t.match(heard, /\r\ntransfer-encoding: chunked\r\n/i);
  t.notMatch(heard, /\r\ncontent-length/i);
  t.same([upstream.seen.length, s.composed.gateway.writers.all], [0, 0]);
});

t.test('an answer that comes before all of the body was sent reaches its client', async (t) => {
  const { createServer } = await import('node:net');
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.write(
      'HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nmuch',
    ));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const { port } = server.address() as { port: number };
  const s = await front(t, `http://127.0.0.1:${port}`, { rules: RULES });
  const client = await dial(t, s.url);
  const bytes = 4 * 1024 * 1024;
  client.write(`POST /posts HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
  client.write('x'.repeat(64 * 1024));
  const answer = await client.answer();
  t.same([answer?.status, answer?.body], [413, 'much']);
  client.write('x'.repeat(bytes - 64 * 1024), get('/pass'));
  t.equal((await client.answer())?.status, 413, 'and the next request is taken from its start');
  await until(() => s.composed.gateway.writers.all === 0, 'nothing is left');
});
