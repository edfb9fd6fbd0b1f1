// Tells the store of a write's steps, and keeps the promise when the store cannot be told: tries
// for one lease, so that nobody else can still trust what they hold, and then remembers. As long as
// anything is remembered, this instance uses nothing of the cache.
import type { Evidence } from '../core/promise/outage.ts';
import type { Gateway } from './gateway.ts';
import { momentOf } from './moment.ts';
import type { Control, Known, Said, Touch } from './ports.ts';

/** A little more than a lease, for clocks that differ in their pace. */
const LEASE_MARGIN = 1.25;
/** Of a lease: who looks away for longer has not seen what was meanwhile. */
const GAP_MAX = 0.25;
/** Of a lease: so often one looks. */
const LOOKS = 0.1;
const AGAIN_AFTER_MS = 50;
/** Also where the store takes everything else: nobody waits for ever. */
const TRIES_MAX = 300;
const REMEMBERED_AGAIN_AFTER_MS = 200;

/** Tries until it is said, or the store was seen to be out of reach for a whole lease. */
export async function persist(gateway: Gateway, say: () => Promise<Said>): Promise<Said> {
  const { clock, outage } = gateway;
  for (let tries = 1; ; tries += 1) {
    const said = await say();
    if (said.kind === 'said' || tries === TRIES_MAX) return said;
    if (outage.seen(evidence(gateway)) >= longestLease(gateway) * LEASE_MARGIN) return said;
    watchOutage(gateway);
    await new Promise<void>((resolve) => void clock.after(AGAIN_AFTER_MS, resolve));
  }
}

const longestLease = ({ live, store }: Gateway): number =>
  Math.max(live.config.leaseMs, store.leaseMsMax());

function evidence(gateway: Gateway): Evidence {
  const { clock, store } = gateway;
  const gapMsMax = longestLease(gateway) * GAP_MAX;
  return { now: momentOf(clock), wroteAt: store.wroteAt(), gapMsMax };
}

/** The store is out of reach: that is seen from its begin to its end, also when nobody writes. */
export function watchOutage(gateway: Gateway): void {
  const { clock, outage } = gateway;
  if (outage.watched) return;
  outage.watched = true;
  outage.seen(evidence(gateway));
  const later = (): void => void clock.after(longestLease(gateway) * LOOKS, look);
  const look = (): void => {
    const now = evidence(gateway);
    outage.watched = outage.goesOn(now);
    if (!outage.watched) return;
    outage.seen(now);
    later();
  };
  later();
}

/**
 * Touches, or remembers to. Under `refuse` a touch that could not be confirmed is remembered as
 * well, and the caller says so to its client.
 */
export async function touchOrRemember(gateway: Gateway, touch: Touch): Promise<Said> {
  const touching = persist(gateway, () => gateway.store.control.touch(touch));
  const said = await touching.catch((error: unknown) => {
    remember(gateway, touch.tags);
    throw error;
  });
  gateway.ear.touched(touch.tags === 'everything' ? 'everything' : touch.tags.length);
  if (said.kind === 'said') return said;
  gateway.ear.trouble('touch-unconfirmed', { because: said.because });
  remember(gateway, touch.tags);
  return said;
}

export function remember(gateway: Gateway, tags: readonly string[] | 'everything'): void {
  const idle = !gateway.remembered.pending;
  gateway.remembered.add(tags);
  if (idle) applyRemembered(gateway);
}

/** Before it leaves, what it owes is still told, if the store can be: for at most so long. */
const LAST_WORDS_MS = 1000;
const LAST_WORDS_LOOK_MS = 20;

/** Ends when nothing is remembered any more, or nobody can wait for it longer. */
export async function lastWords({ clock, remembered }: Gateway): Promise<void> {
  const end = clock.mono() + LAST_WORDS_MS;
  while (remembered.pending && clock.mono() < end) {
    await new Promise<void>((resolve) => void clock.after(LAST_WORDS_LOOK_MS, resolve));
  }
}

const JOINING: Known = { kind: 'unknown', because: 'store-joining' };

function applyRemembered(gateway: Gateway): void {
  const { clock, remembered, store } = gateway;
  const attempt = async (): Promise<void> => {
    const recalled = remembered.recall();
    if (recalled === undefined) return;
    const said = await store.control.touch({ tags: recalled.tags, then: 'done' });
    // What was added meanwhile is not forgotten with what has been touched.
    if (said.kind === 'said') remembered.forget(recalled);
    if (remembered.pending) again();
  };
  const again = (): void => {
    clock.after(REMEMBERED_AGAIN_AFTER_MS, () => void attempt().catch((error: unknown) => {
      gateway.ear.trouble('assertion', { error });
      again();
    }));
  };
  again();
}

/** The store's control part, of which nothing is trusted while something is remembered. */
export function guarded(control: Control, remembered: { readonly pending: boolean }): Control {
  const trusted = (known: Known): Known =>
    (known.kind === 'known' && remembered.pending ? JOINING : known);
  return {
    look(tags) {
      const known = control.look(tags);
      return known instanceof Promise ? known.then(trusted) : trusted(known);
    },
    mark: () => (remembered.pending ? undefined : control.mark?.()),
    intend: (id, tags) => control.intend(id, tags),
    abandon: (id) => control.abandon(id),
    touch: (touch) => control.touch(touch),
  };
}
