// The last that is said on a socket which no HTTP server has any more: a problem, and the end.
import type { Duplex } from 'node:stream';
import { cacheStatus } from '../core/http/cache-status.ts';
import { problem } from '../core/http/problem.ts';
import type { Verdict } from '../core/verdict.ts';

export type Word = Extract<Verdict, { kind: 'refuse' | 'fail' }>;

/** Never `end` alone: a client that never ends its half would hold the connection for ever. */
export function lastWord(
  socket: Duplex & { destroySoon?: () => void }, word: Word, more: readonly string[] = [],
): void {
  const { reason, fields, body } = problem(word.because, { status: word.status });
  const lines = [...fields, 'Cache-Status', cacheStatus(word), ...more, 'Connection', 'close'];
  let head = `HTTP/1.1 ${word.status} ${reason}\r\n`;
  for (let i = 0; i < lines.length; i += 2) head += `${lines[i]!}: ${lines[i + 1]!}\r\n`;
  socket.write(`${head}\r\n`, 'latin1');
  if (socket.destroySoon === undefined) {
    socket.end(body);
    return;
  }
  socket.write(body);
  socket.destroySoon();
}
