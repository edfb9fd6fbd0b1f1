// The Fastify half of the gateway, alone or as a plugin: hands every request to the stories before
// Fastify looks at it, and lets WebSockets through to @fastify/http-proxy.
import httpProxy from '@fastify/http-proxy';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { atTheDoor } from '../core/http/door.ts';
import { endToEnd, keepFields } from '../core/http/message.ts';
import { problem } from '../core/http/problem.ts';
import { forwardedFields } from '../core/key/forwarded.ts';
import type { Gateway } from '../flow/gateway.ts';
import type { Exchange } from '../io/exchange.ts';
import { declaresBody, incomingOf, inTurn } from '../io/http1.ts';
import { exchangeByStream } from '../io/http2.ts';
import type { Composed } from './gateway.ts';

/** How long the other end of a WebSocket may take to say goodbye, so that a drain has an end. */
const FAREWELL_MS = 2000;

const PROXIED = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT', 'OPTIONS'];

/** Takes every request of this context that is not an upgrade, and carries WebSockets. */
export async function mount(app: FastifyInstance, { gateway, handler }: Composed): Promise<void> {
  app.addHook('onRequest', (request, reply, done) => {
    if (isUpgrade(request)) {
      // Node has let go of this socket: without a listener a client that resets it would end us.
      request.raw.socket.on('error', () => request.raw.socket.destroy());
      return void refuseUpgrade(gateway, request, reply, done);
    }
    reply.hijack();
    hand(request.raw, reply.raw, handler.handle);
  });
  // Fastify's router doesn't know it by itself; which others arrive, the host decides.
  if (!app.supportedMethods.includes('QUERY')) app.addHttpMethod('QUERY', { hasBody: true });
  await app.register(httpProxy, {
    upstream: '',
    httpMethods: [...PROXIED, 'QUERY'],
    websocket: true,
    wsServerOptions: { closeTimeout: FAREWELL_MS },
    wsClientOptions: {
      closeTimeout: FAREWELL_MS,
      rewriteRequestHeaders: (_none: unknown, request: FastifyRequest) =>
        handshake(gateway, request),
    },
    replyOptions: { getUpstream: (request) => upstreamOf(gateway, request.raw.url ?? '/') },
  });
}

/** The host's server may speak HTTP/2. */
function hand(
  request: IncomingMessage, response: ServerResponse, handle: (exchange: Exchange) => void,
): void {
  if (!('stream' in request)) return inTurn(request, response, handle);
  const { stream, rawHeaders, socket } = request as unknown as Http2ServerRequest;
  const peer = { address: socket.remoteAddress ?? '', secure: 'encrypted' in socket };
  handle(exchangeByStream(stream, rawHeaders, peer));
}

const isUpgrade = (request: FastifyRequest): boolean =>
  (request.raw as { upgrade?: boolean | null }).upgrade === true;

function upstreamOf({ live }: Gateway, url: string): string {
  const route = live.finder.match(url.split('?', 1)[0]!)?.route;
  return (route?.upstream ?? live.config.upstream).url;
}

/** What the upstream is told of who opens a WebSocket: as with any other request that is passed. */
function handshake({ live, newId }: Gateway, { raw }: FastifyRequest): Record<string, string[]> {
  const { config } = live;
  const response = new ServerResponse(raw);
  const way = incomingOf(raw, response, { id: newId(), trusts: live.trusts });
  const fields = keepFields(endToEnd(raw.rawHeaders), (name) =>
    name !== 'host' && !name.startsWith('sec-websocket-'));
  const headers: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  const forwarded = forwardedFields(fields, way, config);
  for (let i = 0; i < forwarded.length; i += 2) {
    (headers[forwarded[i]!.toLowerCase()] ??= []).push(forwarded[i + 1]!);
  }
  return headers;
}

/** A WebSocket is refused where the file says that a path is read as plain HTTP. */
function refuseUpgrade(
  { live }: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  done: () => void,
): void {
  const { method, url, rawHeaders, httpVersion } = request.raw;
  const { config, finder } = live;
  const hasBody = declaresBody(rawHeaders);
  const door = atTheDoor(
    { method: method!, target: url!, fields: rawHeaders, httpVersion, hasBody },
    { limits: config.limits, hosts: config.hosts, credentials: config.credentials.headers },
  );
  const read = door.kind === 'enter' && !config.implicit &&
    finder.match(door.path)?.route.reads.has('GET');
  if (door.kind === 'enter' && !read) return done();
  const refusal = door.kind === 'refuse'
    ? problem(door.because)
    : problem('bad-upgrade', { status: 426 });
  reply.code(refusal.status)
    .headers({
      'content-type': 'application/problem+json',
      connection: 'close',
      // RFC 9110 §15.5.22: a 426 says what would be spoken instead.
      upgrade: 'HTTP/1.1',
    })
    .send(Buffer.from(refusal.body));
}

