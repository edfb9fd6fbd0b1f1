// HTTP/2 from clients that don't mean well: frames by the thousand, heads without an end, names
// and targets that say two things.
import t, { type Test } from 'tap';
import { connect } from 'node:http2';
import {
  dialFrames, END_HEADERS, END_STREAM, frame, type FrameClient, lines, plain, TYPE,
} from '../frames.ts';
import { until } from '../play.ts';
import { type Front, front, ok, once, type RawUpstream, rawUpstream } from '../raw.ts';

const RULES = 'routes: { "/kept/*": { GET: { ttl: 1h } } }\n';
const HEADERS = END_HEADERS | END_STREAM;

async function before(
  t: Test, { rules = '', slow = false } = {},
): Promise<Front & { upstream: RawUpstream }> {
  const upstream = await rawUpstream(t, ({ write }) => {
    if (!slow) write(ok('fine'));
  });
  return { ...(await front(t, upstream.url, { rules: RULES + rules })), upstream };
}

/** False when the other side has closed, else it answers on the same connection. */
async function goesOn(client: FrameClient): Promise<boolean> {
  client.send(frame(TYPE.ping, 0, 0, 'are you?'));
  return (await client.next(TYPE.ping)) !== undefined;
}

/** Somebody else is still served. */
async function serves(t: Test, s: Front): Promise<void> {
  t.equal((await once(t, s.url, 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n')).status, 200);
}

t.test('G74 requests that are reset by the thousand: the session is ended', async (t) => {
  const s = await before(t, { slow: true });
  const client = await dialFrames(t, s.url);
  const pause = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 5));
  for (let first = 1; first < 10_000 && !client.socket.destroyed; first += 200) {
    const ids = Array.from({ length: 100 }, (_, i) => first + 2 * i);
    client.send(...ids.map((id) => frame(TYPE.headers, HEADERS, id, plain(`/x/${id}`))));
    await pause();
    client.send(...ids.map((id) => frame(TYPE.reset, 0, id, '\0\0\0\x08')));
    await pause();
  }
  await client.closed;
  t.ok(client.came.some(({ type }) => type === TYPE.goaway), 'the session was ended');
  t.ok(s.upstream.seen.length <= 300, `${s.upstream.seen.length} of 5,000 got to the upstream`);
  await until(() => s.composed.handler.active() === 0, 'rest');
  t.pass('and nothing of them stays');
});

t.test('G75 frames and fields without an end: the session is ended, or 431', async (t) => {
  const s = await before(t, { rules: 'limits: { header: 8kb }\n' });
  const floods: Record<string, () => Buffer[]> = {
    settings: () => [frame(TYPE.settings, 0, 0)],
    ping: () => [frame(TYPE.ping, 0, 0, '12345678')],
    'empty data': () => [frame(TYPE.data, 0, 1)],
    continuation: () => [frame(TYPE.continuation, 0, 1, lines(['x', 'y'.repeat(500)]))],
  };
  for (const [name, flood] of Object.entries(floods)) {
    const client = await dialFrames(t, s.url);
    const post = lines(
      [':method', 'POST'], [':scheme', 'http'], [':authority', 'a'], [':path', '/x'],
    );
    if (name === 'empty data') client.send(frame(TYPE.headers, END_HEADERS, 1, post));
    if (name === 'continuation') client.send(frame(TYPE.headers, 0, 1, post));
    let sent = 0;
    for (; sent < 20_000 && !client.socket.destroyed; sent += 100) {
      client.send(...Array.from({ length: 100 }, flood).flat());
      await new Promise((resolve) => void setImmediate(resolve));
    }
    await client.closed;
    t.ok(sent < 20_000, `${name}: closed after ${sent} or fewer`);
  }
  const many = await dialFrames(t, s.url);
  const field = (i: number): readonly [string, string] => [`x-${i}`, 'y'];
  const fields = (count: number) => Array.from({ length: count }, (_, i) => field(i));
  many.send(frame(TYPE.headers, HEADERS, 1, plain('/x', ...fields(150))));
  t.match((await many.next(TYPE.headers))?.payload.toString('latin1'), /431|\x08\x03431/);
  many.send(frame(TYPE.headers, HEADERS, 3, plain('/x', ['x', 'y'.repeat(9000)])));
  t.match((await many.next(TYPE.headers))?.stream, 3, 'answered as well');
  many.send(frame(TYPE.headers, HEADERS, 5, plain('/x', ...fields(300))));
  t.equal((await many.next(TYPE.reset))?.stream, 5, 'what is far too much is reset');
  t.equal(s.upstream.seen.length, 0, 'the upstream saw none of it');
  await serves(t, s);
});

t.test('G76 names and targets that say two things: 400, or the stream is reset', async (t) => {
  const s = await before(t);
  const method = [':method', 'GET'] as const;
  const scheme = [':scheme', 'http'] as const;
  const authority = [':authority', 'a'] as const;
  const path = [':path', '/x'] as const;
  const heads: Record<string, string> = {
    'a host that is another': lines(method, scheme, authority, path, ['host', 'b']),
    'two hosts': lines(method, scheme, authority, path, ['host', 'a'], ['host', 'a']),
    'a name in upper case': plain('/x', ['X-Upper', '1']),
    'Connection': plain('/x', ['connection', 'close']),
    'Transfer-Encoding': plain('/x', ['transfer-encoding', 'chunked']),
    'Keep-Alive': plain('/x', ['keep-alive', '1']),
    'Upgrade': plain('/x', ['upgrade', 'h2c']),
    'TE other than trailers': plain('/x', ['te', 'gzip']),
    'a path without a slash': lines(method, scheme, authority, [':path', 'x']),
    'an empty path': lines(method, scheme, authority, [':path', '']),
    'a path of another server': lines(method, scheme, authority, [':path', 'http://b/x']),
    'a path with a space': lines(method, scheme, authority, [':path', '/x HTTP/1.1']),
    'a path with a line end': lines(method, scheme, authority, [':path', '/x\r\nHost: b']),
    'dot segments': lines(method, scheme, authority, [':path', '/a/../x']),
    'a fragment': lines(method, scheme, authority, [':path', '/x#y']),
    'two paths': lines(method, scheme, authority, path, path),
    'no path': lines(method, scheme, authority),
    'no method': lines(scheme, authority, path),
    'no authority': lines(method, scheme, path),
    'an authority with a user': lines(method, scheme, [':authority', 'u@a'], path),
    'a method that is none': lines([':method', 'GE T'], scheme, authority, path),
    'CONNECT': lines([':method', 'CONNECT'], authority),
    'an unknown pseudo-field': lines(method, scheme, authority, path, [':x', 'y']),
    'a pseudo-field behind fields': lines(method, scheme, authority, ['x', 'y'], path),
    'a length that is none': plain('/x', ['content-length', '+1']),
    'two lengths': plain('/x', ['content-length', '0'], ['content-length', '0']),
    'a length without a body': plain('/x', ['content-length', '5']),
  };
  for (const [name, head] of Object.entries(heads)) {
    const client = await dialFrames(t, s.url);
    client.send(frame(TYPE.headers, HEADERS, 1, head));
    await goesOn(client);
    await until(() => s.composed.handler.active() === 0, 'rest');
    const answered = client.came.find(({ type }) => type === TYPE.headers);
    const status = answered && /4(00|05|31)/.exec(answered.payload.toString('latin1'))?.[0];
    const reset = client.came.some(({ type }) => type === TYPE.reset || type === TYPE.goaway);
    const refused = status !== undefined || reset || answered?.payload.includes(0x8c) === true;
    t.ok(refused, `${name}: ${status ?? 'reset'}`);
    client.socket.destroy();
  }
  t.equal(s.upstream.seen.length, 0, 'the upstream saw none of them');
  for (const [name, value] of [['x', 'y\r\nz: 1'], ['x', 'y\0z'], ['x:y', 'z'], ['x ', 'y']]) {
    const client = await dialFrames(t, s.url);
    client.send(frame(TYPE.headers, HEADERS, 1, plain('/x', [name!, value!])));
    await client.next(TYPE.headers);
    client.socket.destroy();
  }
  for (const { head } of s.upstream.exchanges) t.notMatch(head, /^(?:x|x:y|x |z):/m, 'left out');
  const good = connect(s.url);
  t.teardown(() => good.close());
  const answer = await new Promise((resolve) => {
    good.request({ ':path': '/x', te: 'trailers' }).on('response', (head) => {
      resolve(head[':status']);
    }).resume();
  });
  t.equal(answer, 200);
});
