// The control part that instances share, as one of them reaches it: steps that are atomic in the
// store, and messages between instances that may get lost. Implemented over Redis in io/, and by
// the simulation; what is decided from it is decided in this room and in core.
import type { Epoch, Key, Seq } from '../../core/entry/entry.ts';
import type { Published } from '../../core/promise/replica.ts';
import type { Held } from '../../core/promise/touches.ts';
import type { StoreTrouble, Touch, TurnOrder } from '../ports.ts';

/** Unique to one life of one instance: whoever lapsed takes another. No spaces in it. */
export type MemberId = string;

/** What the store says with every answer. */
export interface Head {
  readonly epoch: Epoch;
  readonly seq: Seq;
  /** Whether the caller is a member. */
  readonly member: boolean;
  /**
   * By this name the store is young: it has just begun an epoch, or has been entered where nobody
   * was. Leases of before may run, and somebody may write who cannot reach it yet.
   */
  readonly young: string | undefined;
  /** The longest lease of all who joined this epoch. */
  readonly leaseMs: number;
}

export type Heard<Said = unknown> =
  | { readonly kind: 'heard'; readonly head: Head; readonly said: Said }
  /**
   * Perhaps carried out, perhaps not. `store-newer`: not, since a later version of everfresh keeps
   * it in a form that this one does not know.
   */
  | { readonly kind: 'failed'; readonly because: StoreTrouble | 'store-newer' };

/** Member to its beat; a beat is compared with itself only. */
export type Beats = ReadonlyMap<MemberId, string>;

/** All there is to know of the members, as text that is compared whole, and as beats. */
export interface Roster {
  readonly text: string;
  readonly beats: Beats;
}

export interface ListedIntent {
  readonly id: string;
  readonly owner: MemberId;
}

/** What is in an intent. */
export interface Intent {
  readonly tags: Touch['tags'];
  /** How long its owner wanted it held; 0 where nothing is said of it. */
  readonly holdMs: number;
}

/** Members with their beats, and writes under way with their owners. */
export interface Watched {
  readonly beats: Beats;
  readonly intents: readonly ListedIntent[];
}

/** The member that looks after the others, and the caller's own writes under way. */
export interface Renewed extends Watched {
  readonly steward: MemberId | undefined;
  /** Those that a member told last; empty where none has. */
  readonly rules: string;
}

export interface Joining {
  readonly rules: string;
  readonly leaseMs: number;
  /** The id that the caller had before: nobody needs to wait for it any more. */
  readonly former: MemberId | undefined;
  /**
   * `ask` enters where everybody left, and nobody is missing who was removed; `enter` if the epoch
   * is still this one; `new-epoch` begins one if the roster is still this one.
   */
  readonly how:
    | { readonly kind: 'ask' }
    | { readonly kind: 'enter'; readonly epoch: Epoch }
    | { readonly kind: 'new-epoch'; readonly roster: string };
}

/** Some of what is remembered of touches. */
export interface LoadedPage {
  readonly floor: number;
  readonly touched: readonly (readonly [tag: string, seq: number])[];
  readonly held: readonly Held[];
  /** Undefined with the last one. */
  readonly next: string | undefined;
  /**
   * Why the epoch was begun: the store was `empty`, has an `other-history` (restarted, or another
   * server took over), was `damaged`, or the members were `all-silent`.
   */
  readonly begun: string;
}

/** The first argument of each is who calls. Every step is safe when repeated, late or reordered. */
export interface Steps {
  /** The store takes something with it, whatever it answers. */
  join(me: MemberId, joining: Joining): Promise<Heard<Roster>>;
  /**
   * Moves the caller's beat and sends `renewed` to it. `rules`: where the store does not know them
   * yet. Fails where replicas of the store are there and none of them has it.
   */
  renew(me: MemberId, nonce: string, rules: string | undefined): Promise<Heard<Renewed>>;
  /** It is not young any more, if it is so by this name. */
  settle(me: MemberId, young: string): Promise<Heard>;
  leave(me: MemberId, rules: string): Promise<Heard>;
  load(me: MemberId, cursor: string | undefined): Promise<Heard<LoadedPage>>;
  /** Records a write before it is forwarded; one that is there already only changes its owner. */
  intend(me: MemberId, id: string, tags: readonly string[]): Promise<Heard>;
  abandon(me: MemberId, id: string): Promise<Heard>;
  /** `remembered`: how many touches are. */
  touch(me: MemberId, touch: Touch): Promise<Heard<{ members: Beats; remembered: number }>>;
  /** Every member, and every write under way. */
  roster(me: MemberId): Promise<Heard<Watched>>;
  /** Makes an intent the caller's and touches for it, if its owner's beat is still this one. */
  take(me: MemberId, intent: ListedIntent, beat: string): Promise<Heard<Intent | undefined>>;
  /** Touches for an intent and ends it, if it is the caller's. */
  release(me: MemberId, id: string): Promise<Heard>;
  /**
   * Removes another member if its beat is still this one. It is missing until it joins again.
   */
  expel(me: MemberId, id: MemberId, beat: string): Promise<Heard>;
  /** Forgets the oldest touches if there are more, raising the floor first. */
  prune(me: MemberId, touchedMax: number): Promise<Heard>;
  /**
   * Touches everything in the one way that every version understands, for a store that a later
   * version keeps in a form that this one does not know.
   */
  bump(me: MemberId): Promise<Heard>;
}

export type Message =
  | { readonly kind: 'touched'; readonly touch: Published }
  | { readonly kind: 'renewed'; readonly nonce: string; readonly epoch: Epoch; readonly seq: Seq }
  | { readonly kind: 'acked'; readonly by: MemberId; readonly epoch: Epoch; readonly seq: Seq }
  /** Who lives? */
  | { readonly kind: 'call'; readonly from: MemberId; readonly nonce: string }
  | { readonly kind: 'answer'; readonly nonce: string; readonly epoch: Epoch }
  /** A fetch that others waited for is over; `kept`: there is something to be found. */
  | { readonly kind: 'landed'; readonly key: Key; readonly kept: boolean };

/** What instances say to each other. */
export type Letter = Exclude<Message, { readonly kind: 'touched' | 'renewed' }>;

export interface Listener {
  /** All that is heard, in the order in which the store sent it. */
  message(message: Message): void;
  /** The store can be asked again. */
  up(): void;
  down(): void;
  /** What is sent is not heard any more, and some of it may have been missed. */
  deaf(): void;
}

/** Whose turn it is to fetch a key, kept beside the entries; each step is atomic. */
export interface TurnSteps {
  /**
   * Theirs: who has it will tell the caller of its end. Done: somebody kept what they fetched in
   * their turn, less than its time ago.
   */
  takeTurn(
    me: MemberId, key: Key, order: TurnOrder,
  ): Promise<'mine' | 'theirs' | 'done' | 'unknown'>;
  extendTurn(me: MemberId, key: Key, ms: number): Promise<void>;
  /**
   * Those who wait for it; nobody where the turn is not the caller's any more. Where something was
   * kept, that is remembered for `ms`.
   */
  endTurn(me: MemberId, key: Key, kept: boolean, ms: number): Promise<readonly MemberId[]>;
}

export interface Shared extends Steps, TurnSteps {
  /** Whether it is worth while to ask. */
  readonly up: boolean;
  /** Once, before anything else. */
  attach(listener: Listener): void;
  /** Hears touches, and what is sent to this member; true when from now on nothing is missed. */
  listen(me: MemberId): Promise<boolean>;
  /** May get lost without a word. */
  tell(to: MemberId, letter: Letter): void;
  close(): void;
}
