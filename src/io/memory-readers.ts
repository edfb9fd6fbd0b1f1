// Readers of whom something may be kept, where everything is in this process. Bounded: whoever has
// to go is ended, so that nobody who is not known has anything that could be given.
import type { Clock, KnownReaders } from '../flow/ports.ts';

export interface MemoryReadersOptions {
  readonly clock: Pick<Clock, 'mono'>;
  readonly readersMax: number;
  /** What is kept for this reader is to be given to nobody any more. */
  readonly end: (tag: string) => void;
}

export function memoryReaders({ clock, readersMax, end }: MemoryReadersOptions): KnownReaders {
  /** Until when, in monotonic milliseconds; who was noted last at the end. */
  const noted = new Map<string, number>();
  return {
    note(tag, { forMs }) {
      const mono = clock.mono();
      noted.delete(tag);
      if (noted.size >= readersMax) {
        const [oldest, until] = noted.entries().next().value!;
        noted.delete(oldest);
        if (until > mono) end(oldest);
      }
      noted.set(tag, mono + forMs);
      return Promise.resolve(true);
    },
    known: (tag) => Promise.resolve((noted.get(tag) ?? -Infinity) > clock.mono()),
    sealed: () => Promise.resolve(undefined),
    forget(tag) {
      noted.delete(tag);
      return Promise.resolve();
    },
  };
}
