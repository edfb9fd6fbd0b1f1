// The life of connections: kept and closed as asked, given up by clients at any moment, slow, too
// many, drained; and after all of it nothing is left behind.
import t from 'tap';
import { Barrier, until } from '../play.ts';
import { dial, front, type Front, ok, once, rawUpstream } from '../raw.ts';

const RULES = 'routes: { /posts: { GET: { ttl: 1h }, POST: { refresh: [/posts] } } }\n';
const get = (target: string, ...lines: string[]): string =>
  `${[`GET ${target} HTTP/1.1`, 'Host: a', ...lines].join('\r\n')}\r\n\r\n`;
const POST = 'POST /posts HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}';

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise<void>((next) => void setImmediate(next));
  }
}

const idle = ({ composed: { gateway, handler } }: Front): boolean =>
  gateway.flights.size + gateway.writers.all + gateway.writers.byClient.size +
    handler.active() === 0;

t.test('a connection is kept, or closed where the client asks for it', async (t) => {
  const upstream = await rawUpstream(t, ({ write }) => write(ok('fine')));
  const s = await front(t, upstream.url, { rules: RULES });
  for (const target of ['/pass', '/posts']) {
    const client = await dial(t, s.url);
    for (let i = 0; i < 3; i += 1) {
      t.equal((await client.write(get(target)).answer())?.status, 200);
    }
    const last = await client.write(get(target, 'Connection: close')).answer();
    t.match(last?.head, /connection: close/i);
    await client.closed;
    const old = await dial(t, s.url);
    t.equal((await old.write(`GET ${target} HTTP/1.0\r\n\r\n`).answer())?.body, 'fine');
    await old.closed;
  }
  t.ok(upstream.connections < 6, 'the upstream’s are used again');
});

t.test('an idle connection is closed after its time', async (t) => {
  const upstream = await rawUpstream(t, ({ write }) => write(ok('fine')));
  const limits = 'limits: { keep_alive_timeout: 100ms }\n';
  const s = await front(t, upstream.url, { rules: limits + RULES });
  const client = await dial(t, s.url);
  t.equal((await client.write(get('/pass')).answer())?.status, 200);
  t.equal(await client.toTheEnd(), '', 'it is ended without a word');
});

t.test('connections over the limit are closed at once, and room is made again', async (t) => {
  const upstream = await rawUpstream(t, ({ write }) => write(ok('fine')));
  const s = await front(t, upstream.url, { rules: `limits: { connections: 2 }\n${RULES}` });
  const [one, two] = [await dial(t, s.url), await dial(t, s.url)];
  t.equal((await one.write(get('/pass')).answer())?.status, 200);
  t.equal((await two.write(get('/pass')).answer())?.status, 200);
  const third = await dial(t, s.url);
  t.equal(await third.write(get('/pass')).answer(), undefined);
  one.socket.destroy();
  await until(async () => {
    const next = await dial(t, s.url);
    const answer = await next.write(get('/pass')).answer();
    next.socket.destroy();
    return answer?.status === 200;
  }, 'another takes its place');
});

t.test('a write and what is pipelined behind it are carried out one after the other', async (t) => {
  const slow = new Barrier();
  const upstream = await rawUpstream(t, async ({ line, write }) => {
    if (line === 'POST /posts') await slow.pass();
    write(ok(line));
  });
  const s = await front(t, upstream.url, { rules: RULES });
  const client = await dial(t, s.url);
  client.write(POST, get('/posts'), get('/pass'));
  await slow.reached;
  t.equal(s.composed.handler.active(), 1);
  t.same(upstream.seen, ['POST /posts'], 'the reads wait');
  slow.open();
  for (const body of ['POST /posts', 'GET /posts', 'GET /pass']) {
    t.equal((await client.answer())?.body, body);
  }
});

t.test('nonsense behind a request ends the connection, but not its answer', async (t) => {
  const slow = new Barrier();
  const upstream = await rawUpstream(t, async ({ line, write }) => {
    await slow.pass();
    write(ok(line));
  });
  const s = await front(t, upstream.url, { rules: RULES });
  const client = await dial(t, s.url);
  client.write(get('/pass'), '\0nonsense\r\n\r\n');
  await slow.reached;
  slow.open();
  const answer = await client.answer();
  t.same([answer?.status, answer?.body], [200, 'GET /pass']);
  t.match(await client.toTheEnd(), /^(?:HTTP\/1\.1 400 [^]*bad-framing[^]*)?$/, 'no answer to it');
  await client.closed;

  const cut = await dial(t, s.url);
  const chunked = 'POST /posts HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  t.equal((await cut.write(chunked, '1\r\na\r\nzz\r\n').answer())?.status, 400);
  t.equal(await cut.toTheEnd(), '');
  await until(() => idle(s), 'nothing is left');
  t.equal(upstream.count('POST /posts'), 0);
});

