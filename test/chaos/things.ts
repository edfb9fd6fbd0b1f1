// What the upstream of a run holds: fifty items, each in one list of its own, the first ten also in
// the last list. Both sides of a run know this: who serves it, and who asks for it and writes it.

export const ITEMS = 50;
export const LISTS = 10;
/** The items that are asked for most are shown together here. */
export const FRONT_LIST = LISTS - 1;
const FRONT_ITEMS = 10;

/** The list that an item is in, besides the front one. */
export function listOf(id: number): number {
  return id % FRONT_LIST;
}

export function itemsOf(list: number): number[] {
  const all = Array.from({ length: ITEMS }, (_, id) => id);
  if (list === FRONT_LIST) return all.slice(0, FRONT_ITEMS);
  return all.filter((id) => listOf(id) === list);
}

/** Everything that readers share, what is asked for most first. */
export function sharedPaths(): string[] {
  const items = Array.from({ length: ITEMS }, (_, id) => `/items/${id}`);
  // Lists stand among the items, so that both are asked for often and seldom.
  for (let list = 0; list < LISTS; list += 1) {
    items.splice(list * 5, 0, `/lists/${(list + FRONT_LIST) % LISTS}`);
  }
  return items;
}
