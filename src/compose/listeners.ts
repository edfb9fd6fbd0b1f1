// The listeners of a running gateway: its own and the admin's. They open and close together, and
// closing lets what is under way end first.
import type { Server } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { openAdmin } from '../admin/api.ts';
import { instance } from '../admin/instance.ts';
import type { Running } from '../admin/running.ts';
import type { Composed } from './gateway.ts';
import type { Config } from '../core/rules/config.ts';
import { type Door, onUpgrade, openDoor, refuseUnparsed } from '../io/door.ts';

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
  const { gateway, metrics, tunnels } = composed;
  const door = openDoor(config, { ...composed.handler, shortcuts: composed.shortcuts });
  const { server } = door;
  server.on('clientError', refuseUnparsed);
  onUpgrade(server, (request, socket, head) => tunnels.open(request, socket, head));
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
    await listen(server, config.listen);
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
      gateway: printAddress(server.address() as AddressInfo),
      admin: admin && `${admin.address}:${admin.port}`,
      running,
      async close() {
        listening = false;
        composed.drain();
        await drained(composed, door, gateway.live.config.limits.drainMs);
        await admin?.close();
      },
    };
  } catch (error) {
    server.close();
    throw error;
  }
}

function listen(server: Server, { host, port }: Config['listen']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
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
  const untunnelled = composed.tunnels.close();
  while (composed.handler.active() > 0 && clock.mono() < until) {
    if (composed.handler.sending() === 0) server.closeIdleConnections();
    await new Promise<void>((resolve) => void setTimeout(resolve, 20));
  }
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  server.closeAllConnections();
  door.end();
  await untunnelled;
  await closed;
}

function printAddress({ address, port }: AddressInfo): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
