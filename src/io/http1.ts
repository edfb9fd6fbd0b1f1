// One exchange by HTTP/1: what Node's parser made of a request, and the answer in its field lines'
// own order and case.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { field, fieldLines, type Fields, hasField, keepFields } from '../core/http/message.ts';
import { type Answer, Broken, type ByteStream, type Incoming } from '../flow/ports.ts';
import { Detour } from './detour.ts';
import { connected, type Exchange, hintsOf, type Reply, type Way, whenClosed } from './exchange.ts';
import { Leaving } from './gone.ts';
import { asText } from './wire.ts';

/** Requests whose client sends no body before it was told to (RFC 9110 §10.1.1). */
export const awaited = new WeakSet<IncomingMessage>();

// RFC 9112 §9.3.2: pipelined requests may run side by side only where all are safe. One after the
// other, nothing that follows a request that closes the connection is ever carried out.
export function inTurn(
  request: IncomingMessage,
  response: ServerResponse,
  handler: (exchange: Exchange) => void,
  drawn = false,
): void {
  if (response.socket === null) {
    response.once('socket', () => handler(exchangeByLines(request, response, drawn)));
    return;
  }
  handler(exchangeByLines(request, response, drawn));
}

function exchangeByLines(
  request: IncomingMessage, response: ServerResponse, drawn: boolean,
): Exchange {
  return {
    drawn,
    fields: request.rawHeaders,
    reply: new ReplyByLines(response),
    incoming: (way) => incomingOf(request, response, way),
    unread: () => !request.complete,
    head: headOf(request),
  };
}

/** The bytes of a request that has no more of them, as they came or as they would be written. */
export function headOf(
  { method, url, httpVersion, rawHeaders, socket }: IncomingMessage,
): string | undefined {
  if ((socket as unknown) instanceof Detour) return (socket as unknown as Detour).head;
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  let head = `${method} ${url!} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    head += `${rawHeaders[i]!}: ${rawHeaders[i + 1]!}\r\n`;
  }
  return `${head}\r\n`;
}

/** The request as the stories see it. */
export function incomingOf(
  request: IncomingMessage, response: ServerResponse, way: Way,
): Incoming {
  const { socket, rawHeaders: fields, httpVersion } = request;
  const gone = new Leaving();
  // 'close' comes after every answer; before its end it means that the client went away.
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const peer = { address: socket.remoteAddress ?? '', secure: 'encrypted' in socket };
  return {
    ...connected(fields, peer, way),
    method: request.method!,
    target: request.url!,
    fields,
    // Node's parser lets `HTTP/2.0` pass in a request line: on this wire it is no version at all.
    httpVersion: httpVersion === '2.0' ? '' : httpVersion,
    authority: fieldLines(fields, 'host')[0]?.toLowerCase() ?? '',
    body: declaresBody(fields) ? bodyOf(request, response) : undefined,
    gone,
    inform: (status, extra) => inform(response, status, extra),
  };
}

/** Whether bytes of a body follow the head. */
export function declaresBody(fields: Fields): boolean {
  const length = field(fields, 'content-length');
  return (length !== undefined && length !== '0') || hasField(fields, 'transfer-encoding');
}

async function* bodyOf(request: IncomingMessage, response: ServerResponse): ByteStream {
  // Whoever stops reading early has an answer already: it must still reach the client, so that the
  // connection stays, and what is left of the body is let go by.
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  if (awaited.delete(request) && !response.headersSent) response.writeContinue();
  try {
    yield* chunks;
  } catch (error) {
    throw new Broken('aborted', { cause: error });
  } finally {
    request.resume();
  }
}

// RFC 9110 §15.2: a proxy must pass 1xx answers on, but for the one that it answered itself (100)
// and the one that is no answer to a proxied request (101).
function inform(response: ServerResponse, status: number, fields: Fields): void {
  if (status === 100 || status === 101 || response.headersSent) return;
  if (response.req.httpVersion !== '1.1') return;
  if (status === 102) {
    response.writeProcessing();
    return;
  }
  if (status !== 103) return;
  const hints = hintsOf(fields);
  if (hints === undefined) return;
  const { links, others } = hints;
  const named: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (let i = 0; i < others.length; i += 2) {
    (named[others[i]!.toLowerCase()] ??= []).push(others[i + 1]!);
  }
  response.writeEarlyHints({ ...named, link: links });
}

// A class: an object with getters of its own has a shape of its own, which is long-lived garbage.
export class ReplyByLines implements Reply {
  readonly out: ServerResponse;

  constructor(response: ServerResponse) {
    this.out = response;
  }

  get headSent(): boolean {
    return this.out.headersSent;
  }

  get over(): boolean {
    return this.out.destroyed || this.out.closed || this.out.writableEnded;
  }

  send(answer: Answer, body: Uint8Array | undefined): void {
    this.#begin(answer, false);
    const text = body && asText(body);
    if (text === undefined) this.out.end(body);
    else this.out.end(text, 'latin1');
  }

  stream(answer: Answer): boolean {
    this.#begin(answer, true);
    // Sends the head at once, in its own bytes: `flushHeaders` would write them as UTF-8.
    this.out.write('', 'latin1');
    return true;
  }

  #begin({ status, reason, fields }: Answer, streams: boolean): void {
    this.out.writeHead(status, reason, sendable(fields, this.out, streams) as string[]);
  }

  trailers(fields: Fields): void {
    const pairs: [string, string][] = [];
    for (let i = 0; i < fields.length; i += 2) pairs.push([fields[i]!, fields[i + 1]!]);
    this.out.addTrailers(pairs);
  }

  whenOver(callback: () => void): void {
    whenClosed(this.out, callback);
  }

  cutOff(): void {
    this.out.destroy();
  }

  onStalled(ms: number, callback: () => void): void {
    const { socket } = this.out;
    // Node starts this time anew with every byte that is taken; an upstream's silence is not its.
    this.out.setTimeout(ms, () => {
      if (socket !== null && socket.writableLength > 0) callback();
    });
    // Before Node sets the time for which an idle connection is kept.
    this.out.prependOnceListener('finish', () => socket?.setTimeout(0));
  }

  last(): void {
    this.out.shouldKeepAlive = false;
  }
}

/** Announces no trailers where none can follow: Node refuses such a head. */
function sendable(fields: Fields, { req }: ServerResponse, streams: boolean): Fields {
  if (!hasField(fields, 'trailer')) return fields;
  const chunked = streams && req.method !== 'HEAD' && req.httpVersion === '1.1'
    && !hasField(fields, 'content-length');
  return chunked ? fields : keepFields(fields, (name) => name !== 'trailer');
}
