// Two hundred clients that ask for one cold key of a slow API at once: how often the API is asked,
// and how long the slowest of them wait.
import { Agent, get } from 'node:http';

const CLIENTS = 200;
const SLOW_MS = 200;

export interface Crowd {
  /** Requests that reached the API. */
  readonly asked: number;
  /** Milliseconds. */
  readonly p99: number;
}

export async function crowd(port: number, upstream: number, key: string): Promise<Crowd> {
  const before = await requests(upstream);
  const agent = new Agent({ maxSockets: CLIENTS });
  const path = `/slow/${SLOW_MS}/1024/${key}`;
  const ms = await Promise.all(Array.from({ length: CLIENTS }, async () => {
    const from = performance.now();
    await text({ port, path, agent });
    return performance.now() - from;
  }));
  agent.destroy();
  ms.sort((a, b) => a - b);
  return { asked: (await requests(upstream)) - before, p99: ms[Math.floor(CLIENTS * 0.99)]! };
}

const requests = async (port: number): Promise<number> =>
  Number(await text({ port, path: '/requests' }));

function text(of: { port: number; path: string; agent?: Agent }): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', ...of }, (response) => {
      let all = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        all += part;
      });
      response.on('end', () => resolve(all)).on('error', reject);
    }).on('error', reject);
  });
}
