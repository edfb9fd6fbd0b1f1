// A process of a run's own: started, stopped, gone on with and ended by its pid, and never left
// behind, not even stopped, when the run itself ends.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

const TOLD_CHARACTERS = 4000;

export interface Child {
  readonly process: ChildProcess;
  readonly alive: boolean;
  /** The end of what it wrote. */
  told(): string;
  signal(signal: NodeJS.Signals): void;
  /** Sends a signal, goes on if it was stopped, and waits until it is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** A program of this checkout, run by this Node, with an IPC channel. */
export function startChild(
  file: string,
  { args = [], env = {} }: { args?: readonly string[]; env?: NodeJS.ProcessEnv } = {},
): Child {
  const child = fork(file, [...args], {
    silent: true, execArgv: [], env: { PATH: process.env['PATH'], ...env },
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let told = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      told = (told + text).slice(-TOLD_CHARACTERS);
    });
  }
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    process: child,
    get alive() {
      return alive();
    },
    told: () => told,
    signal: (signal) => void child.kill(signal),
    async end(signal) {
      if (!alive()) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      child.kill('SIGCONT');
      await exited;
    },
  };
}
