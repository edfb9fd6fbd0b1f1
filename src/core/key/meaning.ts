// What a read means: which rule speaks for it, which entry it asks for, under which tags that entry
// stands and how it is fetched. Keys are SHA-256 over length-prefixed parts, so that no two
// different requests can be joined into one.
import { hash } from 'node:crypto';
import type { Key, Recipe } from '../entry/entry.ts';
import {
  endToEnd, field, type Fields, hasField, keepFields, type RequestHead,
} from '../http/message.ts';
import { searchPart, type SearchVariance } from '../http/no-vary-search.ts';
import { variantPart } from '../http/vary.ts';
import { readersTags, structuralTags, type Bound } from '../plan/tags.ts';
import type { Config, ReadRule, Route } from '../rules/config.ts';
import type { PassBecause } from '../verdict.ts';
import { isCanonicalPath } from './path.ts';
import { queryOf, shownQuery } from './query.ts';
import {
  askerOf, type Credential, identitiesOf, type Reader, type Readers,
} from './reader.ts';
import {
  askingWith, type Asking, contentFields, isCredential, keyedAlways, shownFields,
} from './shown.ts';

/** Changes whenever what a key is made of does. */
const KEY_FORMAT = 'everfresh-key-1';

export interface ReadRequest extends RequestHead {
  readonly path: string;
  readonly query: string | undefined;
  /** Lower case, as `Host` says it. */
  readonly authority: string;
  readonly hasBody: boolean;
  /** All of it, where that is known: the content of a QUERY. */
  readonly body?: unknown;
  /** By which the client came, as far as it may be believed. */
  readonly scheme: 'http' | 'https';
}

export interface Cacheable {
  readonly kind: 'cacheable';
  readonly route: Route;
  readonly rule: ReadRule;
  readonly params: Bound;
  /** Of the answer that no request field tells apart; `variantKey` makes the others. */
  readonly key: Key;
  readonly tags: readonly string[];
  readonly recipe: Recipe;
  readonly asking: Asking;
  /** Whose answer it is, where the rule keeps each reader's apart. */
  readonly reader?: Reader;
  /** By which it is asked for; gone once it has been. */
  readonly credential?: Credential;
  /** The request's end-to-end fields: by these variants are told apart, never by nominated ones. */
  readonly telling: Fields;
  /** Of whom it is asked. */
  readonly upstream: string;
  /** Others ask for the same by other queries: what stands at the key has the tags of one only. */
  readonly searched?: boolean;
}

export type Meaning =
  | Cacheable
  | {
      readonly kind: 'pass';
      readonly because: PassBecause;
      readonly route?: Route;
      /** Why nobody can say which reader asks. */
      readonly unclear?: string;
    };

export type Matcher = (path: string) => { route: Route; params: Bound } | undefined;

/** The rule of a route by which a request of this method reads; a HEAD is answered from a GET's. */
export function readRuleOf(route: Route | undefined, method: string): ReadRule | undefined {
  return route?.reads.get(method === 'HEAD' ? 'GET' : method);
}

/** Says what a GET, HEAD or QUERY means under this configuration. */
export function meaningOf(
  request: ReadRequest, config: Config, match: Matcher, readers: Readers,
): Meaning {
  const matched = match(request.path);
  const rule = readRuleOf(matched?.route, request.method);
  if (matched === undefined) return { kind: 'pass', because: 'no-rule' };
  const { route, params } = matched;
  const pass = (because: PassBecause) => ({ kind: 'pass', because, route }) as const;
  if (rule === undefined) return pass('no-rule');
  // A GET's body has no defined meaning (RFC 9110 §9.3.1) and is in no key; a QUERY's is the query.
  const content = contentOf(request);
  if (request.hasBody && content === undefined) return pass('request-body');
  if (!isCanonicalPath(request.path)) return pass('path-not-canonical');
  const { credentials } = config;
  const query = shownQuery(request.query, rule);
  const fields = shownFields(request.fields, rule, credentials);
  if (content !== undefined) fields.push(...notIn(fields, contentFields(request.fields)));
  const apart = identitiesOf(rule);
  const asker = apart.length === 0
    ? undefined : askerOf(request.fields, apart, { credentials, readers });
  if (asker?.kind === 'unclear') return { ...pass('credentials'), unclear: asker.because };
  const asking = asker === undefined ? askingWith(request.fields, credentials) : 'none';
  const who = asker?.kind === 'reader' ? asker : undefined;
  const host = config.hosts.length > 0 ? request.authority : undefined;
  const recipe: Recipe = {
    kind: 'http',
    method: content === undefined ? 'GET' : 'QUERY',
    target: query === undefined ? request.path : `${request.path}?${query}`,
    fields,
    pattern: route.pattern,
    path: request.path,
    ...(host === undefined ? {} : { host }),
    ...(request.scheme === 'https' ? { secure: true } : {}),
    ...(content === undefined ? {} : { body: content }),
  };
  const upstream = (route.upstream ?? config.upstream).url;
  return {
    kind: 'cacheable',
    route,
    rule,
    params,
    recipe,
    upstream,
    key: primaryKey(rule, recipe, { upstream, reader: who?.reader }),
    tags: who === undefined ? structuralTags(route, params, query)
      : readersTags(route, { bound: params, query, reader: who.reader.tag }),
    asking,
    ...(who === undefined ? {} : { reader: who.reader, credential: who.credential }),
    // A cookie that says nothing of who asks is withheld, so that it is as if absent.
    telling: keepFields(endToEnd(request.fields), (name) =>
      asking !== 'none' || !isCredential(name, credentials)),
  };
}

