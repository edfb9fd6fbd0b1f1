// What a client asks of caches (RFC 9111 §5.2.1), for operators who let it. It can only make a
// cache more careful: max-stale never lets anything out that the server's side doesn't.
import { parseCacheControl, pragmaNoCache } from './cache-control.ts';
import { type Fields, hasField } from './message.ts';

export interface ClientWants {
  /** no-cache, also as Pragma: nothing that wasn't asked for now. */
  readonly reload: boolean;
  readonly noStore: boolean;
  readonly onlyIfCached: boolean;
  /**
   * Whether the client takes an answer of this age and freshness lifetime. A client that asks for
   * nothing takes everything; whether something stale may be given is decided elsewhere.
   */
  acceptable(ageMs: number, freshMs: number): boolean;
}

const NOTHING: ClientWants = {
  reload: false, noStore: false, onlyIfCached: false, acceptable: () => true,
};

export function clientWants(requestFields: Fields): ClientWants {
  const reload = pragmaNoCache(requestFields);
  if (!hasField(requestFields, 'cache-control')) return reload ? { ...NOTHING, reload } : NOTHING;
  const asked = parseCacheControl(requestFields);
  const { maxAgeMs, minFreshMs, maxStaleMs } = asked;
  const particular = (maxAgeMs ?? minFreshMs ?? maxStaleMs) !== undefined;
  return {
    // RFC 9111 §5.2.1.4: "the client prefers that a stored response not be used to satisfy the
    // request without successful validation on the origin server."
    reload: asked.noCache !== false,
    noStore: asked.noStore,
    onlyIfCached: asked.onlyIfCached,
    acceptable(ageMs, freshMs) {
      if (!particular) return true;
      // §5.2.1.1: "the client prefers a response whose age is less than or equal to the specified
      // number of seconds. Unless the max-stale request directive is also present, the client does
      // not wish to receive a stale response."
      if (maxAgeMs !== undefined && ageMs > maxAgeMs) return false;
      // §5.2.1.3: "the client prefers a response whose freshness lifetime is no less than its
      // current age plus the specified time in seconds."
      if (minFreshMs !== undefined && freshMs - ageMs < minFreshMs) return false;
      // §5.2.1.2: "the client will accept a response that has exceeded its freshness lifetime by no
      // more than the specified number of seconds."
      return ageMs < freshMs || ageMs - freshMs <= (maxStaleMs ?? -1);
    },
  };
}
