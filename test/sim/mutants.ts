// `node test/sim/mutants.ts [name]`: each mutant is looked for with the faults that must find it
// out, and, where only these may, with all others as well. Each in a process of its own, two at a
// time.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Mutant, MUTANTS } from './mutant-list.ts';

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

const HISTORIES = Number(process.env['EVERFRESH_HISTORIES'] ?? "3000");

async function report(mutant: Mutant): Promise<void> {
  const { name, by, only } = mutant;
  const caught = await search(mutant, { seed: 1, histories: HISTORIES, faults: by });
  const lines = [`${name}, by ${by.join() || 'no fault'}: ${told(caught)}`];
  if (only === true) {
    const others = await search(mutant, { seed: 1, histories: HISTORIES, without: by.join() });
    lines.push(`  without: ${told(others)}`);
    if (others !== undefined) process.exitCode = 1;
  }
  if (caught === undefined) process.exitCode = 1;
  console.log(lines.join('\n'));
}

function told(caught: Caught | undefined): string {
  if (caught === undefined) return `not caught in ${HISTORIES}`;
  return `seed ${caught.seed} (${caught.faults.join()}): ${caught.what}`;
}

if (import.meta.main) {
  const named = process.argv.slice(2);
  const some = MUTANTS.filter(({ name }) => named.length === 0 || named.includes(name));
  await inTurns(some, 2, report);
}
