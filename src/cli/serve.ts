// `everfresh serve`: the gateway with its listeners, in one process or by several workers, until a
// signal ends it. SIGHUP or a changed file reloads, whole or not at all; SIGTERM and SIGINT drain.
import { once } from 'node:events';
import { servePrimary } from '../compose/primary.ts';
import { serveAlone, type Service } from '../compose/service.ts';
import { unfitToServe } from '../core/rules/check.ts';
import { printProblem } from '../core/rules/problem.ts';
import { realClock } from '../io/clock.ts';
import type { Config } from '../core/rules/config.ts';
import { type ConfigSource, maskedConfig, openConfig, type Outcome } from '../io/config.ts';
import { type Flags, readFlags } from './flags.ts';
import { mayFork } from '../io/workers.ts';
import { EXIT_OK, EXIT_WRONG, type World } from './world.ts';

const EXIT_FAILED = 1;
const NO_FILE = 'no file: what the API lets be kept is (Cache-Control, Expires, Last-Modified)';

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
  let applied = Promise.resolve();
  const late: { service?: Service } = {};
  const told = (outcome: Outcome): void => {
    const wasRefused = refused.length > 0;
    refused = outcome.kind === 'refused' ? outcome.problems.map(printProblem) : [];
    const { service } = late;
    if (service === undefined) return;
    if (outcome.kind === 'refused') {
      service.ear.trouble('config', { problems: refused });
      service.log.error({ problems: refused }, 'configuration refused');
    } else if (outcome.because === 'changed' || wasRefused) {
      void applied.then(() => service.log.info('configuration applied'));
    }
  };
  const opened = await openConfig({ file, env: world.env, overrides, clock: realClock, told });
  if (opened.kind === 'wrong') return wrong(opened.problems.map(printProblem), world);
  const { source } = opened;
  const unfit = unfitToServe(source.current());
  const several = source.current().workers > 1;
  if (unfit.length > 0 || (several && !mayFork())) {
    source.close();
    const inside = 'this process is somebody\'s worker itself: it can\'t have `workers`';
    return wrong(unfit.length > 0 ? unfit.map(printProblem) : [inside], world);
  }
  for (const warning of opened.warnings) world.err(printProblem(warning));
  if (file === undefined) world.err(NO_FILE);
  let service: Service;
  const begun = source.current();
  try {
    service = several ? servePrimary(source) : await serveAlone(begun);
  } catch (error) {
    source.close();
    return wrong([`the store can't be opened: ${(error as Error).message}`], world);
  }
  late.service = service;
  const apply = (next: Config): void => {
    applied = service.apply(next).catch((error: unknown) => {
      service.ear.trouble('assertion', { error });
    });
  };
  source.onChange(apply);
  // It may have changed while the service was put together.
  if (!several && source.current() !== begun) apply(source.current());
  return untilSignal(service, source, { told, refused: () => refused, world });
}

async function untilSignal(
  service: Service,
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
  const { log } = service;
  const stop = new AbortController();
  const stopped = once(stop.signal, 'abort').then(() => undefined);
  const onEnd = (): void => stop.abort();
  const onHangUp = (): void => void source.reload().then(told);
  process.on('SIGTERM', onEnd).on('SIGINT', onEnd).on('SIGHUP', onHangUp);
  try {
    const masked = (): unknown => maskedConfig(source.current());
    const open = await service.open({ masked, refused }, stop.signal);
    if (!stop.signal.aborted) log.info({ listen: open.listen, admin: open.admin }, 'listening');
    const lost = await Promise.race([stopped, open.lost]);
    log.info('draining');
    const inTime = await open.drain();
    if (lost !== undefined) world.err(`ended: ${lost}`);
    return lost === undefined && inTime ? EXIT_OK : EXIT_FAILED;
  } catch (error) {
    world.err(`cannot listen: ${(error as Error).message}`);
    return EXIT_FAILED;
  } finally {
    process.off('SIGTERM', onEnd).off('SIGINT', onEnd).off('SIGHUP', onHangUp);
    source.close();
    await service.close();
  }
}

function wrong(lines: readonly string[], world: World): number {
  for (const line of lines) world.err(line);
  return EXIT_WRONG;
}
