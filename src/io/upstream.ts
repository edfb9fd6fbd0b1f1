// The upstreams, through undici's dispatch: one pool for each address, field lines kept as they are,
// 1xx and trailers passed on, bodies read no faster than they are taken. Never follows redirects and
// never repeats a write.
import { readFileSync } from 'node:fs';
import { errors, Pool, type Dispatcher } from 'undici';
import type { Fields } from '../core/http/message.ts';
import type { UpstreamConfig } from '../core/rules/config.ts';
import type { Clock, Ear, Fetch, Fetched, FetchFailure, Upstream } from '../flow/ports.ts';
import { Reception } from './reception.ts';

/** An idle connection is closed before the addresses behind a name may have changed for long. */
const CLIENT_TTL_MS = 30_000;

export interface Upstreams extends Upstream {
  close(): Promise<void>;
}

export function undiciUpstream(
  defaultUpstream: () => UpstreamConfig,
  { clock, ear }: { clock: Clock; ear: Ear },
): Upstreams {
  const pools = new Map<string, Pool>();
  const poolOf = (config: UpstreamConfig): Pool => {
    const id = JSON.stringify(config);
    let pool = pools.get(id);
    if (pool === undefined) pools.set(id, pool = openPool(config));
    return pool;
  };
  return {
    async fetch(request) {
      const startedAt = clock.mono();
      const pool = poolOf(request.route?.upstream ?? defaultUpstream());
      let attempt = await once(pool, request, clock);
      // RFC 9110 §9.2.2: safe requests may be sent again, where a connection that was kept alive
      // closed before any byte of the answer came.
      const again = request.safe && request.body === undefined && request.signal?.aborted !== true;
      if (again && attempt.kind === 'failed' && attempt.because === 'reset' && attempt.untouched) {
        attempt = await once(pool, request, clock);
      }
      const result = attempt.kind === 'failed' ? attempt.because : attempt.status;
      const pattern = request.route?.pattern ?? '';
      ear.upstreamRequest(request.cause, pattern, clock.mono() - startedAt, result);
      return attempt;
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()));
    },
  };
}

function openPool(config: UpstreamConfig): Pool {
  const unix = config.url.startsWith('unix:');
  const pem = (file: string | undefined): string | undefined => file && readFileSync(file, 'utf8');
  const [ca, cert, key] = [pem(config.ca), pem(config.cert), pem(config.key)];
  return new Pool(unix ? 'http://localhost' : config.url, {
    connections: config.connections,
    pipelining: 1,
    headersTimeout: config.headersTimeoutMs,
    bodyTimeout: config.bodyTimeoutMs,
    clientTtl: CLIENT_TTL_MS,
    allowH2: false,
    connect: {
      timeout: config.connectTimeoutMs,
      ...(unix ? { socketPath: config.url.slice('unix:'.length).replace(/^\/\/(?=\/)/, '') } : {}),
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
  });
}

type Attempt =
  | Extract<Fetched, { kind: 'answer' }>
  /** `untouched`: no byte of an answer came. */
  | (Extract<Fetched, { kind: 'failed' }> & { readonly untouched: boolean });

function once(pool: Pool, request: Fetch, clock: Clock): Promise<Attempt> {
  const { promise, resolve } = Promise.withResolvers<Attempt>();
  let headed = false;
  const reception = new Reception();
  const end = (because: FetchFailure | undefined, error?: unknown): void => {
    cancelDeadline?.();
    request.signal?.removeEventListener('abort', abort);
    if (because === undefined || headed) return;
    const sent = reception.started && because !== 'refused';
    resolve({ kind: 'failed', because, sent, untouched: !reception.answered });
    if (error !== undefined && !(error instanceof Error)) throw error;
  };
  const abort = (): void => reception.abort('aborted');
  const cancelDeadline = request.deadlineMs === undefined
    ? undefined
    : clock.after(request.deadlineMs, () => reception.abort('timeout'));
  request.signal?.addEventListener('abort', abort, { once: true });
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart: (controller) => reception.start(controller),
    onResponseStart(controller, status, _headers, reason = '') {
      const fields = texts(controller.rawHeaders);
      if (status < 200) return request.inform?.(status, fields);
      headed = true;
      const answer = { kind: 'answer' as const, status, reason, fields };
      resolve({ ...answer, body: reception.body, trailers: () => reception.trailers });
    },
    onResponseData: (_controller, chunk) => reception.push(chunk),
    onResponseEnd(controller) {
      reception.end(texts(controller.rawTrailers));
      end(undefined);
    },
    onResponseStarted: () => {
      reception.answered = true;
    },
    onResponseError(_controller, error) {
      const because = reception.abortedBecause ?? failureOf(error, reception.started);
      reception.fail(because, error);
      end(because);
    },
  } as Dispatcher.DispatchHandler;
  const body = request.body instanceof Uint8Array && request.body.byteLength === 0 && request.safe
    ? undefined
    : request.body;
  try {
    pool.dispatch({
      path: request.target,
      method: request.method as Dispatcher.HttpMethod,
      headers: request.fields as string[],
      body: (body ?? null) as Dispatcher.DispatchOptions['body'],
      idempotent: request.safe,
    } as Dispatcher.DispatchOptions, handler);
  } catch (error) {
    // undici refuses a request that it cannot put on the wire before anything was sent.
    if (!(error instanceof errors.UndiciError)) throw error;
    end('broken');
  }
  return promise;
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
  return raw.map((part: unknown) => (Buffer.isBuffer(part) ? part.toString('latin1') : String(part)));
}
