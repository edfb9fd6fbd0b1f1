// Writes one after the other on one connection, in turns through everything they are compared with,
// so that a noisy moment is in all of them.
import { timed } from './client.ts';

/** Where a PUT goes. */
export interface Way {
  readonly port: number;
  readonly path: string;
}

const WRITES_MAX = 500;
const BODY = JSON.stringify({ title: 'bench', text: 'e'.repeat(80) });

/**
 * After each turn it waits: what the last way left to be fetched again is another matter than a
 * write's own time. All but the last are gone once before, uncounted, since whoever comes after a
 * pause finds everybody asleep. At least one turn; gives milliseconds, for each way.
 */
export async function inTurns(
  ways: readonly Way[], { seconds, pauseMs }: { seconds: number; pauseMs: number },
): Promise<number[][]> {
  const ms = ways.map((): number[] => []);
  const end = performance.now() + seconds * 1000;
  for (let turn = 0; turn < WRITES_MAX; turn += 1) {
    for (const way of ways.slice(0, -1)) await put(way);
    for (const [i, way] of ways.entries()) ms[i]!.push(await put(way));
    await new Promise((resolve) => void setTimeout(resolve, pauseMs));
    if (performance.now() > end) break;
  }
  return ms;
}

const put = ({ port, path }: Way): Promise<number> =>
  timed(port, path, { method: 'PUT', body: BODY });
