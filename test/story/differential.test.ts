// Ten thousand requests straight to an upstream and through everfresh without routes, and two
// thousand by HTTP/2: what comes back is what the upstream sent, and what it got is what was sent,
// but for the fields that the documents name. No request is repeated, so that none is answered from
// the cache.
import { createServer, Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { stage } from '../play.ts';

const REQUESTS = 10_000;
const REQUESTS_BY_STREAM = 2000;
const AT_ONCE = 16;

/** A small generator of numbers (mulberry32): the same requests each time. */
function drawing(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return {
    below,
    is: (p: number): boolean => next() < p,
    of: <T>(list: readonly T[]): T => list[below(list.length)]!,
    bytes: (n: number): Buffer => Buffer.from(Array.from({ length: n }, () => below(256))),
  };
}
type Draw = ReturnType<typeof drawing>;

interface Sent {
  readonly method: string;
  readonly target: string;
  readonly fields: string[];
  readonly body: Buffer | undefined;
  readonly chunked: boolean;
}

interface Given {
  readonly status: number;
  readonly reason: string;
  readonly fields: string[];
  readonly body: Buffer;
  readonly chunked: boolean;
  readonly trailers: string[];
}

const PIECES = [
  'a', 'B', '7', '-', '.x', '_', '~', "'", '!', '$', '&', '(', ')', '*', '+', ',', '=', ':', '@',
  '%20', '%C3%A9', '%2B', '%3D', '%26', 'caf%C3%A9',
];
const METHODS = [
  'GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'REPORT',
  'MKCOL', 'LOCK', 'SEARCH', 'M-SEARCH',
];
const REQUEST_FIELDS: readonly (readonly [name: string, values: readonly string[]])[] = [
  ['Accept', ['*/*', 'application/json, text/*;q=0.5']], ['accept-LANGUAGE', ['de, en;q=0.5']],
  ['Accept-Encoding', ['gzip, br', 'identity', 'x-own']], ['User-Agent', ['test/1.0 (of all)']],
  ['X-Custom', ['one', 'two, three', '"quoted, text"', 'a  b', 'ünï']], ['x-custom', ['again']],
  ['Authorization', ['Bearer abc.def']], ['Cookie', ['a=1; b=2']], ['Prefer', ['return=minimal']],
  ['Content-Type', ['application/json', 'text/plain; charset=x']], ['Idempotency-Key', ['k-1']],
  ['Content-Encoding', ['gzip', 'x-own']], ['Want-Digest', ['sha-256']], ['DNT', ['1']],
];
const STATUSES = [
  200, 200, 200, 201, 202, 203, 204, 299, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405,
  409, 410, 418, 422, 429, 451, 499, 500, 501, 502, 503, 599,
];
const ANSWER_FIELDS: readonly (readonly [name: string, values: readonly string[]])[] = [
  ['Content-Type', ['application/json', 'image/png', 'text/html; charset=utf-8']],
  ['ETag', ['"v1"', 'W/"v1"']], ['Last-Modified', ['Fri, 02 Jan 2026 03:04:05 GMT']],
  ['Cache-Control', ['no-store', 'max-age=60', 'private', 'public, max-age=0']],
  ['Set-Cookie', ['a=1; Path=/', 'b=2; HttpOnly']], ['set-cookie', ['c=3']],
  ['X-Answer', ['one', 'Two, Three', 'ünï', '']], ['x-ANSWER', ['more']],
  ['Vary', ['Accept', 'Origin, Accept-Encoding']], ['Link', ['</a>; rel=next', '</b>; rel="x"']],
  ['Content-Encoding', ['gzip', 'x-own']], ['Content-Language', ['de']], ['Retry-After', ['7']],
  ['WWW-Authenticate', ['Basic realm="a, b"', 'Bearer']], ['Server', ['upstream/1']],
  ['Access-Control-Allow-Origin', ['*']], ['Via', ['1.1 other']], ['Age', ['3']],
];

function some(draw: Draw, among: typeof REQUEST_FIELDS, most: number): string[] {
  const fields: string[] = [];
  const taken = new Set<string>();
  for (let i = draw.below(most + 1); i > 0; i -= 1) {
    const [name, values] = draw.of(among);
    const alone = !/^(?:x-|set-cookie|link|vary|www)/i.test(name);
    if (alone && taken.has(name.toLowerCase())) continue;
    taken.add(name.toLowerCase());
    fields.push(name, draw.of(values));
  }
  return fields;
}

function sentFrom(draw: Draw, serial: number): Sent {
  const method = draw.of(METHODS);
  const pieces = (n: number): string => Array.from({ length: n }, () => draw.of(PIECES)).join('');
  const query = draw.is(0.5) ? `?${pieces(draw.below(5))}${draw.is(0.3) ? '&a=1&a=2' : ''}` : '';
  const hasBody = !['GET', 'HEAD', 'OPTIONS'].includes(method) && draw.is(0.7);
  const size = draw.is(0.05) ? 70_000 : draw.below(300);
  return {
    method, target: `/n${serial}/${pieces(draw.below(6))}${query}`,
    fields: some(draw, REQUEST_FIELDS, 6),
    body: hasBody ? draw.bytes(size) : undefined, chunked: draw.is(0.4),
  };
}

function givenFrom(draw: Draw): Given {
  const status = draw.of(STATUSES);
  const size = draw.is(0.05) ? 90_000 : draw.below(400);
  const chunked = draw.is(0.4);
  return {
    status, reason: draw.is(0.1) ? 'As I Say' : '', fields: some(draw, ANSWER_FIELDS, 7), chunked,
    body: status === 204 ? Buffer.alloc(0) : draw.bytes(size),
    trailers: chunked && status !== 204 && draw.is(0.2) ? ['X-Trailer', 'after all'] : [],
  };
}

/** What one exchange looked like, to the client and to the upstream. */
interface Seen {
  readonly answer: string;
  readonly request: string;
}

/** What everfresh adds, or what belongs to one connection. */
const NOT_COMPARED = new Set([
  'connection', 'keep-alive', 'transfer-encoding', 'date', 'host', 'via', 'cache-status', 'age',
  'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-request-id', 'trailer', 'te',
]);

/** A fill shows no type of a body that it does not have, and codings by their meaning. */
const NOT_SHOWN = /^(?:content-type|accept-encoding):/i;

function compared(rawFields: readonly string[], besides = ''): string {
  const lines: string[] = [];
  for (let i = 0; i < rawFields.length; i += 2) {
    const name = rawFields[i]!.toLowerCase();
    const counts = !NOT_COMPARED.has(name) && name !== besides;
    if (counts) lines.push(`${rawFields[i]!}: ${rawFields[i + 1]!}`);
  }
  return lines.join('\n');
}

/** An answer through everfresh as if it had come in chunks, where it did so straight. */
function asSized(through: string, straight: string): string {
  const length = /^content-length: \d+$/im;
  if (length.test(straight)) return through;
  const lines = through.split('\n').filter((line) => !length.test(line));
  // Between status and body stand the fields, at least an empty line.
  if (lines.length === 3) lines.splice(1, 0, '');
  return lines.join('\n');
}

async function all(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function upstreamFor(t: { teardown(callback: () => void): void }, seed: number) {
  const got = new Map<string, string>();
  const server = createServer((request, response) => {
    void all(request).then((body) => {
      const line = `${request.method} ${request.url}`;
      // Of a body that was gathered the length is told, however it came.
      // A fetch that may fill the cache shows what it shows in an order of its own.
      const shown = compared(request.rawHeaders, 'content-length').split('\n');
      const reads = request.method === 'GET' || request.method === 'HEAD';
      const fields = reads
        ? shown.filter((line) => !NOT_SHOWN.test(line)).sort().join('\n') : shown.join('\n');
      got.set(request.url!, `${line}\n${fields}\n${body.toString('hex')}`);
      const serial = Number(/^\/n(\d+)\//.exec(request.url!)![1]);
      const given = givenFrom(drawing(seed ^ Math.imul(serial, 0x9e3779b1)));
      const { status, reason, chunked, trailers } = given;
      const length = chunked || status === 204 ? [] : ['Content-Length', String(given.body.length)];
      // What is kept is kept without them (docs/http.md).
      const passed = request.method !== 'GET' || /no-store|private/.test(given.fields.join());
      const ends = trailers.length > 0 && request.method !== 'HEAD' && passed;
      const named = ends ? ['Transfer-Encoding', 'chunked', 'Trailer', 'X-Trailer'] : [];
      const head = [...given.fields, ...length, ...named];
      if (reason === '') response.writeHead(status, head);
      else response.writeHead(status, reason, head);
      if (ends) response.addTrailers([[trailers[0]!, trailers[1]!]]);
      response.end(request.method === 'HEAD' ? undefined : given.body);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, got };
}

function exchange(base: URL, agent: Agent, sent: Sent): Promise<string> {
  const { method, target: path, body, chunked } = sent;
  const framing = body === undefined ? [] : chunked
    ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(body.length)];
  const headers = ['Host', base.host, ...sent.fields, ...framing];
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host: base.hostname, port: base.port, method, path, agent, headers,
    }, (response) => {
      all(response).then((whole) => resolve([
        `${response.statusCode} ${response.statusMessage}`, compared(response.rawHeaders),
        whole.toString('hex'), response.rawTrailers.join(),
      ].join('\n')), reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The same in HTTP/2, where names are in lower case, and lines of one name stand together. */
async function byStream(session: ClientHttp2Session, sent: Sent): Promise<string> {
  const { method, target, fields, body, chunked } = sent;
  const named: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (let i = 0; i < fields.length; i += 2) {
    (named[fields[i]!.toLowerCase()] ??= []).push(fields[i + 1]!);
  }
  const length = body === undefined || chunked ? {} : { 'content-length': String(body.length) };
  const stream = session.request(
    { ':method': method, ':path': target, ...named, ...length }, { endStream: body === undefined },
  );
  let head: string[] = [];
  let trailers: string[] = [];
  stream.on('response', (_head, _flags, raw: string[]) => {
    head = raw;
  });
  stream.on('trailers', (_head, _flags, raw: string[]) => {
    trailers = raw;
  });
  if (body !== undefined) stream.end(body);
  const whole = await buffer(stream);
  const [, status] = head;
  return [status, compared(head.slice(2)), whole.toString('hex'), trailers.join()].join('\n');
}

/** What two versions of HTTP say alike. */
function meant(text: string): string {
  const [first = '', ...lines] = text.split('\n');
  const body = lines.slice(-2);
  const fields = new Map<string, string[]>();
  for (const line of lines.slice(0, -2)) {
    const [, name = '', value = ''] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
    const all = fields.get(name.toLowerCase()) ?? [];
    all.push(value);
    fields.set(name.toLowerCase(), all);
  }
  // The upstream has put the lines of a read in the order of their names, as they are written.
  const inOrder = (values: string[]): string[] =>
    (/^(?:GET|HEAD) /.test(first) ? values.sort() : values);
  const said = [...fields].map(([name, values]) => `${name}: ${inOrder(values).join(', ')}`).sort();
  const [status] = /^\d{3}(?= |$)|^[A-Z-]+ \S+/.exec(first) ?? [];
  return [status, ...said, ...body.map((one) => one.toLowerCase())].join('\n');
}

t.test('what goes through by HTTP/2 is the same', async (t) => {
  const seed = 20_260_103;
  const upstream = await upstreamFor(t, seed);
  const app = await stage(t, { behind: { upstreamUrl: upstream.url } as never });
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const session = connect(app.url);
  t.teardown(() => {
    agent.destroy();
    session.destroy();
  });
  const draw = drawing(seed);
  const differing: unknown[] = [];
  let asked = 0;
  // What the upstream saw has its body in the last line, and no trailers.
  const request = (sent: Sent): string => meant(`${upstream.got.get(sent.target) ?? ''}\n`);
  const worker = async (): Promise<void> => {
    while (asked < REQUESTS_BY_STREAM && differing.length < 5) {
      const sent = sentFrom(draw, asked += 1);
      const straight = [meant(await exchange(new URL(upstream.url), agent, sent)), request(sent)];
      upstream.got.delete(sent.target);
      const answer = asSized(meant(await byStream(session, sent)), straight[0]!);
      const through = [answer, request(sent)];
      if (straight.join() !== through.join()) {
        differing.push({ sent: { ...sent, body: sent.body?.length }, straight, through });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  t.same(differing, []);
  t.equal(asked, REQUESTS_BY_STREAM);
});

t.test('what goes through is what was sent', async (t) => {
  const seed = 20_260_102;
  const upstream = await upstreamFor(t, seed);
  const app = await stage(t, { behind: { upstreamUrl: upstream.url } as never });
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  t.teardown(() => agent.destroy());
  const draw = drawing(seed);
  const ask = async (base: string, sent: Sent): Promise<Seen> => {
    const answer = await exchange(new URL(base), agent, sent);
    return { answer, request: upstream.got.get(sent.target) ?? 'nothing' };
  };
  const differing: unknown[] = [];
  let asked = 0;
  const worker = async (): Promise<void> => {
    while (asked < REQUESTS && differing.length < 5) {
      const sent = sentFrom(draw, asked += 1);
      const straight = await ask(upstream.url, sent);
      upstream.got.delete(sent.target);
      const { answer, request } = await ask(app.url, sent);
      const through = { request, answer: asSized(answer, straight.answer) };
      if (straight.answer !== through.answer || straight.request !== through.request) {
        differing.push({ sent: { ...sent, body: sent.body?.length }, straight, through });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  t.same(differing, []);
  t.equal(asked, REQUESTS);
});
