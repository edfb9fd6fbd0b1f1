// The parent's side of the upstream that counts versions: starts it, and gives it its orders.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startChild } from './child.ts';

const FILE = fileURLToPath(new URL('upstream.ts', import.meta.url));

/** How it behaves from now on; shares are from 0 to 1. */
export interface Orders {
  /** Before it looks or applies, and again before it answers. */
  readonly latencyMs: readonly [number, number];
  /** Share of the writes that are applied and then answered with 500. */
  readonly failAfterApplying: number;
  /** Share of the writes that are applied only after `lateMs`, and answered then. */
  readonly applyLate: number;
  readonly lateMs: number;
  /** Share of all answers whose connection is reset in the middle of the body. */
  readonly resetInBody: number;
}

export const WELL: Orders = {
  latencyMs: [2, 20], failAfterApplying: 0, applyLate: 0, lateMs: 0, resetInBody: 0,
};

export interface Upstream {
  readonly url: string;
  readonly pid: number;
  order(change: Partial<Orders>): Promise<void>;
  stop(): Promise<void>;
}

export async function startUpstream(seed: number): Promise<Upstream> {
  const child = startChild(FILE, { env: { CHAOS_SEED: String(seed) } });
  const failed = once(child.process, 'exit').then(() => {
    throw new Error(`the upstream ended: ${child.told()}`);
  });
  const [port] = await Promise.race([once(child.process, 'message'), failed]) as [number];
  failed.catch(() => undefined); // whoever waits for an answer looks at it
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.process.pid ?? 0,
    async order(change) {
      const done = once(child.process, 'message');
      child.process.send({ ...WELL, ...change });
      await Promise.race([done, failed]);
    },
    stop: () => child.end('SIGKILL'),
  };
}
