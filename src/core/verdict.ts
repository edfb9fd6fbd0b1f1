// Every decision in the house is a verdict: what was decided, and because of what, from closed
// lists. One trace of verdicts feeds explain, Cache-Status, metrics and the log.

/** Why an answer came from the cache. */
export type HitBecause =
  'fresh' | 'stale-while-revalidate' | 'stale-if-error' | 'disconnected';

/** Why the cache had to ask the upstream, and then may keep the answer. */
export type MissBecause =
  | 'uri-miss' // nothing stands at this key
  | 'vary-miss' // only other variants do
  | 'touched' // a write ended what was kept
  | 'expired' // its time ended
  | 'recheck' // the upstream has not accepted this reader's credential lately
  | 'request'; // the client's Cache-Control asked for it

/** Why a read went around the cache. */
export type PassBecause =
  | 'mode-off'
  | 'observe'
  | 'no-rule'
  | 'safe-method' // OPTIONS, QUERY and others that are not cached
  | 'credentials'
  | 'quarantined' // the leak guard saw that its answers differ by reader
  | 'path-not-canonical'
  | 'request-body'
  | 'request-range'
  | 'request-no-store' // the client's Cache-Control asked for it
  | 'uncacheable-lately' // this key's last answer could not be kept
  | 'no-touchable-route' // a write that can reach nothing that is cached
  | 'internal'
  | StoreBecause;

/** Why the store could not help. */
export type StoreBecause = 'store-down' | 'store-joining' | 'store-slow';

/** Why an answer was given but not kept. */
export type NotKeptBecause =
  | 'upstream-no-store'
  | 'upstream-private'
  | 'upstream-no-cache'
  | 'upstream-set-cookie'
  | 'upstream-vary'
  | 'upstream-not-fresh' // no explicit freshness, and none may be assumed
  | 'status'
  | 'partial-answer'
  | 'event-stream'
  | 'too-large'
  | 'too-slow'
  | 'too-many-variants'
  | 'too-many-tags'
  | 'tag-not-computable'
  | 'request-no-store'
  | 'authorization'
  | 'held' // a write of unknown outcome, or one that settles
  | 'outrun' // a write came while it was fetched
  | 'broken-body'
  | StoreBecause;

/** Why a request was refused at the door. */
export type RefuseBecause =
  | 'bad-framing'
  | 'bad-target'
  | 'bad-host'
  | 'unknown-host'
  | 'bad-connection-field'
  | 'bad-upgrade'
  | 'method-not-allowed'
  | 'target-too-long'
  | 'too-many-parameters'
  | 'too-many-fields'
  | 'expectation'
  | 'too-many-writes'
  | 'store-down';

/** Why everfresh could not bring an answer. */
export type FailBecause =
  | 'upstream-refused'
  | 'upstream-timeout'
  | 'upstream-reset'
  | 'upstream-broken'
  | 'touch-unconfirmed'
  | 'only-if-cached'
  | 'internal';

export type Verdict =
  | { readonly kind: 'hit'; readonly because: HitBecause; readonly ttlMs: number }
  | {
      readonly kind: 'miss';
      readonly because: MissBecause;
      /** What became of the answer. */
      readonly kept: 'stored' | 'collapsed' | 'revalidated' | NotKeptBecause;
      readonly upstreamStatus?: number;
    }
  | {
      readonly kind: 'pass';
      readonly because: PassBecause;
      readonly kept?: 'stored' | NotKeptBecause;
    }
  | {
      readonly kind: 'write';
      readonly outcome: 'applied' | 'not-applied' | 'unknown';
      readonly refreshing: number;
    }
  | { readonly kind: 'refuse'; readonly because: RefuseBecause; readonly status: number }
  | { readonly kind: 'fail'; readonly because: FailBecause; readonly status: number };

/** In one word. A read that the store could not help with has passed the cache by. */
export function resultOf(verdict: Verdict): Verdict['kind'] {
  if (verdict.kind !== 'miss') return verdict.kind;
  return STORE.has(verdict.kept) ? 'pass' : 'miss';
}

const STORE: ReadonlySet<string> =
  new Set<StoreBecause>(['store-down', 'store-joining', 'store-slow']);
