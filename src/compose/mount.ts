// The gateway inside somebody's Fastify: whatever the host's router has no other route for goes to
// the stories before Fastify reads its body, and WebSockets to their tunnels.
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Exchange } from '../io/exchange.ts';
import { inTurn } from '../io/http1.ts';
import { exchangeByStream } from '../io/http2.ts';
import { isWebSocket } from '../io/tunnel.ts';
import type { Composed } from './gateway.ts';

const METHODS = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT', 'OPTIONS', 'QUERY'];

interface Upgrade {
  readonly socket: Socket;
  readonly head: Buffer;
}

/** Takes every request of this context. */
export async function mount(app: FastifyInstance, { handler, tunnels }: Composed): Promise<void> {
  app.addHook('onRequest', async (request, reply) => {
    reply.hijack();
    const upgrade = upgrades.get(request.raw);
    if (upgrade === undefined) return hand(request.raw, reply.raw, handler.handle);
    // The answer is the tunnel's to give.
    reply.raw.detachSocket(upgrade.socket);
    tunnels.open(request.raw, upgrade.socket, upgrade.head);
  });
  // Fastify's router doesn't know it by itself; which others arrive, the host decides.
  if (!app.supportedMethods.includes('QUERY')) app.addHttpMethod('QUERY', { hasBody: true });
  app.route({ method: METHODS, url: '/*', handler: () => undefined });
  watch(app);
  app.addHook('preClose', () => tunnels.close());
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>();
const watched = new WeakSet<object>();

/** Once for each server, however often it has us: its router knows whose an upgrade is. */
function watch(app: FastifyInstance): void {
  const { server } = app;
  if (watched.has(server)) return;
  watched.add(server);
  ignoreOthers(server);
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // Node has let go of this connection: a client that resets it would end the host, and after an
    // answer of the host's nobody else would end it.
    socket.on('error', () => socket.destroy());
    upgrades.set(request, { socket, head });
    const response = new ServerResponse(request);
    try {
      response.assignSocket(socket);
    } catch {
      // An answer to what was asked before is still under way: no client may ask so.
      return void socket.destroy();
    }
    response.shouldKeepAlive = false;
    response.once('finish', () => socket.destroySoon());
    app.routing(request, response);
  });
}

/** With a listener Node takes every offer for one to be taken up, unless it is asked first. */
function ignoreOthers(server: object): void {
  const asked = server as { shouldUpgradeCallback?: (request: IncomingMessage) => boolean };
  const before = asked.shouldUpgradeCallback;
  if (before === undefined) return;
  asked.shouldUpgradeCallback = (request) => isWebSocket(request) && before.call(server, request);
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
