// The admin listener: health, metrics, explanations and the operator's orders, on a port of its
// own, never the gateway's. It decides nothing about caching; it shows what the stories say.
import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import type { Clock, Ear } from '../flow/ports.ts';
import { readMode, readOrder, readQuestion } from './asked.ts';
import { guard, isLoopback } from './guard.ts';
import { refuse, refuseEntrance, refuseError, refuseUnanswered, refuseWrong } from './refusal.ts';
import type { Running } from './running.ts';

export { isLoopback };

export interface AdminDeps {
  readonly running: Running;
  readonly ear: Ear;
  readonly clock: Clock;
  /** Undefined only where the listener is on loopback. */
  readonly token: string | undefined;
}

export interface Admin {
  /** As bound; an IPv6 address without brackets. */
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 64 * 1024;
const CONNECTIONS_MAX = 100;
const REQUEST_MS_MAX = 10_000;
const KEEP_ALIVE_MS = 5000;
/** How long closing waits for orders under way. */
const CLOSE_MS_MAX = 5000;

/** Rejects where the address can't be bound. */
export async function openAdmin(
  deps: AdminDeps,
  listen: { readonly host: string; readonly port: number },
): Promise<Admin> {
  const { address } = await lookup(listen.host);
  assert(deps.token !== undefined || isLoopback(address), 'a token, or a loopback address');
  const app = buildApp(deps);
  try {
    await app.listen({ host: address, port: listen.port });
  } catch (error) {
    await app.close();
    throw error;
  }
  app.server.maxConnections = CONNECTIONS_MAX;
  const bound = app.server.address() as AddressInfo;
  return { address: bound.address, port: bound.port, close: () => closeApp(app, deps.clock) };
}

async function closeApp(app: FastifyInstance, clock: Clock): Promise<void> {
  const forget = clock.after(CLOSE_MS_MAX, () => app.server.closeAllConnections());
  await app.close();
  forget();
}

function buildApp(deps: AdminDeps): FastifyInstance {
  const { ear, running } = deps;
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: { headersTimeout: REQUEST_MS_MAX, connectionsCheckingInterval: REQUEST_MS_MAX / 2 },
    frameworkErrors: (error, _request, reply) => void refuseError(error, reply, ear),
  });
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler<FastifyError>((error, _request, reply) => refuseError(error, reply, ear));
  addDoor(app, deps);
  addViews(app, running);
  addOrders(app, running);
  return app;
}

/** Before anything is read of a body: who asks, whether there is such a page, and in what form. */
function addDoor(app: FastifyInstance, { token }: AdminDeps): void {
  const enter = guard(token);
  const allowed = new Map<string, string[]>();
  app.addHook('onRoute', ({ url, method }) => {
    allowed.set(url, [...(allowed.get(url) ?? []), ...[method].flat()]);
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    const { host, authorization, 'content-type': type = '' } = request.headers;
    const entrance = enter({ route: request.routeOptions.url, host, authorization });
    if (entrance.kind === 'closed') return refuseEntrance(reply, entrance.because);
    if (request.is404) return refuseUnknown(reply, allowed.get(request.url.split('?', 1)[0]!));
    // Other sites' pages may send forms and plain text without being asked first, but no JSON.
    if (request.method === 'POST' && !/^application\/json *(?:;|$)/i.test(type)) {
      return refuse(reply, { status: 415, detail: 'The body must be application/json.' });
    }
    return undefined;
  });
}

function refuseUnknown(reply: FastifyReply, methods: readonly string[] | undefined): FastifyReply {
  if (methods === undefined) {
    return refuse(reply, { status: 404, detail: 'There is no such page.' });
  }
  reply.header('allow', methods.join(', '));
  return refuse(reply, { status: 405, detail: `Only ${methods.join(' and ')} here.` });
}

function addViews(app: FastifyInstance, running: Running): void {
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const { status, ...rest } = await running.readiness();
    const fit = status === 'ready' || status === 'degraded';
    const config = running.problems().length === 0 ? 'loaded' : 'reload-refused';
    return reply.code(fit ? 200 : 503).send({ status, config, ...rest });
  });
  app.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await running.metrics();
    return reply.type(contentType).send(text);
  });
  app.get('/explain', async (request, reply) => {
    const { url } = request;
    const read = readQuestion(url.includes('?') ? url.slice(url.indexOf('?')) : '');
    if (read.kind === 'wrong') return refuseWrong(reply, read.problems);
    const explained = await running.explain(read.value);
    if (explained.kind === 'unanswered') return refuseUnanswered(reply, explained.because);
    return explained.value;
  });
  app.get('/config', () => ({ applied: running.config(), problems: running.problems() }));
}

function addOrders(app: FastifyInstance, running: Running): void {
  for (const act of ['refresh', 'purge'] as const) {
    app.post(`/${act}`, async (request, reply) => {
      const read = readOrder(request.body);
      if (read.kind === 'wrong') return refuseWrong(reply, read.problems);
      const ordered = await running.order(read.value, act);
      if (ordered.kind === 'unanswered') return refuseUnanswered(reply, ordered.because);
      const result = ordered.value;
      if (result.kind === 'wrong') return refuseWrong(reply, result.problems);
      if (result.kind === 'refused') return refuseUnconfirmed(reply);
      const { touched, refreshing, confirmed } = result;
      return reply.code(202).send({ touched, refreshing, confirmed });
    });
  }
  app.post('/mode', async (request, reply) => {
    const read = readMode(request.body);
    if (read.kind === 'wrong') return refuseWrong(reply, read.problems);
    await running.switchMode(read.value);
    return reply.send({ mode: read.value });
  });
}

/** As a write is answered then: it may have been for nothing, and nobody shall rely on it. */
function refuseUnconfirmed(reply: FastifyReply): FastifyReply {
  const detail = 'The store could not be told. It is remembered, and done when the store is back.';
  return refuse(reply, { status: 504, detail });
}
