// Forgets the oldest touches when too many are remembered: raises the floor first, then removes
// what lies under it, a few at a time so that the server isn't held up. Forgets nothing above it.
import type { Call } from './redis-heard.ts';
import { DROP, RAISE } from './redis-scripts.ts';

/** Whether it came to its end; if not, it can begin again at any time. */
export async function prune(call: Call, touchedMax: number): Promise<boolean> {
  const raised = await call(RAISE, String(touchedMax));
  if (raised.kind === 'failed') return false;
  let cursor = '0';
  do {
    const heard = await call(DROP, cursor);
    if (heard.kind === 'failed') return false;
    cursor = String(heard.rest[0]);
  } while (cursor !== '0');
  return true;
}
