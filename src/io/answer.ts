// Writes an answer to a client: field lines as they are, at the client's own pace, and breaks the
// connection where the upstream broke off, so that no half body is ever taken for whole.
import type { ServerResponse } from 'node:http';
import type { Answer, ByteStream } from '../flow/ports.ts';

/** How it went out. `bytes` of the body. */
export type Delivery =
  | { readonly kind: 'whole'; readonly bytes: number }
  | { readonly kind: 'broken' | 'client-gone'; readonly bytes: number };

export async function deliver(
  answer: Answer,
  response: ServerResponse,
  { close }: { close: boolean },
): Promise<Delivery> {
  const { status, reason, fields, body } = answer;
  if (response.destroyed || response.writableEnded) return abandon(body, 0);
  if (close) response.shouldKeepAlive = false;
  try {
    response.writeHead(status, reason, fields as string[]);
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
    return { kind: 'whole', bytes: body.byteLength };
  }
  return stream(answer, body, response);
}

async function stream(answer: Answer, body: ByteStream, response: ServerResponse): Promise<Delivery> {
  let bytes = 0;
  const source = body[Symbol.asyncIterator]();
  // A client that leaves while the upstream is silent must not leave the exchange behind.
  const leave = (): void => {
    if (!response.writableFinished) void source.return?.().then(undefined, () => undefined);
  };
  response.once('close', leave);
  response.flushHeaders();
  try {
    for (let next = await source.next(); !next.done; next = await source.next()) {
      if (response.destroyed) return await abandon(body, bytes, source);
      bytes += next.value.byteLength;
      if (!response.write(next.value) && !(await drained(response))) return await abandon(body, bytes, source);
    }
  } catch {
    // The body broke off: only a broken connection tells the client so.
    response.destroy();
    return { kind: response.destroyed && response.writableEnded ? 'client-gone' : 'broken', bytes };
  } finally {
    response.off('close', leave);
  }
  const trailers = answer.trailers?.() ?? [];
  if (trailers.length > 0) {
    const pairs: [string, string][] = [];
    for (let i = 0; i < trailers.length; i += 2) pairs.push([trailers[i]!, trailers[i + 1]!]);
    response.addTrailers(pairs);
  }
  response.end();
  return { kind: 'whole', bytes };
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
  if (source !== undefined) await source.return?.();
  else if (body !== undefined && !(body instanceof Uint8Array)) await body[Symbol.asyncIterator]().return?.();
  return { kind: 'client-gone', bytes };
}
