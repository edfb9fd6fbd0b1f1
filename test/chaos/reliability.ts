// `npm run reliability -- --minutes 20 --seeds 1,2,3`: long runs of `npm run chaos`, one after the
// other, and the document of their figures, written whole by this and never by hand.
import { cpus } from 'node:os';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chaos, type Report } from './chaos.ts';

const FILE = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url));

interface Asked {
  readonly minutes: number;
  readonly seeds: readonly number[];
  readonly clients: number;
  readonly think: number;
}

function readArguments(args: string[]): Asked {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args, options: { minutes: text, seeds: text, clients: text, think: text },
  });
  return {
    minutes: Number(values.minutes ?? '20'),
    seeds: (values.seeds ?? '1,2,3').split(',').map(Number),
    clients: Number(values.clients ?? '50'),
    think: Number(values.think ?? '20'),
  };
}

/** Seeds in turn refuse and pass writes in an outage; what may befall differs by it. */
async function play(asked: Asked): Promise<readonly Report[]> {
  const reports: Report[] = [];
  for (const [i, seed] of asked.seeds.entries()) {
    const report = await chaos({
      seconds: asked.minutes * 60, seed, topology: 'single',
      whenDown: i % 2 === 0 ? 'refuse' : 'pass', instances: 3, clients: asked.clients,
      thinkMs: asked.think, holdMsMin: 0, holdMsMax: 10_000, only: '', unfair: false,
      dense: false, tell: (line) => console.log(line),
    });
    for (const violation of report.violations) console.log(violation);
    reports.push(report);
  }
  return reports;
}

const told = (count: number): string => count.toLocaleString('en');
const share = (of: number): string => `${(of * 100).toFixed(2)} %`;
const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((all, count) => all + count, 0);

function row(name: string, cell: (report: Report) => string, reports: readonly Report[]): string {
  return `| ${name} | ${reports.map(cell).join(' | ')} |`;
}

function documented(asked: Asked, reports: readonly Report[]): string {
  const all = (count: (report: Report) => number): number =>
    reports.reduce((total, report) => total + count(report), 0);
  const kinds = [...new Set(reports.flatMap(({ faults }) => Object.keys(faults)))].sort();
  const { minutes, seeds, clients, think } = asked;
  const command = `npm run reliability -- --minutes ${minutes} --seeds ${seeds.join()}`
    + ` --clients ${clients} --think ${think}`;
  const today = new Date().toISOString().slice(0, 10);
  const found = `${told(all(({ reads }) => reads))} reads,`
    + ` ${told(all(({ faults }) => sum(faults)))} faults of ${kinds.length} kinds,`
    + ` ${all(({ stale }) => stale)} stale reads, ${all(({ foreign }) => foreign)} bytes of others`;
  return `# Reliability

Three instances, one Redis, one upstream that counts versions, ${clients} clients, all of them real
processes on one machine, and faults at random. What is promised and how else it is checked:
[promise.md](promise.md). This page is written by

\`\`\`sh
${command}
\`\`\`

on ${cpus().length} cores with Node ${process.versions.node}, ${today}.

**${found}.**

| | ${reports.map(({ seed }) => `seed ${seed}`).join(' | ')} |
| --- |${' --- |'.repeat(reports.length)}
${[
    row('`when_down`', ({ whenDown }) => `\`${whenDown}\``, reports),
    row('reads', ({ reads }) => told(reads), reports),
    row('writes answered with success', ({ writes }) => told(writes.ok), reports),
    row('writes refused', ({ writes }) => told(writes.refused), reports),
    row('writes of unknown outcome', ({ writes }) => told(writes.failed), reports),
    row('faults', ({ faults }) => told(sum(faults)), reports),
    row('**stale reads**', ({ stale }) => String(stale), reports),
    row('other readers’ bytes', ({ foreign }) => String(foreign), reports),
    row('answers to another question', ({ wrong }) => String(wrong), reports),
    row('instances that ended by themselves', ({ crashed }) => String(crashed), reports),
    row('reads answered in time', ({ availability }) => share(availability), reports),
    row('worst delay of a write, ms', ({ worstWriteMs }) => worstWriteMs.toFixed(0), reports),
    row('hit ratio before a fault, median', ({ hitRatio }) => share(hitRatio.before), reports),
    row('five seconds after it', ({ hitRatio }) => share(hitRatio.after), reports),
  ].join('\n')}

In time: within the upstream's own, the store's budget, and a margin. Writes answered under \`pass\`
while an outage of all is just ending are relied on three seconds later; older reads until then:
${all(({ unpromised }) => unpromised)}.

| fault | times |
| --- | --- |
${kinds.map((kind) => `| ${kind} | ${all(({ faults }) => faults[kind] ?? 0)} |`).join('\n')}
`;
}

const asked = readArguments(process.argv.slice(2));
const reports = await play(asked);
await writeFile(FILE, documented(asked, reports));
console.log(`written: ${FILE}`);
if (reports.some(({ broken }) => broken.length > 0)) process.exitCode = 1;
