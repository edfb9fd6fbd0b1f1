// `everfresh graph [FILE] [--format text|mermaid]`: which writes refresh which reads.
import { parseArgs } from 'node:util';
import { drawGraph } from '../core/rules/graph.ts';
import type { GraphFormat } from '../core/rules/graph.ts';
import { printProblem } from '../core/rules/problem.ts';
import { loadConfig } from '../io/config.ts';
import { DEFAULT_FILE, EXIT_OK, EXIT_WRONG } from './world.ts';
import type { World } from './world.ts';

const USAGE = 'usage: everfresh graph [FILE] [--format text|mermaid]';

export async function run(argv: readonly string[], world: World): Promise<number> {
  const asked = readArguments(argv);
  if (typeof asked === 'string') {
    world.err(`everfresh graph: ${asked}`);
    world.err(USAGE);
    return EXIT_WRONG;
  }
  const parsed = await loadConfig({ file: asked.file, env: world.env });
  if (parsed.kind === 'wrong') {
    for (const problem of parsed.problems) world.err(printProblem(problem));
    return EXIT_WRONG;
  }
  world.out(drawGraph(parsed.config, asked.format));
  return EXIT_OK;
}

function readArguments(argv: readonly string[]): { file: string; format: GraphFormat } | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { format: { type: 'string' }, config: { type: 'string', short: 'c' } },
    });
    if (positionals.length > 1) return 'one file at a time';
    const { format = 'text', config } = values;
    if (format !== 'text' && format !== 'mermaid') return `\`${format}\` is no format`;
    return { file: positionals[0] ?? config ?? DEFAULT_FILE, format };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
