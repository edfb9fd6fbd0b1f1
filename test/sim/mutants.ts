// `node test/sim/mutants.ts [name]`: each mutant is looked for with the faults that must find it
// out, and, where only these may, with all others as well. Each in a process of its own, two at a
// time.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Mutant } from './mutant.ts';
import { MUTANTS } from './mutant-list.ts';

const run = promisify(execFile);
const program = fileURLToPath(new URL('mutant-run.ts', import.meta.url));

export interface Caught {
  readonly seed: number;
  /** So many histories were played. */
  readonly after: number;
  readonly faults: readonly string[];
  readonly what: string;
}

/** The first history that finds it out, if any of so many does. */
export async function search(
  { name }: Pick<Mutant, 'name'>,
  order: { seed: number; histories: number; faults?: readonly string[]; without?: string },
): Promise<Caught | undefined> {
  const { seed, histories, faults, without } = order;
  const { stdout } = await run(process.execPath, [
    program, '--name', name, '--seed', String(seed), '--histories', String(histories),
    ...(faults === undefined ? [] : ['--faults', faults.join()]),
    ...(without === undefined ? [] : ['--without', without]),
  ]);
  return (JSON.parse(stdout) as Caught | null) ?? undefined;
}

/** Does this for all of them, so many at a time. */
export async function inTurns<T>(
  items: readonly T[], atOnce: number, act: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await act(item);
  }));
}

/** With the faults that must find it out, from its seed on. */
const WITH = 2000;
/** Without the one that none can stand for. In many more, two others may do the same together. */
const WITHOUT = Number(process.env['EVERFRESH_HISTORIES'] ?? '2000');

async function report(mutant: Mutant): Promise<void> {
  const { name, by, onlyWith, seed } = mutant;
  const caught = await search(mutant, { seed, histories: WITH, faults: by });
  const lines = [`${name}, by ${by.join() || 'no fault'}: ${told(caught, WITH)}`];
  if (caught === undefined) process.exitCode = 1;
  if (onlyWith !== undefined) {
    const other = await search(mutant, { seed: 1, histories: WITHOUT, without: onlyWith });
    lines.push(`  without ${onlyWith}: ${told(other, WITHOUT)}`);
    if (other !== undefined) process.exitCode = 1;
  }
  console.log(lines.join('\n'));
}

function told(caught: Caught | undefined, histories: number): string {
  if (caught === undefined) return `not found out in ${histories}`;
  const { seed, after, faults, what } = caught;
  return `seed ${seed}, after ${after} (${faults.join()}): ${what.split('\n')[0]}`;
}

if (import.meta.main) {
  const named = process.argv.slice(2);
  const some = MUTANTS.filter(({ name, onlyWith }) =>
    named.length === 0 || named.includes(name) || named.includes(onlyWith ?? ''));
  await inTurns(some, Number(process.env['EVERFRESH_AT_ONCE'] ?? '2'), report);
}
