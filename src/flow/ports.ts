// The world as the stories see it: the clock, the upstream, the store, the ear that listens. Every
// implementation stands in io/ (or in a test); nothing here does anything.
import type { Entry, Epoch, Kept, Key, Seq } from '../core/entry/entry.ts';
import type { Fields, RequestHead, ResponseHead } from '../core/http/message.ts';
import type { Claims } from '../core/key/reader.ts';
import type { Identity, Route } from '../core/rules/config.ts';

/** Chunks in order; ends by returning, breaks by throwing `Broken`. Leaving early cancels it. */
export interface ByteStream extends AsyncIterable<Uint8Array> {
  /** Takes all of it at once, if it has come already; it is over then. */
  readonly whole?: () => Uint8Array | undefined;
}

/** Thrown by a stream whose other side went away or took too long. */
export class Broken extends Error {
  override readonly name = 'Broken';
  readonly because: FetchFailure;
  constructor(because: FetchFailure, options?: ErrorOptions) {
    super(because, options);
    this.because = because;
  }
}

export type FetchFailure = 'refused' | 'timeout' | 'reset' | 'broken' | 'aborted';

/** Tells once that a client went away, as an AbortSignal does. */
export interface Gone {
  readonly aborted: boolean;
  addEventListener(type: 'abort', callback: () => void): void;
  removeEventListener(type: 'abort', callback: () => void): void;
}

/** A request as it came through the door. */
export interface Incoming extends RequestHead {
  readonly id: string;
  readonly scheme: 'http' | 'https';
  /** The client's authority, as `Host` says it. */
  readonly authority: string;
  /** The address of who is connected. */
  readonly peer: string;
  /** The client's address: the peer's, or what the trusted proxies before it say. */
  readonly remote: string;
  /** The name that its client called a trusted proxy by, where the proxy says so. */
  readonly calledAs?: string;
  /** The peer is a proxy in front that the operator trusts. */
  readonly peerTrusted: boolean;
  readonly httpVersion: string;
  /** Undefined where the request has no body. */
  readonly body: ByteStream | undefined;
  /** When the client goes away. */
  readonly gone: Gone;
  /** Passes a 1xx answer on. */
  readonly inform: (status: number, fields: Fields) => void;
}

/** What goes back to the client: bytes that are all here, or a stream. */
export interface Answer extends ResponseHead {
  readonly body: Uint8Array | ByteStream | undefined;
  /** Read after the stream has ended. */
  readonly trailers?: () => Fields;
  /** Nothing more may be read from this client's connection. */
  readonly close?: boolean;
}

export interface Clock {
  /** Wall-clock milliseconds. */
  now(): number;
  /** Monotonic milliseconds. */
  mono(): number;
  /** Calls back after `ms`; the returned function takes it back. */
  after(ms: number, callback: () => void): () => void;
  /** Calls back when what is at hand has been done. */
  soon(callback: () => void): void;
}

/** What the upstream is asked. */
export interface Fetch extends RequestHead {
  readonly body: ByteStream | Uint8Array | undefined;
  /** Which upstream: the route's own, or the file's. */
  readonly route: Route | undefined;
  /** Safe requests are tried once more when a reused connection closes before any byte came. */
  readonly safe: boolean;
  readonly signal?: Gone;
  readonly inform?: (status: number, fields: Fields) => void;
  /** Bounds the whole exchange, in milliseconds. */
  readonly deadlineMs?: number;
  readonly cause: FetchCause;
}

export type FetchCause = 'miss' | 'refresh' | 'revalidate' | 'pass' | 'write' | 'warm'
  | 'leak-guard';

export type Fetched =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly reason: string;
      readonly fields: Fields;
      readonly body: ByteStream;
      /** Read after the body has ended. */
      readonly trailers: () => Fields;
    }
  /** `sent`: whether the upstream may have seen a byte of the request. */
  | { readonly kind: 'failed'; readonly because: FetchFailure; readonly sent: boolean };

export interface Upstream {
  fetch(request: Fetch): Promise<Fetched>;
}

