// everfresh as it is built, with any rules, on the core of the servers.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { text } from './client.ts';
import { folderWith, freePort, type Open, SERVERS, start } from './machine.ts';

export interface Everfresh {
  readonly upstream: number;
  /** Lines of its file beside the addresses. */
  readonly rules: string;
  /** Where entries and touches are, and the prefix of one fleet there; memory without it. */
  readonly redis?: { readonly port: number; readonly prefix: string } | undefined;
  /** Flags of Node, and variables. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));

export async function everfresh(of: Everfresh): Promise<Open> {
  const port = await freePort();
  const { redis } = of;
  const store = redis === undefined ? ''
    : `store: { url: "redis://127.0.0.1:${redis.port}", prefix: ${redis.prefix} }\n`;
  const folder = folderWith({
    'routes.yaml': `upstream: http://127.0.0.1:${of.upstream}\nlisten: 127.0.0.1:${port}\n`
      + `admin: off\nlog: { level: warn }\n${store}${of.rules}`,
  });
  const running = await start(SERVERS, port, [
    process.execPath, ...(of.flags ?? []), main, 'serve', '--config', join(folder, 'routes.yaml'),
  ], of.env);
  return { port, running };
}

const TRIES_MAX = 200;

/** Waits until it answers from what it keeps: on a fresh Redis that takes a lease. */
export async function keeping(port: number, path: string): Promise<void> {
  for (let turn = 0; turn < TRIES_MAX; turn += 1) {
    const { cacheStatus } = await text(port, path);
    if (isHit(cacheStatus)) return;
    await new Promise((resolve) => void setTimeout(resolve, 50));
  }
  throw new Error(`${path} is never answered from the cache`);
}

export const isHit = (cacheStatus: string): boolean => /(?:^|; )hit\b/i.test(cacheStatus);
