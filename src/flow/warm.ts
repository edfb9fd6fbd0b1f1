// Fills a cold cache with what the operator wants there, at the refresher's pace and by its rules.
import { type Cacheable, meaningOf } from '../core/key/meaning.ts';
import { queryOf } from '../core/key/query.ts';
import type { Use } from '../core/plan/ledger.ts';
import type { Gateway } from './gateway.ts';

const STORE_AGAIN_AFTER_MS = 250;

/** Orders the `warm` URLs of every route once the store is there; what is valid is left alone. */
export function warmUp(gateway: Gateway): void {
  const { config } = gateway.live;
  if (!config.routes.some((route) => (route.reads.get('GET')?.warm.length ?? 0) > 0)) return;
  if (gateway.store.state().state === 'ready') return order(gateway);
  gateway.clock.after(STORE_AGAIN_AFTER_MS, () => warmUp(gateway));
}

function order(gateway: Gateway): void {
  const { config, finder, readers } = gateway.live;
  const uses: Use[] = [];
  for (const route of config.routes) {
    for (const url of route.reads.get('GET')?.warm ?? []) {
      const path = url.split('?', 1)[0]!;
      const meaning = meaningOf({
        method: 'GET',
        target: url,
        fields: [],
        path,
        query: queryOf(url),
        authority: config.hosts[0] ?? '',
        hasBody: false,
        scheme: config.tls === undefined ? 'http' : 'https',
      }, config, (at) => finder.match(at), readers);
      if (meaning.kind === 'cacheable') uses.push(useOf(meaning, gateway.clock.mono()));
    }
  }
  if (uses.length > 0) gateway.refresher.order(uses, 'warm');
}

function useOf(meaning: Cacheable, mono: number): Use {
  const { key, tags } = meaning;
  return { key, meaning, tags, hits: 0, step: 1, readAt: mono, fetchMs: 0, receivedAt: 0 };
}
