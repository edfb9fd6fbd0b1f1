// Writes an answer to a client: field lines as they are, at the client's own pace, and breaks the
// connection where the upstream broke off, so that no half body is ever taken for whole.
import type { ServerResponse } from 'node:http';
import { type Fields, hasField, keepFields } from '../core/http/message.ts';
import type { Answer, ByteStream } from '../flow/ports.ts';

/** How it went out. `bytes` of the body. */
export type Delivery =
  | { readonly kind: 'whole'; readonly bytes: number }
  | { readonly kind: 'broken' | 'client-gone'; readonly bytes: number };

export async function deliver(
  answer: Answer,
  response: ServerResponse,
  { close, sendTimeoutMs }: { close: boolean; sendTimeoutMs: number },
): Promise<Delivery> {
  const { status, reason, body } = answer;
  if (response.destroyed || response.writableEnded) return abandon(body, 0);
  if (close) response.shouldKeepAlive = false;
  try {
    response.writeHead(status, reason, sendable(answer, response) as string[]);
  } catch (error) {
    // A field that cannot be put on the wire: an answer split in two must never go out.
    await abandon(body, 0);
    throw error;
  }
  if (body === undefined) {
    response.end();
    return { kind: 'whole', bytes: 0 };
  }
  if (body instanceof Uint8Array) {
    response.end(body);
    if (!response.writableFinished) cutOff(response, sendTimeoutMs);
    return { kind: 'whole', bytes: body.byteLength };
  }
  cutOff(response, sendTimeoutMs);
  return stream(answer, body, response);
}

/** Breaks the connection of a client that takes no byte for so long, with all that feeds it. */
function cutOff(response: ServerResponse, sendTimeoutMs: number): void {
  const { socket } = response;
  // Node starts this time anew with every byte that is taken; an upstream's silence is not its.
  response.setTimeout(sendTimeoutMs, () => {
    if (socket !== null && socket.writableLength > 0) response.destroy();
  });
  // Before Node sets the time for which an idle connection is kept.
  response.prependOnceListener('finish', () => socket?.setTimeout(0));
}

async function stream(
  answer: Answer,
  body: ByteStream,
  response: ServerResponse,
): Promise<Delivery> {
  let bytes = 0;
  const source = body[Symbol.asyncIterator]();
  // A client that leaves while the upstream is silent must not leave the exchange behind.
  const leave = (): void => {
    if (!response.writableFinished) void source.return?.().then(undefined, () => undefined);
  };
  response.once('close', leave);
  // Sends the head at once, in its own bytes: `flushHeaders` would write them as UTF-8.
  response.write('', 'latin1');
  try {
    for (let next = await source.next(); !next.done; next = await source.next()) {
      if (response.destroyed) return await abandon(body, bytes, source);
      bytes += next.value.byteLength;
      const more = response.write(next.value) || await drained(response);
      if (!more) return await abandon(body, bytes, source);
    }
  } catch {
    // The body broke off: only a broken connection tells the client so.
    const kind = response.destroyed ? 'client-gone' : 'broken';
    response.destroy();
    return { kind, bytes };
  } finally {
    response.off('close', leave);
  }
  const trailers = keepFields(answer.trailers?.() ?? [], (name) => !NOT_IN_TRAILERS.has(name));
  if (trailers.length > 0) {
    const pairs: [string, string][] = [];
    for (let i = 0; i < trailers.length; i += 2) pairs.push([trailers[i]!, trailers[i + 1]!]);
    response.addTrailers(pairs);
  }
  response.end();
  return { kind: 'whole', bytes };
}

// RFC 9110 §6.5.1: framing, routing, authentication and the like mean nothing there, and are not
// to be merged by whoever reads us.
const NOT_IN_TRAILERS = new Set([
  'transfer-encoding', 'content-length', 'host', 'connection', 'trailer', 'te', 'upgrade', 'age',
  'cache-control', 'content-encoding', 'content-type', 'content-range', 'expires', 'location',
  'set-cookie', 'vary', 'www-authenticate', 'proxy-authenticate', 'keep-alive',
]);

/** Announces no trailers where none can follow: Node refuses such a head. */
function sendable({ fields, body }: Answer, { req }: ServerResponse): Fields {
  if (!hasField(fields, 'trailer')) return fields;
  const streams = body !== undefined && !(body instanceof Uint8Array) && req.method !== 'HEAD';
  const chunked = streams && req.httpVersion === '1.1' && !hasField(fields, 'content-length');
  return chunked ? fields : keepFields(fields, (name) => name !== 'trailer');
}

/** True when more may be written, false when the client has gone. */
function drained(response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (more: boolean) => (): void => {
      response.off('drain', onDrain);
      response.off('close', onClose);
      resolve(more);
    };
    const onDrain = settle(true);
    const onClose = settle(false);
    if (response.destroyed) resolve(false);
    response.once('drain', onDrain);
    response.once('close', onClose);
  });
}

async function abandon(
  body: Answer['body'],
  bytes: number,
  source?: AsyncIterator<Uint8Array>,
): Promise<Delivery> {
  const streams = body !== undefined && !(body instanceof Uint8Array);
  await (source ?? (streams ? body[Symbol.asyncIterator]() : undefined))?.return?.();
  return { kind: 'client-gone', bytes };
}
