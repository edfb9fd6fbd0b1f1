// The fast path answers as the way without it does, whatever comes through the door and however it
// is cut: a million generated heads, on two gateways that differ in nothing else.
import { connect } from 'node:net';
import t from 'tap';
import { front, ok, rawUpstream } from '../raw.ts';
import { VirtualClock } from '../virtual-clock.ts';

t.setTimeout(600_000);

const HEADS = 1_000_000;
const AT_ONCE = 16;
/** Requests of one connection. */
const BATCH = 50;

/** Numbers that are the same in each run. */
function drawing(seed: number) {
  let state = seed;
  const below = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  return {
    below, of: <T>(list: readonly T[]): T => list[below(list.length)]!,
    is: (p: number): boolean => below(1_000_000) < p * 1_000_000,
  };
}
type Draw = ReturnType<typeof drawing>;

const DATE = 'Fri, 02 Jan 2026 03:04:05 GMT';
const TARGETS = ['/a', '/b', '/a?x=1', '/large', '/coded', '/pass', '/A', '/a/', '/%61'];
const FIELDS = [
  'Host: a', 'Host: b', 'Accept: */*', 'accept: text/html', 'Accept-Encoding: gzip',
  'User-Agent: test', 'If-None-Match: "v1"', 'If-None-Match: "v2"', 'Cookie: a=1',
  'Authorization: Basic x', 'Cache-Control: no-cache', 'Connection: keep-alive', 'Range: bytes=0-1',
  'X-Forwarded-For: 1.2.3.4', 'X-Forwarded-Proto: https', 'traceparent: 00-1', 'X-Own: \xfc',
  `If-Modified-Since: ${DATE}`,
];
const FRAMING = [
  'Content-Length: 0', 'Content-Length: 3', 'Content-Length: 03', 'Content-Length: 3, 3',
  'Content-Length: +3', 'content-length:3', 'Content-Length : 3', 'Content-Length: 3\t',
  'Transfer-Encoding: chunked', 'Transfer-Encoding: identity', 'transfer-encoding:\tchunked',
  'Transfer-Encoding: xchunked', 'Transfer-Encoding: chunked, chunked', 'Expect: 100-continue',
  'Upgrade: h2c', 'Connection: close', 'Connection: upgrade', ' folded', 'Content-Length: 99999999',
  'X: a\r\n Content-Length: 3', 'X: a\nContent-Length: 3', 'X: a\rContent-Length: 3',
];
const BODIES = [
  '', 'abc', '3\r\nabc\r\n0\r\n\r\n', '0\r\n\r\n', 'GET /b HTTP/1.1\r\nHost: a\r\n\r\n',
];
const BYTES = ['\0', '\n', '\r', ' ', '\t', ':', '\x7f', '\x80', 'x', '\r\n', '\r\n\r\n'];

const VERSIONS = ['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1'];

/** Most are plain; some are bent in one way, a few in several. */
function head(draw: Draw): string {
  const method = draw.is(0.9) ? 'GET' : draw.of(['HEAD', 'POST', 'PUT', 'get', 'OPTIONS', 'PURGE']);
  const version = draw.is(0.995) ? 'HTTP/1.1' : draw.of(VERSIONS);
  const lines = ['Host: a'];
  const more = draw.is(0.5) ? 0 : draw.below(4);
  for (let i = 0; i < more; i += 1) lines.push(draw.of(FIELDS));
  if (draw.is(0.01)) lines.splice(draw.below(lines.length + 1), 0, draw.of(FRAMING));
  if (draw.is(0.002)) lines.splice(draw.below(lines.length + 1), 0, draw.of(FRAMING));
  if (draw.is(0.01)) lines.reverse();
  let text = `${method} ${draw.of(TARGETS)} ${version}\r\n${lines.join('\r\n')}\r\n\r\n`;
  if (draw.is(0.01)) text += draw.of(BODIES);
  if (draw.is(0.004)) {
    const at = draw.below(text.length);
    text = text.slice(0, at) + draw.of(BYTES) + text.slice(draw.is(0.5) ? at : at + 1);
  }
  return text;
}

interface Batch {
  readonly text: string;
  /** Where it is cut in pieces. */
  readonly cuts: readonly number[];
  /** The client ends its half at once. */
  readonly halfClosed: boolean;
}

const LAST = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

function batch(draw: Draw): Batch {
  let text = '';
  for (let i = 0; i < BATCH; i += 1) text += head(draw);
  text += LAST;
  const cuts: number[] = [];
  // In one piece, or cut anywhere, even inside a line's end.
  const pieces = draw.is(0.5) ? 0 : draw.below(20);
  for (let i = 0; i < pieces; i += 1) cuts.push(draw.below(text.length));
  return { text, cuts: cuts.sort((a, b) => a - b), halfClosed: draw.is(0.01) };
}

