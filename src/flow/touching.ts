// Tells the store of a write's steps, and keeps the promise when the store cannot be told: tries
// for one lease, so that nobody else can still trust what they hold, and then remembers. As long as
// anything is remembered, this instance uses nothing of the cache.
import type { Gateway, Outage } from './gateway.ts';
import type { Control, Known, Said, Touch } from './ports.ts';

/** A little more than a lease, for clocks that differ in their pace. */
const LEASE_MARGIN = 1.25;
const AGAIN_AFTER_MS = 50;
const REMEMBERED_AGAIN_AFTER_MS = 200;

/** Tries until it is said, or one lease has passed since the outage's first failure. */
export async function persist(gateway: Gateway, say: () => Promise<Said>): Promise<Said> {
  const { clock, outage, store } = gateway;
  const graceMs = Math.max(gateway.live.config.leaseMs, store.leaseMsMax()) * LEASE_MARGIN;
  // An outage that nobody noticed the end of is over.
  if (store.state().state === 'ready') outage.since = undefined;
  for (;;) {
    const begun = clock.mono();
    const said = await say();
    if (said.kind === 'said') return said;
    outage.since ??= begun;
    if (clock.mono() - outage.since >= graceMs) return said;
    await new Promise<void>((resolve) => void clock.after(AGAIN_AFTER_MS, resolve));
  }
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

/**
 * The store's control part, of which nothing is trusted while something is remembered. Whatever it
 * says ends an outage.
 */
export function guarded(
  control: Control,
  remembered: { readonly pending: boolean },
  outage: Outage,
): Control {
  const joining: Known = { kind: 'unknown', because: 'store-joining' };
  const heard = async (asked: Promise<Said>): Promise<Said> => {
    const said = await asked;
    if (said.kind === 'said') outage.since = undefined;
    return said;
  };
  return {
    look: (tags) => (remembered.pending ? joining : control.look(tags)),
    intend: (id, tags) => heard(control.intend(id, tags)),
    abandon: (id) => heard(control.abandon(id)),
    touch: (touch) => heard(control.touch(touch)),
  };
}
