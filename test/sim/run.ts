// `node test/sim/run.ts [--histories N] [--seed S] [--faults a,b] [--only SEED]`: many histories
// from one seed on, by as many processes as there are processors; or one of them, told in full.
// Prints the rate, how often each kind of fault befell, and each history in which the promise was
// broken.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Fault, faultNamed, FAULTS } from './faults.ts';
import { history } from './history.ts';

export interface Order {
  readonly seed: number;
  readonly histories: number;
  /** Their names; undefined: all. */
  readonly faults?: readonly string[] | undefined;
}

export interface Found {
  readonly seed: number;
  readonly faults: readonly string[];
  readonly what: string;
}

export interface Summary {
  histories: number;
  events: number;
  reads: number;
  hits: number;
  writes: number;
  readonly byFault: Record<string, number>;
  readonly found: Found[];
}

/** So many are told of; more of the same helps nobody. */
const FOUND_MAX = 20;

export async function histories({ seed: first, histories: count, faults }: Order) {
  const among: readonly Fault[] = faults?.map(faultNamed) ?? FAULTS;
  const summary: Summary = {
    histories: 0, events: 0, reads: 0, hits: 0, writes: 0, byFault: {}, found: [],
  };
  for (let seed = first; seed < first + count; seed += 1) {
    const { violations: [violation], faults: names, ...told } = await history({
      seed, faults: among,
    });
    summary.histories += 1;
    summary.events += told.events;
    summary.reads += told.reads;
    summary.hits += told.hits;
    summary.writes += told.writes;
    for (const name of names) summary.byFault[name] = (summary.byFault[name] ?? 0) + 1;
    if (violation === undefined) continue;
    summary.found.push({ seed, faults: names, what: violation.what });
    if (summary.found.length === FOUND_MAX) break;
  }
  return summary;
}

/** The same, shared out. */
export async function onAllProcessors(order: Order): Promise<Summary> {
  const shares = availableParallelism();
  const each = Math.ceil(order.histories / shares);
  const parts = await Promise.all(Array.from({ length: shares }, async (_, share) => {
    const child = fork(fileURLToPath(import.meta.url), ['--share'], {
      execArgv: ['--max-semi-space-size=64'],
    });
    try {
      child.send({ ...order, seed: order.seed + share * each, histories: each });
      const [answer] = await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(([code]) => {
          throw new Error(`a process ended with ${code}`);
        }),
      ]) as [Summary];
      return answer;
    } finally {
      child.kill();
    }
  }));
  return parts.reduce(added);
}

function added(one: Summary, other: Summary): Summary {
  const byFault = { ...one.byFault };
  for (const [name, count] of Object.entries(other.byFault)) {
    byFault[name] = (byFault[name] ?? 0) + count;
  }
  return {
    histories: one.histories + other.histories, events: one.events + other.events,
    reads: one.reads + other.reads, hits: one.hits + other.hits, writes: one.writes + other.writes,
    byFault, found: [...one.found, ...other.found],
  };
}

/** All of it, as far as it helps: what went before the first violation. */
export async function toldInFull(seed: number, faults?: readonly string[]): Promise<string> {
  const { trace, violations } = await history({
    seed, faults: faults?.map(faultNamed) ?? FAULTS, traced: true,
  });
  const all = violations.map(({ at, what }) => `${at.toFixed(2).padStart(9)} BROKEN: ${what}`);
  return [...trace, ...all].join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: {
    histories: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' },
    faults: { type: 'string' }, only: { type: 'string' },
  } });
  const faults = values.faults?.split(',').filter((name) => name !== '');
  if (values.only !== undefined) {
    console.log(await toldInFull(Number(values.only), faults));
    return;
  }
  const begun = performance.now();
  const summary = await onAllProcessors({
    seed: Number(values.seed), histories: Number(values.histories), faults,
  });
  const seconds = (performance.now() - begun) / 1000;
  const { histories: count, byFault, found, events, reads, hits, writes } = summary;
  for (const [name, times] of Object.entries(byFault)) console.log(`${name}: ${times}`);
  for (const one of found) console.log(`seed ${one.seed} (${one.faults.join()}): ${one.what}`);
  const each = [events, reads, hits, writes].map((sum) => (sum / count).toFixed(1));
  console.log(`each: ${each[0]} events, ${each[1]} reads, ${each[2]} hits, ${each[3]} writes`);
  console.log(`${count} histories in ${seconds.toFixed(1)} s, ${
    (count / seconds).toFixed(0)} a second; ${found.length} broken`);
  if (found.length > 0) process.exitCode = 1;
}

if (process.argv.includes('--share')) {
  process.once('message', (order: Order) => {
    void histories(order).then((summary) => process.send!(summary));
  });
} else if (import.meta.main) {
  await main();
}
