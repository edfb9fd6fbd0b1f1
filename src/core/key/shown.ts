// Which fields of a request the upstream may see when a shared entry is filled, and which of them
// tell answers apart. What is neither keyed nor governed by `Vary` never reaches the upstream.
import { createHash } from 'node:crypto';
import type { Fields } from '../http/message.ts';
import { endToEnd, keepFields, plainName } from '../http/message.ts';
import { canonicalAcceptEncoding } from '../http/vary.ts';
import type { Credentials, ReadRule } from '../rules/config.ts';

export type Asking = 'none' | 'authorization' | 'other';

// Fields that describe the way the request took, the client's own cache or one exchange.
const NEVER_SHOWN = new Set([
  'host', 'via', 'forwarded', 'max-forwards', 'expect', 'content-length', 'content-type', 'trailer',
  'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range',
  'cache-control', 'pragma', 'age', 'cache-status', 'x-cache', 'date', 'connection',
  'x-real-ip', 'x-client-ip', 'x-cluster-client-ip', 'true-client-ip', 'client-ip', 'x-host',
  'x-original-url', 'x-original-uri', 'x-original-host', 'x-rewrite-url', 'x-override-url',
  'x-http-method', 'x-http-method-override', 'x-method-override', 'x-http-host-override',
  'everfresh-refresh', 'everfresh_refresh',
]);

// Known not to decide what an API answers. Under `ttl` they are neither keyed nor shown.
const HARMLESS = new Set([
  'user-agent', 'traceparent', 'tracestate', 'baggage', 'x-request-id', 'x-correlation-id',
  'request-id', 'correlation-id', 'x-amzn-trace-id', 'x-cloud-trace-context', 'uber-trace-id',
  'b3', 'sentry-trace', 'x-datadog-trace-id', 'x-datadog-parent-id', 'x-datadog-sampling-priority',
  'newrelic', 'dnt', 'upgrade-insecure-requests', 'priority', 'referer', 'from', 'purpose',
  'x-requested-with', 'x-purpose', 'sec-gpc',
]);

/** Fields that are others in each request, and say nothing of what is asked. */
export const PASSING: readonly string[] = [
  'traceparent', 'tracestate', 'baggage', 'b3', 'x-b3-traceid', 'x-b3-spanid',
  'x-b3-parentspanid', 'x-amzn-trace-id', 'x-cloud-trace-context', 'x-request-id',
  'x-correlation-id', 'x-forwarded-for', 'x-real-ip',
];

/** Whether that is so by this rule, and of nobody's credentials, unless a `Vary` says otherwise. */
export function letsPass(rule: Pick<ReadRule, 'headers'>, credentials: Credentials): boolean {
  return !PASSING.some((name) =>
    rule.headers?.includes(name) === true || isCredential(name, credentials));
}

const harmless = (name: string): boolean =>
  HARMLESS.has(name) || name.startsWith('sec-fetch-') || name.startsWith('sec-ch-') ||
  name.startsWith('x-b3-');

/** Never reaches the upstream on a shared fill, whatever the rule. */
export const neverShown = (name: string): boolean =>
  NEVER_SHOWN.has(name) || name.startsWith('x-forwarded-') || name.startsWith('cf-');

/** `Vary` decides over these, also where the operator lists `headers`. */
export const governedByVary = (name: string): boolean => GOVERNED.has(name);

const GOVERNED = new Set([
  'accept', 'accept-encoding', 'accept-language', 'accept-charset', 'accept-datetime',
  'accept-profile', 'accept-crs', 'origin',
]);

/** What in a request says who is asking. */
export function askingWith(fields: Fields, credentials: Credentials): Asking {
  let asking: Asking = 'none';
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase();
    if (name === 'authorization') {
      if (asking === 'none' && credentials.headers.includes(name)) asking = 'authorization';
    } else if (name === 'cookie') {
      if (namesReader(fields[i + 1]!, credentials)) asking = 'other';
    } else if (saysWho(name, credentials)) {
      asking = 'other';
    }
  }
  return asking;
}

/** Tags that are read from the answer need it uncoded. */
export function asksUncoded({ tags }: ReadRule): boolean {
  return tags.some(({ parts }) =>
    parts.some((part) => part.kind === 'value' && part.from === 'response.body'));
}

