// Says in Cache-Status (RFC 9211) what was decided, and explains every reason that there is. The
// verdict is made elsewhere; docs/headers.md has the same reasons for people.
import type {
  FailBecause, HitBecause, MissBecause, NotKeptBecause, PassBecause, RefuseBecause, Verdict,
} from '../verdict.ts';

export type Reason =
  | HitBecause | MissBecause | PassBecause | NotKeptBecause | RefuseBecause | FailBecause
  | 'refreshing' | 'not-applied' | 'outcome-unknown';

/** everfresh's own member of Cache-Status; to be appended after those of others. */
export function cacheStatus(verdict: Verdict): string {
  return `everfresh; ${parameters(verdict)}`;
}

function parameters(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'hit': {
      // RFC 9211 §2.4: the remaining freshness lifetime in whole seconds, negative once stale.
      const hit = `hit; ttl=${Math.floor(verdict.ttlMs / 1000)}`;
      return verdict.because === 'fresh' ? hit : `${hit}; ${detail(verdict.because)}`;
    }
    case 'miss':
      return miss(verdict);
    case 'pass':
      return pass(verdict);
    case 'write':
      // RFC 9211 §2.2, method: "The request method's semantics require the request to be
      // forwarded."
      return `fwd=method; ${writeDetail(verdict)}`;
    case 'refuse':
    case 'fail':
      return detail(verdict.because);
  }
}

// RFC 9211 §2.2: what of the request made it go forward.
const FORWARDED = {
  'uri-miss': 'uri-miss',
  'vary-miss': 'vary-miss',
  touched: 'stale',
  expired: 'stale',
  recheck: 'request',
  request: 'request',
} as const satisfies Record<MissBecause, string>;

function miss({ because, kept, upstreamStatus }: Extract<Verdict, { kind: 'miss' }>): string {
  const said: string[] = [`fwd=${FORWARDED[because]}`];
  let reason: Reason | undefined =
    because === 'touched' || because === 'recheck' ? because : undefined;
  if (kept === 'revalidated') {
    // RFC 9211 §2.3: fwd-status "indicates which status code the next-hop server returned".
    said.push(`fwd-status=${upstreamStatus ?? 304}`, 'stored');
  } else if (kept === 'stored' || kept === 'collapsed') {
    said.push(kept);
  } else {
    reason = kept;
    // What the upstream forbids to keep, or no store can, is as if there were no cache.
    if (/^(?:upstream|store)-/.test(kept)) said[0] = 'fwd=bypass';
  }
  if (reason !== undefined) said.push(detail(reason));
  return said.join('; ');
}

function pass({ because, kept }: Extract<Verdict, { kind: 'pass' }>): string {
  const forwarded = because === 'safe-method' ? 'fwd=method' : 'fwd=bypass';
  if (kept === 'stored') return `${forwarded}; stored; ${detail(because)}`;
  // What couldn't be kept lately is told by what kept it from being kept this time.
  const reason = because === 'uncacheable-lately' ? (kept ?? because) : because;
  return `${forwarded}; ${detail(reason)}`;
}

function writeDetail({ outcome, refreshing }: Extract<Verdict, { kind: 'write' }>): string {
  if (outcome === 'applied') return `detail="refreshing=${refreshing}"`;
  return detail(outcome === 'unknown' ? 'outcome-unknown' : 'not-applied');
}

function detail(reason: Reason): string {
  return `detail="${reason}"`;
}