t.test('a client that leaves ends the fetch that it alone reads, never a write', async (t) => {
  const upstream = await rawUpstream(t, ({ line, write }) => {
    if (line === 'GET /silent' || line === 'POST /posts') return;
    write('HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\nfirst');
  });
  const s = await front(t, upstream.url, { rules: RULES });
  for (const target of ['/silent', '/streams', '/posts']) {
    const client = await dial(t, s.url);
    client.write(get(target));
    await until(() => upstream.count(`GET ${target}`) === 1, 'the upstream is asked');
    if (target !== '/silent') t.ok(await client.sees('first'));
    client.reset();
    await until(() => upstream.open === 0, `${target}: the upstream is let go`);
  }
  const writer = await dial(t, s.url);
  writer.write(POST);
  await until(() => upstream.count('POST /posts') === 1, 'the write is forwarded');
  writer.reset();
  const { socket, write } = upstream.exchanges.find(({ line }) => line === 'POST /posts')!;
  await turns(100);
  t.notOk(socket.destroyed, 'its connection stands');
  t.equal(s.composed.gateway.writers.all, 1, 'it is still under way');
  write(ok('done'));
  await until(() => s.composed.gateway.writers.all === 0, 'and ends by its answer');
  t.equal(upstream.count('POST /posts'), 1);
});

t.test('who gives up while waiting for a connection leaves the queue at once', async (t) => {
  const upstream = await rawUpstream(t, () => undefined);
  const s = await front(t, upstream.url, { rules: RULES, options: 'connections: 1' });
  const first = await dial(t, s.url);
  first.write(get('/pass'));
  await until(() => upstream.seen.length === 1, 'the one connection is taken');
  const waiting = await Promise.all([1, 2, 3].map(() => dial(t, s.url)));
  for (const client of waiting) client.write(get('/pass'));
  await until(() => s.composed.handler.active() === 4, 'the others wait for it');
  for (const client of waiting) client.reset();
  await until(() => s.composed.handler.active() === 1, 'they are gone');
  upstream.exchanges[0]!.write(ok('fine'));
  t.equal((await first.answer())?.body, 'fine');
  first.write(get('/next'));
  await until(() => upstream.seen.length === 2, 'the next is asked');
  t.equal(upstream.connections, 1, 'and its connection was not lost with them');
  t.same(upstream.seen, ['GET /pass', 'GET /next'], 'nor were they asked for');
});

t.test('closing answers what is under way, and takes nothing new', async (t) => {
  const slow = new Barrier();
  const upstream = await rawUpstream(t, async ({ line, write }) => {
    if (line === 'GET /slow') await slow.pass();
    write(ok(line));
  });
  const s = await front(t, upstream.url, { rules: RULES });
  const [busy, still] = [await dial(t, s.url), await dial(t, s.url)];
  t.equal((await still.write(get('/pass')).answer())?.status, 200);
  busy.write(get('/slow'), get('/pass?never'));
  await slow.reached;
  const closing = s.close();
  t.equal(await still.toTheEnd(), '', 'the idle one is closed');
  await t.rejects(dial(t, s.url), { code: 'ECONNREFUSED' });
  slow.open();
  const answer = await busy.answer();
  t.equal(answer?.body, 'GET /slow');
  t.match(answer?.head, /connection: close/i);
  await closing;
  t.equal(await busy.toTheEnd(), '');
  t.equal(upstream.count('GET /pass?never'), 0, 'what was asked behind it is not begun');
});

t.test('what takes longer than the drain may is broken off', async (t) => {
  const upstream = await rawUpstream(t, () => undefined);
  const s = await front(t, upstream.url, { rules: `limits: { drain: 100ms }\n${RULES}` });
  const client = await dial(t, s.url);
  client.write(get('/pass'));
  await until(() => upstream.seen.length === 1, 'it is under way');
  await s.close();
  t.equal(await client.answer(), undefined);
  await until(() => idle(s), 'and nothing is left');
});

