// The listeners of a running gateway: its own, before Fastify's router, and the admin's. They open
// and close together, and closing lets what is under way end first.
import { type AddressInfo, Server as NetServer } from 'node:net';
import Fastify from 'fastify';
import { openAdmin } from '../admin/api.ts';
import { instance } from '../admin/instance.ts';
import type { Running } from '../admin/running.ts';
import type { Composed } from './gateway.ts';
import type { Config } from '../core/rules/config.ts';
import { type Door, openDoor, refuseUnparsed } from '../io/door.ts';
import { mount } from './mount.ts';

export interface Listeners {
  /** `host:port` as bound. */
  readonly gateway: string;
  readonly admin: string | undefined;
  /** What the admin listener asks, for others who ask. */
  readonly running: Running;
  close(): Promise<void>;
}

export interface Shown {
  /** The applied configuration, secrets masked. */
  readonly masked: () => unknown;
  /** Of the last reload that was refused. */
  readonly refused: () => readonly string[];
}

export async function openListeners(
  composed: Composed,
  config: Config,
  shown: Shown,
): Promise<Listeners> {
  const { gateway, metrics } = composed;
  const door = openDoor(config, composed.handler.handle);
  const app = Fastify({
    logger: false,
    // Only upgrades get as far as Fastify's router; everything else is answered before it.
    serverFactory: () => door.server,
    clientErrorHandler: refuseUnparsed,
  });
  await app.register((inner) => mount(inner, composed));
  let listening = false;
  const running = instance({
    gateway,
    masked: shown.masked,
    problems: shown.refused,
    metrics: () => metrics.text(),
    listening: () => listening,
    draining: () => composed.draining(),
  });
  try {
    await app.listen({ host: config.listen.host, port: config.listen.port });
    listening = true;
    const { ear, clock } = gateway;
    const admin =
      config.admin === 'off'
        ? undefined
        : await openAdmin({ running, ear, clock, token: config.adminToken }, config.admin)
          .catch((error: Error) => {
            throw new Error(`admin: ${error.message}`, { cause: error });
          });
    return {
      gateway: printAddress(app.server.address() as AddressInfo),
      admin: admin && `${admin.address}:${admin.port}`,
      running,
      async close() {
        listening = false;
        composed.drain();
        await drained(composed, door, gateway.live.config.limits.drainMs);
        await app.close();
        await admin?.close();
      },
    };
  } catch (error) {
    await app.close();
    throw error;
  }
}

/** No new connections; those under way end their request, or are ended when the time is over. */
async function drained(
  composed: Composed, door: Door, drainMs: number,
): Promise<void> {
  const { clock } = composed.gateway;
  const { server } = door;
  const until = clock.mono() + drainMs;
  // Node's HTTP server would close the idle at once, and takes a connection for idle whose answer
  // is written, but not yet sent.
  NetServer.prototype.close.call(server);
  door.drain();
  while (composed.handler.active() > 0 && clock.mono() < until) {
    if (composed.handler.sending() === 0) server.closeIdleConnections();
    await new Promise<void>((resolve) => void setTimeout(resolve, 20));
  }
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  server.closeAllConnections();
  door.end();
  await closed;
}

function printAddress({ address, port }: AddressInfo): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
