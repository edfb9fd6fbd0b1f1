// The same entries under more and more routes: hits a second, how long a start takes, and what an
// idle process needs.
import type { Bench } from './bench.ts';
import { askEach, each, hangUp, text } from './client.ts';
import { everfresh } from './everfresh.ts';
import { count, fixed, median, millions } from './figures.ts';
import { type Open, stopAll } from './machine.ts';
import { cells, HEAD, inTurn, level, type Sized } from './scale-load.ts';
import type { Section } from './section.ts';

const SIZES = [1, 100, 1000, 10_000];
const SIZES_QUICK = [1, 100, 1000];
const ENTRIES = 10_000;
const ENTRIES_QUICK = 1000;
const STARTS_MAX = 3;
const PATH = '/fresh/1024';
const LEAST = 0.95;

interface Started {
  readonly open: Open;
  /** From the process's start to its first answer. */
  readonly startMs: number;
  readonly idleBytes: number;
}

export async function routes(bench: Bench): Promise<Omit<Section, 'name'>> {
  const keys = bench.whole ? ENTRIES : ENTRIES_QUICK;
  const all: (Sized & Started)[] = [];
  for (const size of bench.whole ? SIZES : SIZES_QUICK) {
    const started = await starts(bench, size);
    const { port } = started.open;
    await askEach(port, each(keys, (k) => `${PATH}/${k % size}/${k}`));
    const load = { path: PATH, keys, under: size, connections: 32 };
    all.push({ ...started, size, load, rounds: [] });
  }
  await inTurn(bench, all);
  await hangUp();
  await stopAll(all.map(({ open }) => open));
  return {
    about: `The same ${count(keys)} answers of 1 KB by a Zipf law, under so many routes; how `
      + 'long it takes from the start of the process to its first answer, and what it then has of '
      + 'memory.',
    tables: [{
      head: ['routes', ...HEAD, 'start, ms', 'resident, idle, MB'],
      rows: all.map((one) => [
        count(one.size), ...cells(one, all), fixed(0)(one.startMs), millions(one.idleBytes),
      ]),
    }],
    wanted: level('routes', all, LEAST),
    data: all.map(({ size, rounds, startMs, idleBytes }) => ({
      routes: size, rounds, startMs, idleBytes,
    })),
  };
}

/** Several times; the last one stays. */
async function starts(bench: Bench, size: number): Promise<Started> {
  const ms: number[] = [];
  const idle: number[] = [];
  for (let turn = 1; ; turn += 1) {
    const from = performance.now();
    const open = await everfresh({ upstream: bench.upstream, rules: rules(size) });
    await text(open.port, `${PATH}/0/first`);
    ms.push(performance.now() - from);
    idle.push(open.running.residentBytes());
    if (turn >= Math.min(STARTS_MAX, bench.rounds)) {
      return { open, startMs: median(ms), idleBytes: median(idle) };
    }
    await hangUp(open.port);
    await open.running.stop();
  }
}

function rules(size: number): string {
  const all = Array.from({ length: size }, (_, k) => `  ${PATH}/${k}/:id: { GET: {} }\n`);
  return `limits: { new_variants_per_minute: 1000000000 }\nroutes:\n${all.join('')}`;
}
