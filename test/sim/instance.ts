// One instance of everfresh, put together as in production from the stories, the fleet and both
// tiers, with everything outside of it simulated.
import { assemble } from '../../src/flow/assemble.ts';
import { joinFleet } from '../../src/flow/fleet/fleet.ts';
import type { Gateway } from '../../src/flow/gateway.ts';
import type { Ear, Store, StoreNews, Swept, Upstream } from '../../src/flow/ports.ts';
import { memoryEntries } from '../../src/io/memory.ts';
import { tieredEntries } from '../../src/io/tiers.ts';
import { noTokens } from './no-tokens.ts';
import { DataLink } from './data-link.ts';
import type { Host } from './host.ts';
import { Network } from './network.ts';
import { BUDGET_MS, LEASE_MS, QUARANTINE_MS, type Setting } from './settings.ts';
import type { SimStore } from './store.ts';

export interface Instance {
  readonly host: Host;
  readonly gateway: Gateway;
  readonly store: Store;
  /** Mistakes of its own that it told of. */
  readonly mistakes: string[];
  leaving: boolean;
  kill(): void;
}

const ENTRIES_BYTES = 1_000_000;
const NOTHING = (): void => undefined;

export function openInstance({ host, store, upstream, setting, touchedMax = 100 }: {
  readonly host: Host;
  readonly store: SimStore;
  readonly upstream: Upstream;
  readonly setting: Setting;
  readonly touchedMax?: number;
}): Instance {
  const { clock } = host;
  const mistakes: string[] = [];
  const data = new DataLink(store, host, BUDGET_MS);
  const shared = new Network({ store, data, host, leaseMs: LEASE_MS, budgetMs: BUDGET_MS });
  const touched: ((tags: readonly string[]) => void)[] = [];
  const swept: ((swept: Swept) => void)[] = [];
  const news: ((news: StoreNews) => void)[] = [];
  let ids = 0;
  const newId = (): string => `${host.name}-${(ids += 1)}`;
  const fleet = joinFleet({
    shared, clock, newId, leaseMs: LEASE_MS, rules: setting.rules,
    limits: { touched: touchedMax, quarantineMs: QUARANTINE_MS },
    onTouched: (tags) => touched.forEach((callback) => callback(tags)),
    onSwept: (told) => swept.forEach((callback) => callback(told)),
    onOtherRules: () => mistakes.push('all have the same rules'),
    onNews: (told) => news.forEach((callback) => callback(told)),
    onBroken: (error) => void mistakes.push(textOf(error)),
  });
  const its: Store = {
    control: fleet.control,
    turns: fleet.turns,
    entries: tieredEntries(memoryEntries({ bytes: ENTRIES_BYTES }), data.entries),
    state() {
      const trouble = fleet.trouble();
      if (trouble === undefined) return { kind: 'redis', state: 'ready' };
      return { kind: 'redis', state: trouble === 'store-down' ? 'down' : 'joining' };
    },
    onTouched: (callback) => void touched.push(callback),
    onSwept: (callback) => void swept.push(callback),
    onNews: (callback) => void news.push(callback),
    leaseMsMax: () => fleet.leaseMsMax(),
    wroteAt: () => fleet.wroteAt(),
    rules: (next) => fleet.rules(next),
    close: ({ clean }) => fleet.close(clean),
  };
  const ear: Ear = {
    upstreamRequest: NOTHING, touched: NOTHING, readerEnded: NOTHING, guarded: NOTHING,
    refreshed: NOTHING, backlog: NOTHING,
    store: NOTHING,
    kept: (entry) =>
      store.world.note(() => `${host.name} keeps ${entry.recipe.path} as of ${entry.asOf}`),
    trouble(what, detail) {
      if (what === 'assertion') mistakes.push(textOf(detail['error']));
    },
  };
  const gateway = assemble({
    live: setting.live, clock, upstream, store: its, ear, tokens: noTokens, newId,
  });
  return {
    host, gateway, store: its, mistakes, leaving: false,
    kill() {
      host.kill();
      shared.close();
    },
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
