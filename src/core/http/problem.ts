// The one place that maps refusals and failures to a status and writes them out as problem details
// (RFC 9457). Says nothing that the client doesn't know already, or that an attacker would like to.
import type { FailBecause, RefuseBecause } from '../verdict.ts';
import { REASONS } from './cache-status.ts';
import type { Fields } from './message.ts';

/** How an exchange with the upstream can fail. */
export type UpstreamFailure = 'refused' | 'timeout' | 'reset' | 'broken' | 'aborted';

const UPSTREAM_FAILURES = {
  refused: 'upstream-refused',
  timeout: 'upstream-timeout',
  reset: 'upstream-reset',
  broken: 'upstream-broken',
  aborted: 'upstream-reset',
} as const satisfies Record<UpstreamFailure, FailBecause>;

export function failBecause(failure: UpstreamFailure): FailBecause {
  return UPSTREAM_FAILURES[failure];
}

const STATUSES = {
  'bad-framing': 400,
  'bad-target': 400,
  'bad-host': 400,
  'bad-connection-field': 400,
  'bad-upgrade': 400,
  'method-not-allowed': 405,
  'target-too-long': 414,
  'too-many-parameters': 414,
  'expectation': 417,
  // RFC 9110 §15.5.20: "the request was directed at a server that is unable or unwilling to produce
  // an authoritative response for the target URI".
  'unknown-host': 421,
  'too-many-writes': 429,
  'too-many-fields': 431,
  'upstream-refused': 502,
  'upstream-reset': 502,
  'upstream-broken': 502,
  'internal': 502,
  'store-down': 503,
  'upstream-timeout': 504,
  'touch-unconfirmed': 504,
  // RFC 9111 §5.2.1.7: "Caches that honor this request directive SHOULD, upon receiving it, respond
  // with either a stored response consistent with the other constraints of the request or a 504".
  'only-if-cached': 504,
} as const satisfies Record<RefuseBecause | FailBecause, number>;

export function failureStatus(because: RefuseBecause | FailBecause | UpstreamFailure): number {
  return STATUSES[because in UPSTREAM_FAILURES
    ? UPSTREAM_FAILURES[because as UpstreamFailure]
    : because as RefuseBecause | FailBecause];
}

const PHRASES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** What RFC 9110 §15.5.6 wants in the Allow of a 405: everything but CONNECT and TRACE passes. */
const ALLOWED = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, QUERY';

const TRY_AGAIN: ReadonlySet<string> = new Set(['store-down', 'too-many-writes']);
// What another server might have read differently.
const CLOSING: ReadonlySet<string> = new Set([
  'bad-framing', 'bad-target', 'bad-host', 'bad-connection-field', 'bad-upgrade',
  'method-not-allowed',
]);

export interface Problem {
  readonly status: number;
  readonly reason: string;
  readonly fields: Fields;
  readonly body: Uint8Array;
  /** Nothing more may be read from this connection. */
  readonly close: boolean;
}

/** The answer to a request that was refused, or that failed. */
export function problem(
  because: RefuseBecause | FailBecause,
  options: {
    /** Given where it isn't the usual one. */
    readonly status?: number;
    /** When trying again makes sense, in milliseconds; a second, unless said. */
    readonly retryAfterMs?: number;
  } = {},
): Problem {
  const { status = failureStatus(because), retryAfterMs = 1000 } = options;
  const title = PHRASES[status] ?? 'Error';
  const told = { type: 'about:blank', title, status, detail: REASONS[because], because };
  const body = new TextEncoder().encode(JSON.stringify(told));
  const fields = [
    'Content-Type', 'application/problem+json',
    'Content-Length', String(body.byteLength),
    'Cache-Control', 'no-store',
  ];
  if (status === 405) fields.push('Allow', ALLOWED);
  // RFC 9110 §10.2.3: "how long the user agent ought to wait before making a follow-up request".
  if (TRY_AGAIN.has(because)) {
    fields.push('Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  }
  return { status, reason: title, fields, body, close: CLOSING.has(because) };
}
