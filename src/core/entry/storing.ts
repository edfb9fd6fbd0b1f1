// Whether an answer may be kept, under which variant and which tags, and what the entry is then.
import { field, type ResponseHead, type Fields } from '../http/message.ts';
import { storable } from '../http/storable.ts';
import { varyNames } from '../http/vary.ts';
import { type Cacheable, variantKey } from '../key/meaning.ts';
import { governedByVary, isCredential, keyedAlways, neverShown } from '../key/shown.ts';
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
  | { readonly kind: 'store'; readonly terms: Extract<ReturnType<typeof storable>, { kind: 'store' }>; readonly vary: readonly string[] }
  | { readonly kind: 'no'; readonly because: NotKeptBecause };

/** Judges by the head alone, so that what is not kept need not be gathered. */
export function judgeHead(meaning: Cacheable, received: Received, config: Config): Terms {
  const terms = storable({
    method: 'GET',
    requestFields: received.requestFields,
    response: received.response,
    rule: meaning.rule,
    credentials: meaning.asking,
    clientDirectives: config.clientDirectives,
    requestedAt: received.requestedAt,
    receivedAt: received.receivedAt,
  });
  if (terms.kind === 'no') return terms;
  const vary = varyNames(received.response.fields);
  if (vary.kind === 'any') return { kind: 'no', because: 'upstream-vary' };
  const names = new Set(vary.names);
  // A coded body without `Vary` is an upstream's slip; it is given only to those who asked alike.
  if (field(received.response.fields, 'content-encoding') !== undefined) names.add('accept-encoding');
  const telling = [...names].filter((name) => tellsApart(name, meaning, config)).sort();
  return { kind: 'store', terms, vary: telling };
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
    fields: terms.fields,
    body,
    receivedAt: received.receivedAt,
    initialAgeMs: terms.initialAgeMs,
    freshMs: terms.freshMs,
    staleWhileRevalidateMs: terms.staleWhileRevalidateMs,
    staleIfErrorMs: terms.staleIfErrorMs,
    shareable: terms.shareable,
    fetchMs,
  };
  if (telling.length === 0) return { kind: 'entry', entry, kept: [entry] };
  const marker: VaryMarker = { kind: 'vary', key: meaning.key, names: telling };
  return { kind: 'entry', entry, kept: [marker, entry] };
}

// A field that is in the key anyway, or that the upstream never saw, tells nothing apart.
function tellsApart(name: string, { rule }: Cacheable, config: Config): boolean {
  if (keyedAlways(name, rule)) return false;
  if (governedByVary(name)) return true;
  if (rule.ttlMs !== undefined || rule.headers !== undefined || neverShown(name)) return false;
  return !isCredential(name, config.credentials) || rule.per !== 'everyone';
}

function allTags(meaning: Cacheable, response: ResponseHead, body: Uint8Array): string[] | undefined {
  const { rule, params, recipe } = meaning;
  const upstreams = upstreamTags(response.fields);
  if (rule.tags.length === 0 && upstreams.length === 0) return [...meaning.tags];
  const own = rule.tags.length === 0 ? [] : ownTags(rule, {
    params,
    query: recipe.target.split('?')[1],
    requestFields: recipe.fields,
    responseFields: response.fields,
    responseBody: parseBody(field(response.fields, 'content-type'), body),
  });
  return own && [...new Set([...meaning.tags, ...own, ...upstreams])];
}

/** Tags that the upstream gives: RFC 9875 Cache-Groups, Surrogate-Key, xkey, Cache-Tag. */
export function upstreamTags(fields: Fields): string[] {
  const spaced = `${field(fields, 'surrogate-key') ?? ''} ${field(fields, 'xkey') ?? ''}`;
  const listed = field(fields, 'cache-tag') ?? '';
  const groups = field(fields, 'cache-groups') ?? '';
  const names = [
    ...spaced.split(/[\s,]+/),
    ...listed.split(',').map((name) => name.trim()),
    ...[...groups.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, name]) => name!.replace(/\\(.)/g, '$1')),
  ];
  return [...new Set(names.filter((name) => name !== ''))].map(extraTag);
}
