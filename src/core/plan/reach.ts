// What a write reaches, as tags: its rule's targets, its own path, what its answer's Location and
// Content-Location name (RFC 9111 §4.4), and by REST convention the collection above a path for
// which no rule speaks. A target that cannot be computed widens to the whole route.
import { parentPath } from '../key/path.ts';
import { field, type Fields } from '../http/message.ts';
import type { Config, ReadRule, Route, Target, Template, WriteRule } from '../rules/config.ts';
import { type Said, texts } from './values.ts';
import { type Bound, extraTag, ownTag, reachTag, routeTag, variantTag } from './tags.ts';

export interface Match {
  readonly route: Route;
  readonly params: Bound;
}

export interface Finder {
  /** The route of exactly this path. */
  match(path: string): Match | undefined;
  /** Every route that some lenient server may mean by this path. */
  matchLoosely(path: string): Match[];
}

/** What a write's answer names beside its rules: same-origin paths, and groups (RFC 9875). */
export interface Named {
  readonly paths: readonly string[];
  readonly groups: readonly string[];
}

export interface WriteRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string | undefined;
  readonly fields: Fields;
}

/** Over this many combinations of values a target widens to its route. */
const BOUNDS_MAX = 100;

/** Over this many tags a write touches the routes as a whole. */
const TAGS_MAX = 1000;

// Frameworks take a POST with one of these for the method that it names.
export const OVERRIDES: readonly string[] = [
  'x-http-method-override', 'x-http-method', 'x-method-override',
];

export interface Reach {
  /** Touched, and fetched again where they are in use. */
  readonly refresh: ReadonlySet<string>;
  /** Touched only. */
  readonly purge: ReadonlySet<string>;
  /** Why each tag: the target's text, `own-path`, `location`, `cache-group`, `convention`. */
  readonly why: ReadonlyMap<string, string>;
  /**
   * What of it is worth a fetch: read so often. Where no rule speaks for the write, HTTP and
   * convention only guess what depends on it, and who was read once may be read by nobody again.
   */
  readonly readsMin: 1 | 2;
}

export interface WriteRules {
  readonly matches: readonly Match[];
  readonly rules: readonly { readonly rule: WriteRule; readonly params: Bound }[];
}

/** The rules that speak for a write, by every spelling under which its path may be understood. */
export function writeRules(request: WriteRequest, finder: Finder): WriteRules {
  const matches = finder.matchLoosely(request.path);
  const methods = new Set([request.method]);
  for (const name of OVERRIDES) methods.add(field(request.fields, name)?.toUpperCase() ?? '');
  const rules = matches.flatMap(({ route, params }) =>
    [...methods].flatMap((method) => {
      const rule = route.writes.get(method);
      return rule === undefined ? [] : [{ rule, params }];
    }));
  return { matches, rules };
}

/** Which parts of the messages the rules' targets read. */
export function readsBodies(rules: WriteRules): { request: boolean; response: boolean } {
  const parts = rules.rules.flatMap(({ rule }) => [...rule.refresh, ...rule.purge])
    .flatMap(templatesOf)
    .flatMap((template) => template.parts);
  const from = (source: string): boolean =>
    parts.some((part) => part.kind === 'value' && part.from === source);
  return { request: from('request.body'), response: from('response.body') };
}

/**
 * The tags that a write reaches. Called before it is forwarded (no answer in `said`: targets that
 * need one widen), and again with the answer. `named`: by the answer.
 */
export function reachOf(
  request: WriteRequest,
  write: WriteRules,
  { config, finder, said, named, selfOn }: {
    config: Config;
    finder: Finder;
    said: Omit<Said, 'params' | 'query'>;
    named?: Named | undefined;
    selfOn: SelfOn;
  },
): Reach {
  const refresh = new Set<string>();
  const purge = new Set<string>();
  const why = new Map<string, string>();
  const add = (into: Set<string>, tags: readonly string[], because: string): void => {
    for (const tag of tags) {
      into.add(tag);
      if (!why.has(tag)) why.set(tag, because);
    }
  };
  const byPath = (path: string, because: string): void => {
    for (const { route, params } of finder.matchLoosely(path)) {
      const tag = reachTag(route, params);
      // Whoever says that it is only to end has said it of this path, too.
      if (route.reads.size > 0 && !purge.has(tag)) add(refresh, [tag], because);
    }
  };
  for (const { rule, params } of write.rules) {
    const all: Said = { ...said, params, query: request.query };
    const tags = (target: Target): string[] => tagsOf(target, all, { config, finder, selfOn });
    for (const target of rule.refresh) add(refresh, tags(target), target.text);
    for (const target of rule.purge) add(purge, tags(target), target.text);
  }
  byPath(request.path, 'own-path');
  for (const target of named?.paths ?? []) byPath(target.split('?', 1)[0]!, 'location');
  add(refresh, (named?.groups ?? []).map(extraTag), 'cache-group');
  if (config.conventions === 'rest' && write.rules.length === 0) {
    byPath(parentPath(request.path), 'convention');
  }
  const readsMin = write.rules.length === 0 ? 2 : 1;
  if (refresh.size + purge.size > TAGS_MAX) {
    return { refresh: widened(refresh), purge: widened(purge), why, readsMin };
  }
  for (const tag of refresh) purge.delete(tag);
  return { refresh, purge, why, readsMin };
}

