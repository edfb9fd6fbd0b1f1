// Processes that share one port, by node:cluster: the primary's side, which starts them, and the
// worker's own. It knows nothing of what they say to each other, and nothing of when to start one.
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { isObject, type Pipe } from './talk.ts';

export interface WorkerProcess {
  /** Undefined where the machine could not start it; then it has ended as well. */
  readonly pid: number | undefined;
  readonly pipe: Pipe;
  /** With its exit code, its signal, or why it could not be started. */
  readonly ended: Promise<number | string>;
  /** At once, whatever it does. */
  kill(): void;
}

/** Whether this process may have workers: it is none itself. */
export const mayFork = (): boolean => cluster.isPrimary;

/** `program`: the path of what a worker runs. It gets this process' environment and output. */
export function forkWorker(program: string): WorkerProcess {
  cluster.setupPrimary({ exec: program, args: [], serialization: 'json' });
  const worker = cluster.fork();
  closeWhatItLeaves(worker);
  const ended = new Promise<number | string>((resolve) => {
    worker.once('exit', (code: number | null, signal: string | null) =>
      resolve(signal ?? code ?? 'unknown'));
    // Only one that never ran ends by this; of any other its exit is still to come.
    worker.on('error', (error) => {
      if (worker.process.pid === undefined) resolve(error.message);
    });
  });
  // Node drops what comes before the program listens; nothing is sent until it says that it does.
  const here = Promise.race([ended, new Promise<void>((resolve) => {
    worker.on('message', (message) => {
      if (isObject(message) && message['here'] === true) resolve();
    });
  })]);
  return {
    pid: worker.process.pid,
    pipe: {
      send: (message) => here.then(() => new Promise((resolve) => {
        if (!worker.isConnected()) resolve(false);
        else worker.process.send(message, (error: Error | null) => resolve(error === null));
      })),
      receive: (callback) => void worker.on('message', callback),
    },
    ended,
    kill: () => void worker.process.kill('SIGKILL'),
  };
}

/**
 * Node hands a connection to one worker and counts on it: if that dies before it takes it, the
 * client would be answered by nobody, and wait for ever. There is one such connection at most.
 */
function closeWhatItLeaves(worker: Worker): void {
  const child = worker.process;
  const send = child.send.bind(child) as (...args: unknown[]) => boolean;
  let last: { close(): void } | undefined;
  child.send = (...args: unknown[]): boolean => {
    const handle = args[1] as { close?: unknown } | null | undefined;
    if (typeof handle?.close === 'function') last = handle as { close(): void };
    return send(...args);
  };
  // To close one that was taken, and is closed here already, does nothing.
  worker.once('exit', () => last?.close());
}

/** The way to the primary; undefined where this process was not started as a worker. */
export function pipeToPrimary(): Pipe | undefined {
  if (!cluster.isWorker || process.send === undefined) return undefined;
  const send = (message: object): Promise<boolean> => new Promise((resolve) => {
    if (!process.connected) resolve(false);
    else process.send!(message, undefined, undefined, (error) => resolve(error === null));
  });
  return {
    send,
    receive(callback) {
      process.on('message', callback);
      // Where this can't be said, the primary is gone, and Node ends a worker without one.
      void send({ here: true });
    },
  };
}

/** A port of this address that is free now: all workers, and those that follow, must name one. */
export async function freePort(host: string): Promise<number> {
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
