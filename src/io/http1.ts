// One exchange by HTTP/1: what Node's parser made of a request, and the answer in its field lines'
// own order and case.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listMembers } from '../core/http/list.ts';
import { field, fieldLines, type Fields, hasField, keepFields } from '../core/http/message.ts';
import { type Answer, Broken, type ByteStream, type Incoming } from '../flow/ports.ts';
import { connected, type Exchange, type Reply, type Way } from './exchange.ts';

/** Requests whose client sends no body before it was told to (RFC 9110 §10.1.1). */
export const awaited = new WeakSet<IncomingMessage>();

// RFC 9112 §9.3.2: pipelined requests may run side by side only where all are safe. One after the
// other, nothing that follows a request that closes the connection is ever carried out.
export function inTurn(
  request: IncomingMessage,
  response: ServerResponse,
  handler: (exchange: Exchange) => void,
): void {
  if (response.socket === null) {
    response.once('socket', () => handler(exchangeByLines(request, response)));
    return;
  }
  handler(exchangeByLines(request, response));
}

function exchangeByLines(request: IncomingMessage, response: ServerResponse): Exchange {
  return {
    fields: request.rawHeaders,
    reply: replyTo(response),
    incoming: (way) => incomingOf(request, response, way),
    unread: () => !request.complete,
  };
}

/** The request as the stories see it. */
export function incomingOf(
  request: IncomingMessage, response: ServerResponse, way: Way,
): Incoming {
  const { socket, rawHeaders: fields, httpVersion } = request;
  const gone = new AbortController();
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
    gone: gone.signal,
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
  const hints: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (let i = 0; i < fields.length; i += 2) {
    (hints[fields[i]!.toLowerCase()] ??= []).push(fields[i + 1]!);
  }
  const { link: lines = [], ...rest } = hints;
  // Node takes one link a line, of a plain form; a hint that it would refuse is only a hint.
  const link = lines.flatMap((line) => listMembers(line) ?? []).filter((one) => LINK.test(one));
  if (link.length > 0) response.writeEarlyHints({ ...rest, link });
}

const LINK = /^<[^<>]*>(?:\s*;\s*[^;"\s]+(?:=(?:"[^;"\s]*"|[^;"\s]*))?)*$/;

function replyTo(response: ServerResponse): Reply {
  return {
    out: response,
    get headSent() {
      return response.headersSent;
    },
    get over() {
      return response.destroyed || response.closed || response.writableEnded;
    },
    head(answer) {
      response.writeHead(answer.status, answer.reason, sendable(answer, response) as string[]);
      // Sends the head at once, in its own bytes: `flushHeaders` would write them as UTF-8.
      if (streams(answer)) response.write('', 'latin1');
      return true;
    },
    trailers(fields) {
      const pairs: [string, string][] = [];
      for (let i = 0; i < fields.length; i += 2) pairs.push([fields[i]!, fields[i + 1]!]);
      response.addTrailers(pairs);
    },
    cutOff: () => void response.destroy(),
    onStalled(ms, callback) {
      const { socket } = response;
      // Node starts this time anew with every byte that is taken; an upstream's silence is not its.
      response.setTimeout(ms, () => {
        if (socket !== null && socket.writableLength > 0) callback();
      });
      // Before Node sets the time for which an idle connection is kept.
      response.prependOnceListener('finish', () => socket?.setTimeout(0));
    },
    last() {
      response.shouldKeepAlive = false;
    },
  };
}

const streams = ({ body }: Answer): boolean =>
  body !== undefined && !(body instanceof Uint8Array);

/** Announces no trailers where none can follow: Node refuses such a head. */
function sendable(answer: Answer, { req }: ServerResponse): Fields {
  const { fields } = answer;
  if (!hasField(fields, 'trailer')) return fields;
  const chunked = streams(answer) && req.method !== 'HEAD' && req.httpVersion === '1.1'
    && !hasField(fields, 'content-length');
  return chunked ? fields : keepFields(fields, (name) => name !== 'trailer');
}
