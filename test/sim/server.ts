// The simulated store's control part: each step of `Steps` as one synchronous change of state, and
// what it publishes, in the order of the scripts that run inside the real one. A contract suite
// holds it to them. Knows no time and no network.
import type { Epoch, Seq } from '../../src/core/entry/entry.ts';
import type { Published } from '../../src/core/promise/replica.ts';
import type { Held } from '../../src/core/promise/touches.ts';
import type {
  Beats, Head, Intent, Joining, ListedIntent, LoadedPage, MemberId, Message, Renewed, Roster,
  Watched,
} from '../../src/flow/fleet/shared.ts';
import type { Touch } from '../../src/flow/ports.ts';
import {
  beatsOf, copyOf, emptyHash, forgetMember, type Hash, putIn, rosterText, takeOut, withId,
  withMissing, withoutMissing,
} from './control-hash.ts';

export interface Caller {
  readonly me: MemberId;
  readonly leaseMs: number;
  /** The id that a new epoch would get. */
  readonly fresh: string;
}

export type Reply<Said = unknown> =
  | { readonly kind: 'reply'; readonly head: Head; readonly said: Said }
  | { readonly kind: 'error'; readonly error: 'READONLY' | 'NEWER' };

/** To one member's own channel; to `touches`: to all who listen to touches. */
export type Publish = (to: MemberId, message: Message) => void;

export interface ServerOptions {
  readonly publish: Publish;
  /** Into how many pages a scan is cut. */
  readonly pages: number;
}

const FORMAT = '1';
const HEAD_OF_NONE = { member: false, young: undefined } as const;

export class ControlServer {
  role: 'primary' | 'replica' = 'primary';
  /** The history's id: `master_replid`. */
  replid = 'history-0';
  /** What else it tells of itself, and nothing can be bound to. */
  readonly about = { replid2: '', runId: 'run-0', failovers: 0, asked: 0 };
  hash: Hash | undefined;
  readonly #publish: Publish;
  readonly #pages: number;

  constructor({ publish, pages }: ServerOptions) {
    this.#publish = publish;
    this.#pages = pages;
  }

