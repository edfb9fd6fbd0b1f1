// `everfresh serve`: the gateway with its listeners, until a signal ends it. SIGHUP or a changed
// file reloads, whole or not at all; SIGTERM and SIGINT drain.
import { once } from 'node:events';
import { type Composed, compose } from '../compose/gateway.ts';
import { unfitToServe } from '../core/rules/check.ts';
import { printProblem } from '../core/rules/problem.ts';
import { realClock } from '../io/clock.ts';
import { type ConfigSource, maskedConfig, openConfig, type Outcome } from '../io/config.ts';
import { type Flags, readFlags } from './flags.ts';
import { openListeners } from '../compose/listeners.ts';
import { EXIT_OK, EXIT_WRONG, type World } from './world.ts';

const EXIT_FAILED = 1;

export async function run(argv: readonly string[], world: World): Promise<number> {
  const read = readFlags(argv, world.env);
  if (read.kind === 'wrong') return wrong([read.message], world);
  const lenient = `${process.execArgv.join(' ')} ${world.env['NODE_OPTIONS'] ?? ''}`;
  if (lenient.includes('insecure-http-parser')) {
    return wrong(['with --insecure-http-parser requests could be smuggled: not started'], world);
  }
  return serve(read.flags, world);
}

async function serve({ file, overrides }: Flags, world: World): Promise<number> {
  let refused: readonly string[] = [];
  const late: { composed?: Composed } = {};
  const told = (outcome: Outcome): void => {
    const wasRefused = refused.length > 0;
    refused = outcome.kind === 'refused' ? outcome.problems.map(printProblem) : [];
    const { composed } = late;
    if (composed === undefined) return;
    if (outcome.kind === 'refused') {
      composed.metrics.trouble('config', {});
      composed.log.error({ problems: refused }, 'configuration refused');
    } else if (outcome.because === 'changed' || wasRefused) {
      composed.log.info('configuration applied');
    }
  };
  const opened = await openConfig({ file, env: world.env, overrides, clock: realClock, told });
  if (opened.kind === 'wrong') return wrong(opened.problems.map(printProblem), world);
  const { source } = opened;
  const unfit = unfitToServe(source.current());
  if (unfit.length > 0) {
    source.close();
    return wrong(unfit.map(printProblem), world);
  }
  for (const warning of opened.warnings) world.err(printProblem(warning));
  let running: Composed;
  try {
    running = compose(source.current());
  } catch (error) {
    source.close();
    return wrong([`the store can't be opened: ${(error as Error).message}`], world);
  }
  late.composed = running;
  source.onChange((next) => running.apply(next));
  return untilSignal(running, source, { told, refused: () => refused, world });
}

async function untilSignal(
  composed: Composed,
  source: ConfigSource,
  {
    told,
    refused,
    world,
  }: {
    told: (outcome: Outcome) => void;
    refused: () => readonly string[];
    world: World;
  },
): Promise<number> {
  const { log } = composed;
  const ended = new AbortController();
  const onEnd = (): void => ended.abort();
  const onHangUp = (): void => void source.reload().then(told);
  process.on('SIGTERM', onEnd).on('SIGINT', onEnd).on('SIGHUP', onHangUp);
  try {
    const config = source.current();
    const masked = (): unknown => maskedConfig(source.current());
    const listeners = await openListeners(composed, config, { masked, refused });
    log.info({ listen: listeners.gateway, admin: listeners.admin }, 'listening');
    if (!ended.signal.aborted) await once(ended.signal, 'abort');
    log.info('draining');
    await listeners.close();
  } catch (error) {
    world.err(`cannot listen: ${(error as Error).message}`);
    return EXIT_FAILED;
  } finally {
    process.off('SIGTERM', onEnd).off('SIGINT', onEnd).off('SIGHUP', onHangUp);
    source.close();
    await composed.close();
  }
  return EXIT_OK;
}

function wrong(lines: readonly string[], world: World): number {
  for (const line of lines) world.err(line);
  return EXIT_WRONG;
}
