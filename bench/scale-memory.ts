// What entries in memory cost by themselves, in a process of their own: bytes, pauses and time, by
// bench/memory.ts.
import { fileURLToPath } from 'node:url';
import type { Bench } from './bench.ts';
import { count, fixed } from './figures.ts';
import { run, SERVERS } from './machine.ts';
import { type Section, type Wanted, wanted } from './section.ts';

const ENTRIES = 1_000_000;
const ENTRIES_QUICK = 20_000;
const OVERHEAD_MAX = 300;
const GROWING_MS_MAX = 50;
const RESTING_MS_MAX = 10;

interface Pause {
  readonly gcMs: number;
  readonly loopMs: number;
}

/** As bench/memory.ts prints it. */
interface Measured {
  readonly overheadBytes: number;
  readonly rssMb: number;
  readonly pauses: {
    readonly machine: { readonly before: number; readonly after: number };
    readonly growing: Pause;
    readonly resting: Pause;
    readonly replacing: Pause;
  };
  readonly ns: { readonly put: number; readonly hotGet: number; readonly coldGet: number };
}

export function memory(bench: Bench): Promise<Omit<Section, 'name'>> {
  const entries = bench.whole ? ENTRIES : ENTRIES_QUICK;
  const script = fileURLToPath(new URL('memory.ts', import.meta.url));
  const told = run(SERVERS, [process.execPath, script, '--entries', `${entries}`]);
  const measured = JSON.parse(told) as Measured;
  const { pauses, ns, overheadBytes } = measured;
  const stall = fixed(1)(Math.max(pauses.machine.before, pauses.machine.after));
  const row = (name: string, { gcMs, loopMs }: Pause): string[] =>
    [name, fixed(1)(gcMs), fixed(1)(loopMs)];
  const within = (what: string, { gcMs }: Pause, most: number): Wanted => wanted(what, {
    wanted: `no collection over ${most} ms`, seen: `${fixed(1)(gcMs)} ms`, reached: gcMs <= most,
  });
  return Promise.resolve({
    about: `The longest collection, and the longest time that the event loop stood still, with `
      + `${count(entries)} entries of 1 KB in memory, of which a tenth of those that are asked for `
      + `are not decoded; the machine itself let a process stand for ${stall} ms. An entry takes `
      + `${overheadBytes} bytes over its key, fields and body; to put one takes `
      + `${fixed(1)(ns.put / 1000)} µs, to get one that is decoded `
      + `${fixed(2)(ns.hotGet / 1000)} µs, another ${fixed(1)(ns.coldGet / 1000)} µs.`,
    tables: [{
      head: ['', 'collection, ms', 'event loop, ms'],
      rows: [
        row('growing', pauses.growing), row('at rest', pauses.resting),
        row('all replaced', pauses.replacing),
      ],
    }],
    wanted: [
      wanted('bytes of an entry over its key, fields and body', {
        wanted: `at most ${OVERHEAD_MAX}`, seen: `${overheadBytes}`,
        reached: overheadBytes <= OVERHEAD_MAX,
      }),
      within('while growing', pauses.growing, GROWING_MS_MAX),
      within('at rest', pauses.resting, RESTING_MS_MAX),
    ],
    data: measured,
  });
}
