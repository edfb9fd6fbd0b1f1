// The Fastify half of the gateway, alone or as a plugin: hands every request to the stories before
// Fastify looks at it, and lets WebSockets through to @fastify/http-proxy.
import httpProxy from '@fastify/http-proxy';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { atTheDoor } from '../core/http/door.ts';
import { problem } from '../core/http/problem.ts';
import type { Gateway } from '../flow/gateway.ts';
import type { Composed } from './gateway.ts';

/** Takes every request of this context that is not an upgrade, and carries WebSockets. */
export async function mount(app: FastifyInstance, { gateway, handler }: Composed): Promise<void> {
  app.addHook('onRequest', (request, reply, done) => {
    if (isUpgrade(request)) return void refuseUpgrade(gateway, request, reply, done);
    reply.hijack();
    handler.handle(request.raw, reply.raw);
  });
  await app.register(httpProxy, {
    upstream: '',
    websocket: true,
    replyOptions: { getUpstream: (request) => upstreamOf(gateway, request.raw.url ?? '/') },
  });
}

const isUpgrade = (request: FastifyRequest): boolean =>
  (request.raw as { upgrade?: boolean | null }).upgrade === true;

function upstreamOf({ live }: Gateway, url: string): string {
  const route = live.finder.match(url.split('?', 1)[0]!)?.route;
  return (route?.upstream ?? live.config.upstream).url;
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
  const door = atTheDoor(
    { method: method!, target: url!, fields: rawHeaders, httpVersion, hasBody: false },
    { limits: config.limits, hosts: config.hosts, credentials: config.credentials.headers },
  );
  const read = door.kind === 'enter' && !config.implicit && finder.match(door.path)?.route.reads.has('GET');
  if (door.kind === 'enter' && !read) return done();
  const refusal = door.kind === 'refuse' ? problem(door.because) : problem('bad-upgrade', { status: 426 });
  reply.code(refusal.status)
    .headers({ 'content-type': 'application/problem+json', connection: 'close' })
    .send(Buffer.from(refusal.body));
}

