// Two hundred clients that ask for one cold key of a slow API at once: how often the API is asked,
// and how long the slowest of them wait.
import { Agent, get } from 'node:http';
import type { Bench } from './bench.ts';
import { requests } from './client.ts';
import { fixed, percentile } from './figures.ts';
import { MINE } from './peers.ts';
import { type Section, wanted } from './section.ts';

const CLIENTS = 200;
const SLOW_MS = 200;

interface Crowd {
  readonly peer: string;
  /** Requests that reached the API. */
  readonly asked: number;
  /** Milliseconds. */
  readonly p99: number;
}

export async function crowd(bench: Bench): Promise<Section> {
  const data: Crowd[] = [];
  for (const peer of bench.peers.filter(({ role }) => role === 'cache' || role === 'passing')) {
    const { port, running } = await peer.open({ ...bench, bytes: 1024 });
    const key = `${data.length}`;
    await ask(port, bench.upstream, `${key}-warm`);
    data.push({ peer: peer.name, ...await ask(port, bench.upstream, `${key}-cold`) });
    await running.stop();
  }
  const asked = data.find(({ peer }) => peer === MINE)?.asked;
  return {
    name: 'crowd',
    about: `${CLIENTS} clients at once on one cold key of an API that takes ${SLOW_MS} ms.`,
    tables: [{
      head: ['', 'requests to the API', 'p99, ms'],
      rows: data.map((one) => [one.peer, `${one.asked}`, fixed(0)(one.p99)]),
    }],
    wanted: [wanted('requests to the API through everfresh', {
      wanted: 'exactly 1', seen: asked?.toString(), reached: asked === 1,
    })],
    data,
  };
}

async function ask(port: number, upstream: number, key: string): Promise<Omit<Crowd, 'peer'>> {
  const before = await requests(upstream);
  const agent = new Agent({ maxSockets: CLIENTS });
  const path = `/slow/${SLOW_MS}/1024/${key}`;
  const ms = await Promise.all(Array.from({ length: CLIENTS }, async () => {
    const from = performance.now();
    await read({ port, path, agent });
    return performance.now() - from;
  }));
  agent.destroy();
  return { asked: (await requests(upstream)) - before, p99: percentile(ms, 0.99) };
}

/** Each on a connection of its own. */
function read(of: { port: number; path: string; agent: Agent }): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', ...of }, (response) => {
      response.resume().on('end', () => resolve()).on('error', reject);
    }).on('error', reject);
  });
}
