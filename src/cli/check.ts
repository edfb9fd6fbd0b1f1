// `everfresh check [FILE]`: all problems and warnings of a configuration, each with its place.
import { parseArgs } from 'node:util';
import { unfitToServe } from '../core/rules/check.ts';
import { printProblem } from '../core/rules/problem.ts';
import { loadConfig } from '../io/config.ts';
import { DEFAULT_FILE, EXIT_OK, EXIT_WARNINGS, EXIT_WRONG } from './world.ts';
import type { World } from './world.ts';

const USAGE = 'usage: everfresh check [FILE] [--strict]';

export async function run(argv: readonly string[], world: World): Promise<number> {
  const asked = readArguments(argv);
  if (typeof asked === 'string') {
    world.err(`everfresh check: ${asked}`);
    world.err(USAGE);
    return EXIT_WRONG;
  }
  const { file, strict } = asked;
  const parsed = await loadConfig({ file, env: world.env });
  if (parsed.kind === 'wrong') {
    for (const problem of parsed.problems) world.err(printProblem(problem));
    return EXIT_WRONG;
  }
  const { config } = parsed;
  const unfit = unfitToServe(config)
    .map((problem) => ({ ...problem, severity: 'warning' }) as const);
  const warnings = [...parsed.warnings, ...unfit];
  for (const warning of warnings) world.err(printProblem(warning));
  const reads = config.routes.reduce((sum, route) => sum + route.reads.size, 0);
  const writes = config.routes.reduce((sum, route) => sum + route.writes.size, 0);
  const found = warnings.length === 0 ? 'no warnings' : count(warnings.length, 'warning');
  const routes = count(config.routes.length, 'route');
  world.out(`${file}: ${routes}, ${count(reads, 'read')}, ${count(writes, 'write')}; ${found}`);
  return strict && warnings.length > 0 ? EXIT_WARNINGS : EXIT_OK;
}

function count(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? '' : 's'}`;
}

function readArguments(argv: readonly string[]): { file: string; strict: boolean } | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { strict: { type: 'boolean' }, config: { type: 'string', short: 'c' } },
    });
    if (positionals.length > 1) return 'one file at a time';
    const file = positionals[0] ?? values.config ?? DEFAULT_FILE;
    return { file, strict: values.strict === true };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
