// Takes a new configuration as a whole while requests are under way: each of them goes on by the
// one that it began with, and what the new one no longer watches is touched.
import { rulesHash, unwatched } from '../core/plan/unwatched.ts';
import type { Config } from '../core/rules/config.ts';
import type { Gateway } from '../flow/gateway.ts';
import { remember, touchOrRemember } from '../flow/touching.ts';
import { warmUp } from '../flow/warm.ts';
import type { Logger } from '../io/log.ts';
import { liveOf } from './live.ts';

export function reload(gateway: Gateway, next: Config, log: Logger): void {
  const before = gateway.live.config;
  const tags = unwatched(before, next);
  const behind = (work: Promise<unknown>): void => {
    work.catch((error: unknown) => gateway.ear.trouble('assertion', { error }));
  };
  // The memory is touched when this line is done; nothing is used before a store has been told.
  if (tags.length > 0 && before.store.kind === 'redis') remember(gateway, tags);
  else if (tags.length > 0) behind(touchOrRemember(gateway, { tags, then: 'done' }));
  gateway.live = liveOf(next, gateway.live.readers.secret, gateway.tokens);
  gateway.tokens.prepare(next.identities);
  gateway.people.keepOnly(new Set(next.identities.map(({ hash }) => hash)));
  gateway.store.rules?.(rulesHash(next));
  // A mode that was switched by hand stays, unless the file says another than before.
  if (next.mode !== before.mode) gateway.mode = next.mode;
  gateway.refresher.bound(next.limits.refreshConcurrency);
  const rules = next.routes.flatMap((route) => [...route.reads.values()]);
  const hashes = new Set(rules.map((rule) => rule.hash));
  gateway.ledger.keepOnly(hashes);
  gateway.quarantine.keepOnly(hashes);
  log.level = next.log.level;
  warmUp(gateway);
}
