// The upstreams, through undici's dispatch: one pool for each address, field lines kept as they
// are, 1xx and trailers passed on, bodies read no faster than they are taken. Never follows
// redirects and never repeats a write.
import { errors, Pool, type Dispatcher } from 'undici';
import { endToEnd, type Fields } from '../core/http/message.ts';
import type { UpstreamConfig } from '../core/rules/config.ts';
import { socketPathOf } from '../core/rules/upstream.ts';
import type {
  ByteStream, Clock, Ear, Fetch, Fetched, FetchFailure, Upstream,
} from '../flow/ports.ts';
import { readPem } from './pem.ts';
import { Reception } from './reception.ts';

/** An idle connection is closed before the addresses behind a name may have changed for long. */
const CLIENT_TTL_MS = 30_000;

/** Each 1xx starts the time for the head anew, so that they must have an end. */
const INFORMATIONAL_MAX = 32;

/** undici's own time-outs come first; this much later the wait for the head is over anyhow. */
const HEAD_MARGIN_MS = 1000;

export interface Upstreams extends Upstream {
  /** Lets the connections go whose options no configuration names any more. */
  keepOnly(configs: readonly UpstreamConfig[]): void;
  close(): Promise<void>;
}

export function undiciUpstream(
  defaultUpstream: () => UpstreamConfig,
  { clock, ear }: { clock: Clock; ear: Ear },
): Upstreams {
  const pools = new Map<string, Pool>();
  const ending = new Set<Pool>();
  let known = new WeakMap<UpstreamConfig, Pool>();
  const poolOf = (config: UpstreamConfig): Pool | undefined => {
    const before = known.get(config);
    if (before !== undefined) return before;
    const id = JSON.stringify(config);
    let pool = pools.get(id);
    try {
      if (pool === undefined) pools.set(id, pool = openPool(config));
      known.set(config, pool);
    } catch (error) {
      ear.trouble('config', { upstream: config.url, error });
    }
    return pool;
  };
  const attemptOf = (request: Fetch, config: UpstreamConfig, headBy: number): Promise<Attempt> => {
    const pool = poolOf(config);
    return pool === undefined ? Promise.resolve(UNOPENED) : once(pool, request, { clock, headBy });
  };
  return {
    async fetch(request) {
      const startedAt = clock.mono();
      const config = request.route?.upstream ?? defaultUpstream();
      const headMs = config.connectTimeoutMs + config.headersTimeoutMs + HEAD_MARGIN_MS;
      let attempt = await attemptOf(request, config, startedAt + headMs);
      // RFC 9110 §9.2.2: safe requests may be sent again, where a connection that was kept alive
      // closed before any byte of the answer came.
      const { body } = request;
      const repeatable = request.safe && (body === undefined || body instanceof Uint8Array);
      const again = repeatable && request.signal?.aborted !== true;
      if (again && attempt.kind === 'failed' && attempt.because === 'reset' && attempt.untouched) {
        attempt = await attemptOf(request, config, startedAt + headMs);
      }
      const result = attempt.kind === 'failed' ? attempt.because : attempt.status;
      const pattern = request.route?.pattern ?? '';
      ear.upstreamRequest(request.cause, pattern, clock.mono() - startedAt, result);
      return attempt;
    },
    keepOnly(configs) {
      const named = new Set(configs.map((config) => JSON.stringify(config)));
      for (const [id, pool] of pools) {
        if (named.has(id)) continue;
        pools.delete(id);
        known = new WeakMap();
        ending.add(pool);
        // What is under way ends first.
        pool.close().catch((error: unknown) => ear.trouble('assertion', { error }))
          .finally(() => ending.delete(pool));
      }
    },
    async close() {
      await Promise.all([...pools.values(), ...ending].map((pool) => pool.destroy()));
    },
  };
}

function openPool(config: UpstreamConfig): Pool {
  const socketPath = socketPathOf(config);
  return new Pool(socketPath === undefined ? config.url : 'http://localhost', {
    connections: config.connections,
    pipelining: 1,
    headersTimeout: config.headersTimeoutMs,
    bodyTimeout: config.bodyTimeoutMs,
    clientTtl: CLIENT_TTL_MS,
    allowH2: false,
    connect: {
      timeout: config.connectTimeoutMs,
      ...(socketPath === undefined ? {} : { socketPath }),
      ...readPem(config),
    },
  });
}

type Attempt =
  | Extract<Fetched, { kind: 'answer' }>
  /** `untouched`: no byte of an answer came. */
  | (Extract<Fetched, { kind: 'failed' }> & { readonly untouched: boolean });

/** There is nothing to send anything over. */
const UNOPENED = { kind: 'failed', because: 'refused', sent: false, untouched: true } as const;

