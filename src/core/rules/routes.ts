// Compiles what stands under `routes`: paths to routes, methods to rules, tags and targets to
// templates. Every problem is told and the rest goes on; a config is only used where there is none.
import type { ReadRule, Route, Target, UpstreamConfig, WriteRule } from './config.ts';
import { isToken } from './formats.ts';
import { pathOptions, readOptions, writeOptions } from './grammar.ts';
import { readFields } from './kinds.ts';
import type { Placed } from './kinds.ts';
import { compileMatcher } from './match.ts';
import { readPattern, shapeOf } from './pattern.ts';
import { nearest } from './problem.ts';
import type { Notes, Place } from './problem.ts';
import { compileRead } from './reads.ts';
import { readRule } from './rule.ts';
import type { Draft, Rule, RoutesContext } from './rule.ts';
import { readTarget } from './target.ts';
import { describe, tableOf } from './tree.ts';
import type { Table, TableEntry } from './tree.ts';
import { compileUpstream } from './upstream.ts';

export function compileRoutes(tree: Table, context: RoutesContext): Route[] {
  const drafts = draftRoutes(tree, context.notes);
  const routes = drafts.map((draft) => compileRoute(draft, drafts, context));
  checkWarm(routes, context);
  checkSelf(routes, context);
  return routes;
}

/** The one route of a configuration that names none: every GET and QUERY, as HTTP allows. */
export function implicitRoutes(at: Place, context: RoutesContext): Route[] {
  const read = (key: string): TableEntry => ({ key, at, value: tableOf([], at) });
  const reads = tableOf([read('GET'), read('QUERY')], at);
  return compileRoutes(tableOf([{ key: '/*', at, value: reads }], at), context);
}

/** `defaults` may hold the options of both; each must be right, used or not. */
export function checkDefaults(defaults: Table, notes: Notes): void {
  readFields({ ...readOptions, ...writeOptions }, defaults, notes);
}

function draftRoutes(tree: Table, notes: Notes): Draft[] {
  const drafts: Draft[] = [];
  const shapes = new Map<string, string>();
  for (const { key, at, value } of tree.entries) {
    const read = readPattern(key);
    if (read.kind === 'wrong') {
      for (const { message, suggestion } of read.faults) notes.wrong(at, message, suggestion);
    }
    if (value.is !== 'table') {
      const expected = 'must be a map of methods such as `GET:`';
      notes.wrong(at, `\`${key}\` ${expected}, not ${describe(value)}`);
      continue;
    }
    if (read.kind === 'wrong') continue;
    const shape = shapeOf(read.pattern.segments);
    const same = shapes.get(shape);
    if (same !== undefined) notes.wrong(at, `\`${key}\` matches the same paths as \`${same}\``);
    shapes.set(shape, key);
    const upstream = readBeside(value, notes);
    const methods = value.entries.filter((entry) => !Object.hasOwn(pathOptions, entry.key));
    drafts.push({
      text: key, ...read.pattern, at, methods, ...(upstream === undefined ? {} : { upstream }),
    });
  }
  return drafts;
}

/** What stands beside the methods. */
function readBeside(path: Table, notes: Notes): UpstreamConfig | undefined {
  const entries = path.entries.filter((entry) => Object.hasOwn(pathOptions, entry.key));
  const { upstream } = readFields(pathOptions, tableOf(entries, path.at), notes);
  const at = entries.find((entry) => entry.key === 'upstream')?.at ?? path.at;
  return upstream === undefined ? undefined : compileUpstream(upstream, at, notes);
}