/** What is known of touches, no older than the moment the question was asked. */
export type Known =
  | {
      readonly kind: 'known';
      readonly epoch: Epoch;
      readonly seq: Seq;
      /** The newest touch of any of the tags that were asked for; the floor where there is none. */
      readonly newest: Seq;
      /** Some write of unknown outcome, or one that settles, has one of the tags. */
      readonly held: boolean;
    }
  | { readonly kind: 'unknown'; readonly because: StoreTrouble };

export type StoreTrouble = 'store-down' | 'store-joining' | 'store-slow';

/** What the control part said to a write's step. */
export type Said =
  | { readonly kind: 'said'; readonly epoch: Epoch; readonly seq: Seq }
  | { readonly kind: 'unsaid'; readonly because: StoreTrouble };

export type IntentState = 'open' | 'unknown' | 'settling';

export interface Touch {
  /** The intent that this touch ends, or keeps in another state. */
  readonly intent?: string;
  readonly tags: readonly string[] | 'everything';
  /** What becomes of the intent: gone, or held until it is touched again. */
  readonly then: 'done' | 'unknown' | 'settling';
  /** How long from now its writer means to hold it, for whoever has to end it in its place. */
  readonly holdMs?: number;
  /**
   * How many of the tags, the first ones, are to be fetched again where they are in use; the others
   * only become invalid. None unless told.
   */
  readonly refreshes?: number;
}

/** Epochs, touches and intents: promise.md's control part. Safe to repeat, late or reordered. */
export interface Control {
  look(tags: readonly string[]): Known | Promise<Known>;
  /**
   * The same object for as long as every look is answered as before; undefined where one has to
   * look.
   */
  mark?(): object | undefined;
  intend(id: string, tags: readonly string[]): Promise<Said>;
  /** The write was not applied. */
  abandon(id: string): Promise<Said>;
  touch(touch: Touch): Promise<Said>;
}

/** An entry with a place for what is made of it. */
export interface Slot {
  /** Undefined once it stands there no more. */
  readonly kept: Kept | undefined;
  made?: unknown;
  /** It may be held by whoever found it, since it says when it stands there no more. */
  readonly lasts: boolean;
  /** `kept`, as if its key had been asked for. */
  use(): Kept | undefined;
}

/** Where entries stand. Losing one is harmless; an older `asOf` never replaces a newer one. */
export interface Entries {
  get(key: Key): Kept | undefined | Promise<Kept | undefined>;
  /** What stands nearest, with a place for what is made of it. */
  slot?(key: Key): Slot | undefined | Promise<Slot | undefined>;
  /** Looks past what stands nearest, for whoever found that it is no longer valid. */
  beyond?(key: Key): Promise<Kept | undefined>;
  put(kept: Kept): void | Promise<void>;
}

export interface TurnOrder {
  readonly epoch: Epoch;
  /** What is known before the fetch. */
  readonly asOf: Seq;
  /** The newest touch that the fetch has to follow. */
  readonly newest: Seq;
  /** It ends by itself after so long, unless it is extended. */
  readonly ms: number;
  /** What came of a turn that is just over is known, and not enough. */
  readonly anew: boolean;
}

/** How a turn ended, as those who waited were told, or that they heard nothing in its time. */
export type Ending = 'kept' | 'unkept' | 'unheard';

export type Turn =
  | { readonly kind: 'mine' }
  /** Of somebody who knew of all touches up to `newest`; perhaps just over. */
  | { readonly kind: 'theirs'; readonly ended: Promise<Ending> }
  /** Nobody could be asked. */
  | { readonly kind: 'unknown' };

/**
 * Whose turn it is to fetch what several instances lack. An economy only: whoever cannot ask, or
 * has waited for its time, fetches as well, and no entry is used for having been waited for.
 */
export interface Turns {
  take(key: Key, order: TurnOrder): Promise<Turn>;
  extend(key: Key, ms: number): Promise<void>;
  /**
   * It is over; those who wait for it, and who come within `ms`, are told whether there is
   * something to be found.
   */
  end(key: Key, kept: boolean, ms: number): Promise<void>;
}

/** Readers of whom something may be kept, by their tags, for all instances to know. */
export interface KnownReaders {
  /** False where the store could not be told: then nothing may be given to this reader. */
  note(tag: string, note: ReaderNote): Promise<boolean>;
  /** Undefined where nobody could be asked. */
  known(tag: string): Promise<boolean | undefined>;
  /** What it showed, for who can read it. */
  sealed(tag: string): Promise<string | undefined>;
  /** From now on it stands there no more, until somebody trusts it anew. */
  forget(tag: string): Promise<void>;
}

