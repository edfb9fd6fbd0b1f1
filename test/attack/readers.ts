// What the rows on readers stand on: an upstream that says back which credentials it was shown, and
// a gateway with every kind of identity before it.
import type { JWTPayload } from 'jose';
import type { Test } from 'tap';
import { parseRules } from '../../src/core/rules/parse.ts';
import { printProblem } from '../../src/core/rules/problem.ts';
import {
  dial, type Exchange, front, type Front, ok, type RawAnswer, rawUpstream, type RawUpstream,
} from '../raw.ts';
import { AUDIENCE, type Issuer, issuer, ISSUER } from '../tokens.ts';
import { VirtualClock } from '../virtual-clock.ts';

/** Who sets `X-User-Id`. */
export const PROXY = '127.0.0.2';

const rules = (jwks: string): string => `conventions: off
identities:
  session: { from: { cookie: sid }, forget_on: ["POST /logout", "GET /bye"] }
  token:
    from: { header: authorization }
    forget_on: ["POST /logout"]
    max: { identities: 20, variants_each: 3 }
  person:
    from:
      jwt: { claims: [sub, org], jwks: "${jwks}", issuer: "${ISSUER}", audience: ${AUDIENCE} }
    forget_on: ["POST /logout"]
  named:   { from: { header: x-user-id, trusted_from: [${PROXY}] } }
routes:
  /session: { GET: { ttl: 1h, per: session, stale_if_error: 1d } }
  /token:   { GET: { ttl: 1h, per: token } }
  /both:    { GET: { ttl: 1h, per: [session, token] } }
  /person:  { GET: { ttl: 1h, per: person } }
  /named:   { GET: { ttl: 1h, per: named } }
  /http:    { GET: { per: session } }
  /plain:   { GET: { ttl: 1h } }
  /all:     { GET: { ttl: 1h, per: everyone } }
  /write:
    POST: { refresh: [/session, /token, /person, /named] }
  /mine:
    POST: { refresh: ["/session @self"] }
`;

const SHOWN = ['cookie', 'authorization', 'x-user-id', 'x_user_id', 'x-api-key', 'x_api_key'];

/** The credentials in a head, as an upstream might read them. */
export function shownIn(head: string): string {
  return head.split('\r\n').slice(1)
    .filter((line) => SHOWN.includes(line.split(':', 1)[0]!.toLowerCase()))
    .map((line) => line.replace(/^[^:]*: */, '')).sort().join(' + ') || 'nobody';
}

export interface Reading extends RawAnswer {
  /** Our member of Cache-Status, without its `ttl`. */
  readonly cache: string;
}

export interface Asking {
  (target: string, ...lines: string[]): Promise<Reading>;
}

export interface Readers {
  readonly upstream: RawUpstream;
  readonly s: Front;
  readonly clock: VirtualClock;
  readonly issuer: Issuer;
  readonly get: Asking;
  /** By the proxy in front that says who it is. */
  readonly behindProxy: Asking;
  readonly send: (method: string, target: string, ...lines: string[]) => Promise<Reading>;
  /** A token of this person. */
  token(claims: JWTPayload, change?: { header?: object; expires?: number }): Promise<string>;
  /** Takes another file, made of the one before. */
  reload(change: (yaml: string) => string): void;
  /** Lets virtual time pass, and what is on its way arrive. */
  pass(ms: number): Promise<void>;
}

/** `answers`: in place of who was shown. */
export async function readers(
  t: Test, answers: (exchange: Exchange) => string | undefined = () => undefined,
): Promise<Readers> {
  const clock = new VirtualClock(Date.now());
  const upstream = await rawUpstream(t, (exchange) =>
    exchange.write(answers(exchange) ?? ok(`${shownIn(exchange.head)} #${exchange.line}`)));
  const held = await issuer(t, { now: () => clock.now() });
  const s = await front(t, upstream.url, { rules: rules(held.jwks), clock });
  const asking = (method: string, from?: string): Asking => async (target, ...lines) => {
    const client = await dial(t, s.url, from);
    const length = method === 'GET' || method === 'HEAD' ? [] : ['Content-Length: 0'];
    const head = [`${method} ${target} HTTP/1.1`, 'Host: a', ...lines, ...length, '', ''];
    const answer = await client.write(head.join('\r\n')).answer({ toHead: method === 'HEAD' });
    if (answer === undefined) throw new Error(`no answer to ${method} ${target}`);
    client.socket.destroy();
    const cache = (answer.values('cache-status').at(-1) ?? '').split(', ').at(-1)!
      .replace(/^everfresh; /, '').replace(/; ttl=-?\d+/, '');
    return { ...answer, cache };
  };
  return {
    upstream, s, clock, issuer: held,
    get: asking('GET'),
    behindProxy: asking('GET', PROXY),
    send: (method, target, ...lines) => asking(method)(target, ...lines),
    token: async (claims, change) => `Authorization: Bearer ${await held.sign(claims, change)}`,
    reload(change) {
      const yaml = `upstream: "${upstream.url}"\n${change(rules(held.jwks))}`;
      const parsed = parseRules(yaml, { file: 'routes.yaml' });
      if (parsed.kind === 'wrong') throw new Error(parsed.problems.map(printProblem).join());
      s.composed.apply(parsed.config);
    },
    async pass(ms) {
      clock.advance(ms);
      await new Promise((resolve) => void setImmediate(resolve));
    },
  };
}
