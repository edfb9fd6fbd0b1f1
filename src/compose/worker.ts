// One of several instances on one port, in a process of its own: does what the primary asks, from
// its start to its drain. SIGTERM drains it alone; the other signals are the primary's to hear.
import type { Config } from '../core/rules/config.ts';
import { parseRules } from '../core/rules/parse.ts';
import type { Env } from '../core/rules/source.ts';
import { answerAll, Failed, type Pipe } from '../io/talk.ts';
import { type Ask, readAsk, type Start } from './asks.ts';
import { type Composed, compose } from './gateway.ts';
import { type Listeners, openListeners } from './listeners.ts';

interface Serving {
  readonly start: Start;
  readonly composed: Composed;
  readonly listeners: Promise<Listeners>;
}

export interface Surroundings {
  readonly pid: number;
  readonly env: Env;
  readonly fault: (error: unknown) => void;
}

/** Answers the primary until it is told to end; gives back the exit code. */
export function serveAsWorker(
  pipe: Pipe, { pid, env, fault }: Surroundings,
): { readonly ended: Promise<number>; drain(): void } {
  const ended = Promise.withResolvers<number>();
  let starting: Promise<Serving> | undefined;
  let serving: Serving | undefined;
  let drains = false;

  const drain = (): void => {
    if (drains) return;
    drains = true;
    close(starting).then(() => ended.resolve(0), (error: unknown) => {
      fault(error);
      ended.resolve(1);
    });
  };
  const answer = async (asked: unknown): Promise<unknown> => {
    const ask = readAsk(asked);
    if (ask === undefined) throw new Failed('asked in an unknown form');
    if (ask.ask === 'drain') {
      drain();
      return 'done';
    }
    if (ask.ask === 'start') {
      if (starting !== undefined || drains) throw new Failed('started already');
      starting = begin(ask, { pid, env, fault });
      serving = await starting;
      return listening(serving);
    }
    if (starting === undefined) throw new Failed('not started');
    return carryOut(ask, await starting, env);
  };
  answerAll(pipe, {
    answer,
    fault: (error) => {
      if (serving === undefined) fault(error);
      else serving.composed.gateway.ear.trouble('assertion', { error });
    },
  });
  return { ended: ended.promise, drain };
}

async function begin(start: Start, { pid, env }: Surroundings): Promise<Serving> {
  const config = read(start, start.text, env);
  const composed = await compose(config);
  composed.log.setBindings({ worker: pid });
  composed.gateway.mode = start.mode;
  const shown = { masked: () => undefined, refused: () => [] };
  return { start, composed, listeners: openListeners(composed, config, shown) };
}

async function listening({ listeners }: Serving): Promise<string> {
  try {
    return (await listeners).gateway;
  } catch (error) {
    throw new Failed((error as Error).message);
  }
}

async function close(starting: Promise<Serving> | undefined): Promise<void> {
  // What could not begin has told the primary why.
  const serving = await starting?.catch(() => undefined);
  if (serving === undefined) return;
  // One that could not listen has told the primary why; it still leaves the store cleanly.
  const listeners = await serving.listeners.catch(() => undefined);
  await listeners?.close();
  await serving.composed.close();
}

async function carryOut(
  ask: Exclude<Ask, { ask: 'start' | 'drain' }>,
  { start, composed, listeners }: Serving,
  env: Env,
): Promise<unknown> {
  if (ask.ask === 'apply') {
    composed.apply(read(start, ask.text, env));
    return 'done';
  }
  if (ask.ask === 'metrics') return composed.metrics.samples();
  const { running } = await listeners;
  switch (ask.ask) {
    case 'mode':
      await running.switchMode(ask.mode);
      return 'done';
    case 'readiness':
      return running.readiness();
    case 'explain': {
      const explained = await running.explain(ask.question);
      return explained.kind === 'answered' ? explained.value : undefined;
    }
    case 'order': {
      const ordered = await running.order(ask.order, ask.act);
      return ordered.kind === 'answered' ? ordered.value : undefined;
    }
  }
}

/** The text that the primary took, as one of its workers takes it: a share of the whole. */
function read({ file, overrides, port }: Start, text: string, env: Env): Config {
  const parsed = parseRules(text, { file, env, overrides });
  if (parsed.kind === 'wrong') throw new Error('the primary took what this worker refuses');
  const { config } = parsed;
  return {
    ...config,
    listen: { ...config.listen, port },
    admin: 'off',
    memoryBytes: Math.floor(config.memoryBytes / config.workers),
  };
}
