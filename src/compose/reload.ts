// Takes a new configuration as a whole while requests are under way: each of them goes on by the
// one that it began with, and what the new one no longer watches is touched.
import type { Finder } from '../core/plan/reach.ts';
import { rulesHash, unwatched } from '../core/plan/unwatched.ts';
import type { Config } from '../core/rules/config.ts';
import { compileFinder } from '../core/rules/match.ts';
import type { Gateway, Live } from '../flow/gateway.ts';
import { remember, touchOrRemember } from '../flow/touching.ts';
import { warmUp } from '../flow/warm.ts';
import type { Logger } from '../io/log.ts';
import { trustedPeers } from '../io/trusted.ts';

export function liveOf(config: Config): Live {
  const finder: Finder = compileFinder(config.routes);
  return { config, finder, trusts: trustedPeers(config.trustProxy) };
}

export function reload(gateway: Gateway, next: Config, log: Logger): void {
  const before = gateway.live.config;
  const tags = unwatched(before, next);
  const behind = (work: Promise<unknown>): void => {
    work.catch((error: unknown) => gateway.ear.trouble('assertion', { error }));
  };
  // The memory is touched when this line is done; nothing is used before a store has been told.
  if (tags.length > 0 && before.store.kind === 'redis') remember(gateway, tags);
  else if (tags.length > 0) behind(touchOrRemember(gateway, { tags, then: 'done' }));
  gateway.live = liveOf(next);
  gateway.store.rules?.(rulesHash(next));
  // A mode that was switched by hand stays, unless the file says another than before.
  if (next.mode !== before.mode) gateway.mode = next.mode;
  gateway.refresher.bound(next.limits.refreshConcurrency);
  const rules = next.routes.flatMap((route) => [...route.reads.values()]);
  gateway.ledger.keepOnly(new Set(rules.map((rule) => rule.hash)));
  log.level = next.log.level;
  warmUp(gateway);
}
