// The stage of the stories: a scripted upstream, everfresh in front of it in one of its two
// forms, a client, and barriers, so that a race is told and not waited for.
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import Fastify from 'fastify';
import { openListeners } from '../src/compose/listeners.ts';
import { compose, type Composed } from '../src/compose/gateway.ts';
import { parseRules } from '../src/core/rules/parse.ts';
import { printProblem } from '../src/core/rules/problem.ts';
import type { Clock } from '../src/flow/ports.ts';
import everfresh from '../src/plugin.ts';

export type Form = 'gateway' | 'plugin';
export const FORMS: readonly Form[] = ['gateway', 'plugin'];

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: string;
  /** Our member of Cache-Status, which is the last. */
  readonly cache: string;
}

/** A door that a test opens: who comes before waits. */
export class Barrier {
  readonly #opened = Promise.withResolvers<void>();
  readonly #reached = Promise.withResolvers<void>();
  /** Ends when somebody stands before it. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }
  open(): void {
    this.#opened.resolve();
  }
  pass(): Promise<void> {
    this.#reached.resolve();
    return this.#opened.promise;
  }
}

export type Script = (request: IncomingMessage, response: ServerResponse, body: string) => unknown;

export interface Stage {
  readonly url: string;
  /** Every request that the upstream saw: `GET /posts`. */
  readonly seen: string[];
  readonly requests: {
    readonly line: string;
    readonly headers: IncomingMessage['headers'];
    readonly body: string;
  }[];
  /** Of the form `gateway` only. */
  readonly composed: Composed | undefined;
  readonly upstreamUrl: string;
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  send(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Reply>;
  /** How many upstream requests of this line were seen. */
  count(line: string): number;
  close(): Promise<void>;
  /** Ends everfresh and leaves the upstream. */
  leave(): Promise<void>;
}

export interface Setting {
  readonly form?: Form;
  /** YAML without `upstream:`; the rest of a file. */
  readonly rules?: string;
  /** Not needed with `behind`. */
  readonly script?: Script;
  /** In place of a script: an application that reads its requests itself. */
  readonly app?: RequestListener;
  /** Of the form `gateway` only. */
  readonly clock?: Clock;
  /** Another stage, whose upstream this one shares. */
  readonly behind?: Stage;
}

interface Teardown {
  teardown(callback: () => Promise<void> | void): void;
}

/** Opens the stage; it is cleared when the test ends. */
export async function stage(
  t: Teardown,
  { form = 'gateway', rules = '', script, app, behind, clock }: Setting,
): Promise<Stage> {
  const upstream = behind === undefined ? await scripted(script, app) : sharedWith(behind);
  const ours = 'listen: 127.0.0.1:0\nadmin: off\nlog: { level: silent }';
  const yaml = `upstream: ${upstream.url}\n${ours}\n${rules}`;
  const { EVERFRESH_CREDENTIALS_KEY: key = '' } = process.env;
  const env = { EVERFRESH_CREDENTIALS_KEY: key };
  const parsed = parseRules(yaml, { file: 'routes.yaml', env });
  if (parsed.kind === 'wrong') throw new Error(parsed.problems.map(printProblem).join('\n'));
  const opened = form === 'gateway' ? await asGateway(parsed.config, clock) : await asPlugin(yaml);
  let left: Promise<void> | undefined;
  const leave = (): Promise<void> => (left ??= opened.close());
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closed ??= (async () => {
      await leave();
      await upstream.close();
    })());
  t.teardown(close);
  const { url, composed } = opened;
  return {
    url,
    composed,
    upstreamUrl: upstream.url,
    seen: upstream.seen,
    requests: upstream.requests,
    get: (path, headers) => ask(url, 'GET', path, { headers }),
    send: (method, path, body, headers) => ask(url, method, path, { body, headers }),
    count: (line) => upstream.seen.filter((seen) => seen === line).length,
    close,
    leave,
  };
}

async function asGateway(
  config: Parameters<typeof compose>[0],
  clock?: Clock,
): Promise<{ url: string; composed: Composed | undefined; close(): Promise<void> }> {
  const composed = await compose(config, clock === undefined ? {} : { clock });
  const listeners = await openListeners(composed, config, {
    masked: () => ({}),
    refused: () => [],
  });
  return {
    url: `http://${listeners.gateway}`,
    composed,
    async close() {
      await listeners.close();
      await composed.close();
    },
  };
}