/** `headBy`: the monotonic moment at which the head must have come. */
function once(
  pool: Pool, request: Fetch, { clock, headBy }: { clock: Clock; headBy: number },
): Promise<Attempt> {
  const { promise, resolve } = Promise.withResolvers<Attempt>();
  const reception = new Reception();
  let headed = false;
  let informed = 0;
  const end = (because: FetchFailure | undefined): void => {
    cancelDeadline?.();
    headTimer.cancel();
    request.signal?.removeEventListener('abort', onAbort);
    if (because === undefined || headed) return;
    const sent = reception.started && because !== 'refused';
    resolve({ kind: 'failed', because, sent, untouched: !reception.answered });
  };
  const abort = (because: FetchFailure): void => {
    reception.abort(because);
    // Still in the queue for a connection: nobody has to wait for its turn to be told.
    if (!reception.started) end(because);
  };
  const onAbort = (): void => abort('aborted');
  const cancelDeadline = request.deadlineMs === undefined
    ? undefined
    : clock.after(request.deadlineMs, () => abort('timeout'));
  const headTimer = waitForHead(clock, headBy, () => abort('timeout'));
  request.signal?.addEventListener('abort', onAbort, { once: true });
  const handler = {
    onRequestStart: (controller) => reception.start(controller),
    onResponseStarted: () => {
      reception.answered = true;
    },
    onResponseStart(controller, status, _headers, reason) {
      const fields = texts(controller.rawHeaders);
      if (status < 200) {
        informed += 1;
        if (informed > INFORMATIONAL_MAX) reception.abort('broken');
        else request.inform?.(status, endToEnd(fields));
        return;
      }
      headed = true;
      headTimer.cancel();
      const { body } = reception;
      const trailers = (): Fields => reception.trailers;
      resolve({ kind: 'answer', status, reason: reasonOf(reason), fields, body, trailers });
    },
    onResponseData: (_controller, chunk) => reception.push(chunk),
    onResponseEnd(controller) {
      reception.end(texts(controller.rawTrailers));
      end(undefined);
    },
    onResponseError(_controller, error) {
      const because = reception.abortedBecause ?? failureOf(error, reception.started);
      reception.fail(because, error);
      end(because);
    },
  } satisfies Dispatcher.DispatchHandler & { onResponseStarted: () => void };
  if (request.signal?.aborted === true) onAbort();
  else dispatch(pool, pushing(request, headTimer.again), handler, () => end('broken'));
  return promise;
}

interface HeadTimer {
  /** Starts the whole time anew. */
  readonly again: () => void;
  readonly cancel: () => void;
}

/** undici bounds no wait in its queue, so that the head has a time of its own. */
function waitForHead(clock: Clock, headBy: number, over: () => void): HeadTimer {
  const ms = Math.max(0, headBy - clock.mono());
  let cancel: (() => void) | undefined = clock.after(ms, over);
  return {
    again() {
      if (cancel === undefined) return;
      cancel();
      cancel = clock.after(ms, over);
    },
    cancel() {
      cancel?.();
      cancel = undefined;
    },
  };
}

/** While the client still sends its body, no head can be expected. */
function pushing(request: Fetch, onPiece: () => void): Fetch {
  const { body } = request;
  if (body === undefined || body instanceof Uint8Array) return request;
  return { ...request, body: told(body, onPiece) };
}

async function* told(body: ByteStream, onPiece: () => void): ByteStream {
  for await (const piece of body) {
    onPiece();
    yield piece;
  }
  onPiece();
}

function dispatch(
  pool: Pool,
  request: Fetch,
  handler: Dispatcher.DispatchHandler,
  refused: () => void,
): void {
  const { body } = request;
  const empty = body instanceof Uint8Array && body.byteLength === 0 && request.safe;
  try {
    pool.dispatch({
      path: request.target,
      method: request.method,
      headers: request.fields as string[],
      body: empty ? null : body ?? null,
      idempotent: request.safe,
    } as Dispatcher.DispatchOptions, handler);
  } catch (error) {
    // undici refuses a request that it cannot put on the wire before anything was sent.
    if (!(error instanceof errors.UndiciError)) throw error;
    refused();
  }
}

/** The bytes that came, which undici has read as UTF-8; none where they cannot be sent on. */
function reasonOf(reason = ''): string {
  const bytes = Buffer.from(reason).toString('latin1');
  return /[^\t\x20-\x7e\x80-\xff]/.test(bytes) ? '' : bytes;
}

/** Before a connection stood nothing was sent, whatever went wrong. */
function failureOf(error: Error, started: boolean): FetchFailure {
  const { code } = error as NodeJS.ErrnoException;
  if (!started) return code === 'UND_ERR_CONNECT_TIMEOUT' ? 'timeout' : 'refused';
  switch (code) {
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
    case 'ETIMEDOUT':
      return 'timeout';
    case 'UND_ERR_SOCKET':
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
      return 'reset';
    default:
      return 'broken';
  }
}

function texts(raw: unknown): Fields {
  if (!Array.isArray(raw)) return [];
  return raw.map((part: unknown) =>
    (Buffer.isBuffer(part) ? part.toString('latin1') : String(part)));
}
