// The real clock: wall and monotonic milliseconds, and timers that never keep the process alive.
import type { Clock } from '../flow/ports.ts';

export const realClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  soon: (callback) => void setImmediate(callback),
};
