// Looks aside: what stands at the key that a request means, and whether it may be used by the rule
// of validity. Answers at once where store and control are in memory.
import type { Entry, Kept, Key } from '../core/entry/entry.ts';
import { reuse } from '../core/entry/reusing.ts';
import { type Cacheable, variantKey } from '../core/key/meaning.ts';
import { valid } from '../core/promise/validity.ts';
import type { MissBecause } from '../core/verdict.ts';
import type { Gateway } from './gateway.ts';
import type { Known } from './ports.ts';

export interface Found {
  /** No older than the reader's begin, no newer than what was read of the entry. */
  readonly known: Known;
  readonly key: Key;
  /** By which fields the variants of this key are told apart. */
  readonly names: readonly string[];
  readonly entry: Entry | undefined;
  readonly standing: 'none' | 'valid' | 'touched';
  because: MissBecause;
}

export function lookAside(gateway: Gateway, meaning: Cacheable): Found | Promise<Found> {
  const { entries, control } = gateway.store;
  const known = control.look(meaning.tags);
  const kept = entries.get(meaning.key);
  const at: Place = { key: meaning.key, names: [] };
  if (known instanceof Promise || kept instanceof Promise) {
    return Promise.all([known, kept])
      .then(([k, e]) => judge(gateway, meaning, { ...at, known: k, kept: e }));
  }
  return judge(gateway, meaning, { ...at, known, kept });
}

interface Place {
  readonly key: Key;
  readonly names: readonly string[];
}

type Sight = Place & { readonly known: Known; readonly kept: Kept | undefined };

function judge(gateway: Gateway, meaning: Cacheable, sight: Sight): Found | Promise<Found> {
  const { known, kept, names } = sight;
  if (kept?.kind === 'vary') {
    // A variant is never itself a marker: its key is made of the marker's names.
    if (names.length > 0) return nothing(sight, 'vary-miss');
    const variant = variantKey(meaning.key, kept.names, meaning.telling);
    const next = { ...sight, key: variant, names: kept.names };
    const entry = gateway.store.entries.get(variant);
    if (entry instanceof Promise) {
      return entry.then((found) => judge(gateway, meaning, { ...next, kept: found }));
    }
    return judge(gateway, meaning, { ...next, kept: entry });
  }
  if (kept === undefined) return nothing(sight, names.length > 0 ? 'vary-miss' : 'uri-miss');
  if (known.kind === 'unknown') return nothing(sight, 'uri-miss');
  // Tags beyond those that follow from the request could not be asked for before.
  if (kept.tags.length > meaning.tags.length || meaning.searched === true) {
    const all = gateway.store.control.look(tagsFor(kept, meaning));
    if (all instanceof Promise) {
      return all.then((now) => lookBeyond(gateway, meaning, stand(sight, kept, now, meaning)));
    }
    return lookBeyond(gateway, meaning, stand(sight, kept, all, meaning));
  }
  return lookBeyond(gateway, meaning, stand(sight, kept, known, meaning));
}

/** By which what is kept is judged for a reader: also by those of the reader's own query. */
export function tagsFor({ tags }: Entry, meaning: Cacheable): readonly string[] {
  return meaning.searched === true ? [...new Set([...tags, ...meaning.tags])] : tags;
}

/** What another instance has fetched since may stand further away. */
function lookBeyond(
  gateway: Gateway, meaning: Cacheable, near: Found,
): Found | Promise<Found> {
  const { entries, control } = gateway.store;
  const { entry } = near;
  if (entries.beyond === undefined || entry === undefined) return near;
  const wornOut = near.standing === 'touched'
    || reuse(entry, meaning.rule, undefined, gateway.clock.now()).kind === 'no';
  if (!wornOut) return near;
  return entries.beyond(near.key).then(async (kept) => {
    if (kept?.kind !== 'answer' || !isNewer(kept, entry)) return near;
    const known = await control.look(tagsFor(kept, meaning));
    if (known.kind === 'unknown' || !stands(kept, known, meaning)) return near;
    return { ...near, entry: kept, standing: 'valid' };
  });
}

// Known of more writes, or of as many and fetched later.
function isNewer(one: Entry, other: Entry): boolean {
  if (one.epoch !== other.epoch || one.asOf > other.asOf) return true;
  return one.asOf === other.asOf && one.receivedAt > other.receivedAt;
}

function stand(sight: Sight, entry: Entry, known: Known, meaning: Cacheable): Found {
  if (known.kind === 'unknown') return nothing({ ...sight, known }, 'uri-miss');
  const standing = stands(entry, known, meaning) ? 'valid' : 'touched';
  const { key, names } = sight;
  // What a fill is judged by is what was known first: its seq is the older of the two.
  return { known: sight.known, key, names, entry, standing, because: 'touched' };
}

// What is held is not kept for who asks so, but another's query may have brought it.
function stands(
  entry: Entry, known: Extract<Known, { kind: 'known' }>, { searched }: Cacheable,
): boolean {
  return valid(entry, known).kind === 'valid' && !(searched === true && known.held);
}

function nothing({ known, key, names }: Sight, because: MissBecause): Found {
  return { known, key, names, entry: undefined, standing: 'none', because };
}
