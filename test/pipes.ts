// The two ends of a way for messages, in one process: what is sent is JSON, as between processes,
// and comes in order, a moment later.
import type { Pipe } from '../src/io/talk.ts';

export interface TestPipe extends Pipe {
  /** What was sent from this end. */
  readonly sent: unknown[];
  /** Nothing that is sent from this end arrives any more; `refuse`: and it is told so. */
  cut(how: 'silently' | 'refuse'): void;
}

export function pipes(): [TestPipe, TestPipe] {
  const hear: ((message: unknown) => void)[][] = [[], []];
  const end = (mine: number): TestPipe => {
    let cut: 'silently' | 'refuse' | undefined;
    const sent: unknown[] = [];
    return {
      sent,
      cut: (how) => void (cut = how),
      async send(message) {
        const copy = JSON.parse(JSON.stringify(message)) as unknown;
        sent.push(copy);
        if (cut !== undefined) return cut === 'silently';
        queueMicrotask(() => hear[1 - mine]!.forEach((callback) => callback(copy)));
        return true;
      },
      receive: (callback) => void hear[mine]!.push(callback),
    };
  };
  return [end(0), end(1)];
}
