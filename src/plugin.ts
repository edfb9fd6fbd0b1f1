// Everfresh as a Fastify plugin: whatever the host has no route for goes to the stories. The door
// and the socket are the host's here: what its server lets in is what the stories see.
import type { FastifyPluginAsync } from 'fastify';
import { compose } from './compose/gateway.ts';
import { mount } from './compose/mount.ts';
import type { Config } from './core/rules/config.ts';
import { unfitToServe } from './core/rules/check.ts';
import { parseRules } from './core/rules/parse.ts';
import { printProblem } from './core/rules/problem.ts';
import { loadConfig } from './io/config.ts';

export interface EverfreshOptions {
  /** A file's path, or the content of one as an object with the same keys. */
  readonly config: string | Readonly<Record<string, unknown>>;
}

/** `app.register(everfresh, { config: './routes.yaml' })`. Throws with all problems of the file. */
const everfresh: FastifyPluginAsync<EverfreshOptions> = async (app, options) => {
  if ((options as Partial<EverfreshOptions>).config === undefined) {
    throw new Error('everfresh needs its configuration: register(everfresh, { config })');
  }
  const composed = await compose(await configOf(options.config));
  app.addHook('onClose', () => composed.close());
  await app.register((inner) => mount(inner, composed));
};

export default everfresh;

async function configOf(given: EverfreshOptions['config']): Promise<Config> {
  const parsed =
    typeof given === 'string'
      ? await loadConfig({ file: given, env: process.env })
      : parseRules(JSON.stringify(given), { file: 'config', env: process.env });
  // It has no admin listener of its own.
  const problems = parsed.kind === 'wrong'
    ? parsed.problems : unfitToServe({ ...parsed.config, admin: 'off' });
  if (parsed.kind === 'ok' && problems.length === 0) return parsed.config;
  throw new Error(problems.map(printProblem).join('\n'));
}
