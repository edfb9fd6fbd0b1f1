// The names under which entries are touched. Tags are structural: they follow from the route and
// its bound parameters alone, so that whatever a rule of tomorrow names, an entry of today carries
// it.
import { createHash } from 'node:crypto';
import type { Route } from '../rules/config.ts';
import { decodeQuery, shownQuery } from '../key/query.ts';

/** Over this many parameters an entry carries only its route's tag and its full path's. */
const COMBINED_PARAMS_MAX = 4;
const TAG_LENGTH_MAX = 200;

export type Bound = ReadonlyMap<string, string>;

/**
 * The tag of a route with some of its parameters bound: `/posts/:id` for all of it,
 * `/posts/:id id=7` for one. `params` gives the order.
 */
export function routeTag(pattern: string, params: readonly string[], bound: Bound): string {
  if (bound.size === 0) return pattern;
  let tag = pattern;
  let separator = ' ';
  for (const name of params) {
    const value = bound.get(name);
    if (value === undefined) continue;
    const bare = withoutParams(value);
    tag += `${separator}${name}=${folded(name === '*' ? restValue(bare) : bare)}`;
    separator = '&';
  }
  return shorten(pattern, tag);
}

/**
 * The tag of exactly one variant: everything bound, and the query by its meaning, less the
 * parameters that any of the route's rules for reads drops.
 */
export function variantTag(route: Route, bound: Bound, query: string | undefined): string {
  const full = routeTag(route.pattern, route.params, bound);
  let shown = query;
  for (const rule of route.reads.values()) shown = shownQuery(shown, rule);
  const pairs = decodeQuery(shown).map(([name, value]) => `${escape(name)}=${folded(value)}`);
  return shorten(route.pattern, `${full} ?${pairs.sort().join('&')}`);
}

/** The tag of a name that an operator or the upstream gave. */
export function extraTag(name: string): string {
  return shorten('tag:', `tag:${escape(name)}`);
}

/** All tags of what stands at this path and query: 2^n + 1 of them for n parameters up to four. */
export function structuralTags(route: Route, bound: Bound, query: string | undefined): string[] {
  const { pattern, params } = route;
  const tags = [pattern];
  if (params.length > COMBINED_PARAMS_MAX) {
    tags.push(routeTag(pattern, params, bound));
  } else {
    for (let chosen = 1; chosen < 1 << params.length; chosen += 1) {
      const some = new Map<string, string>();
      params.forEach((name, i) => {
        if (chosen & (1 << i)) some.set(name, bound.get(name)!);
      });
      tags.push(routeTag(pattern, params, some));
    }
  }
  tags.push(variantTag(route, bound, query));
  return tags;
}

/** What of one reader's stands under another tag: the writer's own, for `@self`. */
export function ownTag(tag: string, reader: string): string {
  return shorten(tag.split(' ', 1)[0]!, `${tag} @${reader}`);
}

/** Of one reader's: all tags, the reader's, and those by which a writer reaches its own. */
export function readersTags(
  route: Route,
  { bound, query, reader }: { bound: Bound; query: string | undefined; reader: string },
): string[] {
  const tags = structuralTags(route, bound, query);
  const own = [route.pattern, tags.at(-1)!];
  if (bound.size > 0) own.push(routeTag(route.pattern, route.params, bound));
  return [...tags, reader, ...own.map((tag) => ownTag(tag, reader))];
}

/**
 * The tag of a route bound in part, widened to the route where entries carry no such combination.
 */
export function reachTag(route: Route, bound: Bound): string {
  const all = bound.size === route.params.length;
  if (!all && route.params.length > COMBINED_PARAMS_MAX) return route.pattern;
  return routeTag(route.pattern, route.params, bound);
}

// Whoever serves a path may not tell its spellings apart: with and without `;params`, with doubled
// and trailing slashes where a `*` stands for a piece of it, and in any case. They share a tag: a
// write reaches all.
function withoutParams(value: string): string {
  return value.includes(';') ? value.replaceAll(/;[^/]*/g, '') : value;
}

function restValue(value: string): string {
  return value.split('/').filter(Boolean).join('/');
}

// No blank, `&`, `=`, `{` or `}` remains, so that neither tags nor a store's hash slots can be
// forged.
// Many upstreams take ids and words without regard to case; touching too much is harmless.
function folded(value: string): string {
  return escape(value.toLowerCase());
}

function escape(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}

function shorten(prefix: string, tag: string): string {
  if (tag.length <= TAG_LENGTH_MAX) return tag;
  return `${prefix.slice(0, 100)} #${createHash('sha256').update(tag).digest('base64url')}`;
}