/** Each reason in one sentence. */
export const REASONS: Readonly<Record<Reason, string>> = {
  // hits
  'fresh': 'The kept answer is fresh.',
  'stale-while-revalidate': 'The kept answer is stale; it is given while it is fetched again.',
  'stale-if-error': 'The kept answer is stale; it is given because the upstream failed.',
  'disconnected': 'The kept answer is stale; it is given because nobody reaches the upstream.',
  // misses
  'uri-miss': 'Nothing is kept for this request.',
  'vary-miss': 'Only answers to requests with other field values are kept.',
  'touched': 'A write, or the end of its reader, has ended what was kept.',
  'expired': 'What was kept is no longer fresh.',
  'recheck': "The upstream has not accepted this reader's credential lately: it is asked again.",
  'request': "The client's Cache-Control or Pragma asked for the upstream's answer.",
  // passes
  'mode-off': 'The mode is off: everything goes straight through.',
  'observe': 'The mode is observe: everything goes straight through, and is only judged.',
  'no-rule': 'No route of the file names this path and method.',
  'safe-method': 'Answers to this method are not cached.',
  'credentials': 'The request says who is asking, and nothing says that the answer may be shared.',
  'quarantined':
    'Answers of this route that all should share were seen to differ by who asks.',
  'path-not-canonical': 'The path is spelt in a way that may mean the same as another one.',
  'request-body': 'A read with a body is not answered from the cache.',
  'request-range':
    'The request asks for a part of a version that the client names, which is not kept.',
  'uncacheable-lately': "This request's last answer could not be kept.",
  'no-touchable-route': 'The write reaches nothing that is cached.',
  'internal': 'everfresh ran into a fault of its own, which is counted and logged.',
  'store-down': 'The store is unreachable.',
  'store-joining': 'This instance has no lease on the store yet, or has lost it.',
  'store-slow': "The store took longer than one request's time for it.",
  // answers that are not kept
  'upstream-no-store': "The upstream's Cache-Control says no-store.",
  'upstream-private': "The upstream's Cache-Control says private.",
  'upstream-no-cache': "The upstream's Cache-Control says no-cache, and there is no validator.",
  'upstream-set-cookie': 'The answer sets a cookie.',
  'upstream-vary': 'The answer varies by everything, or by too much, or its Vary is unreadable.',
  'upstream-not-fresh':
    'Nothing says that the answer is fresh for any time, nor may that be assumed.',
  'status': 'Answers of this status are not kept.',
  'partial-answer': 'The answer is not whole.',
  'event-stream': 'An event stream has no end.',
  'too-large': 'The body is larger than max_body.',
  'too-slow': 'The body was not whole ten seconds after its head.',
  'too-many-variants': 'The route has as many variants as it may have, or too many new ones.',
  'too-many-tags': 'The answer has more tags than an entry may have.',
  'tag-not-computable': 'A tag of the route cannot be computed from this answer.',
  'request-no-store': "The client's Cache-Control says no-store.",
  'authorization': 'The request says who is asking, and the answer does not say it may be shared.',
  'held': 'A write whose outcome is unknown, or that still settles, may have changed it.',
  'outrun': 'A write came while the answer was fetched.',
  'broken-body': 'The body ended early.',
  // refusals
  'bad-framing': 'Where the request ends is not certain.',
  'bad-target': 'The request target is malformed, ambiguous, or not for this gateway.',
  'bad-host': 'Host is missing, repeated or malformed.',
  'unknown-host': 'The gateway does not serve this host.',
  'bad-connection-field': 'Connection names a field that is not about the connection.',
  'bad-upgrade': 'An upgrade to this protocol is not offered.',
  'method-not-allowed': 'The gateway does not forward this method.',
  'target-too-long': 'The request target is longer than the gateway takes.',
  'too-many-parameters': 'The query has more parameters than the gateway takes.',
  'too-many-fields': 'The request has more or longer fields than the gateway takes.',
  'expectation': 'The gateway knows no expectation but 100-continue.',
  'too-many-writes': 'Too many writes are under way.',
  // failures
  'upstream-refused': 'The upstream could not be reached.',
  'upstream-timeout': 'The upstream took too long.',
  'upstream-reset': 'The upstream closed the connection before its answer was complete.',
  'upstream-broken': "The upstream's answer was malformed.",
  'touch-unconfirmed': 'The write was forwarded, but the store could not be told of it.',
  'only-if-cached': 'The client asked for a kept answer only, and there is none that it takes.',
  // writes
  'refreshing':
    'The write was applied; so many kept answers are being fetched again (in `observe`: would be).',
  'not-applied': 'The upstream did not apply the write; nothing that is kept has changed.',
  'outcome-unknown': 'Nobody knows whether the write was applied; what it reaches is held invalid.',
};
