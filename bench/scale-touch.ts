// A write that reaches one route with more and more variants: what it costs the writer to touch
// them, and to have the hottest of them fetched again.
import type { Bench } from './bench.ts';
import { askEach, each, hangUp } from './client.ts';
import { everfresh } from './everfresh.ts';
import { count, fixed, median, range, type Spread, spread } from './figures.ts';
import { stopAll } from './machine.ts';
import { type Section, type Wanted, wanted } from './section.ts';
import { apiThatTakes } from './write.ts';
import { inTurns } from './writing.ts';

const SIZES = [10, 100, 1000, 10_000, 100_000];
const SIZES_QUICK = [10, 100, 1000];
/** Of a round, since there are many rows. */
const SHARE = 0.25;
/** What the writes leave to be fetched is fetched in this time. */
const PAUSE_MS = 60;
const MORE_MS_MAX = 0.2;

/** So many are fetched again at most, which is what everfresh does unless told otherwise. */
const TOP = 100;

const WAYS = ['touched', 'refreshed'] as const;
const RULES = `memory: 4gb
limits: { new_variants_per_minute: 1000000000 }
routes:
  /variants/:size: { GET: { ttl: 1h, max_variants: 1000000000 } }
  /touched/:size: { PUT: { purge: [/variants/:size] } }
  /refreshed/:size: { PUT: { refresh: [/variants/:size] } }
`;

interface Row {
  readonly size: number;
  readonly way: typeof WAYS[number];
  /** Milliseconds beyond a plain pass, at the median of each round. */
  readonly added: number[];
}

export async function touches(bench: Bench): Promise<Omit<Section, 'name'>> {
  const api = await apiThatTakes(0);
  const gateway = await everfresh({ upstream: api.port, rules: RULES });
  const { port } = gateway;
  const sizes = bench.whole ? SIZES : SIZES_QUICK;
  for (const size of sizes) {
    await askEach(port, each(size, (page) => `/variants/${size}?page=${page}`));
  }
  const rows = sizes.flatMap((size): Row[] => WAYS.map((way) => ({ size, way, added: [] })));
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const { size, way, added } of rows) {
      const ways = [{ port, path: '/plain' }, { port, path: `/${way}/${size}` }];
      const [plain, write] = await inTurns(ways, {
        seconds: bench.seconds * SHARE, pauseMs: PAUSE_MS,
      });
      added.push(median(write!) - median(plain!));
    }
  }
  await hangUp();
  await stopAll([gateway, api]);
  return section(rows, sizes);
}

function section(rows: readonly Row[], sizes: readonly number[]): Omit<Section, 'name'> {
  const of = (size: number, way: Row['way']): Spread =>
    spread(rows.find((row) => row.size === size && row.way === way)!.added);
  const flat = (way: Row['way']): Wanted => {
    const [least, most] = [way === 'touched' ? sizes[0]! : TOP, sizes.at(-1)!];
    const more = of(most, way).mid - of(least, way).mid;
    return wanted(`added to a write, ${way}: ${count(most)} variants, beside ${count(least)}`, {
      wanted: `at most ${MORE_MS_MAX} ms more`, seen: `${fixed(2)(more)} ms more`,
      reached: more <= MORE_MS_MAX,
    });
  };
  return {
    about: 'Milliseconds that are added, at the median, to a PUT that reaches a route with so many '
      + 'variants in use, beside the same PUT on a path that no route has: where they are only '
      + 'touched (`purge`), '
      + `and where the hottest ${TOP} of them are fetched again behind it (\`refresh\`).`,
    tables: [{
      head: ['variants', 'touched', 'lowest – highest', 'refreshed', 'lowest – highest'],
      rows: sizes.map((size) => [count(size), ...WAYS.flatMap((way) => {
        const added = of(size, way);
        return [fixed(2)(added.mid), range(added)];
      })]),
    }],
    wanted: WAYS.map(flat),
    data: rows,
  };
}
