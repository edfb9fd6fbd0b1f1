// Two rooms for entries, one near and one far: looks near first, then far, and puts into both. Does
// not judge: whether what it finds may be used is asked of the control part, each time.
import type { Kept, Key } from '../core/entry/entry.ts';
import type { Entries } from '../flow/ports.ts';

export interface TieredEntries extends Entries {
  /** Looks far only: for a reader who found that what stands near is no longer valid. */
  beyond(key: Key): Promise<Kept | undefined>;
}

export function tieredEntries(near: Entries, far: Entries): TieredEntries {
  async function beyond(key: Key): Promise<Kept | undefined> {
    const found = await far.get(key);
    if (found !== undefined) await near.put(found);
    return found;
  }
  return {
    ...(near.slot && { slot: (key: Key) => near.slot?.(key) }),
    beyond,
    get(key) {
      const found = near.get(key);
      if (found instanceof Promise) return found.then((kept) => kept ?? beyond(key));
      return found ?? beyond(key);
    },
    // The far room bounds its own wait, so that whoever puts waits no longer than its budget.
    async put(kept) {
      await near.put(kept);
      await far.put(kept);
    },
  };
}
