// The configurations that histories run under: small limits, so that little virtual time is much.
import { rulesHash } from '../../src/core/plan/unwatched.ts';
import type { Config } from '../../src/core/rules/config.ts';
import { liveOf } from '../../src/compose/live.ts';
import { parseRules } from '../../src/core/rules/parse.ts';
import { printProblem } from '../../src/core/rules/problem.ts';
import type { Live } from '../../src/flow/gateway.ts';
import { noTokens } from './no-tokens.ts';

export const LEASE_MS = 2000;
export const QUARANTINE_MS = 5000;
export const SETTLE_MS = 2500;
export const DEADLINE_MS = 1500;
export const BUDGET_MS = 200;

export interface Setting {
  readonly live: Live;
  readonly rules: string;
  readonly whenDown: 'pass' | 'refuse';
  readonly settleMs: number;
}

const made = new Map<string, Setting>();

export function settingOf(
  { whenDown, settles, waits }: {
    whenDown: 'pass' | 'refuse'; settles: boolean; waits: boolean;
  },
): Setting {
  const name = `${whenDown} ${settles} ${waits}`;
  const known = made.get(name);
  if (known !== undefined) return known;
  const more = `${settles ? `, settle: ${SETTLE_MS}ms` : ''}${waits ? ', wait: true' : ''}`;
  const config = configOf(`
upstream: http://upstream.test
store: { url: "redis://store.test", when_down: ${whenDown} }
lease: ${LEASE_MS}ms
write_deadline: ${DEADLINE_MS}ms
limits: { quarantine: ${QUARANTINE_MS}ms, store_budget: ${BUDGET_MS}ms, touched: 100 }
routes:
  /items/:id:
    GET: { ttl: 1h }
    PUT: { refresh: [/items/:id, /all, /some]${more} }
  /all: { GET: { ttl: 1h } }
  /some: { GET: { ttl: 1h } }
`);
  const live = liveOf(config, 'a secret of the test', noTokens);
  const settleMs = settles ? SETTLE_MS : 0;
  const setting = { live, rules: rulesHash(config), whenDown, settleMs };
  made.set(name, setting);
  return setting;
}

function configOf(yaml: string): Config {
  const parsed = parseRules(yaml, { file: 'routes.yaml', env: {} });
  if (parsed.kind === 'wrong') throw new Error(parsed.problems.map(printProblem).join('\n'));
  return parsed.config;
}
