// What a write is about to reach, before it is forwarded and again when its answer is known.
import { invalidatedGroups } from '../core/http/groups.ts';
import { alsoInvalidated } from '../core/http/invalidation.ts';
import type { Fields } from '../core/http/message.ts';
import {
  type Reach, reachOf, readsBodies, type SelfOn, writeRules, type WriteRules,
} from '../core/plan/reach.ts';
import { type Body, parseBody } from '../core/plan/values.ts';
import type { Route } from '../core/rules/config.ts';
import type { Outcome } from '../core/promise/outcome.ts';
import type { Asked, Gateway, Live, Told } from './gateway.ts';
import { answered, type FetchedAnswer } from './pass.ts';
import type { ByteStream } from './ports.ts';
import { selfOf } from './reader.ts';

export type GatheredRequest = Uint8Array | ByteStream | undefined;

/** One write under way. */
export interface Writing {
  readonly asked: Asked;
  readonly route: Route | undefined;
  readonly body: GatheredRequest;
  /** Undefined where nothing that is cached can be reached. */
  readonly intent: string | undefined;
  /** What the intent says: targets that need the answer stand as their whole route. */
  readonly tags: readonly string[];
  readonly rules: WriteRules;
  /** Some target reads the answer's body. */
  readonly readsAnswer: boolean;
  readonly identityCoding: boolean;
  readonly wait: boolean;
  readonly waitTimeoutMs: number;
  readonly settleMs: number;
  /**
   * What it reaches by the rules that it began with and those in force now, since a reload may have
   * come between; with the answer where one came (its body only where it was gathered).
   */
  reaches(answer?: FetchedAnswer, body?: Uint8Array): Reach;
  told(answer: FetchedAnswer, end: { outcome: Outcome; refreshing: number }): Told;
}

export function planWrite(gateway: Gateway, asked: Asked, body: GatheredRequest): Writing {
  const { live } = gateway;
  const rules = writeRules(asked, live.finder);
  const reads = readsBodies(rules);
  const route = live.finder.match(asked.path)?.route;
  const selfOn = selfOf(gateway, asked);
  const before = reachBy(live, { asked, body, selfOn });
  const tags = [...before.refresh, ...before.purge];
  const own = rules.rules.map(({ rule }) => rule);
  return {
    asked,
    route,
    body,
    intent: tags.length === 0 ? undefined : gateway.newId(),
    tags,
    rules,
    readsAnswer: reads.response,
    identityCoding: reads.response,
    wait: own.some((rule) => rule.wait),
    waitTimeoutMs: Math.max(0, ...own.map((rule) => rule.waitTimeoutMs)),
    settleMs: Math.max(0, ...own.map((rule) => rule.settleMs)),
    reaches(answer, bytes) {
      const exchange = { asked, body, answer, bytes, selfOn };
      const reach = reachBy(live, exchange);
      return gateway.live === live ? reach : merged(reach, reachBy(gateway.live, exchange));
    },
    told: (answer, end) =>
      answered(gateway, asked, { fetched: answer, verdict: { kind: 'write', ...end }, route }),
  };
}

interface Exchange {
  readonly asked: Asked;
  readonly body: GatheredRequest;
  readonly selfOn: SelfOn;
  readonly answer?: FetchedAnswer | undefined;
  readonly bytes?: Uint8Array | undefined;
}

/** What a write reaches by these rules, as far as it is known. */
function reachBy(
  { config, finder }: Live, { asked, body, answer, bytes, selfOn }: Exchange,
): Reach {
  const rules = writeRules(asked, finder);
  const reads = readsBodies(rules);
  const origin = (finder.match(asked.path)?.route.upstream ?? config.upstream).url;
  return reachOf(asked, rules, {
    config,
    finder,
    selfOn,
    said: {
      requestFields: asked.fields,
      requestBody: reads.request ? read(body, asked.fields) : undefined,
      responseFields: answer?.fields,
      responseBody: answer && reads.response ? read(bytes, answer.fields) : undefined,
    },
    named: answer && {
      paths: alsoInvalidated({ ...asked, upstreamOrigin: origin }, answer.fields),
      groups: invalidatedGroups(answer.fields),
    },
  });
}

function merged(one: Reach, other: Reach): Reach {
  const refresh = new Set([...one.refresh, ...other.refresh]);
  const purge = new Set([...one.purge, ...other.purge].filter((tag) => !refresh.has(tag)));
  const readsMin = one.readsMin === 1 ? 1 : other.readsMin;
  return { refresh, purge, why: new Map([...one.why, ...other.why]), readsMin };
}

function read(body: GatheredRequest, fields: Fields): Body | undefined {
  return body instanceof Uint8Array ? parseBody(fields, body) : undefined;
}
