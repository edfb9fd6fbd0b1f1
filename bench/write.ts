// What a write costs: a PUT that reaches reads in use, beside the same PUT on a path that no route
// has, and beside the API itself; with the memory store and with Redis, one instance and four.
import { fileURLToPath } from 'node:url';
import type { Bench } from './bench.ts';
import { askEach, each, hangUp } from './client.ts';
import { everfresh, keeping } from './everfresh.ts';
import { fixed, median, percentile, range, spread } from './figures.ts';
import { freePort, LOAD, type Open, start, stopAll } from './machine.ts';
import { type Section, type Wanted, wanted } from './section.ts';
import { inTurns } from './writing.ts';

const DEPENDENTS = [1, 10, 100] as const;
const WAITS = ['off', 'on'] as const;
const ADDED_MS_MAX = 0.2;
/** Of a round, since there are many rows. */
const SHARE = 0.5;

/** Each list has as many pages as its name says; whoever writes to it changes them all. */
const RULES = `routes:
  /lists/:size:
    GET: { ttl: 1h }
    PUT: { refresh: [/lists/:size] }
  /waited/:size:
    PUT: { refresh: [/lists/:size], wait: true }
`;

interface Setup {
  readonly name: string;
  /** Everfresh's instances; the first is written to. */
  readonly open: readonly Open[];
}

interface Row {
  readonly setup: string;
  readonly dependents: number;
  readonly wait: typeof WAITS[number];
  /** Milliseconds, for each round. */
  readonly rounds: { readonly write: number[]; readonly plain: number[]; readonly api: number[] }[];
}

export async function write(bench: Bench): Promise<Section> {
  const api = await apiThatTakes(0);
  const setups = await setUp(bench, api.port);
  const rows: Row[] = setups.flatMap(({ name }) => DEPENDENTS.flatMap((dependents) =>
    WAITS.map((wait) => ({ setup: name, dependents, wait, rounds: [] }))));
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const row of rows) {
      const { open } = setups.find(({ name }) => name === row.setup)!;
      const { port } = open[0]!;
      const path = `/${row.wait === 'on' ? 'waited' : 'lists'}/${row.dependents}`;
      const ways = [{ port: api.port, path: '/plain' }, { port, path: '/plain' }, { port, path }];
      const [toApi, plain, written] = await inTurns(ways, {
        seconds: bench.seconds * SHARE, pauseMs: 10 + (open.length * row.dependents) / 2,
      });
      row.rounds.push({ write: written!, plain: plain!, api: toApi! });
    }
  }
  await hangUp();
  await stopAll([...setups.flatMap(({ open }) => open), api]);
  return section(rows);
}

export async function apiThatTakes(readMs: number): Promise<Open> {
  const port = await freePort();
  const file = fileURLToPath(new URL('servers/posts.ts', import.meta.url));
  const command = [process.execPath, file, `${port}`, `${readMs}`] as const;
  return { port, running: await start(LOAD, port, command) };
}

async function setUp({ redis }: Bench, upstream: number): Promise<Setup[]> {
  const memory = { name: 'memory', open: [await everfresh({ upstream, rules: RULES })] };
  const setups: Setup[] = [memory];
  for (const instances of redis === undefined ? [] : [1, 4]) {
    const prefix = `write${instances}`;
    const of = { upstream, rules: RULES, redis: { port: redis!, prefix } };
    const open = await Promise.all(Array.from({ length: instances }, () => everfresh(of)));
    setups.push({ name: `Redis, ${instances === 1 ? 'one instance' : '4 instances'}`, open });
  }
  for (const { port } of setups.flatMap(({ open }) => open)) {
    await keeping(port, '/lists/1?page=1');
    // The second time as a hit: it is in use.
    for (const size of [...DEPENDENTS, ...DEPENDENTS]) {
      await askEach(port, each(size, (page) => `/lists/${size}?page=${page}`));
    }
  }
  return setups;
}

function section(rows: readonly Row[]): Section {
  return {
    name: 'write',
    about: 'Milliseconds of a PUT whose rule refreshes so many answers in use, one after the other '
      + 'on one connection; with `wait: true` the writer is answered after they are kept. Beside '
      + 'it, in turns, the same PUT through the same everfresh on a path that no route has, and '
      + 'straight to the API. Added is the difference to that plain pass: of the medians of each '
      + 'round, and of the 99th percentiles of all rounds together. Between two turns there is a '
      + 'pause, so that what one has left to be fetched again is not in the next one\'s time. Four '
      + 'instances, all of which have these answers in use, share the one core; the first of them '
      + 'is written to.',
    tables: [{
      head: [
        'store', 'dependents', '`wait`', 'p50', 'p99', 'plain p50', 'API p50', 'added at p50',
        'lowest – highest', 'added at p99', 'writes',
      ],
      rows: rows.map(cells),
    }],
    wanted: rows.filter(({ setup, wait }) => setup === 'memory' && wait === 'off').map(judged),
    data: rows,
  };
}

function cells(row: Row): string[] {
  const all = (way: 'write' | 'plain' | 'api'): number[] => row.rounds.flatMap((one) => one[way]);
  const added = addedAtMedian(row);
  const p99 = percentile(all('write'), 0.99);
  return [
    row.setup, `${row.dependents}`, row.wait, ...[
      median(all('write')), p99, median(all('plain')), median(all('api')), added.mid,
    ].map(fixed(2)),
    range(added), fixed(2)(p99 - percentile(all('plain'), 0.99)), `${all('write').length}`,
  ];
}

const addedAtMedian = ({ rounds }: Row) =>
  spread(rounds.map(({ write, plain }) => median(write) - median(plain)));

function judged(row: Row): Wanted {
  const added = addedAtMedian(row);
  return wanted(`added at p50, store memory, \`wait\` off, dependents: ${row.dependents}`, {
    wanted: `at most ${ADDED_MS_MAX} ms`,
    seen: `${fixed(2)(added.mid)} ms (${range(added)})`,
    reached: added.mid <= ADDED_MS_MAX,
  });
}
