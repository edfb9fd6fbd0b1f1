// One request from its first byte to its last: parsed, told to the stories, delivered, counted and
// logged. The last place where a mistake of our own can be caught.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { field } from '../core/http/message.ts';
import { enter } from '../flow/enter.ts';
import type { Gateway } from '../flow/gateway.ts';
import { deliver } from './answer.ts';
import { type Handler, incomingOf } from './door.ts';
import { logExchange, type Logger } from './log.ts';
import type { Metrics } from './metrics.ts';

export interface HandlerParts {
  readonly gateway: Gateway;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly newId: () => string;
  /** A number from 0 to 1, to draw samples by. */
  readonly draw: () => number;
  /** While draining, connections are closed after their answer. */
  readonly draining: () => boolean;
}

export interface CountedHandler {
  readonly handle: Handler;
  /** Requests under way. */
  active(): number;
  /** Those of them whose answer is written and not yet sent. */
  sending(): number;
}

const BARE = ['Content-Length', '0', 'Connection', 'close'];

export function requestHandler(parts: HandlerParts): CountedHandler {
  let active = 0;
  let sending = 0;
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    // RFC 9112 §9.3.2: pipelined requests may run side by side only where all are safe. One after
    // the other, nothing that follows a request that closes the connection is ever carried out.
    if (response.socket === null) {
      response.once('socket', () => handle(request, response));
      return;
    }
    active += 1;
    void exchange(parts, request, response)
      .catch((error: unknown) => {
        parts.gateway.ear.trouble('assertion', { error });
        if (response.headersSent || response.destroyed) response.destroy();
        // The reason is given, since one that could not be written may stand there already.
        else response.writeHead(502, 'Bad Gateway', BARE).end();
      })
      .then(async () => {
        sending += 1;
        await over(response);
        sending -= 1;
      })
      .finally(() => {
        active -= 1;
      });
  };
  return { handle, active: () => active, sending: () => sending };
}

/** An answer that is written may still be on its way to a client that takes its time. */
function over(response: ServerResponse): Promise<void> | undefined {
  if (response.writableFinished || response.destroyed) return undefined;
  return new Promise((resolve) => {
    response.once('finish', resolve);
    response.once('close', resolve);
  });
}

async function exchange(
  parts: HandlerParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { gateway, metrics, log } = parts;
  const startedAt = performance.now();
  const id = requestId(request) ?? parts.newId();
  // A client that breaks off while it is read, or written to, is nobody's error.
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  const incoming = incomingOf(request, response, { id, trusts: gateway.live.trusts });
  const told = await enter(gateway, incoming);
  const unread = told.verdict.kind === 'refuse' && !request.complete;
  const close = parts.draining() || told.answer.close === true || unread;
  const { sendTimeoutMs } = gateway.live.config.limits;
  const delivery = await deliver(told.answer, response, { close, sendTimeoutMs });
  const ms = performance.now() - startedAt;
  metrics.request(told.pattern, told.verdict, ms);
  const { sample } = gateway.live.config.log;
  logExchange(log, { incoming, told, delivery, ms }, () => parts.draw() < sample);
}

/** A client's own id for its request, if it is one that may stand in a log. */
function requestId(request: IncomingMessage): string | undefined {
  const given = field(request.rawHeaders, 'x-request-id');
  return given !== undefined && /^[\w.:-]{1,64}$/.test(given) ? given : undefined;
}
