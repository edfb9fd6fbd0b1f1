// Writes an answer to a client: field lines as they are, at the client's own pace, and breaks the
// connection where the upstream broke off, so that no half body is ever taken for whole.
import type { Writable } from 'node:stream';
import { endToEnd, keepFields } from '../core/http/message.ts';
import type { Answer, ByteStream } from '../flow/ports.ts';
import { NOT_IN_TRAILERS, type Reply } from './exchange.ts';

/** How it went out. `bytes` of the body. */
export type Delivery =
  | { readonly kind: 'whole'; readonly bytes: number }
  | { readonly kind: 'broken' | 'client-gone'; readonly bytes: number };

export async function deliver(
  answer: Answer,
  reply: Reply,
  { last, sendTimeoutMs }: { last: 'draining' | 'refused' | undefined; sendTimeoutMs: number },
): Promise<Delivery> {
  const { body } = answer;
  const { out } = reply;
  if (reply.over) return abandon(body, 0);
  if (last !== undefined) reply.last(last);
  let takesBody: boolean;
  try {
    takesBody = reply.head(answer);
  } catch (error) {
    // A field that cannot be put on the wire: an answer split in two must never go out.
    await abandon(body, 0);
    throw error;
  }
  if (body === undefined) {
    out.end();
    return { kind: 'whole', bytes: 0 };
  }
  if (body instanceof Uint8Array) {
    if (takesBody) out.end(body);
    if (!out.writableFinished) reply.onStalled(sendTimeoutMs, () => reply.cutOff());
    return { kind: 'whole', bytes: takesBody ? body.byteLength : 0 };
  }
  reply.onStalled(sendTimeoutMs, () => reply.cutOff());
  return stream({ ...answer, body }, reply, takesBody);
}

/** At the client's own pace; who stalls is cut off, with all that feeds it. */
async function stream(
  { body, trailers }: Answer & { readonly body: ByteStream },
  reply: Reply,
  takesBody: boolean,
): Promise<Delivery> {
  const { out } = reply;
  let bytes = 0;
  const source = body[Symbol.asyncIterator]();
  // A client that leaves while the upstream is silent must not leave the exchange behind.
  const leave = (): void => void source.return?.().then(undefined, () => undefined);
  out.once('close', leave);
  try {
    for (let next = await source.next(); !next.done; next = await source.next()) {
      const wanted = takesBody && !out.destroyed;
      if (!wanted) return await abandon(body, bytes, source);
      bytes += next.value.byteLength;
      const more = out.write(next.value) || await drained(out);
      if (!more) return await abandon(body, bytes, source);
    }
  } catch {
    // The body broke off: only a broken connection tells the client so.
    const kind = out.destroyed ? 'client-gone' : 'broken';
    reply.cutOff();
    return { kind, bytes };
  } finally {
    out.off('close', leave);
  }
  const said = keepFields(endToEnd(trailers?.() ?? []), (name) => !NOT_IN_TRAILERS.has(name));
  if (said.length > 0) reply.trailers(said);
  out.end();
  return { kind: 'whole', bytes };
}

/** True when more may be written, false when the client has gone. */
function drained(out: Writable): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (more: boolean) => (): void => {
      out.off('drain', onDrain);
      out.off('close', onClose);
      resolve(more);
    };
    const onDrain = settle(true);
    const onClose = settle(false);
    if (out.destroyed) resolve(false);
    out.once('drain', onDrain);
    out.once('close', onClose);
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
