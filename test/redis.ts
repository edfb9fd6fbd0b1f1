// A real Redis for tests: finds a server, or installs one where that is one command, and starts it
// on a free port of the loopback with nothing kept on disk. Ends only what it started.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Clock } from '../src/flow/ports.ts';

const run = promisify(execFile);
const NAMES = ['redis-server', 'valkey-server'] as const;
const PLACES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/opt/homebrew/bin'];
const INSTALL = 'apt-get update && apt-get install -y --no-install-recommends redis-server';

export interface RunningRedis {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it in good order. */
  stop(): Promise<void>;
  /** Ends it with nothing saved: SIGKILL. */
  kill(): Promise<void>;
  /** Hangs: connections stand, nothing is answered. */
  pause(): void;
  resume(): void;
  /** Starts again on the same port, ended before if it still runs. */
  restart(): Promise<void>;
}

/** The address in EVERFRESH_TEST_REDIS, or a server of one's own. */
export async function anyRedis(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const url = process.env['EVERFRESH_TEST_REDIS'];
  if (url !== undefined && url !== '') return { url, stop: () => Promise.resolve() };
  return startRedis();
}

/** The path of a server's program. */
export async function findRedis(): Promise<string> {
  const found = inPath();
  if (found !== undefined) return found;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    await install('redis-server');
    const installed = inPath();
    if (installed !== undefined) return installed;
  }
  throw new Error(`no redis-server or valkey-server in PATH; on Debian or Ubuntu: ${INSTALL}`);
}

function inPath(): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), ...PLACES];
  return NAMES.flatMap((name) => places.map((place) => join(place, name))).find((path) =>
    existsSync(path),
  );
}

/** By apt, as root, without starting a service. */
export async function install(name: string): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const policy = '/usr/sbin/policy-rc.d';
  // Debian's way to say that a package must not start its service.
  const ours = !existsSync(policy);
  if (ours) await writeFile(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    // Another test file may be at it: apt waits for its lock.
    const wait = ['-o', 'DPkg::Lock::Timeout=300'];
    const packages = ['--no-install-recommends', name];
    await run('apt-get', [...wait, 'update'], { env });
    await run('apt-get', [...wait, 'install', '-y', ...packages], { env });
  } finally {
    if (ours) await rm(policy, { force: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function startRedis(
  options: { readonly args?: readonly string[]; readonly port?: number } = {},
): Promise<RunningRedis> {
  const program = await findRedis();
  const port = options.port ?? (await freePort());
  const folder = await mkdtemp(join(tmpdir(), 'everfresh-redis-'));
  // A replica would be let wait five seconds for others to come.
  const args = [
    '--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '',
    '--appendonly', 'no', '--repl-diskless-sync-delay', '0', ...(options.args ?? []),
  ];
  const removeAll = (): Promise<void> => rm(folder, { recursive: true, force: true });
  let child = await start(program, args, port);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill('SIGCONT');
    await ended(child, signal);
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid!;
    },
    async stop() {
      await end('SIGTERM');
      await removeAll();
    },
    kill: () => end('SIGKILL'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async restart() {
      await end('SIGKILL');
      child = await start(program, args, port);
    },
  };
}

const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));
// A test that is ended from outside runs no exit listeners of its own accord.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));

async function start(
  program: string, args: readonly string[], port: number,
): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: 'ignore' });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}`)));
  });
  failed.catch(() => undefined); // it is looked at only while starting
  await Promise.race([until(() => answers(port), { what: 'Redis to start' }), failed]);
  return child;
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
}

/** Whether a server answers there at all; one that asks for a password does. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.once('data', () => resolve(true)).once('error', () => resolve(false));
    socket.once('data', () => socket.destroy());
  });
}

/** Waits until something is so. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  options: { readonly what?: string; readonly limitMs?: number } = {},
): Promise<void> {
  const { what = 'a condition', limitMs = 15_000 } = options;
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await pause(5);
  }
}

/** The machine's own clock. */
export const realClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  soon: (callback) => void setImmediate(callback),
};
