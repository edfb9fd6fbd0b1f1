// What a write is about to reach, before it is forwarded and again when its answer is known.
import { alsoInvalidated } from '../core/http/invalidation.ts';
import type { Fields } from '../core/http/message.ts';
import {
  type Reach, reachOf, readsBodies, writeRules, type WriteRules,
} from '../core/plan/reach.ts';
import { type Body, parseBody } from '../core/plan/values.ts';
import type { Route } from '../core/rules/config.ts';
import type { Outcome } from '../core/promise/outcome.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
import { answered, type FetchedAnswer } from './pass.ts';
import type { ByteStream } from './ports.ts';

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
  readonly before: Reach;
  readonly rules: WriteRules;
  /** Some target reads the answer's body. */
  readonly readsAnswer: boolean;
  readonly identityCoding: boolean;
  readonly wait: boolean;
  readonly waitTimeoutMs: number;
  readonly settleMs: number;
  /** What it reaches, now that the answer is known (its body only where it was gathered). */
  after(answer: FetchedAnswer, body: Uint8Array | undefined): Reach;
  told(answer: FetchedAnswer, end: { outcome: Outcome; refreshing: number }): Told;
}

export function planWrite(gateway: Gateway, asked: Asked, body: GatheredRequest): Writing {
  const { config, finder } = gateway.live;
  const rules = writeRules(asked, finder);
  const reads = readsBodies(rules);
  const route = finder.match(asked.path)?.route;
  const requestBody = reads.request ? read(body, asked.fields) : undefined;
  const said = { requestFields: asked.fields, requestBody };
  const before = reachOf(asked, rules, { config, finder, said });
  const tags = [...before.refresh, ...before.purge];
  const own = rules.rules.map(({ rule }) => rule);
  return {
    asked,
    route,
    body,
    intent: tags.length === 0 ? undefined : gateway.newId(),
    tags,
    before,
    rules,
    readsAnswer: reads.response,
    identityCoding: reads.response,
    wait: own.some((rule) => rule.wait),
    waitTimeoutMs: Math.max(0, ...own.map((rule) => rule.waitTimeoutMs)),
    settleMs: Math.max(0, ...own.map((rule) => rule.settleMs)),
    after: (answer, bytes) => reachOf(asked, rules, {
      config,
      finder,
      said: {
        ...said,
        responseFields: answer.fields,
        responseBody: reads.response ? read(bytes, answer.fields) : undefined,
      },
      also: alsoInvalidated(
        { ...asked, upstreamOrigin: (route?.upstream ?? config.upstream).url },
        answer.fields,
      ),
    }),
    told: (answer, end) =>
      answered(gateway, asked, { fetched: answer, verdict: { kind: 'write', ...end }, route }),
  };
}

function read(body: GatheredRequest, fields: Fields): Body | undefined {
  return body instanceof Uint8Array ? parseBody(fields, body) : undefined;
}
