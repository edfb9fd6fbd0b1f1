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
  return new Promise((resolve) => {
    const exchange = new UpstreamExchange(request, { clock, headBy, resolve });
    if (request.signal?.aborted === true) exchange.giveUp('aborted');
    else exchange.dispatchTo(pool);
  });
}

/** One exchange, from its begin to the last byte of its answer. */
class UpstreamExchange extends Reception implements Dispatcher.DispatchHandler {
  readonly #request: Fetch;
  readonly #clock: Clock;
  readonly #resolve: (attempt: Attempt) => void;
  readonly #headMs: number;
  #headed = false;
  #informed = 0;
  #cancelHead: (() => void) | undefined;
  readonly #cancelDeadline: (() => void) | undefined;
  readonly #onGone = (): void => this.giveUp('aborted');

  constructor(
    request: Fetch,
    { clock, headBy, resolve }: {
      clock: Clock; headBy: number; resolve: (attempt: Attempt) => void;
    },
  ) {
    super();
    this.#request = request;
    this.#clock = clock;
    this.#resolve = resolve;
    // undici bounds no wait in its queue, so that the head has a time of its own.
    this.#headMs = Math.max(0, headBy - clock.mono());
    this.#waitForHead();
    const { deadlineMs, signal } = request;
    if (deadlineMs !== undefined) {
      this.#cancelDeadline = clock.after(deadlineMs, () => this.giveUp('timeout'));
    }
    signal?.addEventListener('abort', this.#onGone);
  }

  dispatchTo(pool: Pool): void {
    const pushed = pushing(this.#request, () => {
      if (this.#cancelHead === undefined) return;
      this.#cancelHead();
      this.#waitForHead();
    });
    dispatch(pool, pushed, this, () => this.#end('broken'));
  }

  /** The whole time for the head begins. */
  #waitForHead(): void {
    this.#cancelHead = this.#clock.after(this.#headMs, () => this.giveUp('timeout'));
  }

  #noHead(): void {
    this.#cancelHead?.();
    this.#cancelHead = undefined;
  }

  /** Also where it has not begun. */
  giveUp(because: FetchFailure): void {
    this.abort(because);
    // Still in the queue for a connection: nobody has to wait for its turn to be told.
    if (!this.started) this.#end(because);
  }

  #end(because: FetchFailure | undefined): void {
    this.#cancelDeadline?.();
    this.#noHead();
    this.#request.signal?.removeEventListener('abort', this.#onGone);
    if (because === undefined || this.#headed) return;
    const sent = this.started && because !== 'refused';
    this.#resolve({ kind: 'failed', because, sent, untouched: !this.answered });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.start(controller);
  }

  onResponseStarted(): void {
    this.answered = true;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController, status: number, _headers: unknown, reason?: string,
  ): void {
    const fields = texts(controller.rawHeaders);
    if (status < 200) {
      this.#informed += 1;
      if (this.#informed > INFORMATIONAL_MAX) this.abort('broken');
      else this.#request.inform?.(status, endToEnd(fields));
      return;
    }
    this.#headed = true;
    this.#noHead();
    const trailers = (): Fields => this.trailers;
    this.#resolve({
      kind: 'answer', status, reason: reasonOf(reason), fields, body: this, trailers,
    });
  }

  onResponseData(_controller: unknown, chunk: Uint8Array): void {
    this.push(chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.end(texts(controller.rawTrailers));
    this.#end(undefined);
  }

  onResponseError(_controller: unknown, error: Error): void {
    const because = this.abortedBecause ?? failureOf(error, this.started);
    this.fail(because, error);
    this.#end(because);
  }
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

const PLAIN = /^[\x20-\x7e]*$/;

/** The bytes that came, which undici has read as UTF-8; none where they cannot be sent on. */
function reasonOf(reason = ''): string {
  if (PLAIN.test(reason)) return reason;
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