function compileRoute(route: Draft, routes: readonly Draft[], context: RoutesContext): Route {
  const reads = new Map<string, ReadRule>();
  const writes = new Map<string, WriteRule>();
  for (const { key: method, at, value } of route.methods) {
    if (!isMethod(method, at, context.notes)) continue;
    const empty = value.is === 'scalar' && value.value === null;
    if (value.is !== 'table' && !empty) {
      const message = `\`${method}\` must be a map of options, not ${describe(value)}`;
      context.notes.wrong(value.at, message);
      continue;
    }
    const options = value.is === 'table' ? value : tableOf([], at);
    const rule: Rule = { route, method, options, at, routes };
    if (method === 'GET' || method === 'QUERY') reads.set(method, compileRead(rule, context));
    else writes.set(method, compileWrite(rule, context));
  }
  const { text: pattern, segments, params, upstream } = route;
  const compiled: Route = {
    pattern, segments, params, reads, writes, ...(upstream === undefined ? {} : { upstream }),
  };
  context.places.set(compiled, route.at);
  return compiled;
}

function isMethod(key: string, at: Place, notes: Notes): boolean {
  switch (key) {
    case 'HEAD':
      notes.wrong(at, '`HEAD` needs no rule: `GET` answers it too');
      return false;
    case 'OPTIONS': case 'TRACE': case 'CONNECT':
      notes.wrong(at, `\`${key}\` is neither a read nor a write and can't have a rule`);
      return false;
  }
  if (isToken(key) && /^[A-Z][^a-z]*$/.test(key)) return true;
  const option = Object.hasOwn(readOptions, key) || Object.hasOwn(writeOptions, key);
  if (option) {
    const method = Object.hasOwn(readOptions, key) ? 'GET' : 'POST';
    notes.wrong(at, `\`${key}\` is an option: it goes under a method such as \`${method}:\``);
    return false;
  }
  const methods = ['GET', 'QUERY', 'POST', 'PUT', 'PATCH', 'DELETE', ...Object.keys(pathOptions)];
  notes.wrong(at, `unknown method \`${key}\``, nearest(key, methods));
  return false;
}

function compileWrite(rule: Rule, context: RoutesContext): WriteRule {
  const given = readRule(writeOptions, readOptions, rule, context);
  const write: WriteRule = {
    pattern: rule.route.text,
    method: rule.method,
    refresh: compileTargets(given.refresh, rule, context),
    purge: compileTargets(given.purge, rule, context),
    wait: given.wait,
    waitTimeoutMs: given.wait_timeout,
    settleMs: given.settle,
  };
  context.places.set(write, rule.at);
  return write;
}

function compileTargets(
  texts: readonly Placed[] | undefined, { route, routes }: Rule, { notes, places }: RoutesContext,
): Target[] {
  const targets = new Map<string, Target>();
  for (const { text, at } of texts ?? []) {
    const read = readTarget(text, route, routes);
    if (read.kind === 'wrong') {
      notes.wrong(at, read.message, read.suggestion);
      continue;
    }
    targets.set(text, read.target);
    places.set(read.target, at);
  }
  return [...targets.values()];
}

/** A URL that is fetched at start must belong to the route under which it stands. */
function checkWarm(routes: readonly Route[], { notes, places }: RoutesContext): void {
  const match = compileMatcher(routes);
  for (const route of routes) {
    for (const rule of route.reads.values()) {
      for (const url of rule.warm) {
        const mine = match(url.split('?', 1)[0]!)?.route === route;
        if (mine && /^[\x21\x22\x24-\x7e]+$/.test(url)) continue;
        notes.wrong(places.get(rule)!, `\`warm\`: \`${url}\` is no URL of \`${route.pattern}\``);
      }
    }
  }
}

/** Only what is kept for each reader apart can be a writer's own. */
function checkSelf(routes: readonly Route[], { notes, places }: RoutesContext): void {
  const apart = new Set(routes.filter(({ reads }) =>
    [...reads.values()].some(({ per }) => per !== undefined && per !== 'everyone'))
    .map(({ pattern }) => pattern));
  for (const { refresh, purge } of routes.flatMap(({ writes }) => [...writes.values()])) {
    for (const target of [...refresh, ...purge]) {
      if (target.kind !== 'route' || !target.self || apart.has(target.pattern)) continue;
      notes.wrong(places.get(target)!,
        `\`${target.text}\`: \`${target.pattern}\` has no \`per\` that names an identity`);
    }
  }
}
