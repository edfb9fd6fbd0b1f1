// What the stories share: the configuration in force, the world through its ports, and who reads
// what. Composed once; a reload replaces `live` as a whole.
import type { Key } from '../core/entry/entry.ts';
import type { Ledger } from '../core/plan/ledger.ts';
import type { Finder } from '../core/plan/reach.ts';
import type { Fields } from '../core/http/message.ts';
import type { Readers } from '../core/key/reader.ts';
import type { Config, Identity, Mode } from '../core/rules/config.ts';
import type { Outage } from '../core/promise/outage.ts';
import type { Verdict } from '../core/verdict.ts';
import type { Flights } from './flights.ts';
import type { Quarantine } from './quarantine.ts';
import type { People } from './people.ts';
import type {
  Answer, ByteStream, Clock, Ear, Incoming, Sealing, Store, Tokens, Upstream,
} from './ports.ts';
import type { Remembered } from './remembered.ts';
import type { Refresher } from './refresher.ts';
import type { Lately } from './lately.ts';
import type { Searches } from './searches.ts';

export interface Live {
  readonly config: Config;
  readonly finder: Finder;
  /** Whether a peer is a proxy in front whose word about its clients is believed. */
  readonly trusts: (address: string) => boolean;
  /** How readers are told apart. */
  readonly readers: Readers;
  /** A request's fields without those that say who a reader is, and are not this peer's to set. */
  readonly believedFrom: (fields: Fields, peer: string) => Fields;
  /** Identities of which a request of this method and path ends a credential. */
  readonly forgets: (method: string, path: string) => readonly Identity[];
}

export interface Gateway {
  live: Live;
  mode: Mode;
  readonly clock: Clock;
  readonly upstream: Upstream;
  readonly store: Store;
  readonly ear: Ear;
  readonly ledger: Ledger;
  readonly flights: Flights;
  readonly searches: Searches;
  readonly refresher: Refresher;
  readonly people: People;
  readonly tokens: Tokens;
  /** For credentials in the store, where that is wanted. */
  readonly sealing: Sealing | undefined;
  readonly quarantine: Quarantine;
  /** People who are known are looked through from time to time. */
  sweeping: boolean;
  /** Keys whose last answer could not be kept, so that nobody queues for them. */
  readonly uncacheable: Lately<Key>;
  /** New variants of each route in the running minute. */
  readonly newVariants: Lately<string>;
  readonly remembered: Remembered;
  /** The store's, as the writes see it; shared by all, so that only the first ones wait. */
  readonly outage: Outage;
  /** Writes under way, in all and by client address; `held`: over, and to be touched once more. */
  readonly writers: { all: number; held: number; readonly byClient: Map<string, number> };
  /** Makes an id that nobody can guess. */
  readonly newId: () => string;
}

/** A request that came through the door. */
export interface Asked extends Omit<Incoming, 'body'> {
  /** Bytes where it is here already. */
  readonly body: ByteStream | Uint8Array | undefined;
  readonly path: string;
  readonly query: string | undefined;
  readonly hasBody: boolean;
}

/** An answer with what was decided on the way. */
export interface Told {
  readonly answer: Answer;
  readonly verdict: Verdict;
  /** The route's pattern, for metrics and the log. */
  readonly pattern: string | undefined;
}
