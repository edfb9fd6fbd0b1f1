// The gateway inside somebody's Fastify: whatever the host's router has no other route for goes to
// the stories before Fastify reads its body, and WebSockets to their tunnels.
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Exchange } from '../io/exchange.ts';
import { inTurn } from '../io/http1.ts';
import { exchangeByStream } from '../io/http2.ts';
import type { Composed } from './gateway.ts';

const METHODS = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT', 'OPTIONS', 'QUERY'];

interface Upgrade {
  readonly socket: Socket;
  readonly head: Buffer;
}

/** Takes every request of this context. */
export async function mount(app: FastifyInstance, { handler, tunnels }: Composed): Promise<void> {
  const upgrades = new WeakMap<IncomingMessage, Upgrade>();
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
  // Through the host's own router, as any other request: it may have a route for it.
  app.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    upgrades.set(request, { socket, head });
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    // Node has let go of this connection: after an answer of the host's nobody else would end it.
    response.shouldKeepAlive = false;
    response.once('finish', () => socket.destroySoon());
    app.routing(request, response);
  });
  app.addHook('preClose', () => tunnels.close());
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
