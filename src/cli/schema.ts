// Prints the JSON Schema of the configuration: `node src/cli/schema.ts > routes.schema.json`.
import { fileURLToPath } from 'node:url';
import { routesSchema } from '../core/rules/schema.ts';
import { EXIT_OK, EXIT_WRONG } from './world.ts';
import type { World } from './world.ts';

export function schemaText(): string {
  return JSON.stringify(routesSchema(), null, 2);
}

export async function run(argv: readonly string[], world: World): Promise<number> {
  if (argv.length > 0) {
    world.err('usage: everfresh schema');
    return EXIT_WRONG;
  }
  world.out(schemaText());
  return EXIT_OK;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = await run(process.argv.slice(2), {
    out: (line) => console.log(line),
    err: (line) => console.error(line),
    env: process.env,
  });
}