t.test('2,000 requests given up at any point leave nothing behind', async (t) => {
  const upstream = await rawUpstream(t, ({ turn, line, write }) => {
    if (line.endsWith('silent')) return;
    const head = 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 9\r\n\r\n';
    write(line.endsWith('half') && turn % 2 === 0 ? `${head}half` : ok('whole'));
  });
  const s = await front(t, upstream.url, {
    rules: 'limits: { writes_per_client: 1000 }\nroutes: { "/*": { GET: { ttl: 1h } } }\n',
    options: 'headers_timeout: 900ms, body_timeout: 900ms',
  });
  const head = (line: string): string => `${line} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n`;
  const requests = [
    get('/whole'), get('/half'), get('/silent'), get('/half', 'Cookie: a=b'),
    get('/silent', 'Cookie: a=b'), head('POST /whole'), `${head('POST /half')}body`,
    `${head('POST /silent')}body`, head('PUT /whole').slice(0, 30),
    get('/half') + get('/whole'),
  ];
  for (let i = 0; i < 2000; i += 50) {
    const clients = await Promise.all(Array.from({ length: 50 }, () => dial(t, s.url)));
    for (const [j, client] of clients.entries()) client.write(requests[(i + j) % 10]!);
    await turns(i % 7);
    for (const [j, client] of clients.entries()) {
      if (j % 2 === 0) client.reset();
      else client.socket.destroy();
    }
  }
  const over = async (): Promise<boolean> => {
    await new Promise<void>((resolve) => void setTimeout(resolve, 10));
    return idle(s);
  };
  await until(over, 'all requests are over');
  const { text } = await s.composed.metrics.text();
  t.notMatch(text, /what="assertion"/, 'and none was a mistake of ours');
  t.equal((await once(t, s.url, get('/whole'))).body, 'whole');
  await until(() => upstream.open <= 128, 'no more connections than the pool may have');
  t.match(text, /everfresh_flights 0\n/);
});

t.test('closing waits for nobody who has not begun to speak', async (t) => {
  const upstream = await rawUpstream(t, ({ write }) => write(ok('fine')));
  const s = await front(t, upstream.url, { rules: 'limits: { headers_timeout: 1h }\n' });
  const silent = await dial(t, s.url);
  const begun = await dial(t, s.url);
  begun.write('PRI * HTTP/2.0\r\n');
  const speaks = await dial(t, s.url);
  t.equal((await speaks.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n').answer())?.status, 200);
  await s.close();
  await Promise.all([silent.closed, begun.closed, speaks.closed]);
  t.pass('all are closed');
});

t.test('an empty line keeps no connection open that is at rest', async (t) => {
  const upstream = await rawUpstream(t, ({ line, write }) => write(ok(line)));
  const s = await front(t, upstream.url, {
    rules: `limits: { keep_alive_timeout: 100ms }\n${RULES}`,
  });
  const client = await dial(t, s.url);
  await client.write(POST).answer();
  client.write('\r\n');
  t.equal(await client.toTheEnd(), '');
  const other = await dial(t, s.url);
  await other.write(POST, '\r\n\n').answer();
  t.equal((await other.write(get('/posts')).answer())?.body, 'GET /posts', 'it is no request');
});

t.test('who sends very much behind a request is cut off, with what was asked', async (t) => {
  const upstream = await rawUpstream(t, () => undefined);
  const s = await front(t, upstream.url, { rules: RULES });
  const client = await dial(t, s.url);
  client.write(get('/pass'));
  await until(() => upstream.seen.length === 1, 'it is asked');
  client.write(get('/posts', `X: ${'x'.repeat(1000)}`).repeat(300));
  await client.closed;
  await until(() => upstream.open === 0, 'the upstream is left');
  t.equal(s.composed.handler.active(), 0);
});

for (const more of ['', 'fast_path: off\n']) {
  t.test(`an upgrade behind an answer that is not over ends the connection ${more}`, async (t) => {
    const half = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab';
    const upstream = await rawUpstream(t, ({ line, write }) =>
      write(line === 'GET /pass' ? half : ok(line)));
    const s = await front(t, upstream.url, { rules: `${more}${RULES}` });
    const client = await dial(t, s.url);
    const chunked = 'POST /posts HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
    await client.write(chunked, '0\r\n\r\n').answer();
    client.write(get('/pass'), get('/pass', 'Upgrade: websocket', 'Connection: Upgrade'));
    await client.closed;
    await until(() => upstream.open <= 1, 'the upstream is left');
    t.equal(s.composed.handler.active(), 0);
  });
}

t.test('a connection whose answer ends while all is drained is closed with it', async (t) => {
  const held = new Barrier();
  const upstream = await rawUpstream(t, async ({ write }) => {
    write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab');
    await held.pass();
    write('cd');
  });
  const s = await front(t, upstream.url, { rules: `limits: { drain: 60s }\n${RULES}` });
  const client = await dial(t, s.url);
  client.write(get('/pass'));
  await held.reached;
  await client.sees('ab');
  const closing = s.close();
  held.open();
  t.equal(await client.toTheEnd(), 'cd');
  await closing;
});
