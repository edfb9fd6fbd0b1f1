// What is kept of an answer of which only a part was fetched.
import { combined, completed } from '../core/entry/parts.ts';
import type { Kept, Key } from '../core/entry/entry.ts';
import type { Fields } from '../core/http/message.ts';
import { variantKey } from '../core/key/meaning.ts';
import { valid } from '../core/promise/validity.ts';
import type { Gateway } from './gateway.ts';

/** A part together with the one that is there; under `key` a whole answer once nothing lacks. */
export async function withParts(
  gateway: Gateway,
  { key, requestFields, bytesMax }: { key: Key; requestFields: Fields; bytesMax: number },
  kept: readonly Kept[],
): Promise<readonly Kept[]> {
  const entry = kept.at(-1)!;
  if (entry.kind !== 'answer' || entry.status !== 206) return kept;
  const before = await gateway.store.entries.get(entry.key);
  const known = await gateway.store.control.look(entry.tags);
  const there = before?.kind === 'answer' && known.kind === 'known'
    && valid(before, known).kind === 'valid';
  const joined = (there ? combined(before, entry, bytesMax) : undefined) ?? entry;
  const names = kept.flatMap((one) => (one.kind === 'vary' ? one.names : []));
  const whole = completed(joined, variantKey(key, names, requestFields));
  const rest = kept.slice(0, -1);
  if (whole === undefined) return [...rest, joined];
  return [...rest.map((one) => ({ ...one, key })), whole];
}
