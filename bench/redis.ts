// The Redis of this run: on the load's core, on a free port of the loopback, nothing on disk.
import { folderWith, freePort, has, LOAD, type Open, start } from './machine.ts';

/** Undefined where there is no server, nor any that can be installed. */
export async function redis(): Promise<Open | undefined> {
  if (!has('redis-server', 'redis-server')) return undefined;
  const port = await freePort();
  const running = await start(LOAD, port, [
    'redis-server', '--port', String(port), '--bind', '127.0.0.1', '--save', '',
    '--appendonly', 'no', '--dir', folderWith({}),
  ]);
  return { port, running };
}
