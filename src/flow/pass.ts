// The plain proxy: what everfresh is for every request that no rule names, and for all of them when
// anything of its own fails. Never caches by itself; `kept` lets a read keep what the upstream
// allows on an answer that was passed.
import { dress } from '../core/entry/answering.ts';
import { endToEnd, type Fields, keepFields } from '../core/http/message.ts';
import { failBecause, problem } from '../core/http/problem.ts';
import { OVERRIDES } from '../core/plan/reach.ts';
import { forwardedFields } from '../core/key/forwarded.ts';
import { readRuleOf } from '../core/key/meaning.ts';
import type { Route } from '../core/rules/config.ts';
import type { FailBecause, PassBecause, RefuseBecause, Verdict } from '../core/verdict.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
import type { ByteStream, Fetch, FetchCause, Fetched, FetchFailure } from './ports.ts';

export type FetchedAnswer = Extract<Fetched, { kind: 'answer' }>;

/** Sees a passed answer before its client does, may gather its body, and says what became of it. */
export type Tap = (fetched: FetchedAnswer) => Promise<
  | { readonly body: ByteStream | Uint8Array; readonly verdict: Verdict }
  | { readonly failed: FetchFailure }
>;

export async function pass(
  gateway: Gateway,
  asked: Asked,
  { because, route, tap, fields }: {
    because: PassBecause;
    route?: Route | undefined;
    tap?: Tap;
    /** Sent in place of the client's. */
    fields?: Fields;
  },
): Promise<Told> {
  const through = throughFetch(gateway, asked, route, 'pass');
  const request = fields === undefined ? through : { ...through, fields };
  const fetched = await gateway.upstream.fetch(request);
  if (fetched.kind === 'failed') return failed(gateway, asked, fetched.because, route);
  if (tap === undefined) {
    return answered(gateway, asked, { fetched, verdict: { kind: 'pass', because }, route });
  }
  const tapped = await tap(fetched);
  if ('failed' in tapped) return failed(gateway, asked, tapped.failed, route);
  const told = answered(gateway, asked, { fetched, verdict: tapped.verdict, route });
  return { ...told, answer: { ...told.answer, body: tapped.body } };
}

// The last of them is ours to say, however it is spelt.
const NOT_PASSED = new Set(['host', 'expect', 'everfresh-refresh', 'everfresh_refresh']);

/** The request as it is sent on when nothing of it is withheld. */
export function throughFetch(
  gateway: Gateway,
  asked: Asked,
  route: Route | undefined,
  cause: FetchCause,
): Fetch {
  const { config } = gateway.live;
  // On a path that is read through the cache a GET is a GET, whatever else a client calls it.
  const plain = cause === 'pass' && readRuleOf(route, asked.method) !== undefined;
  const fields = keepFields(endToEnd(asked.fields), (name) =>
    !NOT_PASSED.has(name) && !(plain && OVERRIDES.includes(name)));
  const safe = cause !== 'write';
  return {
    method: asked.method,
    target: asked.target,
    fields: forwardedFields(fields, asked, config),
    body: asked.body,
    route,
    safe,
    // A client that goes away ends what it alone reads, never a write.
    ...(safe ? { signal: asked.gone } : {}),
    inform: asked.inform,
    cause,
  };
}

/** The upstream's answer, streamed on. */
export function answered(
  gateway: Gateway,
  asked: Asked,
  { fetched, verdict, route }: {
    fetched: FetchedAnswer;
    verdict: Verdict;
    route: Route | undefined;
  },
): Told {
  return {
    answer: {
      status: fetched.status,
      reason: fetched.reason,
      fields: dressed(gateway, asked, { fields: fetched.fields, verdict, route }),
      body: fetched.body,
      trailers: fetched.trailers,
    },
    verdict,
    pattern: route?.pattern,
  };
}

/** The fields that this client gets. */
export function dressed(
  gateway: Gateway,
  asked: Pick<Asked, 'method' | 'scheme' | 'authority' | 'calledAs'>,
  { fields, verdict, route, ageMs }: {
    fields: Fields;
    verdict: Verdict;
    route: Route | undefined;
    ageMs?: number;
  },
): string[] {
  const { config } = gateway.live;
  return dress(fields, {
    verdict,
    client: { scheme: asked.scheme, authority: asked.calledAs ?? asked.authority },
    origin: config.hosts.length > 0 ? undefined : (route?.upstream ?? config.upstream).url,
    rule: readRuleOf(route, asked.method),
    ...(ageMs === undefined ? {} : { ageMs }),
  });
}

/** No answer came: a problem of everfresh's own. */
export function failed(
  gateway: Gateway,
  asked: Asked,
  because: FetchFailure,
  route: Route | undefined,
): Told {
  return problemTold(gateway, asked, { kind: 'fail', because: failBecause(because), route });
}

/** An answer of everfresh's own making (RFC 9457). */
export function problemTold(
  gateway: Gateway,
  asked: Pick<Asked, 'method' | 'scheme' | 'authority'>,
  { kind, because, route }: { route?: Route | undefined } & (
    | { kind: 'fail'; because: FailBecause }
    | { kind: 'refuse'; because: RefuseBecause }),
): Told {
  const made = problem(because, { retryAfterMs: gateway.live.config.leaseMs });
  const verdict = { kind, because, status: made.status } as Verdict;
  return {
    answer: {
      ...made,
      fields: dress(made.fields, { verdict, client: asked, origin: undefined }),
      body: asked.method === 'HEAD' ? undefined : made.body,
    },
    verdict,
    pattern: route?.pattern,
  };
}
