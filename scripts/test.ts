// `npm test`: lint, types, then every test file by tap; a line a file, and all of what failed.
// Ends with one line that says how many checks passed and how many failed, and with an exit code
// that agrees with it. Given files, it runs only these and neither lints nor checks types.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Summary } from './summary.ts';

const ALONE = ['test/chaos.test.ts', 'test/sim.test.ts', 'test/spec.test.ts'];

const root = fileURLToPath(new URL('..', import.meta.url));

async function main(files: readonly string[]): Promise<void> {
  let passed = 0;
  let failed = 0;
  const count = (ok: boolean): void => void (ok ? passed++ : failed++);

  if (files.length === 0) {
    count(await check('lint', 'eslint', ['.']));
    count(await check('types', 'tsc', ['-p', 'tsconfig.json']));
  }
  for (const [some, jobs] of files.length > 0 ? [[files, 2] as const] : turns()) {
    const tests = await tap(some, jobs);
    passed += tests.passed;
    failed += tests.failed;
  }

  console.log(`${passed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

/** Runs a program of this package's own and says by its exit code whether it was content. */
async function check(name: string, program: string, args: string[]): Promise<boolean> {
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = await once(child, 'exit') as [number | null];
  console.log(`${code === 0 ? 'ok' : 'not ok'} - ${name}`);
  return code === 0;
}

/** What keeps a machine busy, or judges how soon something is over, comes last and one by one. */
function turns(): readonly (readonly [files: readonly string[], jobs: number])[] {
  const all = globSync('test/**/*.test.ts', { cwd: root }).sort();
  return [
    [all.filter((file) => !ALONE.includes(file)), 2],
    [all.filter((file) => ALONE.includes(file)), 1],
  ];
}

async function tap(
  files: readonly string[], jobs: number,
): Promise<{ passed: number; failed: number }> {
  const child = spawn('tap', ['run', '--reporter=tap', `--jobs=${jobs}`, ...files], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const summary = new Summary();
  for await (const line of createInterface({ input: child.stdout })) {
    for (const told of summary.read(line)) console.log(told);
  }
  const [code] = await exited;
  const { rest, passed, failed } = summary.end(code);
  for (const line of rest) console.log(line);
  return { passed, failed };
}

await main(process.argv.slice(2));
