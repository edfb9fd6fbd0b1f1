// What stands in the control key, as the simulated server keeps it: lists of ids in order, and what
// the real one keeps in fields of its own. Copied whole for snapshots; never published from here.
import type { Epoch } from '../../src/core/entry/entry.ts';
import type { MemberId } from '../../src/flow/fleet/shared.ts';
import type { Touch } from '../../src/flow/ports.ts';

export interface StoredIntent {
  readonly owner: MemberId;
  readonly state: 'open' | 'unknown' | 'settling';
  readonly tags: Touch['tags'];
  readonly holdMs: number;
}

export interface Hash {
  /** Empty where only the step of every version has been here. */
  format: string;
  epoch: Epoch;
  /** Why. */
  begun: string;
  replid: string;
  /** The name by which it is young. */
  young: string | undefined;
  leaseMs: number;
  rules: string | undefined;
  seq: number;
  floor: number;
  count: number;
  members: MemberId[];
  /** Members that were removed and have not come back; told apart up to a bound. */
  missing: string;
  owners: MemberId[];
  readonly beats: Map<MemberId, number>;
  readonly touched: Map<string, number>;
  readonly intents: Map<string, StoredIntent>;
  /** Owner to the ids of its writes. */
  readonly writes: Map<MemberId, string[]>;
}

export function emptyHash(): Hash {
  return {
    format: '', epoch: '' as Epoch, begun: '', replid: '', young: undefined, leaseMs: 0,
    rules: undefined, seq: 0, floor: 0, count: 0, members: [], missing: '', owners: [],
    beats: new Map(), touched: new Map(), intents: new Map(), writes: new Map(),
  };
}

export function copyOf(hash: Hash): Hash {
  return {
    ...hash,
    members: [...hash.members],
    owners: [...hash.owners],
    beats: new Map(hash.beats),
    touched: new Map(hash.touched),
    intents: new Map(hash.intents),
    writes: new Map([...hash.writes].map(([owner, ids]) => [owner, [...ids]])),
  };
}

export function withId(list: string[] | undefined, id: string): string[] {
  if (list === undefined) return [id];
  return list.includes(id) ? list : [...list, id];
}

/** Takes an intent out, and out of the lists that name it. */
export function takeOut(hash: Hash, id: string): StoredIntent | undefined {
  const intent = hash.intents.get(id);
  if (intent === undefined) return undefined;
  const writes = (hash.writes.get(intent.owner) ?? []).filter((one) => one !== id);
  if (writes.length > 0) {
    hash.writes.set(intent.owner, writes);
  } else {
    hash.writes.delete(intent.owner);
    hash.owners = hash.owners.filter((owner) => owner !== intent.owner);
  }
  hash.intents.delete(id);
  return intent;
}

export function putIn(hash: Hash, id: string, intent: StoredIntent): void {
  takeOut(hash, id);
  hash.intents.set(id, intent);
  hash.writes.set(intent.owner, withId(hash.writes.get(intent.owner), id));
  hash.owners = withId(hash.owners, intent.owner);
}

export function forgetMember(hash: Hash, id: MemberId): void {
  hash.members = hash.members.filter((member) => member !== id);
  hash.beats.delete(id);
}

/** The epoch, then ` id=beat` for each member. */
export function rosterText({ epoch, members, beats }: Hash): string {
  let text: string = epoch;
  for (const id of members) text += ` ${id}=${beats.get(id) ?? ''}`;
  return text;
}

export function beatsOf({ members, beats }: Hash): Map<MemberId, string> {
  return new Map(members.map((id) => [id, String(beats.get(id) ?? '')]));
}

/** As the real one keeps it: ids between spaces, and a star where there were too many. */
export function withMissing(list: string, id: string): string {
  const one = list.length < 4000 ? id : '*';
  if (list === '') return ` ${one} `;
  return list.includes(` ${one} `) ? list : `${list}${one} `;
}

export function withoutMissing(list: string, id: string): string {
  const rest = list.replace(` ${id} `, ' ');
  return rest === ' ' ? '' : rest;
}