export interface ReaderNote {
  /** As long as something that is kept for it may live. */
  readonly forMs: number;
  /** If it was said so lately, it need not be said again. */
  readonly againMs: number;
  readonly sealed?: { readonly text: string; readonly forMs: number } | undefined;
}

/** Texts for the store that only who has the key can read, or make, under the same name. */
export interface Sealing {
  readonly seal: (name: string, text: string) => string;
  readonly open: (name: string, sealed: string) => string | undefined;
}

/** Signed tokens, whose verification takes a while. */
export interface Tokens {
  /** What is known of it now: its claims, why it is no good, or that it has to be verified. */
  look(identity: Identity, token: string): Claims | { readonly bad: string } | 'unknown';
  /** From then on it is known. Never rejects. */
  verify(identity: Identity, token: string): Promise<void>;
  /** Has the keys of these brought, so that it is told early where they cannot be had. */
  prepare(identities: readonly Identity[]): void;
}

export interface StoreState {
  readonly kind: 'memory' | 'redis';
  readonly state: 'ready' | 'joining' | 'down';
  /** Why it is down. */
  readonly because?: string;
}

/** It went down; or it may be used, after it could not, or in another epoch than before. */
export type StoreNews =
  | { readonly state: 'down'; readonly because?: string }
  /** `begun`: why the epoch was. */
  | { readonly state: 'ready'; readonly epoch: Epoch; readonly begun: string };

/** A write whose instance is gone, touched for it, and to be touched again later. */
export interface Swept {
  /** The id that its instance had in the store. */
  readonly owner: string;
  readonly tags: number | 'everything';
  /** What it reaches is kept out of the cache for so long. */
  readonly heldMs: number;
}

/** Control and entries of one store, with its life. */
export interface Store {
  readonly control: Control;
  readonly entries: Entries;
  /** Where several instances share it. */
  readonly turns?: Turns;
  readonly readers?: KnownReaders;
  state(): StoreState;
  /** What others touched, and what was touched for those who are gone, is to be fetched again. */
  onTouched(callback: (tags: readonly string[]) => void): void;
  /** Calls back when a write that nobody looked after any more was touched for its owner. */
  onSwept(callback: (swept: Swept) => void): void;
  onNews(callback: (news: StoreNews) => void): void;
  /** The longest lease that anybody may hold on what is kept here; 0 where there are none. */
  leaseMsMax(): number;
  /** When its control part last took something of this instance's, in monotonic milliseconds. */
  wroteAt(): number;
  /** The rules in force are others, by their hash; what they make readable has been touched. */
  rules?(hash: string): void;
  /**
   * Leaves; `clean` where no touch is owed, so that whoever comes next may trust what was kept.
   */
  close(how: { readonly clean: boolean }): Promise<void>;
}

/** Where events are counted and told; every call returns at once and never throws. */
export interface Ear {
  upstreamRequest(
    cause: FetchCause,
    pattern: string,
    ms: number,
    result: number | FetchFailure,
  ): void;
  touched(tags: number | 'everything'): void;
  refreshed(pattern: string, result: RefreshResult): void;
  /** What was kept for one reader has been ended. */
  readerEnded(identity: string, because: 'refused' | 'forgotten'): void;
  /** What all share of a route was compared for two readers. */
  guarded(pattern: string, result: 'same' | 'other' | 'unclear' | 'failed'): void;
  backlog(waiting: number, running: number): void;
  kept(entry: Entry): void;
  store(news: StoreNews): void;
  trouble(what: Trouble, detail: Record<string, unknown>): void;
}

export type RefreshResult =
  | 'kept' | 'not-modified' | 'not-kept' | 'failed' | 'fresh-already' | 'outrun'
  | 'no-credential';

export type Trouble =
  'assertion' | 'store' | 'touch-unconfirmed' | 'not-kept' | 'refresh-failed' | 'swept' | 'config'
  | 'worker' | 'tokens' | 'leak' | 'service-refused';
