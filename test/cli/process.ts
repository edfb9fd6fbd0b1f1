// Everfresh as a process of its own, for tests: what it logs, how it ends, and something for it to
// fetch from. Ends only what it started, when the test ends at the latest.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Test {
  teardown(callback: () => unknown): void;
}

export interface Running {
  readonly pid: number;
  /** Lines of the log, parsed. */
  readonly lines: Record<string, unknown>[];
  readonly stderr: () => string;
  readonly ended: Promise<number | string>;
  /** The first log line with this message from now on, or one that was there. */
  line(message: string): Promise<Record<string, unknown>>;
  kill(signal: NodeJS.Signals): void;
}

export function everfresh(t: Test, args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  });
  const lines: Record<string, unknown>[] = [];
  const waiting: { message: string; resolve: (line: Record<string, unknown>) => void }[] = [];
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Record<string, unknown>;
    lines.push(line);
    for (const one of waiting) if (one.message === line['msg']) one.resolve(line);
  });
  const ended = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? ''));
  });
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  });
  return {
    pid: child.pid!,
    lines,
    stderr: () => stderr,
    ended,
    kill: (signal) => void child.kill(signal),
    line(message) {
      const there = lines.find((line) => line['msg'] === message);
      if (there !== undefined) return Promise.resolve(there);
      const later = new Promise<Record<string, unknown>>((resolve) =>
        void waiting.push({ message, resolve }),
      );
      const over = ended.then((code) => {
        throw new Error(`ended with ${code} before it said ${message}: ${stderr}`);
      });
      return Promise.race([later, over]);
    },
  };
}

export async function upstream(
  t: Test,
  before: () => Promise<void> = () => Promise.resolve(),
): Promise<string> {
  const server = createServer((request, response) => {
    void before().then(() => response.end(`${request.method!} ${request.url!}`));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'everfresh-test-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}
