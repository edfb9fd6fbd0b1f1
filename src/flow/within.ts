// Waits for a promise, but not for ever: the clock is the port's, so that a test can move it. What
// is waited for goes on when the waiting ends; nothing is cancelled here.
import type { Clock } from './ports.ts';

/** A small body is over in this time after its head; a slower one is streamed from then on. */
export const SOON_MS = 20;

/** The promise's value if it comes in time. */
export async function within<T>(
  clock: Clock,
  ms: number,
  promise: Promise<T>,
): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const cancel = clock.after(ms, () => resolve(undefined));
  try {
    return await Promise.race([promise, late]);
  } finally {
    cancel();
  }
}
