// Whether an answer may be kept, under which variant and which tags, and what the entry is then.
import { createHash } from 'node:crypto';
import { OWN_ETAG } from '../http/conditional.ts';
import { cacheGroups } from '../http/groups.ts';
import { field, type Fields, hasField, type ResponseHead } from '../http/message.ts';
import { storable, type StorageTerms } from '../http/storable.ts';
import { varyNames } from '../http/vary.ts';
import { type Cacheable, variantKey } from '../key/meaning.ts';
import { queryOf } from '../key/query.ts';
import { asksUncoded, governedByVary, isCredential, neverShown } from '../key/shown.ts';
import { identitiesOf } from '../key/reader.ts';
import { ownTags } from '../plan/reach.ts';
import { extraTag } from '../plan/tags.ts';
import { parseBody } from '../plan/values.ts';
import type { Config } from '../rules/config.ts';
import type { NotKeptBecause } from '../verdict.ts';
import type { Entry, Epoch, Kept, Seq, VaryMarker } from './entry.ts';

export interface Received {
  readonly response: ResponseHead;
  /** Of the client that made everfresh ask; decides the variant. */
  readonly requestFields: Fields;
  /** Wall-clock milliseconds. */
  readonly requestedAt: number;
  readonly receivedAt: number;
}

export type Terms =
  | { readonly kind: 'store'; readonly terms: StorageTerms; readonly vary: readonly string[] }
  | { readonly kind: 'no'; readonly because: NotKeptBecause };

/**
 * Judges by the head alone, so that what is not kept need not be gathered. `part`: one was asked
 * for.
 */
export function judgeHead(
  meaning: Cacheable,
  received: Received,
  config: Config,
  part = false,
): Terms {
  const { status } = received.response;
  // The upstream wants to know who asks, so that this is no answer for everyone.
  if (meaning.rule.per !== undefined && (status === 401 || status === 403)) {
    return { kind: 'no', because: 'status' };
  }
  const terms = storable({
    method: meaning.recipe.method,
    requestFields: received.requestFields,
    response: received.response,
    rule: meaning.rule,
    credentials: meaning.asking,
    forOne: meaning.reader !== undefined,
    clientDirectives: config.clientDirectives,
    part,
    requestedAt: received.requestedAt,
    receivedAt: received.receivedAt,
  });
  if (terms.kind === 'no') return terms;
  const vary = varyNames(received.response.fields);
  if (vary.kind === 'any') return { kind: 'no', because: 'upstream-vary' };
  const names = new Set(vary.names);
  // A coded body without `Vary` is an upstream's slip; it is given only to those who asked alike.
  if (hasField(received.response.fields, 'content-encoding')) names.add('accept-encoding');
  const roles = [...names].map((name) => [name, roleOf(name, meaning, config)] as const);
  if (roles.some(([, role]) => role === 'unkeyed')) return { kind: 'no', because: 'upstream-vary' };
  const telling = roles.filter(([, role]) => role === 'tells-apart').map(([name]) => name).sort();
  return { kind: 'store', terms: reservedTerms(terms, vary.names, meaning, config), vary: telling };
}

// What differs by who asks, and was fetched for nobody in particular, is not for those who say it,
// even if it is public.
function reservedTerms(
  terms: StorageTerms,
  vary: readonly string[],
  { rule }: Cacheable,
  { credentials }: Config,
): StorageTerms {
  const { ttlMs, headers, per } = rule;
  if (per !== undefined || (ttlMs === undefined && headers === undefined)) return terms;
  const personal = vary.some((name) =>
    isCredential(name, credentials) && !headers?.includes(name));
  return personal ? { ...terms, shareable: 'no' } : terms;
}

