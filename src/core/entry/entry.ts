// What the cache keeps: an answer, what is needed to judge it again, and the recipe to fetch it
// again. Entries are immutable; a newer answer is a new entry.
import type { Fields } from '../http/message.ts';

declare const brand: unique symbol;
/** SHA-256 (base64url) over the length-prefixed parts of what a request means. */
export type Key = string & { readonly [brand]: 'key' };
/** A random id of one history of the store. */
export type Epoch = string & { readonly [brand]: 'epoch' };
/** Number of touches so far in an epoch. */
export type Seq = number & { readonly [brand]: 'seq' };

/** How to fetch an entry again, with nothing of its reader's but what is in its key. */
export interface Recipe {
  readonly kind: 'http';
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
  /** Of a QUERY, which is in the key by its digest. */
  readonly body?: Uint8Array;
  /** The pattern of the route whose rule made it. */
  readonly pattern: string;
  /** The path as matched, without the query. */
  readonly path: string;
  /** Set where `hosts` are configured: passed on as `Host`. */
  readonly host?: string;
  /** The client came by TLS, which the upstream is told; in the key, since answers may say it. */
  readonly secure?: true;
}

export interface Entry {
  readonly kind: 'answer';
  readonly key: Key;
  readonly epoch: Epoch;
  /** The seq that was known before the fetch began. */
  readonly asOf: Seq;
  readonly tags: readonly string[];
  readonly recipe: Recipe;
  readonly status: number;
  readonly reason: string;
  /** End-to-end fields as received. */
  readonly fields: Fields;
  readonly body: Uint8Array;
  /** Wall-clock milliseconds when the answer had arrived. */
  readonly receivedAt: number;
  /** RFC 9111 §4.2.3, corrected_initial_age, in milliseconds. */
  readonly initialAgeMs: number;
  /** RFC 9111 §4.2.1, freshness_lifetime, in ms, by the operator's word or the upstream's. */
  readonly freshMs: number;
  /** How long after that it may be given while it is fetched again, or when the upstream fails. */
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  /** What readers with credentials may do with it: RFC 9111 §3.5. */
  readonly shareable: 'everyone' | 'authorization' | 'no';
  readonly fetchMs: number;
  /** Of an answer that is one reader's: made from its content, told in place of the upstream's. */
  readonly clientEtag?: string;
  /** The upstream has said something else since: it can be asked about, and not be given. */
  readonly outdated?: true;
}

/** Stands at the key without request fields and says which fields tell the variants apart. */
export interface VaryMarker {
  readonly kind: 'vary';
  readonly key: Key;
  /** Lower-case names, sorted. */
  readonly names: readonly string[];
}

export type Kept = Entry | VaryMarker;
