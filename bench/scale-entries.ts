// One route with more and more entries: hits a second, and what each of them costs beyond its own
// bytes.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { answerBytes, askEach, each, hangUp } from './client.ts';
import { everfresh } from './everfresh.ts';
import { count, fixed, millions } from './figures.ts';
import { folderWith, type Open, stopAll } from './machine.ts';
import { cells, HEAD, inTurn, level, type Sized } from './scale-load.ts';
import { type Section, wanted } from './section.ts';

const SIZES = [1000, 10_000, 100_000, 1_000_000];
const SIZES_QUICK = [1000, 10_000];
const PATH = '/fresh/128';
/** There before anything counts, as are the code that runs and its buffers. */
const BEFORE = 500;
const LEAST = 0.9;
const OVERHEAD_BYTES_MAX = 300;
const COLLECT_MS_MAX = 60_000;

const RULES = `memory: 8gb
limits: { new_variants_per_minute: 1000000000 }
routes:
  "/fresh/*": { GET: { max_variants: 1000000000 } }
`;

interface Filled {
  readonly open: Open;
  readonly idleBytes: number;
  readonly fullBytes: number;
  /** Of one entry, beyond its URL, its fields and its body. */
  readonly overheadBytes: number;
}

export async function entries(bench: Bench): Promise<Omit<Section, 'name'>> {
  const all: (Sized & Filled)[] = [];
  for (const size of bench.whole ? SIZES : SIZES_QUICK) {
    bench.say(`    ${count(size)} entries`);
    const load = { path: PATH, keys: size, connections: 32 };
    all.push({ ...await filled(bench, size), size, load, rounds: [] });
  }
  await inTurn(bench, all);
  await hangUp();
  await stopAll(all.map(({ open }) => open));
  const most = all.at(-1)!;
  return {
    about: 'So many answers of 128 bytes on one route, by a Zipf law. Resident memory is what the '
      + 'process has after its first answers, and after the last; the bytes of an entry are what '
      + 'is in use more for each when all garbage is collected, without its URL, its fields and '
      + 'its body.',
    tables: [{
      head: [
        'entries', ...HEAD, 'resident, idle, MB', 'full, MB', 'bytes of an entry beyond its own',
      ],
      rows: all.map((one) => [
        count(one.size), ...cells(one, all), millions(one.idleBytes), millions(one.fullBytes),
        fixed(0)(one.overheadBytes),
      ]),
    }],
    wanted: [
      ...level('entries', all, LEAST),
      wanted(`bytes of an entry beyond its own, of ${count(most.size)}`, {
        wanted: `at most ${OVERHEAD_BYTES_MAX}`, seen: fixed(0)(most.overheadBytes),
        reached: most.overheadBytes <= OVERHEAD_BYTES_MAX,
      }),
    ],
    data: all.map(({ size, rounds, idleBytes, fullBytes, overheadBytes }) => ({
      entries: size, rounds, idleBytes, fullBytes, overheadBytes,
    })),
  };
}

async function filled({ upstream }: Bench, size: number): Promise<Filled> {
  const report = join(folderWith({}), 'memory');
  const collect = new URL('servers/collect.ts', import.meta.url).href;
  const open = await everfresh({
    upstream, rules: RULES, env: { BENCH_MEMORY: report },
    flags: ['--expose-gc', '--max-old-space-size=8192', '--import', collect],
  });
  const { port, running } = open;
  const path = (k: number): string => `${PATH}/${k}`;
  await askEach(port, each(BEFORE, path));
  const idleBytes = running.residentBytes();
  const before = await inUse(running.pid, report);
  await askEach(port, each(size, path));
  const fullBytes = running.residentBytes();
  const more = (await inUse(running.pid, report)) - before;
  const own = `http://127.0.0.1:${port}${path(size)}`.length + await answerBytes(port, path(size));
  return { open, idleBytes, fullBytes, overheadBytes: more / (size - BEFORE) - own };
}

/** Of the heap and beside it, without garbage. */
async function inUse(pid: number, report: string): Promise<number> {
  rmSync(report, { force: true });
  process.kill(pid, 'SIGUSR2');
  const end = performance.now() + COLLECT_MS_MAX;
  while (!existsSync(report)) {
    if (performance.now() > end) throw new Error('the process does not tell what it has in use');
    await new Promise((resolve) => void setTimeout(resolve, 20));
  }
  return Number(readFileSync(report, 'utf8'));
}
