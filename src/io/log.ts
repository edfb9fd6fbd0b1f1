// What is told to people who run everfresh: JSON lines by pino. Never a field's value, never a
// query, never a body, so that no credential can get in.
import { pino, type Logger } from 'pino';
import type { LogLevel } from '../core/rules/config.ts';
import { resultOf } from '../core/verdict.ts';
import type { Told } from '../flow/gateway.ts';
import type { Incoming } from '../flow/ports.ts';
import type { Delivery } from './answer.ts';

export type { Logger } from 'pino';

export function openLog(level: LogLevel): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
}

export interface Exchange {
  readonly incoming: Incoming;
  readonly told: Told;
  readonly delivery: Delivery;
  readonly ms: number;
}

/** One line for a request. Hits are many and alike: `sampled` says whether this one is told. */
export function logExchange(log: Logger, exchange: Exchange, sampled: () => boolean): void {
  const { incoming, told, delivery, ms } = exchange;
  const { verdict } = told;
  if (verdict.kind === 'hit' && verdict.because === 'fresh' && !sampled()) return;
  const failed = verdict.kind === 'fail' && delivery.kind !== 'client-gone';
  const level = failed ? 'warn' : 'info';
  log[level](
    {
      id: incoming.id,
      method: incoming.method,
      path: incoming.target.split(/[?#]/, 1)[0]!.slice(0, 1024),
      status: told.answer.status,
      route: told.pattern,
      result: resultOf(verdict),
      verdict,
      delivered: delivery.kind,
      bytes: delivery.bytes,
      ms: Math.round(ms * 10) / 10,
      remote: incoming.remote,
    },
    'request',
  );
}
