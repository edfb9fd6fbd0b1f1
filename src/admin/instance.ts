// The one instance of this process, as the admin listener asks for it: reads the gateway's state,
// and hands orders to the stories.
import type { Config } from '../core/rules/config.ts';
import { explain } from '../flow/explain.ts';
import type { Gateway } from '../flow/gateway.ts';
import { byOperator } from '../flow/purge.ts';
import type { Ordered, Readiness, Running } from './running.ts';

export interface InstanceParts {
  readonly gateway: Gateway;
  masked(): unknown;
  problems(): readonly string[];
  metrics(): Promise<{ contentType: string; text: string }>;
  listening(): boolean;
  draining(): boolean;
}

export function instance(parts: InstanceParts): Running {
  const { gateway } = parts;
  return {
    readiness: async () => readiness(parts),
    metrics: () => parts.metrics(),
    explain: async (question) =>
      ({ kind: 'answered', value: await explain(question, { ...gateway, gateway }) }),
    async order(order, act) {
      const result = await byOperator(gateway, order, act);
      return { kind: 'answered', value: judged(result, gateway.live.config) };
    },
    async switchMode(mode) {
      gateway.mode = mode;
    },
    config: () => parts.masked(),
    problems: () => parts.problems(),
  };
}

/** Degraded is still ready: without its store everfresh is a plain proxy. */
function readiness(parts: InstanceParts): Readiness {
  const { store, remembered, mode, refresher, quarantine } = parts.gateway;
  const listening = parts.listening();
  const state = store.state();
  const running = state.state === 'ready' && !remembered.pending ? 'ready' : 'degraded';
  return {
    status: parts.draining() ? 'draining' : listening ? running : 'starting',
    listening,
    mode,
    store: state,
    backlog: refresher.backlog,
    quarantined: quarantine.patterns,
  };
}

/** As a write is answered: under `refuse`, what could not be confirmed is not done. */
function judged(ordered: Awaited<ReturnType<typeof byOperator>>, { store }: Config): Ordered {
  if (ordered.kind === 'wrong' || ordered.confirmed) return ordered;
  const refuses = store.kind === 'redis' && store.whenDown === 'refuse';
  return refuses ? { kind: 'refused', because: 'unconfirmed' } : ordered;
}
