// Clients that take their answer slowly, or not at all: who stops is cut off and holds nothing, who
// goes on is waited for, also while the gateway drains.
import { once as emitted } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { until } from '../play.ts';
import { front, type Front, ok, once, rawUpstream } from '../raw.ts';

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
const LARGE = 30 * 1024 * 1024;
const RULES = 'routes: { /large: { GET: { ttl: 1h, max_body: 64mb } } }\n';
const later = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** A client that has asked and reads nothing yet. */
async function unread(t: Test, address: string, target: string): Promise<Socket> {
  const { hostname, port } = new URL(address);
  const socket = connect({ host: hostname, port: Number(port) });
  t.teardown(() => void socket.destroy());
  socket.on('error', () => undefined);
  await emitted(socket, 'connect');
  socket.pause();
  socket.write(get(target));
  return socket;
}

/** Bounded in time, since it is time that ends it. */
async function over({ composed }: Front): Promise<boolean> {
  for (let turn = 0; turn < 100 && composed.handler.active() > 0; turn += 1) await later(50);
  return composed.handler.active() === 0;
}

/** Reads to the end, with a rest after each piece; how many bytes came. */
async function slowly(socket: Socket, restMs: number): Promise<number> {
  let bytes = 0;
  socket.on('data', (piece: Buffer) => {
    bytes += piece.length;
    socket.pause();
    setTimeout(() => socket.resume(), restMs);
  });
  socket.resume();
  await emitted(socket, 'close');
  return bytes;
}

t.test('clients that read nothing give the connections of the upstream back', async (t) => {
  const block = 'x'.repeat(64 * 1024);
  const upstream = await rawUpstream(t, ({ line, socket, write }) => {
    if (line === 'GET /fine') return write(ok('fine'));
    write('HTTP/1.1 200 OK\r\n\r\n');
    const pump = (): void => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.on('drain', pump);
    return pump();
  });
  const s = await front(t, upstream.url, {
    rules: `limits: { send_timeout: 300ms }\n${RULES}`, options: 'connections: 2',
  });
  await Promise.all([1, 2].map(() => unread(t, s.url, '/endless')));
  await until(() => upstream.seen.length === 2, 'both connections are taken');
  const answer = await once(t, s.url, get('/fine'));
  t.equal(answer.body, 'fine');
  t.ok(await over(s), 'nothing is left under way');
});

t.test('a client that does not take a hit is cut off', async (t) => {
  const upstream = await rawUpstream(t, ({ write }) => write(ok('x'.repeat(LARGE))));
  const s = await front(t, upstream.url, { rules: `limits: { send_timeout: 300ms }\n${RULES}` });
  await once(t, s.url, get('/large'));
  t.match((await once(t, s.url, get('/large'))).head, /everfresh; hit/);
  const socket = await unread(t, s.url, '/large');
  await until(() => s.composed.handler.active() === 1, 'it is under way');
  t.ok(await over(s));
  t.ok(await slowly(socket, 0) < LARGE, 'what came is not the whole');
});

t.test('who reads slowly, and whom the upstream keeps waiting, is not cut off', async (t) => {
  const upstream = await rawUpstream(t, async ({ line, write }) => {
    if (line === 'GET /large') return write(ok('x'.repeat(LARGE)));
    write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab');
    await later(700);
    return write('cd');
  });
  const s = await front(t, upstream.url, { rules: `limits: { send_timeout: 300ms }\n${RULES}` });
  t.equal((await once(t, s.url, get('/silent'))).body, 'abcd');
  await once(t, s.url, get('/large'));
  const socket = await unread(t, s.url, '/large');
  let bytes = 0;
  socket.on('data', (piece: Buffer) => {
    bytes += piece.length;
    socket.pause();
    setTimeout(() => socket.resume(), 2);
  });
  socket.resume();
  await until(() => s.composed.handler.active() === 1, 'it is under way');
  t.ok(await over(s));
  await until(() => bytes > LARGE, 'all of it comes');
  socket.write(get('/silent'));
  await until(() => bytes > LARGE && upstream.count('GET /silent') === 2, 'it is asked again');
  const before = bytes;
  await later(900);
  t.ok(bytes > before, 'the connection was kept, by the usual time');
  t.notOk(socket.destroyed);
});

t.test('a hit that is read slowly while the gateway drains arrives whole', async (t) => {
  const upstream = await rawUpstream(t, ({ write }) => write(ok('x'.repeat(LARGE))));
  const s = await front(t, upstream.url, { rules: RULES });
  await once(t, s.url, get('/large'));
  const socket = await unread(t, s.url, '/large');
  await until(() => s.composed.handler.active() === 1, 'it is under way');
  const closed = s.close();
  const bytes = await slowly(socket, 1);
  t.ok(bytes > LARGE, `${bytes} bytes came`);
  await closed;
  t.equal(s.composed.handler.active(), 0);
});

t.test('a hit that is not read ends with the time that draining has', async (t) => {
  const upstream = await rawUpstream(t, ({ write }) => write(ok('x'.repeat(LARGE))));
  const s = await front(t, upstream.url, { rules: `limits: { drain: 300ms }\n${RULES}` });
  await once(t, s.url, get('/large'));
  const socket = await unread(t, s.url, '/large');
  await until(() => s.composed.handler.active() === 1, 'it is under way');
  await s.close();
  t.ok(await slowly(socket, 0) < LARGE);
});
