// How the admin listener says no: problem details (RFC 9457), one shape for all. What went wrong
// inside is told to the ear, never to the caller.
import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyReply } from 'fastify';
import type { Ear } from '../flow/ports.ts';
import type { Entrance } from './guard.ts';
import type { NoAnswer } from './running.ts';

export interface Refusal {
  readonly status: number;
  readonly detail: string;
  /** Each thing that is wrong, where there may be several. */
  readonly problems?: readonly string[];
}

export function refuse(reply: FastifyReply, { status, detail, problems }: Refusal): FastifyReply {
  const title = STATUS_CODES[status] ?? 'Error';
  const told = { type: 'about:blank', title, status, detail };
  const body = JSON.stringify(problems === undefined ? told : { ...told, problems });
  // As bytes: to a text Fastify adds a charset, which this type does not have (RFC 8259 §11).
  return reply.code(status)
    .header('content-type', 'application/problem+json')
    .send(Buffer.from(body));
}

export function refuseWrong(reply: FastifyReply, problems: readonly string[]): FastifyReply {
  return refuse(reply, { status: 400, detail: problems.join('; '), problems });
}

export function refuseEntrance(
  reply: FastifyReply,
  because: Extract<Entrance, { kind: 'closed' }>['because'],
): FastifyReply {
  if (because === 'foreign-host') {
    const detail = 'Without a token, only a loopback name or address may stand in Host.';
    return refuse(reply, { status: 421, detail });
  }
  // RFC 6750 §3.1: without credentials no error code, with wrong ones `invalid_token`.
  const error = because === 'wrong-token' ? ', error="invalid_token"' : '';
  reply.header('www-authenticate', `Bearer realm="everfresh"${error}`);
  const detail = because === 'wrong-token' ? 'The token is wrong.' : 'A bearer token is needed.';
  return refuse(reply, { status: 401, detail });
}

const UNANSWERED: Readonly<Record<NoAnswer, string>> = {
  'no-worker': 'No worker is up; nothing was done.',
  gone: 'The worker that was asked has ended; whether it was done is not known.',
  late: 'The worker that was asked did not answer in time; whether it was done is not known.',
  busy: 'Too much is asked at once; nothing was done.',
  failed: 'A fault inside; it is counted and logged.',
  nonsense: 'A fault inside; it is counted and logged.',
};

/** All of these may be asked again: an order that is carried out twice does no harm. */
export function refuseUnanswered(reply: FastifyReply, because: NoAnswer): FastifyReply {
  return refuse(reply.header('retry-after', '1'), { status: 503, detail: UNANSWERED[because] });
}

const DETAILS: Readonly<Record<number, string>> = {
  400: 'The request is malformed.',
  408: 'The request took too long.',
  413: 'The body is too large.',
  415: 'The body must be application/json.',
};

/** For what Fastify's parsers throw, and for faults of our own. */
export function refuseError(error: FastifyError, reply: FastifyReply, ear: Ear): FastifyReply {
  const { statusCode: status = 500 } = error;
  const detail = DETAILS[status];
  if (detail !== undefined) return refuse(reply, { status, detail });
  ear.trouble('assertion', { error });
  return refuse(reply, { status: 500, detail: 'A fault inside; it is counted and logged.' });
}
