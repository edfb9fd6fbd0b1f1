// One everfresh as a process of its own, on ports that it keeps over restarts: started, killed,
// stopped, gone on with, ended in good order. It is a black box here: its file, its signals, its
// answers.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, until } from '../redis.ts';
import { startChild, type Child } from './child.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const START_MS_MAX = 20_000;

export interface GatewayFile {
  readonly upstream: string;
  /** As under `store:` of the file. */
  readonly store: Readonly<Record<string, unknown>>;
  readonly listen: string;
  readonly admin: string;
}

/** The upstream's time-outs, and how long a write of unknown outcome is held, in these runs. */
export const HEADERS_TIMEOUT_MS = 1500;
export const QUARANTINE_MS = 2000;
export const STORE_BUDGET_MS = 500;

/** JSON is YAML. The file names everything that the runs ask for, private answers too. */
export function gatewayFile({ upstream, store, listen, admin }: GatewayFile): string {
  return JSON.stringify({
    upstream: {
      url: upstream, headers_timeout: `${HEADERS_TIMEOUT_MS}ms`, body_timeout: '1500ms',
    },
    listen,
    admin,
    store,
    log: { level: 'info', sample: 0 },
    limits: {
      quarantine: `${QUARANTINE_MS}ms`, store_budget: `${STORE_BUDGET_MS}ms`, drain: '3s',
    },
    routes: {
      '/items/:id': {
        GET: { ttl: '1h' },
        PUT: { refresh: ['/items/:id', '/lists/{response.body.list}', '/lists/9'] },
      },
      '/lists/:n': { GET: { ttl: '1h' } },
      // Kept for a while, if it ever were taken for an answer to everyone.
      '/mine': { GET: { ttl: '1h' } },
    },
  });
}

export interface GatewayProcess {
  readonly name: string;
  readonly url: string;
  /** Whether a balancer would send requests there. */
  readonly inService: boolean;
  /** From now on it is away by our doing; a balancer has not noticed yet. */
  away(): void;
  takeOut(): void;
  takeIn(): void;
  /** Whether what was sent to it then, or later, may have met it while it was away. */
  wasAway(since: number): boolean;
  /** It ended, and nobody had ended it. */
  readonly crashed: boolean;
  start(): Promise<void>;
  /** Answers again, as itself, and uses the store. */
  ready(): Promise<void>;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  told(): string;
}

export async function gatewayProcess(
  name: string,
  { upstream, store, folder }: {
    upstream: string; store: Readonly<Record<string, unknown>>; folder: string;
  },
): Promise<GatewayProcess> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const file = join(folder, `${name}.yaml`);
  const admin = `127.0.0.1:${adminPort}`;
  await writeFile(file, gatewayFile({ upstream, store, listen: `127.0.0.1:${port}`, admin }));
  let child: Child | undefined;
  let inService = false;
  let awayUntil = -Infinity;
  const state = async (): Promise<unknown> => {
    if (child?.alive !== true) throw new Error(`${name} ended: ${child?.told() ?? 'not started'}`);
    try {
      const answer = await fetch(`http://${admin}/readyz`, { signal: AbortSignal.timeout(500) });
      return ((await answer.json()) as { status?: unknown }).status;
    } catch (error) {
      return error; // it does not listen yet
    }
  };
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    get inService() {
      return inService;
    },
    away() {
      awayUntil = Infinity;
    },
    takeOut() {
      inService = false;
      awayUntil = Infinity;
    },
    takeIn() {
      awayUntil = performance.now();
      inService = true;
    },
    wasAway: (since) => awayUntil >= since,
    get crashed() {
      return awayUntil !== Infinity && child?.alive === false;
    },
    async start() {
      child = startChild(MAIN, { args: ['serve', '--config', file] });
      await until(async () => ['ready', 'degraded'].includes(String(await state())), {
        what: `${name} to listen`, limitMs: START_MS_MAX,
      });
    },
    async ready() {
      await until(async () => (await state()) === 'ready', {
        what: `${name} to be ready`, limitMs: START_MS_MAX,
      });
    },
    signal: (signal) => child?.signal(signal),
    end: async (signal) => child?.end(signal),
    told: () => child?.told() ?? '',
  };
}