// A route's tag is what stands before the first blank of every tag made from it.
function widened(tags: ReadonlySet<string>): Set<string> {
  return new Set([...tags].map((tag) => (tag.startsWith('/') ? tag.split(' ', 1)[0]! : tag)));
}

/** Whether a write could reach anything that is cached; if not, it needs no intent. */
export function reachesNothing(reach: Reach): boolean {
  return reach.refresh.size === 0 && reach.purge.size === 0;
}

/** The tags of the writer as a reader of this route; none where it is nobody in particular. */
export type SelfOn = (route: Route) => readonly string[];

/** The tags of one target; never none, unless its list in the body was empty. */
export function tagsOf(
  target: Target, said: Said,
  { config, finder, selfOn }: { config: Config; finder: Finder; selfOn: SelfOn },
): string[] {
  if (target.kind === 'tag') {
    // An extra tag has no route to widen to: every route that carries extra tags is reached.
    const names = texts(target.tag, said);
    if (names !== undefined) return names.map(extraTag);
    return config.routes.filter(hasReads).map((route) => route.pattern);
  }
  const route = config.routes.find(({ pattern }) => pattern === target.pattern);
  if (route === undefined) return [target.pattern];
  const selves = target.self ? selfOn(route) : [];
  const own = (tag: string): string[] =>
    (selves.length === 0 ? [tag] : selves.map((self) => ownTag(tag, self)));
  const bounds = boundsOf(target.bindings, said);
  if (bounds === undefined) return own(route.pattern);
  const queries = target.query === undefined ? undefined : texts(target.query, said, inQuery);
  const tags = bounds.flatMap((bound) => {
    const complete = bound.size === route.params.length;
    // Of a reader's own there is no tag for some of the parameters.
    if (selves.length > 0 && !complete) return own(route.pattern);
    if (queries === undefined || !complete) return own(reachTag(route, bound));
    return queries.flatMap((query) => own(variantTag(route, bound, query)));
  });
  // What is computed may spell a path for which a more specific route speaks.
  const elsewhere = bounds
    .filter((bound) => bound.size === route.params.length && bound.size > 0)
    .flatMap((bound) => finder.match(pathOf(route, bound)) ?? [])
    .filter((match) => match.route.pattern !== route.pattern && hasReads(match.route))
    .map((match) => routeTag(match.route.pattern, match.route.params, match.params));
  return [...tags, ...elsewhere];
}

/** What the rule of a read adds to its entries' tags; undefined where one cannot be computed. */
export function ownTags(rule: ReadRule, said: Said): string[] | undefined {
  const tags: string[] = [];
  for (const template of rule.tags) {
    const names = texts(template, said);
    if (names === undefined) return undefined;
    tags.push(...names.map(extraTag));
  }
  return tags;
}

// A value's own `&`, `=`, `+` and `%` must not be read as the query's.
const inQuery = (value: string): string => encodeURIComponent(value.toWellFormed());

function hasReads(route: Route): boolean {
  return route.reads.size > 0;
}

function templatesOf(target: Target): Template[] {
  if (target.kind === 'tag') return [target.tag];
  const bound = [...target.bindings.values()].filter((binding) => binding !== 'any');
  return target.query === undefined ? bound : [...bound, target.query];
}

/** Every combination of the values that the bindings mean. */
function boundsOf(
  bindings: ReadonlyMap<string, 'any' | Template>,
  said: Said,
): Map<string, string>[] | undefined {
  let bounds = [new Map<string, string>()];
  for (const [name, binding] of bindings) {
    if (binding === 'any') continue;
    const values = texts(binding, said);
    if (values === undefined || values.includes('')) return undefined;
    bounds = bounds.flatMap((bound) => values.map((value) => new Map(bound).set(name, value)));
    if (bounds.length > BOUNDS_MAX) return undefined;
  }
  return bounds;
}

function pathOf(route: Route, bound: Bound): string {
  const texts = route.segments.map((segment) => {
    if (segment.kind === 'static') return segment.text;
    const value = bound.get(segment.kind === 'rest' ? '*' : segment.name)!.toWellFormed();
    const escaped = encodeURIComponent(value);
    return segment.kind === 'rest' ? escaped.replaceAll('%2F', '/') : escaped;
  });
  return `/${texts.join('/')}`;
}