/** The content of a QUERY; undefined for other requests, and where it is not known whole. */
function contentOf({ method, hasBody, body }: ReadRequest): Uint8Array | undefined {
  if (method !== 'QUERY') return undefined;
  if (body instanceof Uint8Array) return body;
  return hasBody ? undefined : new Uint8Array(0);
}

function notIn(fields: Fields, others: Fields): string[] {
  return keepFields(others, (name) => !hasField(fields, name));
}

/** The key of the variant that these request fields choose, by the fields that a `Vary` named. */
export function variantKey(primary: Key, names: readonly string[], fields: Fields): Key {
  if (names.length === 0) return primary;
  const parts = [KEY_FORMAT, 'variant', primary];
  for (const name of names) parts.push(name, variantPart(name, fields));
  return hashParts(parts);
}

/** The same by what makes a difference in its query; by all of it where nothing says what does. */
export function inSearch(meaning: Cacheable, variance: SearchVariance | undefined): Cacheable {
  const { recipe, rule } = meaning;
  if (variance === undefined) {
    return { ...meaning, key: primaryKey(rule, recipe, meaning), searched: false };
  }
  const path = primaryKey(rule, { ...recipe, target: recipe.path }, meaning);
  const part = searchPart(queryOf(recipe.target), variance);
  return { ...meaning, key: hashParts([KEY_FORMAT, 'search', path, part]), searched: true };
}

/** Where parts of an answer stand that was never there whole (RFC 9111 §3.3). */
export function partsOf(meaning: Cacheable): Cacheable {
  return { ...meaning, key: hashParts([KEY_FORMAT, 'part', meaning.key]) };
}

/** Where an answer to this very Range stands that says of itself in no way which bytes it has. */
export function asAskedOf(meaning: Cacheable, range: string): Cacheable {
  return { ...meaning, key: hashParts([KEY_FORMAT, 'as-asked', meaning.key, range.trim()]) };
}

// The upstream's address is part of it, so that services that share a store by mistake, or follow
// one another, never answer for each other.
function primaryKey(
  rule: ReadRule,
  recipe: Recipe,
  { upstream, reader }: { upstream: string; reader?: Reader | undefined },
): Key {
  const scheme = recipe.secure === true ? 'https' : 'http';
  const { method, host = '', target } = recipe;
  const parts = [KEY_FORMAT, upstream, method, rule.hash, scheme, host, target];
  // A field that the operator lists counts by its absence as well.
  const names = new Set(rule.headers ?? namesOf(recipe.fields));
  for (const name of [...names].sort()) {
    if (!keyedAlways(name, rule)) continue;
    parts.push(name, hasField(recipe.fields, name) ? '1' : '0', field(recipe.fields, name) ?? '');
  }
  // RFC 10008 §2.7: "The cache key for a QUERY request MUST incorporate the request content and
  // related metadata." Every byte counts: who knows what a media type means may tell more alike.
  if (recipe.body !== undefined) {
    parts.push('content', hash('sha256', recipe.body, 'base64url'));
    const described = contentFields(recipe.fields);
    parts.push(...described.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text)));
  }
  if (reader !== undefined) parts.push('reader', reader.identity.hash, reader.part);
  return hashParts(parts);
}

function namesOf(fields: Fields): string[] {
  const names: string[] = [];
  for (let i = 0; i < fields.length; i += 2) names.push(fields[i]!.toLowerCase());
  return names;
}

function hashParts(parts: readonly string[]): Key {
  const joined = parts.map((part) => `${part.length}:${part}`).join('');
  return hash('sha256', joined, 'base64url') as Key;
}
