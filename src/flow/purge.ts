// Touches and refreshes that no write through everfresh asked for: the operator's, and those of the
// store's sweeper. Purging is touching: nothing has to be found and deleted.
import type { Use } from '../core/plan/ledger.ts';
import { ownTarget } from '../core/plan/operator.ts';
import type { Gateway } from './gateway.ts';
import { mayReplay } from './reader.ts';
import { touchOrRemember } from './touching.ts';

/**
 * Orders the refresh of what is in use under these tags, read so often at least; at most `top` of
 * each route. Where the cache is not used (`mode`), it only says how many would be fetched.
 */
export function refreshAfter(gateway: Gateway, tags: Iterable<string>, readsMin = 1): number {
  const uses = usesUnder(gateway, tags, readsMin);
  if (gateway.mode === 'on') gateway.refresher.order(uses);
  return uses.length;
}

/** What is in use under these tags, and can be fetched again while its reader is away. */
export function usesUnder(gateway: Gateway, tags: Iterable<string>, readsMin = 1): Use[] {
  const may = (use: Use): boolean => mayReplay(gateway, use.meaning);
  return gateway.ledger.dependents(tags, gateway.clock.mono(), { readsMin, may });
}

export interface OperatorOrder {
  readonly targets: readonly string[];
  readonly tags: readonly string[];
}

export type OperatorResult =
  | {
      readonly kind: 'done';
      /** Tags; `*` for everything. */
      readonly touched: readonly string[];
      readonly refreshing: number;
      /** False: remembered, and touched before this instance uses its cache again. */
      readonly confirmed: boolean;
    }
  | { readonly kind: 'wrong'; readonly problems: readonly string[] };

/** `POST /purge` and `POST /refresh` of the admin listener. */
export async function byOperator(
  gateway: Gateway,
  order: OperatorOrder,
  act: 'refresh' | 'purge',
): Promise<OperatorResult> {
  const meant = ownTarget(order, gateway.live);
  if (meant.kind === 'wrong') return meant;
  const { tags } = meant;
  const refreshable = act === 'refresh' && tags !== 'everything' ? tags.length : 0;
  const said = await touchOrRemember(gateway, { tags, then: 'done', refreshes: refreshable });
  const confirmed = said.kind === 'said';
  // Everything at once would be a storm: it is fetched again as readers ask.
  const refreshes = act === 'refresh' && confirmed && tags !== 'everything';
  const refreshing = refreshes ? refreshAfter(gateway, tags) : 0;
  const touched = tags === 'everything' ? ['*'] : tags;
  return { kind: 'done', touched, refreshing, confirmed };
}
