// `npm run chaos -- --minutes 30 --seed 7`: faults on real processes for as long as is asked, and
// what came of it. Ends with 1 if anything did not hold, and prints the seed that tells it again.
import { parseArgs } from 'node:util';
import { chaos, type ChaosOptions, type Report } from './chaos.ts';

const USAGE = `usage: npm run chaos -- [options]
  --minutes N       how long, 1 unless said; --seconds N as well
  --seed N          which faults; without it one is made up and printed
  --topology NAME   single, sentinel or cluster; single unless said
  --when-down WHAT  refuse or pass; refuse unless said, which has more faults
  --instances N     gateways; 3 unless said
  --clients N       clients; 50 unless said
  --think MS        how long a client rests between two requests; 100 unless said
  --hold SECONDS    no fault lasts longer; 10 unless said
  --hold-least S    no fault is shorter; 0 unless said
  --only TEXT       only faults with this in their name
  --unfair          under pass too, faults that spare some instances: they break the promise
  --dense           many more faults, without rests in which hit ratios are taken
  --json            the report as JSON on one line`;

function oneOf<T extends string>(value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`${value} is none of ${allowed.join(', ')}`);
  return found;
}

function positive(value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new Error(`${value} is no number over 0`);
  return number;
}

function readArguments(args: string[]): { options: ChaosOptions; json: boolean } {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: {
      minutes: text, seconds: text, seed: text, topology: text, 'when-down': text, only: text,
      instances: text, clients: text, think: text, hold: text, 'hold-least': text,
      json: { type: 'boolean' },
      unfair: { type: 'boolean' }, dense: { type: 'boolean' },
    },
  });
  const minutes = positive(values.minutes ?? '1');
  const json = values.json === true;
  return {
    json,
    options: {
      seconds: values.seconds === undefined ? minutes * 60 : positive(values.seconds),
      seed: positive(values.seed ?? String(1 + Math.floor(Math.random() * 1e6))),
      topology: oneOf(values.topology ?? 'single', ['single', 'sentinel', 'cluster']),
      whenDown: oneOf(values['when-down'] ?? 'refuse', ['refuse', 'pass']),
      instances: positive(values.instances ?? '3'),
      clients: positive(values.clients ?? '50'),
      thinkMs: positive(values.think ?? '100'),
      holdMsMin: Number(values['hold-least'] ?? '0') * 1000,
      holdMsMax: positive(values.hold ?? '10') * 1000,
      only: values.only ?? '',
      unfair: values.unfair === true,
      dense: values.dense === true,
      tell: (line) => {
        if (!json) console.log(line);
      },
    },
  };
}

const share = (of: number): string => `${(of * 100).toFixed(2)} %`;

function print(report: Report): void {
  const { writes, hitRatio } = report;
  const counts = (of: Readonly<Record<string, number>>): string => Object.entries(of)
    .sort(([, one], [, other]) => other - one).map(([name, n]) => `\n  ${n} ${name}`).join('');
  const measured = hitRatio.faults === 0 ? 'not taken' : `${share(hitRatio.before)} before, `
    + `${share(hitRatio.after)} five seconds after, over ${hitRatio.faults} faults`;
  console.log(`
seed ${report.seed}, ${report.topology}, when_down: ${report.whenDown}, `
    + `${report.seconds.toFixed(0)} s
reads ${report.reads}; writes ${writes.ok} ok, ${writes.refused} refused, ${writes.failed} failed
faults${counts(report.faults)}
stale reads ${report.stale}; other readers' bytes ${report.foreign}; `
    + `wrong answers ${report.wrong}; crashes ${report.crashed}; unpromised ${report.unpromised}
availability ${share(report.availability)}${counts(report.unserved)}
worst write delay ${report.worstWriteMs.toFixed(0)} ms
hit ratio ${measured}`);
  for (const violation of report.violations) console.log(`\n${violation}`);
  console.log(report.broken.length === 0 ? '\nall held' : `\nbroken: ${report.broken.join('; ')}`);
}

async function main(): Promise<void> {
  let asked: ReturnType<typeof readArguments>;
  try {
    asked = readArguments(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const report = await chaos(asked.options);
  if (asked.json) console.log(JSON.stringify(report));
  else print(report);
  if (report.broken.length > 0) process.exitCode = 1;
}

await main();
