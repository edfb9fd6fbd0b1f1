// Puts a gateway together from the world that it is given: a configuration in force, and whatever
// stands behind the ports. The stories run on what is made here, whoever made the world.
import type { Key } from '../core/entry/entry.ts';
import { Ledger } from '../core/plan/ledger.ts';
import { Outage } from '../core/promise/outage.ts';
import { Flights } from './flights.ts';
import type { Gateway, Live } from './gateway.ts';
import { Lately } from './lately.ts';
import { Quarantine } from './quarantine.ts';
import { People } from './people.ts';
import type { Clock, Ear, Sealing, Store, Tokens, Upstream } from './ports.ts';
import { refreshAfter } from './purge.ts';
import { refreshOne } from './refresh.ts';
import { Refresher } from './refresher.ts';
import { Remembered } from './remembered.ts';
import { Searches } from './searches.ts';
import { guarded, watchOutage } from './touching.ts';

export interface World {
  readonly live: Live;
  readonly clock: Clock;
  readonly upstream: Upstream;
  readonly store: Store;
  readonly ear: Ear;
  readonly tokens: Tokens;
  readonly sealing?: Sealing | undefined;
  /** Makes an id that nobody can guess. */
  readonly newId: () => string;
}

const UNCACHEABLE_FOR_MS = 30_000;
const KEYS_REMEMBERED = 10_000;
const USES_MAX = 200_000;
const USES_BYTES_MAX = 256 * 1024 * 1024;

export function assemble(
  { live, clock, upstream, store, ear, tokens, sealing, newId }: World,
): Gateway {
  const { config } = live;
  const remembered = new Remembered(config.limits.remembered);
  const gateway: Gateway = {
    live,
    mode: config.mode,
    clock,
    upstream,
    store: { ...store, control: guarded(store.control, remembered) },
    ear,
    ledger: new Ledger(USES_MAX, USES_BYTES_MAX),
    flights: new Flights(),
    searches: new Searches(),
    refresher: new Refresher({
      run: (use, cause) => refreshOne(gateway, use, cause),
      backlog: (waiting, running) => ear.backlog(waiting, running),
      runningMax: config.limits.refreshConcurrency,
      soon: (callback) => clock.soon(callback),
    }),
    people: new People(),
    tokens,
    sealing,
    sweeping: false,
    quarantine: new Quarantine(),
    uncacheable: new Lately<Key>(clock, { forMs: UNCACHEABLE_FOR_MS, keysMax: KEYS_REMEMBERED }),
    newVariants: new Lately<string>(clock, { forMs: 60_000, keysMax: KEYS_REMEMBERED }),
    remembered,
    outage: new Outage(),
    writers: { all: 0, held: 0, byClient: new Map() },
    newId,
  };
  store.onTouched((tags) => void refreshAfter(gateway, tags));
  store.onSwept((swept) => ear.trouble('swept', { ...swept }));
  store.onNews((news) => {
    ear.store(news);
    if (news.state === 'down') watchOutage(gateway);
  });
  return gateway;
}
