// Compiles and runs every model of the protocol with `spin`: each as it is must hold over its whole
// space of states, and each with one rule broken must be caught, with a trace. Prints a row a run;
// `--large` takes the larger sizes. Works in a temporary folder, which is removed at the end.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Run, runsOf } from './runs.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const AT_A_TIME = 2;
const PLACES = ['/usr/local/bin', '/usr/bin', '/opt/homebrew/bin'];
const PACKAGES = ['spin', 'gcc', 'libc6-dev'];
const INSTALL = `apt-get update && apt-get install -y --no-install-recommends ${PACKAGES.join(' ')}`;

export interface Ran {
  readonly run: Run;
  readonly states: number;
  readonly seconds: number;
  /** `because` is empty if it is as it should be. */
  readonly verdict: 'holds' | 'caught' | 'wrong';
  readonly because: string;
}

/** What a program printed, whatever its exit code; ended when its time is over. */
interface Output {
  readonly code: number | string;
  readonly text: string;
}

function execute(
  program: string, args: readonly string[], options: { cwd: string; seconds: number },
): Promise<Output> {
  const settings = {
    cwd: options.cwd, timeout: options.seconds * 1000, killSignal: 'SIGKILL', maxBuffer: 2 ** 26,
  } as const;
  return new Promise((resolve) => {
    execFile(program, args, settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : (error.code ?? error.signal ?? 'unknown');
      resolve({ code, text: `${stdout}\n${stderr}` });
    });
  });
}

const found = (name: string): boolean =>
  [...(process.env['PATH'] ?? '').split(delimiter), ...PLACES]
    .some((place) => existsSync(join(place, name)));

/** Finds spin and a compiler, or installs them where that is one command. */
export async function findTools(): Promise<void> {
  const complete = (): boolean => found('spin') && found('gcc') && existsSync('/usr/include/stdio.h');
  if (complete()) return;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    const wait = ['-o', 'DPkg::Lock::Timeout=300'];
    const options = { cwd: tmpdir(), seconds: 400 };
    await execute('apt-get', [...wait, 'update'], options);
    await execute('apt-get', [...wait, 'install', '-y', '--no-install-recommends', ...PACKAGES], options);
    if (complete()) return;
  }
  throw new Error(`spin and a C compiler are needed; on Debian or Ubuntu: ${INSTALL}`);
}

/** The names that a model asks for; one that it never asks for would break nothing. */
export function flagsOf(model: string): ReadonlySet<string> {
  const text = readFileSync(join(HERE, model), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const asked = text.split('\n').filter((line) => /^#\s*(if|ifdef|ifndef|elif)\b/.test(line));
  return new Set(asked.flatMap((line) => line.match(/\b[A-Z][A-Z0-9_]*\b/g) ?? []));
}

/** Flags of a run that its model does not know. */
export function unknownFlags({ model, flags }: Run): readonly string[] {
  const known = flagsOf(model);
  return flags.filter((flag) => !known.has(flag.replace(/=.*/, '')));
}

/** Runs one; it never throws for what a model does. */
export async function check(run: Run, folder: string): Promise<Ran> {
  const began = performance.now();
  const done = (states: number, wrong: string): Ran => ({
    run, states, seconds: (performance.now() - began) / 1000, because: wrong,
    verdict: wrong !== '' ? 'wrong' : run.mutant === undefined ? 'holds' : 'caught',
  });
  const unknown = unknownFlags(run);
  if (unknown.length > 0) return done(0, `${run.model} does not know ${unknown.join(', ')}`);

  await mkdir(folder);
  const quick = { cwd: folder, seconds: 120 };
  const defines = run.flags.map((flag) => `-D${flag}`);
  const spin = await execute('spin', ['-a', ...defines, join(HERE, run.model)], quick);
  if (spin.code !== 0) return done(0, `spin: ${spin.text.trim()}`);
  const sizes = ['-DSAFETY', '-DCOLLAPSE', '-DVECTORSZ=2048', `-DMEMLIM=${run.megabytes}`];
  const gcc = await execute('gcc', [run.mutant === undefined ? '-O2' : '-O1', '-w', ...sizes, '-o', 'pan', 'pan.c'], quick);
  if (gcc.code !== 0) return done(0, `gcc: ${gcc.text.trim()}`);

  const depth = [`-m${run.depth}`, `-w${run.hashBits}`];
  const pan = await execute('./pan', depth, { cwd: folder, seconds: run.seconds });
  const states = Number(/^\s*([\d.e+]+) states, stored/m.exec(pan.text)?.[1] ?? 0);
  return done(states, wrongWith(run, pan, existsSync(join(folder, `${run.model}.trail`))));
}

function wrongWith(run: Run, { code, text }: Output, hasTrail: boolean): string {
  const errors = /errors: (\d+)/.exec(text)?.[1];
  if (errors === undefined) return `it did not end within ${run.seconds} s (${code})`;
  const told = /^pan:\d+: (.*)$/m.exec(text)?.[1] ?? 'an error';
  if (run.mutant !== undefined) {
    if (errors === '0') return 'nothing catches it';
    if (!/assertion violated/.test(told)) return `caught by something else: ${told}`;
    return hasTrail ? '' : 'it left no trace';
  }
  if (errors !== '0') return told;
  const cut = /max search depth too small|out of memory|memory limit|search not completed|Search not completed/i.exec(text);
  return cut === null ? '' : `not complete: ${cut[0]}`;
}

/** All of them, a few at a time, told as they end. */
export async function checkAll(
  runs: readonly Run[], tell: (ran: Ran) => void,
): Promise<readonly Ran[]> {
  await findTools();
  const folder = mkdtempSync(join(tmpdir(), 'everfresh-spec-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const all: Ran[] = [];
  const left = runs.map((run, place) => ({ run, place }));
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const own = join(folder, String(next.place));
      const ran = await check(next.run, own);
      rmSync(own, { recursive: true, force: true });
      all.push(ran);
      tell(ran);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  } finally {
    remove();
    process.off('exit', remove);
  }
  return all;
}

export function rowOf({ run, states, seconds, verdict, because }: Ran): string {
  const words = because === '' ? verdict : `${verdict}: ${because}`;
  const flags = run.flags.join(' ') || '-';
  const figures = `${states.toLocaleString('en').padStart(13)} ${seconds.toFixed(1).padStart(7)}`;
  return `${run.model.padEnd(11)} ${flags.padEnd(44)} ${figures}  ${words}`;
}

async function main(args: readonly string[]): Promise<void> {
  const strange = args.filter((arg) => arg !== '--large');
  if (strange.length > 0) throw new Error(`unknown: ${strange.join(' ')}; there is --large`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));
  console.log(`${'model'.padEnd(11)} ${'flags'.padEnd(44)} ${'states'.padStart(13)} seconds  verdict`);
  const all = await checkAll(runsOf(args.includes('--large')), (ran) => console.log(rowOf(ran)));
  const wrong = all.filter(({ verdict }) => verdict === 'wrong').length;
  console.log(`${all.length - wrong} as they should be, ${wrong} not`);
  if (wrong > 0) process.exitCode = 1;
}

if (import.meta.main) await main(process.argv.slice(2));