async function asPlugin(
  yaml: string,
): Promise<{ url: string; composed: undefined; close(): Promise<void> }> {
  const { parse } = await import('yaml');
  const app = Fastify({ forceCloseConnections: true });
  await app.register(everfresh, { config: parse(yaml) as Record<string, unknown> });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, composed: undefined, close: () => app.close() };
}

function sharedWith({
  upstreamUrl: url,
  seen,
  requests,
}: Stage): ReturnType<typeof scripted> extends Promise<infer U> ? U : never {
  return { url, seen, requests, close: () => Promise.resolve() };
}

async function scripted(
  script: Script | undefined,
  app: RequestListener | undefined,
): Promise<Pick<Stage, 'seen' | 'requests'> & { url: string; close(): Promise<void> }> {
  const seen: string[] = [];
  const requests: Stage['requests'] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const line = `${request.method!} ${request.url!}`;
      seen.push(line);
      if (app !== undefined) return void app(request, response);
      const body = await text(request).catch(() => '');
      requests.push({ line, headers: request.headers, body });
      await script!(request, response, body);
    })();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    seen,
    requests,
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** One request on a connection of its own. */
export function ask(
  base: string,
  method: string,
  path: string,
  { headers = {}, body }: { headers?: Record<string, string> | undefined; body?: unknown } = {},
): Promise<Reply> {
  const bytes =
    body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const typed =
    body !== undefined && typeof body !== 'string' ? { 'content-type': 'application/json' } : {};
  const length = bytes === undefined ? {} : { 'content-length': String(Buffer.byteLength(bytes)) };
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: hostname,
        port,
        method,
        path,
        agent: false,
        headers: { ...typed, ...length, ...headers },
      },
      (response) => {
        text(response).then(
          (whole) =>
            resolve({
              status: response.statusCode!,
              headers: response.headers,
              rawHeaders: response.rawHeaders,
              body: whole,
              cache: String(response.headers['cache-status'] ?? '')
                .split(', ')
                .at(-1)!,
            }),
          reject,
        );
      },
    );
    request.on('error', reject);
    request.end(bytes);
  });
}

/** A JSON answer with its length, as most frameworks give it. */
export function json(
  response: ServerResponse,
  value: unknown,
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
): void {
  const bytes = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': bytes.length,
    ...headers,
  });
  response.end(bytes);
}

/** Asks again until it holds; for what happens behind an answer. Bounded in turns, not in time. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let turn = 0; turn < 2000; turn += 1) {
    if (await holds()) return;
    await new Promise((resolve) => void setImmediate(resolve));
    if (turn % 10 === 9) await new Promise((resolve) => void setTimeout(resolve, 1));
  }
  throw new Error(`never came true: ${what}`);
}

/** A request whose answer is watched as it comes. */
export interface Watched {
  /** Its status, as soon as the head is there. */
  readonly head: Promise<number>;
  /** The body so far. */
  readonly body: () => string;
  /** How it ended. */
  readonly end: Promise<'whole' | 'broken'>;
  /** Goes away. */
  leave(): void;
}

/** As `ask`, for a test that looks at the answer while it comes, or leaves before it is over. */
export function watch(base: string, method: string, path: string, body?: unknown): Watched {
  const { hostname, port } = new URL(base);
  const bytes = body === undefined ? undefined : JSON.stringify(body);
  const headers =
    bytes === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) };
  const request = httpRequest({ host: hostname, port, method, path, agent: false, headers });
  const head = Promise.withResolvers<number>();
  const end = Promise.withResolvers<'whole' | 'broken'>();
  head.promise.catch(() => undefined);
  let seen = '';
  request.on('response', (response) => {
    head.resolve(response.statusCode!);
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => void (seen += chunk));
    response.on('close', () => end.resolve(response.complete ? 'whole' : 'broken'));
    response.on('error', () => end.resolve('broken'));
  });
  request.on('error', (error) => {
    head.reject(error);
    end.resolve('broken');
  });
  request.end(bytes);
  const leave = (): void => void request.destroy();
  return { head: head.promise, end: end.promise, body: () => seen, leave };
}

/** Ends when so many requests are inside everfresh; the plugin's are not counted, and get time. */
export async function inside(s: Stage, requests: number): Promise<void> {
  const { composed } = s;
  if (composed !== undefined) {
    return until(() => composed.handler.active() === requests, `${requests} inside`);
  }
  for (let turn = 0; turn < 50; turn += 1)
    await new Promise((resolve) => void setImmediate(resolve));
}
