// What the bench needs of the machine: two cores to pin to, packages, free ports, and processes
// that end with it. Installs by apt what is missing, where it may.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

/** Servers under test share the first core; the load and the API behind them have the second. */
export const SERVERS = 0;
export const LOAD = 1;

const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
const env = { ...process.env, PATH };

/** Whether the program is here, after an attempt to install its package. */
export function has(program: string, name: string): boolean {
  const found = (): boolean => spawnSync('which', [program], { env }).status === 0;
  if (found()) return true;
  if (process.getuid?.() !== 0) return false;
  const quiet = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' } };
  spawnSync('apt-get', ['update', '-q'], quiet);
  spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', name], quiet);
  return found();
}

/** Why nothing can be measured here; undefined where it can. */
export function unfit(): string | undefined {
  if (process.platform !== 'linux') return 'the bench pins processes to cores, as only Linux does';
  if (cpus().length < 2) return 'the bench needs two cores';
  return has('wrk', 'wrk') ? undefined : 'wrk is missing: apt-get install wrk';
}

/** From here on this process itself is a part of the load. */
export function joinTheLoad(): void {
  execFileSync('taskset', ['-apc', String(LOAD), String(process.pid)], { env, stdio: 'ignore' });
}

const folders: string[] = [];

/**
 * A folder with the files of one server, where everybody may write; `@FOLDER@` is its path. It is
 * gone when the bench ends.
 */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'everfresh-bench-'));
  folders.push(folder);
  chmodSync(folder, 0o777);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text.replaceAll('@FOLDER@', folder));
  }
  return folder;
}

/** The first line of what a program says, for what is measured to be named. */
export function said(program: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { env, encoding: 'utf8' });
  return `${stdout}${stderr}`.trim().split('\n')[0]!.trim();
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

const running = new Set<ChildProcess>();

export interface Running {
  readonly pid: number;
  /** Bytes of its memory that are in use now. */
  residentBytes(): number;
  stop(): Promise<void>;
}

/** A server that listens. */
export interface Open {
  readonly port: number;
  readonly running: Running;
}

export async function stopAll(open: readonly Open[]): Promise<void> {
  await Promise.all(open.map(({ running }) => running.stop()));
}

const START_LOOK_MS = 5;
const START_LOOKS_MAX = 4000;

/** Starts a process on one core and waits until its port answers. */
export async function start(
  core: number, port: number, [program, ...args]: readonly [string, ...string[]],
  more: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const child = spawn('taskset', ['-c', String(core), program, ...args], {
    env: { ...env, ...more }, stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.add(child);
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    told = (told + text).slice(-2000);
  });
  const ended = new Promise<void>((resolve) => void child.once('exit', () => {
    running.delete(child);
    resolve();
  }));
  for (let turn = 0; !(await answers(port)); turn += 1) {
    if (child.exitCode !== null || turn > START_LOOKS_MAX) {
      throw new Error(`${program} does not start: ${told}`);
    }
    await new Promise((resolve) => void setTimeout(resolve, START_LOOK_MS));
  }
  return {
    pid: child.pid!,
    residentBytes() {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
    },
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(late);
    },
  };
}

/** Ends what a scenario that failed has left behind: all but these. */
export async function stopAllBut(these: readonly Running[]): Promise<void> {
  const left = [...running].filter(({ pid }) => !these.some((one) => one.pid === pid));
  await Promise.all(left.map((child) => new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGKILL');
  })));
}

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  spawnSync('rm', ['-rf', ...folders]);
});
// Who is ended from outside runs no exit listeners of its own accord.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Runs to its end on one core. */
export function run(core: number, command: readonly string[]): string {
  return execFileSync('taskset', ['-c', String(core), ...command], { env, encoding: 'utf8' });
}
