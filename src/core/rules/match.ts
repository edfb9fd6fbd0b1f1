// Which route a path belongs to. `compileMatcher` compares the exact bytes that are forwarded:
// static before parameter before `*`, each node of the tree visited at most once.
// `compileLooseMatcher`, for writes, finds every route that a lenient server might mean by it.
import type { Route } from './config.ts';
import { spellings } from './spellings.ts';

export interface Match {
  readonly route: Route;
  /** Percent-decoded; a trailing `*` is called `*`. */
  readonly params: ReadonlyMap<string, string>;
}

/** `path` is without its query. */
export type Matcher = (path: string) => Match | undefined;

interface Node {
  readonly statics: Map<string, Node>;
  param: Node | undefined;
  route: Route | undefined;
  rest: Route | undefined;
}

interface Tree {
  readonly root: Node;
  /** Names of static segments are compared without case. */
  readonly loose: boolean;
  /** The path at hand, and where its parameters begin and end: nothing is allocated to search. */
  path: string;
  readonly bounds: number[];
}

const SLASH = 0x2f;
const NO_PARAMS: ReadonlyMap<string, string> = new Map();

export function compileMatcher(routes: readonly Route[]): Matcher {
  const tree = build(routes, false);
  const whole = new Map<string, Match>();
  for (const route of routes) {
    if (route.params.length > 0) continue;
    const texts = route.segments.map((segment) => (segment.kind === 'static' ? segment.text : ''));
    whole.set(`/${texts.join('/')}`, { route, params: NO_PARAMS });
  }
  return (path) => whole.get(path) ?? matchIn(tree, path);
}

/** Every distinct match, the exact one first; usually there is one. */
export function compileLooseMatcher(routes: readonly Route[]): (path: string) => Match[] {
  const exact = compileMatcher(routes);
  const loose = build(routes, true);
  return (path) => {
    const matches = new Map<string, Match>();
    const add = (match: Match | undefined): void => {
      if (match !== undefined) matches.set(idOf(match), match);
    };
    for (const spelling of spellings(path)) {
      add(exact(spelling));
      add(matchIn(loose, spelling));
      // A slash more only matters to a pattern that ends in one.
      const slashed = spelling.endsWith('/') ? undefined : matchIn(loose, `${spelling}/`);
      if (slashed !== undefined && endsInSlash(slashed.route)) add(slashed);
    }
    return [...matches.values()];
  };
}

/** Both ways of finding a route, over the same routes. */
export interface Finder {
  readonly match: Matcher;
  readonly matchLoosely: (path: string) => Match[];
}

export function compileFinder(routes: readonly Route[]): Finder {
  return { match: compileMatcher(routes), matchLoosely: compileLooseMatcher(routes) };
}

function idOf({ route, params }: Match): string {
  return JSON.stringify([route.pattern, ...params.values()]);
}

function endsInSlash({ segments }: Route): boolean {
  const last = segments.at(-1);
  return last?.kind === 'static' && last.text === '';
}

function build(routes: readonly Route[], loose: boolean): Tree {
  const root = emptyNode();
  for (const route of routes) insert(root, route, loose);
  return { root, loose, path: '', bounds: [] };
}

function emptyNode(): Node {
  return { statics: new Map(), param: undefined, route: undefined, rest: undefined };
}

function insert(root: Node, route: Route, loose: boolean): void {
  let node = root;
  for (const segment of route.segments) {
    if (segment.kind === 'rest') {
      node.rest ??= route;
      return;
    }
    if (segment.kind === 'param') {
      node = node.param ??= emptyNode();
      continue;
    }
    const text = loose ? segment.text.toLowerCase() : segment.text;
    let next = node.statics.get(text);
    if (next === undefined) node.statics.set(text, next = emptyNode());
    node = next;
  }
  node.route ??= route;
}

function matchIn(tree: Tree, path: string): Match | undefined {
  if (path.charCodeAt(0) !== SLASH) return undefined;
  tree.path = path;
  const route = find(tree, tree.root, 1, 0);
  if (route === undefined) return undefined;
  if (route.params.length === 0) return { route, params: NO_PARAMS };
  const params = new Map<string, string>();
  for (let i = 0; i < route.params.length; i++) {
    const value = decode(path.slice(tree.bounds[2 * i], tree.bounds[2 * i + 1]), tree.loose);
    if (value === undefined) return undefined;
    params.set(route.params[i]!, value);
  }
  return { route, params };
}

/** `from` is where a segment begins, `depth` how many parameters are behind it. */
function find(tree: Tree, node: Node, from: number, depth: number): Route | undefined {
  const slash = tree.path.indexOf('/', from);
  const end = slash === -1 ? tree.path.length : slash;
  if (node.statics.size > 0) {
    const text = tree.path.slice(from, end);
    const next = node.statics.get(tree.loose ? text.toLowerCase() : text);
    const route = next && step(tree, next, end, depth);
    if (route !== undefined) return route;
  }
  if (node.param !== undefined && end > from) {
    const route = step(tree, node.param, end, depth + 1);
    if (route !== undefined) {
      setBounds(tree, depth, from, end);
      return route;
    }
  }
  if (node.rest !== undefined) setBounds(tree, depth, from, tree.path.length);
  return node.rest;
}

/** `end` is where a segment ends: at a slash, or at the end of the path. */
function step(tree: Tree, node: Node, end: number, depth: number): Route | undefined {
  return end === tree.path.length ? node.route : find(tree, node, end + 1, depth);
}

function setBounds(tree: Tree, depth: number, from: number, end: number): void {
  tree.bounds[2 * depth] = from;
  tree.bounds[2 * depth + 1] = end;
}

function decode(text: string, loose: boolean): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (error) {
    // A lenient server takes a broken escape for the text that it is.
    if (error instanceof URIError) return loose ? text : undefined;
    throw error;
  }
}
