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
  if (reply.over) return abandon(answer.body, 0);
  if (last !== undefined) reply.last(last);
  // A small answer has come with its head, and goes out with it.
  const body = answer.body instanceof Uint8Array ? answer.body
    : answer.body?.whole?.() ?? answer.body;
  try {
    if (body === undefined || body instanceof Uint8Array) {
      reply.send(answer, body);
      reply.onStalled(sendTimeoutMs, () => reply.cutOff());
      return { kind: 'whole', bytes: body?.byteLength ?? 0 };
    }
    const takesBody = reply.stream(answer);
    reply.onStalled(sendTimeoutMs, () => reply.cutOff());
    return await stream({ ...answer, body }, reply, takesBody);
  } catch (error) {
    // A field that cannot be put on the wire: an answer split in two must never go out.
    await abandon(body, 0);
    throw error;
  }
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
