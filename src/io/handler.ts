// One request from its first byte to its last: parsed, told to the stories, delivered, counted and
// logged. The last place where a mistake of our own can be caught.
import { field, type Fields } from '../core/http/message.ts';
import { enter } from '../flow/enter.ts';
import type { Gateway } from '../flow/gateway.ts';
import { deliver } from './answer.ts';
import type { Exchange, Reply } from './exchange.ts';
import { logExchange, type Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Shortcuts } from './shortcuts.ts';

export interface HandlerParts {
  readonly gateway: Gateway;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly newId: () => string;
  /** A number from 0 to 1, to draw samples by. */
  readonly draw: () => number;
  /** While draining, connections are closed after their answer. */
  readonly draining: () => boolean;
  readonly shortcuts: Shortcuts;
}

export interface CountedHandler {
  readonly handle: (exchange: Exchange) => void;
  /** An answer that was written elsewhere is on its way; called back when it is there. */
  readonly sends: () => () => void;
  /** Requests under way. */
  active(): number;
  /** Those of them whose answer is written and not yet sent. */
  sending(): number;
}

export function requestHandler(parts: HandlerParts): CountedHandler {
  let active = 0;
  let sending = 0;
  const handle = (exchange: Exchange): void => {
    active += 1;
    const { reply } = exchange;
    void told(parts, exchange)
      .catch((error: unknown) => {
        parts.gateway.ear.trouble('assertion', { error });
        fail(reply);
      })
      .then(() => {
        sending += 1;
        reply.whenOver(() => {
          sending -= 1;
          active -= 1;
        });
      });
  };
  const sends = (): (() => void) => {
    active += 1;
    sending += 1;
    return () => {
      active -= 1;
      sending -= 1;
    };
  };
  return { handle, sends, active: () => active, sending: () => sending };
}

const FAILED = {
  status: 502, reason: 'Bad Gateway', fields: ['Content-Length', '0'], body: undefined,
} as const;

function fail(reply: Reply): void {
  if (reply.headSent || reply.over) return reply.cutOff();
  reply.last('refused');
  reply.send(FAILED, undefined);
}

async function told(parts: HandlerParts, exchange: Exchange): Promise<void> {
  const { gateway, metrics, log, shortcuts } = parts;
  const startedAt = performance.now();
  const id = requestId(exchange.fields) ?? parts.newId();
  const incoming = exchange.incoming({ id, trusts: gateway.live.trusts });
  const { head } = exchange;
  const known = head === undefined ? undefined : shortcuts.meant(head, incoming.peerTrusted);
  const told = await enter(gateway, incoming, known);
  const unread = told.verdict.kind === 'refuse' && exchange.unread();
  const last = parts.draining() ? 'draining'
    : told.answer.close === true || unread ? 'refused' : undefined;
  const { sendTimeoutMs } = gateway.live.config.limits;
  const delivery = await deliver(told.answer, exchange.reply, { last, sendTimeoutMs });
  const ms = performance.now() - startedAt;
  metrics.request(told.pattern, told.verdict, ms);
  if (head !== undefined) shortcuts.learn(head, incoming, told);
  const { sample } = gateway.live.config.log;
  logExchange(log, { incoming, told, delivery, ms }, () =>
    exchange.drawn === true || parts.draw() < sample);
}

/** A client's own id for its request, if it is one that may stand in a log. */
function requestId(fields: Fields): string | undefined {
  const given = field(fields, 'x-request-id');
  return given !== undefined && /^[\w.:-]{1,64}$/.test(given) ? given : undefined;
}