/** All that came until the other side ended; after a silence this side does. */
function told(url: string, { text, cuts, halfClosed }: Batch, graceMs: number): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let came = '';
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    let silence: NodeJS.Timeout | undefined;
    const wait = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => socket.destroy(), graceMs);
    };
    socket.setEncoding('latin1');
    socket.on('data', (piece: string) => {
      came += piece;
      wait();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(silence);
      resolve(came);
    });
    socket.on('connect', () => {
      wait();
      const bounds = [0, ...cuts, text.length];
      const next = (i: number): void => {
        if (i + 1 >= bounds.length) {
          if (halfClosed) socket.end();
          return;
        }
        const piece = text.slice(bounds[i], bounds[i + 1]);
        socket.write(piece, 'latin1', () => setImmediate(next, i + 1));
      };
      next(0);
    });
  });
}

// Without what the moment adds, and whether something was kept then, or is still to come.
const plain = (text: string): string => text
  .replaceAll(/^(?:Date|Age|Cache-Status|Connection|Keep-Alive): .*\r\n/gm, '')
  .replaceAll(/(?<=HTTP\/1\.1 \d{3} .*\r\n)(?:\S+: .*\r\n)+/g, (lines) =>
    lines.split('\r\n').sort().join('\n'));

/** Answers of all that may be refused: the last word of a connection. */
const REFUSAL = /HTTP\/1\.1 (?:400|408|431) [^]*$/;

/**
 * The same. Or nonsense has broken the one connection off as it did the other, perhaps with a
 * refusal, perhaps a little later: Node drops answers that were on their way then.
 */
function alike(fast: string, slow: string): boolean {
  if (fast === slow) return true;
  const [said, other] = [fast.replace(REFUSAL, ''), slow.replace(REFUSAL, '')];
  const refused = said !== fast || !slow.includes('GET /last');
  return refused && (other.startsWith(said) || said.startsWith(other));
}

/** Where two begin to differ, and what of the requests was answered until then. */
function difference({ text, cuts, halfClosed }: Batch, fast: string, slow: string): object {
  let at = 0;
  while (at < fast.length && fast[at] === slow[at]) at += 1;
  const from = Math.max(0, at - 200);
  return {
    text, cuts, halfClosed, answered: fast.slice(0, at).split('HTTP/1.1 ').length - 1,
    fast: fast.slice(from, at + 400), slow: slow.slice(from, at + 400),
  };
}

t.test('a million heads are answered alike', async (t) => {
  const upstream = await rawUpstream(t, ({ line, head, body, write }) => {
    const tagged = /\/[ab]\b/.test(line);
    const length = line.includes('large') ? 70_000 : 100;
    const fields = [
      ...(tagged ? ['ETag: "v1"', `Last-Modified: ${DATE}`] : []), `Date: ${DATE}`,
      'Cache-Control: max-age=600',
      ...(line.includes('coded') ? ['Vary: Accept-Encoding'] : []),
    ];
    const coded = line.includes('coded') ? /^accept-encoding:.*$/im.exec(head)?.[0] : undefined;
    const said = `${line} ${body} ${coded ?? ''}`;
    if (line.startsWith('HEAD')) {
      const whole = `Content-Length: ${length}`;
      return write(['HTTP/1.1 200 OK', ...fields, whole, '', ''].join('\r\n'));
    }
    return write(ok(said.padEnd(length, '.'), ...fields));
  });
  const clock = new VirtualClock();
  const rules = (more: string): string => `${more}
limits: { headers_timeout: 2s, header: 4kb }
routes:
  "/a": { GET: { ttl: 10m } }
  "/b": { GET: {} }
  "/large": { GET: { ttl: 10m } }
  "/coded": { GET: { ttl: 10m } }
`;
  const open = (more: string) => front(t, upstream.url, { rules: rules(more), clock });
  const [fast, slow] = [await open(''), await open('fast_path: off\n')];
  // As from a store that takes a moment, now and then.
  const { shortcuts } = fast.composed;
  const answer = shortcuts.answer.bind(shortcuts);
  let answers = 0;
  shortcuts.answer = (...about) => {
    const ready = answer(...about);
    if (typeof ready !== 'object' || ready instanceof Promise) return ready;
    answers += 1;
    if (answers % 5 !== 0) return ready;
    const found = answers % 100 === 0 ? undefined : ready;
    return new Promise((resolve) => void setImmediate(resolve, found));
  };
  const draw = drawing(20_261_126);
  const differing: unknown[] = [];
  let heads = 0;
  const worker = async (): Promise<void> => {
    while (heads < HEADS && differing.length < 3) {
      heads += BATCH;
      const one = batch(draw);
      for (const graceMs of [100, 2000]) {
        const [first, second] = await Promise.all(
          [fast, slow].map(({ url }) => told(url, one, graceMs).then(plain)));
        if (one.halfClosed || alike(first!, second!)) break;
        // Under load a silence may have been taken for the end.
        if (graceMs > 100) differing.push(difference(one, first!, second!));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  t.same(differing, []);
  t.ok(heads >= HEADS);
  t.ok(shortcuts.size > 100, `${shortcuts.size} heads were learnt`);
});
