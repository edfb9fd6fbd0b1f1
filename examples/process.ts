// Programs that an example starts: each in its own process, waited for until it answers, and ended
// by its own id. What a program says is shown only if it ends before its time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Program {
  readonly name: string;
  readonly pid: number | undefined;
  /** The exit code or signal once it has ended by itself or by `stop`. */
  ended(): string | undefined;
  /** The same, when it has. */
  readonly exited: Promise<string>;
  /** What it has said, the last of it. */
  said(): string;
  /** Asks it to end, then makes it. */
  stop(): Promise<void>;
}

const SAID_CHARS = 8_000;
const STOP_MS = 10_000;
const ANSWER_MS = 30_000;
const POLL_MS = 50;

export interface Surroundings {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** Runs a program by this same Node. */
export function start(name: string, args: readonly string[], where: Surroundings = {}): Program {
  const child = spawn(process.execPath, args, { ...where, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const listen = (text: string): void => {
    said = (said + text).slice(-SAID_CHARS);
  };
  child.stdout.setEncoding('utf8').on('data', listen);
  child.stderr.setEncoding('utf8').on('data', listen);
  child.on('error', (error) => listen(`${error.message}\n`));

  const ended = (): string | undefined => child.signalCode ?? child.exitCode?.toString();
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `${code}`));
    child.once('error', (error) => resolve(error.message));
  });
  const stop = async (): Promise<void> => {
    if (ended() !== undefined) return;
    child.kill('SIGTERM');
    const deadline = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(deadline);
  };
  return { name, pid: child.pid, ended, exited, said: () => said, stop };
}

/** Asks until there is a good answer; throws when the program ends, or takes too long. */
export async function answers(url: string, program: Program): Promise<void> {
  const until = performance.now() + ANSWER_MS;
  let last = '';
  while (performance.now() < until) {
    const end = program.ended();
    if (end !== undefined) throw new Error(`${program.name} ended (${end}):\n${program.said()}`);
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
      await response.body?.cancel();
      if (response.ok) return;
      last = `${response.status}`;
    } catch (error) {
      last = String(error); // not listening yet
    }
    await sleep(POLL_MS);
  }
  throw new Error(`${program.name} does not answer at ${url} (${last}):\n${program.said()}`);
}

/** `wanted` if nobody listens there, otherwise any port of the loopback that is free. */
export async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  const got = await new Promise<number>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' && wanted !== 0) resolve(0);
      else reject(error);
    });
    server.listen(wanted, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
  if (got === 0) return freePort(0);
  server.close();
  await once(server, 'close');
  return got;
}
