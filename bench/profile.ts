// Where the time of everfresh goes in a few scenarios: samples of V8's profiler, put together by
// whose code was running.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { everfresh } from './everfresh.ts';
import { fixed } from './figures.ts';
import { measure } from './load.ts';
import { folderWith } from './machine.ts';
import { ROUTES } from './peers.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import type { Section } from './section.ts';

const OF = ['hit', 'hit-zipf', 'pass', 'miss'];

/** What comes before is start and warming up. */
const SECONDS = 6;

/** As `node --cpu-prof` writes it; times in microseconds. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
  readonly endTime: number;
}

const WHOSE = [
  'writing to sockets', 'collecting garbage', 'everfresh', 'undici', 'Node', 'other built-ins',
] as const;
type Whose = typeof WHOSE[number];

function whose(name: string, url: string): Whose | undefined {
  if (name === '(idle)') return undefined;
  if (name === '(garbage collector)') return 'collecting garbage';
  if (url === '' && /^write/.test(name)) return 'writing to sockets';
  if (url.includes('/undici/') || url.startsWith('wasm')) return 'undici';
  if (url.includes('/dist/')) return 'everfresh';
  return url.startsWith('node:') ? 'Node' : 'other built-ins';
}

/** Shares of the last seconds in which it was not idle. */
function shares({ nodes, samples, timeDeltas, endTime }: Profile): Map<Whose, number> {
  const of = new Map(nodes.map(({ id, callFrame: { functionName, url } }) =>
    [id, whose(functionName, url)]));
  const sums = new Map<Whose, number>();
  let at = endTime;
  let busy = 0;
  for (let i = samples.length - 1; i >= 0 && at > endTime - SECONDS * 1e6; i -= 1) {
    const one = of.get(samples[i]!);
    at -= timeDeltas[i]!;
    if (one === undefined) continue;
    sums.set(one, (sums.get(one) ?? 0) + timeDeltas[i]!);
    busy += timeDeltas[i]!;
  }
  return new Map([...sums].map(([one, sum]) => [one, sum / busy]));
}

async function profiled(
  bench: Bench, { load, warmSeconds }: Scenario,
): Promise<Map<Whose, number>> {
  const folder = join(folderWith({}), 'profile');
  mkdirSync(folder);
  const { port, running } = await everfresh({
    upstream: bench.upstream, rules: ROUTES,
    flags: ['--cpu-prof', '--cpu-prof-dir', folder],
  });
  measure(port, { ...load, seconds: warmSeconds });
  measure(port, { ...load, seconds: SECONDS });
  await running.stop();
  const [file] = readdirSync(folder);
  return shares(JSON.parse(readFileSync(join(folder, file!), 'utf8')) as Profile);
}

export async function profile(bench: Bench): Promise<Section> {
  const rows: { name: string; of: Map<Whose, number> }[] = [];
  for (const scenario of SCENARIOS.filter(({ name }) => OF.includes(name))) {
    rows.push({ name: scenario.name, of: await profiled(bench, scenario) });
  }
  const percent = (share = 0): string => `${fixed(0)(share * 100)} %`;
  return {
    name: 'profile',
    about: `Where the time of everfresh goes, by whose code is running, of ${SECONDS} s each under `
      + 'V8’s profiler. What is written to sockets is the kernel’s: one call for a hit, two for '
      + 'what is passed or missed.',
    tables: [{
      head: ['', ...WHOSE],
      rows: rows.map(({ name, of }) => [name, ...WHOSE.map((one) => percent(of.get(one)))]),
    }],
    wanted: [],
    data: rows.map(({ name, of }) => ({ name, shares: Object.fromEntries(of) })),
  };
}
