#!/usr/bin/env node
// From the command line to one command.
import { tooOld } from './cli/node.ts';
import type { World } from './cli/world.ts';

// Nothing else is imported before it is known that it can be.
const EXIT_WRONG = 2;

type Run = (argv: readonly string[], world: World) => Promise<number>;

const COMMANDS: Readonly<Record<string, () => Promise<{ run: Run }>>> = {
  serve: () => import('./cli/serve.ts'),
  check: () => import('./cli/check.ts'),
  explain: () => import('./cli/explain.ts'),
  graph: () => import('./cli/graph.ts'),
  refresh: () => import('./cli/refresh.ts'),
  purge: () => import('./cli/purge.ts'),
  schema: () => import('./cli/schema.ts'),
};

const world: World = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  env: process.env,
};

async function main(argv: readonly string[]): Promise<number> {
  const old = tooOld(process.versions.node);
  if (old !== undefined) {
    world.err(old);
    return EXIT_WRONG;
  }
  const [first, ...rest] = argv;
  const isHelp =
    argv.length === 0 || argv.includes('--help') || argv.includes('-h') || first === 'help';
  if (isHelp || first === '--version' || first === '-v') {
    return (await import('./cli/help.ts')).run(argv, world);
  }
  if (/^(?:https?:\/\/|unix:)/.test(first!)) return (await COMMANDS['serve']!()).run(argv, world);
  if (!Object.hasOwn(COMMANDS, first!)) {
    world.err(`unknown command: ${first!} (see everfresh --help)`);
    return EXIT_WRONG;
  }
  return (await COMMANDS[first!]!()).run(rest, world);
}

// The loop may still hold a refresh or a timer: a command is over when it says so.
process.exit(await main(process.argv.slice(2)));