/** The entry, and where variants are told apart the marker that says by which fields. */
export function entryOf(
  meaning: Cacheable,
  received: Received,
  { judged, body, epoch, asOf, fetchMs, names, config }: {
    judged: Extract<Terms, { kind: 'store' }>;
    body: Uint8Array;
    epoch: Epoch;
    asOf: Seq;
    fetchMs: number;
    /** By which variants of this key were told apart before; they only ever grow. */
    names: readonly string[];
    config: Config;
  },
): { kind: 'entry'; entry: Entry; kept: Kept[] } | { kind: 'no'; because: NotKeptBecause } {
  const tags = allTags(meaning, received.response, body);
  if (tags === undefined) return { kind: 'no', because: 'tag-not-computable' };
  if (tags.length > config.limits.tagsPerEntry) return { kind: 'no', because: 'too-many-tags' };
  const telling = [...new Set([...names, ...judged.vary])].sort();
  const { terms } = judged;
  const entry: Entry = {
    kind: 'answer',
    key: variantKey(meaning.key, telling, received.requestFields),
    epoch,
    asOf,
    tags,
    recipe: meaning.recipe,
    status: received.response.status,
    reason: received.response.reason,
    fields: validated(meaning, received.response.status, { fields: terms.fields, body }),
    body,
    receivedAt: received.receivedAt,
    initialAgeMs: terms.initialAgeMs,
    freshMs: terms.freshMs,
    staleWhileRevalidateMs: terms.staleWhileRevalidateMs,
    staleIfErrorMs: terms.staleIfErrorMs,
    shareable: terms.shareable,
    fetchMs,
    ...clientEtagOf(meaning, received.response, body),
  };
  if (telling.length === 0) return { kind: 'entry', entry, kept: [entry] };
  const marker: VaryMarker = { kind: 'vary', key: meaning.key, names: telling };
  return { kind: 'entry', entry, kept: [marker, entry] };
}

// An upstream's own may be the same for two readers, whose answers are not.
function clientEtagOf(
  { rule }: Cacheable, { status, fields }: ResponseHead, body: Uint8Array,
): Pick<Entry, 'clientEtag'> {
  if (identitiesOf(rule).length === 0 || status !== 200) return {};
  const described = ['content-type', 'content-encoding', 'content-language']
    .map((name) => field(fields, name) ?? '').join('\n');
  return { clientEtag: ownEtag(body, described) };
}

function ownEtag(body: Uint8Array, described = ''): string {
  const hash = createHash('sha256').update(body);
  if (described !== '') hash.update(`\n${described}`);
  return `${OWN_ETAG}${hash.digest('base64url').slice(0, 22)}"`;
}

// Clients that are told to ask each time (`client_cache`) need something to ask with.
function validated(
  { rule }: Cacheable,
  status: number,
  { fields, body }: { fields: Fields; body: Uint8Array },
): Fields {
  if (rule.clientCache === 'pass' || status !== 200 || hasField(fields, 'etag')) return fields;
  return identitiesOf(rule).length > 0 ? fields : [...fields, 'ETag', ownEtag(body)];
}

// A field that is in the key anyway, or that the upstream never saw, tells nothing apart. What it
// saw of a request that was passed for its credentials, and no key of this rule holds, forbids
// keeping.
function roleOf(
  name: string,
  { rule, asking }: Cacheable,
  config: Config,
): 'harmless' | 'tells-apart' | 'unkeyed' {
  if (rule.headers?.includes(name)) return 'harmless';
  if (name === 'accept-encoding' && asksUncoded(rule)) return 'harmless';
  if (governedByVary(name)) return 'tells-apart';
  const credential = isCredential(name, config.credentials);
  const passed = asking !== 'none' && rule.per === undefined;
  if (rule.ttlMs !== undefined || rule.headers !== undefined) {
    return passed && (credential || neverShown(name)) ? 'unkeyed' : 'harmless';
  }
  if (neverShown(name)) return passed ? 'unkeyed' : 'harmless';
  return credential && rule.per !== undefined ? 'harmless' : 'tells-apart';
}

function allTags(
  meaning: Cacheable,
  response: ResponseHead,
  body: Uint8Array,
): string[] | undefined {
  const { rule, params, recipe } = meaning;
  const upstreams = upstreamTags(response.fields);
  if (rule.tags.length === 0 && upstreams.length === 0) return [...meaning.tags];
  const own = rule.tags.length === 0 ? [] : ownTags(rule, {
    params,
    query: queryOf(recipe.target),
    requestFields: recipe.fields,
    requestBody: recipe.body && parseBody(recipe.fields, recipe.body),
    responseFields: response.fields,
    responseBody: parseBody(response.fields, body),
  });
  return own && [...new Set([...meaning.tags, ...own, ...upstreams])];
}

/** Tags that the upstream gives: RFC 9875 Cache-Groups, Surrogate-Key, xkey, Cache-Tag. */
export function upstreamTags(fields: Fields): string[] {
  const spaced = `${field(fields, 'surrogate-key') ?? ''} ${field(fields, 'xkey') ?? ''}`;
  const listed = field(fields, 'cache-tag') ?? '';
  const names = [
    ...spaced.split(/[\s,]+/),
    ...listed.split(',').map((name) => name.trim()),
    ...cacheGroups(fields),
  ];
  return [...new Set(names.filter((name) => name !== ''))].map(extraTag);
}
