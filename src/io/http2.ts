// One exchange by HTTP/2 (RFC 9113): a stream as HTTP/1 would say its request, and the answer with
// the lines of one name together.
import {
  constants, type OutgoingHttpHeaders, type ServerHttp2Stream, type ServerStreamResponseOptions,
} from 'node:http2';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { field, fieldLines, type Fields, keepFields } from '../core/http/message.ts';
import { type Answer, Broken, type ByteStream, type Incoming } from '../flow/ports.ts';
import { connected, type Exchange, type Reply, type Way, whenClosed } from './exchange.ts';
import { Leaving } from './gone.ts';

/** One stream, wherever its session is. */
export function exchangeByStream(
  stream: ServerHttp2Stream,
  rawHeaders: Fields,
  peer: { readonly address: string; readonly secure: boolean },
): Exchange {
  const head = headOf(rawHeaders);
  return {
    fields: head.fields,
    reply: new ReplyByStream(stream),
    incoming: (way) => incomingOf(stream, head, { peer, way }),
    // What is not read of one stream stands in no other's way.
    unread: () => false,
  };
}

/** What stands before the field lines of a request (§8.3.1). */
export const PSEUDO = [':method', ':scheme', ':authority', ':path'];

interface Head {
  readonly method: string;
  readonly target: string;
  readonly authority: string | undefined;
  readonly fields: Fields;
}

/** A request as HTTP/1 would say it. */
function headOf(raw: Fields): Head {
  const pseudo = new Map<string, string>();
  const fields: string[] = [];
  let cookieAt: number | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i]!, raw[i + 1]!];
    if (name.startsWith(':')) {
      pseudo.set(name, value);
    } else if (name === 'cookie' && cookieAt !== undefined) {
      // RFC 9113 §8.2.3: "If there are multiple Cookie header fields after decompression, these
      // MUST be concatenated into a single octet string using the two-octet delimiter of 0x3b,
      // 0x20 (the ASCII string "; ") before being passed into a non-HTTP/2 context".
      fields[cookieAt] += `; ${value}`;
    } else {
      fields.push(name, value);
      if (name === 'cookie') cookieAt = fields.length - 1;
    }
  }
  return {
    method: pseudo.get(':method') ?? '',
    target: pseudo.get(':path') ?? '',
    authority: pseudo.get(':authority'),
    fields,
  };
}

function incomingOf(
  stream: ServerHttp2Stream,
  { method, target, authority, fields }: Head,
  { peer, way }: { peer: { address: string; secure: boolean }; way: Way },
): Incoming {
  const gone = new Leaving();
  // Node finishes what it breaks off: only this event, or its flag, says that the client went away.
  stream.once('aborted', () => gone.abort());
  if (stream.aborted || stream.destroyed) gone.abort();
  return {
    ...connected(fields, peer, way),
    method,
    target,
    fields,
    httpVersion: '2.0',
    authority: (authority ?? fieldLines(fields, 'host')[0])?.toLowerCase() ?? '',
    body: stream.endAfterHeaders ? undefined : bodyOf(stream, fields),
    gone,
    inform: (status, extra) => inform(stream, status, extra),
  };
}

async function* bodyOf(stream: ServerHttp2Stream, fields: Fields): ByteStream {
  const chunks = stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  const awaits = field(fields, 'expect')?.trim().toLowerCase() === '100-continue';
  if (awaits && !stream.headersSent && !stream.destroyed && !stream.closed) {
    stream.additionalHeaders({ ':status': 100 });
  }
  try {
    yield* chunks;
  } catch (error) {
    throw new Broken('aborted', { cause: error });
  } finally {
    stream.resume();
  }
  // Node ends a body that its client broke off without an error: this is not all of it.
  if (stream.aborted) throw new Broken('aborted');
}

// RFC 9110 §15.2; of HTTP/1 upstreams, so that 100 and 101 are about another connection.
function inform(stream: ServerHttp2Stream, status: number, fields: Fields): void {
  if ((status !== 102 && status !== 103) || stream.headersSent || stream.destroyed) return;
  const hints = keepFields(fields, (name) => name !== 'content-length');
  try {
    stream.additionalHeaders({ ':status': status, ...headersOf(hints) });
  } catch {
    // A hint that cannot be sent is only a hint.
    return;
  }
}

class ReplyByStream implements Reply {
  readonly out: ServerHttp2Stream;
  #trailing: Fields = [];

  constructor(stream: ServerHttp2Stream) {
    this.out = stream;
  }

  get headSent(): boolean {
    return this.out.headersSent;
  }

  get over(): boolean {
    return this.out.destroyed || this.out.closed;
  }

  send(answer: Answer, body: Uint8Array | undefined): void {
    this.#begin(answer, { endStream: body === undefined });
    if (body !== undefined && !this.out.writableEnded) this.out.end(body);
  }

  stream(answer: Answer): boolean {
    const waitForTrailers = answer.trailers !== undefined;
    if (waitForTrailers) {
      // A host's own server would send its own.
      this.out.removeAllListeners('wantTrailers');
      this.out.once('wantTrailers', () => sendTrailers(this.out, this.#trailing));
    }
    this.#begin(answer, { waitForTrailers });
    return !this.out.writableEnded;
  }

  #begin({ status, fields }: Answer, options: ServerStreamResponseOptions): void {
    // A 205 has no content (RFC 9110 §15.3.6): Node sends none, of whatever length it was.
    const sent = keepFields(fields, (name) => status !== 205 || name !== 'content-length');
    respond(this.out, { ':status': status, ...headersOf(sent) }, options);
  }

  trailers(fields: Fields): void {
    this.#trailing = fields;
  }

  whenOver(callback: () => void): void {
    whenClosed(this.out, callback);
  }

  cutOff(): void {
    this.out.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  onStalled(ms: number, callback: () => void): void {
    // The time begins anew with every byte that is taken, and is over more than once where the
    // upstream was silent before.
    this.out.on('timeout', () => {
      if (this.out.writableLength > 0) callback();
    });
    this.out.setTimeout(ms);
  }

  last(because: 'draining' | 'refused'): void {
    if (because === 'draining') this.out.session?.close();
  }
}

/** A host's server may refuse two lines of what has one value: then they go as one (§5.3). */
function respond(
  stream: ServerHttp2Stream, headers: OutgoingHttpHeaders, options: ServerStreamResponseOptions,
): void {
  try {
    stream.respond(headers, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_HTTP2_HEADER_SINGLE_VALUE') throw error;
    const joined = Object.entries(headers).map(([name, value]) =>
      [name, Array.isArray(value) && name !== 'set-cookie' ? value.join(', ') : value]);
    stream.respond(Object.fromEntries(joined) as OutgoingHttpHeaders, options);
  }
}

/** What cannot be sent there breaks the answer, which is then not whole. */
function sendTrailers(stream: ServerHttp2Stream, trailing: Fields): void {
  try {
    stream.sendTrailers(headersOf(trailing));
  } catch {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

/** Lines of one name together, in lower case; throws where a line cannot be sent. */
function headersOf(fields: Fields): OutgoingHttpHeaders {
  const headers: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase();
    validateHeaderName(name);
    validateHeaderValue(name, fields[i + 1]!);
    (headers[name] ??= []).push(fields[i + 1]!);
  }
  return headers;
}