/** The fields that a fill of a shared entry shows to the upstream, in the order they came. */
export function shownFields(fields: Fields, rule: ReadRule, credentials: Credentials): string[] {
  const shown = keepFields(endToEnd(fields), (name) => {
    if (asksUncoded(rule) && name === 'accept-encoding') return false;
    if (rule.headers?.includes(name)) return name !== 'host' && name !== 'content-length';
    if (neverShown(name) || isCredential(name, credentials)) return false;
    if (governedByVary(name)) return true;
    if (rule.headers !== undefined) return false;
    return rule.ttlMs === undefined || !harmless(name);
  });
  // What is asked for is what the variant is told apart by: codings by their meaning.
  return shown.map((text, i) => (i % 2 === 1 && shown[i - 1]!.toLowerCase() === 'accept-encoding'
    ? canonicalAcceptEncoding(text)
    : text));
}

// RFC 9110 §8: what describes the content of a QUERY; of a GET it would describe nothing.
const OF_CONTENT: readonly string[] = ['content-type', 'content-encoding', 'content-language'];

/** The fields that say how the content of a QUERY is to be read. */
export function contentFields(fields: Fields): string[] {
  return keepFields(endToEnd(fields), (name) => OF_CONTENT.includes(name));
}

// Words of one exchange, which the upstream answers with another status if at all, and those of the
// way, which are everfresh's own to say.
const OF_ONE_EXCHANGE = new Set([
  'host', 'via', 'max-forwards', 'expect', 'content-length', 'if-match', 'if-none-match',
  'if-modified-since', 'if-unmodified-since', 'if-range', 'range', 'cache-control', 'pragma', 'age',
  'cache-status', 'x-cache', 'date', 'forwarded', 'x-forwarded-for', 'x-forwarded-proto',
  'x-forwarded-host', 'x-forwarded-port',
]);

/**
 * What goes to the upstream of a request that is passed for its credentials, if its answer may be
 * kept where the upstream calls it public: what a fill shows, the credentials, and what decides
 * nothing. Undefined for a request that says more than that, which no key would hold.
 */
export function shownWithCredentials(
  fields: Fields,
  shown: Fields,
  rule: Pick<ReadRule, 'ttlMs'>,
  credentials: Credentials,
): string[] | undefined {
  const names = new Set(shown.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()));
  const others = keepFields(endToEnd(fields), (name) => !names.has(name) && !governedByVary(name));
  for (let i = 0; i < others.length; i += 2) {
    const name = others[i]!.toLowerCase();
    // Under `ttl` a fill would not show what is harmless either: an answer may repeat it.
    const plain = OF_ONE_EXCHANGE.has(name) || (rule.ttlMs === undefined && harmless(name));
    if (!plain && !isCredential(name, credentials)) return undefined;
  }
  return [...shown, ...others];
}

// W3C Trace Context §3.2: nothing but hexadecimal digits, so that nothing can be said with it.
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** What of a reader's trace may go along with a fill: it follows the fetch, and decides nothing. */
export function traceFields(fields: Fields): string[] {
  return keepFields(fields, (name, value) => name === 'traceparent' && TRACEPARENT.test(value));
}

/** What a fill says of its reader's id: hexadecimal digits as they are, of any other a digest. */
export function shownId(id: string): string {
  if (/^[0-9a-f-]{32,36}$/i.test(id)) return id;
  return createHash('sha256').update(id).digest('hex').slice(0, 32);
}

/** Of the shown ones, whether the field is in the key whatever the answer's `Vary` says. */
export function keyedAlways(name: string, rule: ReadRule): boolean {
  if (rule.headers !== undefined) return rule.headers.includes(name);
  return rule.ttlMs !== undefined && !governedByVary(name);
}

/** Whether a field carries credentials; a cookie always may. */
export function isCredential(name: string, credentials: Credentials): boolean {
  return name === 'cookie' || name === 'authorization' || saysWho(name, credentials);
}

/** Whether the operator says so of this field, by whatever server it is read. */
export function saysWho(name: string, { headers }: Credentials): boolean {
  return headers.includes(name) || (name.includes('_') && headers.includes(plainName(name)));
}

function namesReader(cookie: string, credentials: Credentials): boolean {
  if (credentials.cookies === 'all') return true;
  const named = credentials.cookies;
  return cookie.split(';').some((pair) => {
    const at = pair.indexOf('=');
    return named.includes((at < 0 ? pair : pair.slice(0, at)).trim());
  });
}
