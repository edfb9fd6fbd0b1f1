// Why write-through: the same readers and writers on a slow API, behind everfresh, behind everfresh
// that only ends what a write reaches, and behind nginx, which knows nothing of writes.
import type { Bench } from './bench.ts';
import { askEach, each, hangUp, requests } from './client.ts';
import { everfresh } from './everfresh.ts';
import { count, fixed, median, percentile, range, spread } from './figures.ts';
import { freePort, type Open, SERVERS, start, stopAll } from './machine.ts';
import { type Paced, Readers } from './mixed-load.ts';
import { nginx } from './nginx.ts';
import { MINE } from './peers.ts';
import { picture } from './picture.ts';
import { type Section, type Wanted, wanted } from './section.ts';
import { apiThatTakes } from './write.ts';

const POSTS = 1000;
const WRITES = 0.05;
const PER_SECOND = 1000;
const READ_MS = 20;
const SECONDS = 30;
const ROUNDS_MAX = 3;
const TTL_SECONDS = 10;
const TTL = 'TTL only (nginx)';
const PURGE = 'purge only (everfresh)';

interface Side {
  readonly name: string;
  readonly rounds: Round[];
}

interface Round extends Paced {
  /** Requests that the API got meanwhile, writes among them. */
  readonly asked: number;
}

export async function mixed(bench: Bench): Promise<Section> {
  const seconds = bench.whole ? SECONDS : bench.seconds;
  // Also in a quick look time runs out for what is kept by time.
  const ttlSeconds = Math.max(1, Math.min(TTL_SECONDS, Math.floor(seconds / 3)));
  const all = await open(bench, ttlSeconds);
  for (let round = 0; round < Math.min(bench.rounds, ROUNDS_MAX); round += 1) {
    for (const { api, gateway, readers, rounds } of all) {
      // Everybody has everything when it begins, as a cache has that runs for a while.
      await askEach(gateway.port, each(POSTS, (k) => `/posts/${k}`));
      const before = await requests(api.port);
      const paced = await readers.run({
        port: gateway.port, posts: POSTS, seconds, perSecond: PER_SECOND, writes: WRITES,
      });
      rounds.push({ ...paced, asked: (await requests(api.port)) - before });
    }
  }
  await hangUp();
  await stopAll(all.flatMap(({ api, gateway }) => [gateway, api]));
  return section(all, { seconds, ttlSeconds });
}

async function open({ peers }: Bench, ttlSeconds: number) {
  const names = [MINE, PURGE, ...(peers.some(({ name }) => name === 'nginx') ? [TTL] : [])];
  const sides: (Side & { api: Open; gateway: Open; readers: Readers })[] = [];
  for (const name of names) {
    const api = await apiThatTakes(READ_MS);
    const gateway = await gatewayOf(name, api.port, ttlSeconds);
    sides.push({ name, api, gateway, readers: new Readers(), rounds: [] });
  }
  return sides;
}

async function gatewayOf(name: string, upstream: number, ttlSeconds: number): Promise<Open> {
  if (name !== TTL) {
    const keepFresh = name === MINE ? '' : ', keep_fresh: { top: 0 }';
    const route = `GET: { ttl: 1h${keepFresh} }, PUT: { refresh: [/posts/:id] }`;
    return everfresh({ upstream, rules: `routes: { /posts/:id: { ${route} } }\n` });
  }
  const port = await freePort();
  const location = `proxy_cache_valid 200 ${ttlSeconds}s;\n`
    + '      add_header Cache-Status $upstream_cache_status;';
  return { port, running: await start(SERVERS, port, nginx({ port, upstream, location })) };
}

const p99 = ({ ms }: Round): number => percentile(ms, 0.99);

function section(
  sides: readonly Side[], { seconds, ttlSeconds }: { seconds: number; ttlSeconds: number },
): Section {
  const of = (side: Side, figure: (round: Round) => number) => spread(side.rounds.map(figure));
  return {
    name: 'mixed',
    about: `${count(PER_SECOND)} requests a second for ${seconds} s, ${(1 - WRITES) * 100} % reads `
      + `by a Zipf law and ${WRITES * 100} % writes by chance, on ${count(POSTS)} posts of an API `
      + `that takes ${READ_MS} ms for a read and says nothing of caching; everybody has read `
      + 'everything before. A read is stale if it began after a write to its post was answered '
      + `and got an older version. nginx keeps everything for ${ttlSeconds} s. Who never answers `
      + 'stale and fetches only when a reader asks (purge only) asks the API as seldom '
      + 'as can be, and lets that reader wait.',
    picture: drawn(sides),
    tables: [{
      head: [
        '', 'stale reads', 'lowest – highest', 'requests to the API', 'lowest – highest',
        'p50 of reads, ms', 'p99, ms', 'lowest – highest', 'hits', 'errors',
      ],
      rows: sides.map((side) => {
        const [stale, asked, slow] =
          [of(side, (one) => one.stale), of(side, (one) => one.asked), of(side, p99)];
        const hits = of(side, (one) => (one.hits / one.reads) * 100);
        return [
          side.name, count(stale.mid), range(stale, count), count(asked.mid), range(asked, count),
          fixed(2)(of(side, ({ ms }) => median(ms)).mid), fixed(2)(slow.mid), range(slow),
          `${fixed(1)(hits.mid)} %`, `${side.rounds.reduce((sum, one) => sum + one.errors, 0)}`,
        ];
      }),
    }],
    wanted: judged(sides),
    data: sides.map(({ name, rounds }) => ({
      name,
      rounds: rounds.map(({ ms, ...rest }) =>
        ({ ...rest, p50: median(ms), p99: percentile(ms, 0.99) })),
    })),
  };
}

function judged(sides: readonly Side[]): Wanted[] {
  const mine = sides.find(({ name }) => name === MINE)!;
  const stale = mine.rounds.reduce((sum, round) => sum + round.stale, 0);
  const middle = (side: Side | undefined, figure: (round: Round) => number): number =>
    median(side?.rounds.map(figure) ?? [Number.NaN]);
  const fewer = (than: string): Wanted[] => {
    const other = sides.find(({ name }) => name === than);
    const asked = [mine, other].map((side) => middle(side, (round) => round.asked));
    const slow = [mine, other].map((side) => middle(side, p99));
    return [
      wanted(`requests to the API, beside ${than}`, {
        wanted: 'fewer', seen: other && `${count(asked[0]!)} beside ${count(asked[1]!)}`,
        reached: asked[0]! < asked[1]!,
      }),
      wanted(`p99 of reads, beside ${than}`, {
        wanted: 'no longer', seen: other && slow.map(fixed(2)).join(' ms beside '),
        reached: slow[0]! <= slow[1]!,
      }),
    ];
  };
  return [
    wanted('stale reads of everfresh, in all rounds', {
      wanted: '0', seen: `${stale}`, reached: stale === 0,
    }),
    ...fewer(TTL), ...fewer(PURGE),
  ];
}

function drawn(sides: readonly Side[]): Section['picture'] & object {
  const panel = (title: string, print: (value: number) => string, of: (one: Round) => number) =>
    ({ title, print, values: sides.map(({ rounds }) => median(rounds.map(of))) });
  const svg = picture({
    title: 'The same readers and writers on a slow API', names: sides.map(({ name }) => name),
    panels: [
      panel('stale reads', count, (round) => round.stale),
      panel('p99 of reads, ms', fixed(1), p99),
      panel('requests to the API', count, (round) => round.asked),
    ],
  });
  return { file: 'mixed.svg', svg, alt: 'Stale reads, p99 and requests to the API, side by side' };
}
