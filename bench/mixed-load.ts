// Readers and writers at a pace that does not depend on how fast they are answered, the same for
// everybody: who reads which post by a Zipf law, who writes which by chance. Each read is judged by
// the version that the last answered write to its post gave.
import { text } from './client.ts';
import { isHit } from './everfresh.ts';

export interface Pace {
  readonly port: number;
  readonly posts: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Of all requests. */
  readonly writes: number;
}

export interface Paced {
  /** Milliseconds of each read. */
  readonly ms: readonly number[];
  readonly reads: number;
  readonly writes: number;
  readonly hits: number;
  /** Reads that got an older version than a write had given that was answered before they began. */
  readonly stale: number;
  readonly errors: number;
}

/** Versions are the API's; they go on from one call to the next. */
export class Readers {
  readonly #known = new Map<string, number>();

  async run({ port, posts, seconds, perSecond, writes }: Pace): Promise<Paced> {
    const chance = chanceFrom(7);
    const ms: number[] = [];
    const seen = { reads: 0, writes: 0, hits: 0, stale: 0, errors: 0 };
    const underWay = new Set<Promise<void>>();
    const read = async (path: string): Promise<void> => {
      seen.reads += 1;
      const least = this.#known.get(path) ?? 0;
      const from = performance.now();
      const { body, cacheStatus } = await text(port, path);
      ms.push(performance.now() - from);
      if (isHit(cacheStatus)) seen.hits += 1;
      if (versionIn(body) < least) seen.stale += 1;
    };
    const write = async (path: string): Promise<void> => {
      seen.writes += 1;
      const { body } = await text(port, path, { method: 'PUT', body: '{}' });
      this.#known.set(path, Math.max(this.#known.get(path) ?? 0, versionIn(body)));
    };
    const next = (): Promise<void> => {
      const isWrite = chance() < writes;
      const k = isWrite ? Math.floor(chance() * posts) + 1 : zipf(chance(), posts);
      return (isWrite ? write : read)(`/posts/${k}`);
    };
    const begin = performance.now();
    for (let sent = 0; sent < seconds * perSecond;) {
      const due = Math.min(seconds, (performance.now() - begin) / 1000) * perSecond;
      for (; sent < due; sent += 1) {
        const one = next().catch(() => void (seen.errors += 1));
        underWay.add(one);
        void one.finally(() => underWay.delete(one));
      }
      await new Promise((resolve) => void setTimeout(resolve, 1));
    }
    await Promise.all(underWay);
    return { ...seen, ms };
  }
}

const versionIn = (body: string): number => Number(/"version":(\d+)/.exec(body)?.[1]);

/** The k-th is asked for about 1/k times as often as the first. */
const zipf = (chance: number, size: number): number =>
  Math.min(size, Math.floor(Math.exp(chance * Math.log(size + 1))));

/** The same numbers from 0 to 1 for the same seed (mulberry32). */
function chanceFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6D2B79F5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