  get #history(): string {
    return this.replid;
  }

  snapshot(): Hash | undefined {
    return this.hash && copyOf(this.hash);
  }

  restore(hash: Hash | undefined): void {
    this.hash = hash && copyOf(hash);
  }

  join(caller: Caller, { rules, former, how }: Joining): Reply<Roster> {
    return this.#step(caller, (hash) => {
      const { me, leaseMs } = caller;
      let now = hash;
      if (!now.beats.has(me)) {
        if (how.kind === 'new-epoch' && how.roster === rosterText(now)) {
          now = this.#begin(caller, 'all-silent');
        } else if ((now.members.length === 0 && now.missing === '')
          || (how.kind === 'enter' && how.epoch === now.epoch)) {
          this.#distrust(now, rules);
          if (now.members.length === 0) now.young = caller.fresh;
          now.members = withId(now.members, me);
          now.beats.set(me, 1);
        }
      }
      if (now.beats.has(me)) {
        if (former !== undefined) {
          forgetMember(now, former);
          now.missing = withoutMissing(now.missing, former);
        }
        now.leaseMs = Math.max(now.leaseMs, leaseMs);
        now.rules = rules;
      }
      return { text: rosterText(now), beats: beatsOf(now) };
    });
  }

  renew(caller: Caller, nonce: string, rules: string | undefined): Reply<Renewed> {
    return this.#step(caller, (hash) => {
      const { me } = caller;
      const beat = hash.beats.get(me);
      if (beat !== undefined) {
        hash.beats.set(me, beat + 1);
        if (rules !== undefined) hash.rules = rules;
        const { epoch, seq } = hash;
        this.#publish(me, { kind: 'renewed', nonce, epoch, seq: seq as Seq });
      }
      const [steward] = hash.members;
      const beats: Beats = new Map(
        steward === undefined ? [] : [[steward, String(hash.beats.get(steward) ?? '')]]);
      return { steward, beats, intents: listed(hash, [me]), rules: hash.rules ?? '' };
    });
  }

  settle(caller: Caller, young: string): Reply {
    return this.#step(caller, (hash) => {
      if (hash.young === young) hash.young = undefined;
    });
  }

  leave(caller: Caller, rules: string): Reply {
    return this.#step(caller, (hash) => {
      this.#distrust(hash, rules);
      forgetMember(hash, caller.me);
    });
  }

  load(caller: Caller, cursor: string | undefined): Reply<LoadedPage> {
    return this.#step(caller, (hash) => {
      const page = Number(cursor ?? '0');
      const touched = [...hash.touched].filter(([tag]) => this.#pageOf(tag) === page);
      const held: Held[] = [];
      for (const [id, { state, tags }] of hash.intents) {
        if (state !== 'open' && this.#pageOf(id) === page) held.push({ id, tags });
      }
      const { floor, begun } = hash;
      return { floor, touched, held, next: this.#after(page), begun };
    });
  }

  intend(caller: Caller, id: string, tags: readonly string[]): Reply {
    return this.#step(caller, (hash) => {
      const former = hash.intents.get(id) ?? { state: 'open', tags, holdMs: 0 };
      putIn(hash, id, { ...former, owner: caller.me });
    });
  }

  abandon(caller: Caller, id: string): Reply {
    return this.#step(caller, (hash) => {
      const intent = takeOut(hash, id);
      if (intent === undefined || intent.state === 'open') return;
      this.#touch(hash, undefined, { intent: id, then: 'done', tags: [] });
    });
  }

  touch(caller: Caller, touch: Touch): Reply<{ members: Beats; remembered: number }> {
    return this.#step(caller, (hash) => {
      const { intent: id, tags, then, holdMs = 0 } = touch;
      this.#touch(hash, caller.me, touch);
      if (id !== undefined) {
        if (then === 'done') takeOut(hash, id);
        else putIn(hash, id, { owner: caller.me, state: then, holdMs, tags });
      }
      return { members: beatsOf(hash), remembered: hash.count };
    });
  }

  roster(caller: Caller): Reply<Watched> {
    return this.#step(caller, (hash) =>
      ({ beats: beatsOf(hash), intents: listed(hash, hash.owners) }));
  }

  take(caller: Caller, { id, owner }: ListedIntent, beat: string): Reply<Intent | undefined> {
    return this.#step(caller, (hash) => {
      const { me } = caller;
      const intent = hash.intents.get(id);
      if (intent?.owner !== owner) return undefined;
      if (owner !== me && String(hash.beats.get(owner) ?? '') !== beat) return undefined;
      const taken = { ...intent, owner: me, state: 'unknown' } as const;
      putIn(hash, id, taken);
      this.#touch(hash, undefined, { intent: id, then: 'unknown', tags: taken.tags });
      return { tags: taken.tags, holdMs: taken.holdMs };
    });
  }

  release(caller: Caller, id: string): Reply {
    return this.#step(caller, (hash) => {
      const intent = hash.intents.get(id);
      if (intent?.owner !== caller.me) return;
      takeOut(hash, id);
      const { tags } = intent;
      const refreshes = tags === 'everything' ? 0 : tags.length;
      this.#touch(hash, undefined, { intent: id, then: 'done', tags, refreshes });
    });
  }

  expel(caller: Caller, id: MemberId, beat: string): Reply {
    return this.#step(caller, (hash) => {
      if (id === caller.me) return;
      if (!hash.beats.has(id) || String(hash.beats.get(id)) !== beat) return;
      forgetMember(hash, id);
      hash.missing = withMissing(hash.missing, id);
    });
  }

  /** The first half of `prune`. */
  raise(caller: Caller, touchedMax: number): Reply {
    return this.#step(caller, (hash) => {
      if (hash.count <= touchedMax) return;
      const touches = [...hash.touched.values()].sort((one, other) => one - other);
      const median = touches[Math.max(1, Math.floor(touches.length / 2)) - 1];
      if (median !== undefined && median > hash.floor) hash.floor = median;
    });
  }

  /** Its second half, page by page: says the next one. */
  drop(caller: Caller, cursor: string): Reply<string | undefined> {
    return this.#step(caller, (hash) => {
      const page = Number(cursor);
      for (const [tag, seq] of [...hash.touched]) {
        if (seq > hash.floor || this.#pageOf(tag) !== page) continue;
        hash.touched.delete(tag);
        hash.count -= 1;
      }
      return this.#after(page);
    });
  }

  bump({ leaseMs }: Caller): Reply {
    if (this.role === 'replica') return { kind: 'error', error: 'READONLY' };
    const hash = this.hash ??= emptyHash();
    hash.seq += 1;
    hash.floor = hash.seq;
    const head = {
      ...HEAD_OF_NONE, epoch: hash.epoch, seq: hash.seq as Seq,
      leaseMs: hash.leaseMs === 0 ? leaseMs : hash.leaseMs,
    };
    return { kind: 'reply', head, said: null };
  }

  #step<Said>(caller: Caller, act: (hash: Hash) => Said): Reply<Said> {
    if (this.role === 'replica') return { kind: 'error', error: 'READONLY' };
    const found = this.hash;
    this.about.asked += 1;
    const ours = found?.replid === this.#history;
    if (ours && Number(found.format) > Number(FORMAT)) return { kind: 'error', error: 'NEWER' };
    const sound = ours && found.format === FORMAT;
    const said = act(sound ? found : this.#begin(caller, this.#why(found)));
    const { epoch, seq, young, leaseMs, beats } = this.hash!;
    const head = { epoch, seq: seq as Seq, member: beats.has(caller.me), young, leaseMs };
    return { kind: 'reply', head, said };
  }

  #why(found: Hash | undefined): string {
    if (found !== undefined && found.replid !== '' && found.replid !== this.#history) {
      return 'other-history';
    }
    return found === undefined || found.epoch === '' ? 'empty' : 'damaged';
  }

  #begin({ me, fresh, leaseMs }: Caller, why: string): Hash {
    const hash = emptyHash();
    this.hash = hash;
    hash.format = FORMAT;
    hash.epoch = fresh as Epoch;
    hash.begun = why;
    hash.replid = this.#history;
    hash.young = fresh;
    hash.leaseMs = leaseMs;
    hash.members = [me];
    hash.beats.set(me, 1);
    return hash;
  }

  /** Under other rules than those stored, writes may have gone by that reached what was kept. */
  #distrust(hash: Hash, rules: string): void {
    if (hash.rules === rules) return;
    this.#touch(hash, undefined, { then: 'done', tags: 'everything' });
  }

  #touch(hash: Hash, writer: MemberId | undefined, touch: Touch): void {
    const { intent, tags, then, refreshes = 0 } = touch;
    hash.seq += 1;
    if (tags === 'everything') {
      hash.floor = hash.seq;
    } else {
      for (const tag of tags) {
        if (!hash.touched.has(tag)) hash.count += 1;
        hash.touched.set(tag, hash.seq);
      }
    }
    const { epoch, seq } = hash;
    const told: Published = { epoch, seq: seq as Seq, writer, intent, tags, then, refreshes };
    this.#publish('touches', { kind: 'touched', touch: told });
  }

  #pageOf(field: string): number {
    let sum = 0;
    for (let i = 0; i < field.length; i += 1) sum = (sum * 31 + field.charCodeAt(i)) | 0;
    return Math.abs(sum) % this.#pages;
  }

  #after(page: number): string | undefined {
    return page + 1 < this.#pages ? String(page + 1) : undefined;
  }
}

function listed(hash: Hash, owners: readonly MemberId[]): ListedIntent[] {
  return owners.flatMap((owner) => (hash.writes.get(owner) ?? []).map((id) => ({ id, owner })));
}
