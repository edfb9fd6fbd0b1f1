// One exchange with an upstream, through undici's dispatch: field lines kept as they are, 1xx and
// trailers passed on, the body read no faster than it is taken. It begins once, and has a time for
// its head.
import { errors, type Dispatcher, type Pool } from 'undici';
import { endToEnd, type Fields } from '../core/http/message.ts';
import type { ByteStream, Clock, Fetch, Fetched, FetchFailure } from '../flow/ports.ts';
import { Reception } from './reception.ts';

/** Each 1xx starts the time for the head anew, so that they must have an end. */
const INFORMATIONAL_MAX = 32;

export type Attempt =
  | Extract<Fetched, { kind: 'answer' }>
  /** `untouched`: no byte of an answer came. */
  | (Extract<Fetched, { kind: 'failed' }> & { readonly untouched: boolean });

/** `headBy`: the monotonic moment at which the head must have come. */
export function exchange(
  pool: Pool, request: Fetch, { clock, headBy }: { clock: Clock; headBy: number },
): Promise<Attempt> {
  return new Promise((resolve) => {
    const one = new UpstreamExchange(request, { clock, headBy, resolve });
    if (request.signal?.aborted === true) one.giveUp('aborted');
    else one.dispatchTo(pool);
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
    dispatch(pool, pushed, this, () => this.#settle('broken'));
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
    if (!this.started) this.#settle(because);
  }

  /** Nothing more is waited for. */
  #settle(because: FetchFailure | undefined): void {
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
    this.#settle(undefined);
  }

  onResponseError(_controller: unknown, error: Error): void {
    const because = this.abortedBecause ?? failureOf(error, this.started);
    this.fail(because, error);
    this.#settle(because);
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
