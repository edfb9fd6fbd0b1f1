// Targets of writes: `/posts/:id?page=1`, `tag:posts`, compiled to the route they name and to what
// its parameters are bound to. A target that names no route is a problem, not a guess.
import type { Segment, Target, Template, TemplatePart } from './config.ts';
import { canonicalSegment, isParameterName } from './pattern.ts';
import type { Pattern } from './pattern.ts';
import { nearest } from './problem.ts';
import { holesOf, paramTemplate, readTemplate, templateOf } from './template.ts';

/** A route as far as targets need it. */
export interface Named extends Pattern {
  readonly text: string;
}

export type TargetReading =
  | { readonly kind: 'target'; readonly target: Target }
  | { readonly kind: 'wrong'; readonly message: string; readonly suggestion?: string };

/** One segment of a target. */
type Aim =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'template'; readonly parts: readonly TemplatePart[] };

type Bindings = Map<string, 'any' | Template>;

/** `writer` is the route that the write's own path belongs to. */
export function readTarget(text: string, writer: Named, routes: readonly Named[]): TargetReading {
  const of = / +@self$/.exec(text);
  if (of !== null) {
    const read = readTarget(text.slice(0, of.index), writer, routes);
    if (read.kind === 'wrong') return read;
    return read.target.kind === 'route'
      ? { kind: 'target', target: { ...read.target, text, self: true } }
      : wrong(`\`${text}\`: \`@self\` goes with a path`);
  }
  const near = /^(\S+?) *@\w+$/.exec(text);
  if (near !== null && text.startsWith('/')) {
    return wrong(`\`${text}\`: what stands behind a path is \`@self\``, `${near[1]!} @self`);
  }
  if (text.startsWith('tag:')) return readTag(text, writer);
  if (!text.startsWith('/')) {
    const known = routes.find((route) => route.text === `/${text}`);
    return wrong(
      `the target \`${text}\` must begin with \`/\` or \`tag:\``, known?.text);
  }
  const read = readTemplate(text);
  if (read.kind === 'wrong') return read;
  const unbound = unboundHole(read.template, writer);
  if (unbound !== undefined) return wrong(unbound);
  const { path, query } = splitQuery(read.template.parts);
  const aims = readAims(path);
  if (typeof aims === 'string') return wrong(`in \`${text}\`: ${aims}`);
  return resolve({ text, aims, query, writer, routes });
}

function wrong(message: string, suggestion?: string): TargetReading {
  return { kind: 'wrong', message, ...(suggestion === undefined ? {} : { suggestion }) };
}

function readTag(text: string, writer: Named): TargetReading {
  const name = text.slice('tag:'.length);
  if (!/^\S+$/.test(name)) return wrong(`\`${text}\` must be \`tag:\` and a name without spaces`);
  const read = readTemplate(name);
  if (read.kind === 'wrong') return read;
  const unbound = unboundHole(read.template, writer);
  return unbound === undefined
    ? { kind: 'target', target: { kind: 'tag', text, tag: read.template } }
    : wrong(unbound);
}

/** Says which `{params.x}` the write's own path can't give. */
function unboundHole(template: Template, writer: Named): string | undefined {
  const hole = holesOf(template)
    .find(({ from, path }) => from === 'params' && !writer.params.includes(path[0]!));
  return hole === undefined ? undefined : sayUnbound(`{params.${hole.path[0]!}}`, writer);
}

function sayUnbound(hole: string, writer: Named): string {
  return `\`${hole}\` is not bound: \`${writer.text}\` has no such parameter; say \`*\` for any, `
    + 'or a value such as `{response.body.id}`';
}

/** At the first `?` that stands outside a hole. */
function splitQuery(parts: readonly TemplatePart[]): { path: TemplatePart[]; query?: Template } {
  const at = parts.findIndex((part) => part.kind === 'text' && part.text.includes('?'));
  const part = parts[at];
  if (part?.kind !== 'text') return { path: [...parts] };
  const cut = part.text.indexOf('?');
  const before: TemplatePart = { kind: 'text', text: part.text.slice(0, cut) };
  const after: TemplatePart = { kind: 'text', text: part.text.slice(cut + 1) };
  const query = [after, ...parts.slice(at + 1)].filter(isNotEmpty);
  return {
    path: [...parts.slice(0, at), before].filter(isNotEmpty),
    ...(query.length === 0 ? {} : { query: templateOf(query) }),
  };
}

function isNotEmpty(part: TemplatePart): boolean {
  return part.kind === 'value' || part.text !== '';
}

function readAims(path: readonly TemplatePart[]): Aim[] | string {
  const segments: TemplatePart[][] = [];
  for (const part of path) {
    if (part.kind === 'value') {
      segments.at(-1)!.push(part);
      continue;
    }
    const pieces = part.text.split('/');
    for (const [i, text] of pieces.entries()) {
      if (i > 0) segments.push([]);
      if (text !== '') segments.at(-1)!.push({ kind: 'text', text });
    }
  }
  const aims: Aim[] = [];
  for (const segment of segments) {
    const aim = readAim(segment);
    if (typeof aim === 'string') return aim;
    aims.push(aim);
  }
  return aims;
}

function readAim(parts: readonly TemplatePart[]): Aim | string {
  const first = parts[0];
  if (parts.length > 1 || first?.kind === 'value') return { kind: 'template', parts };
  const text = first?.text ?? '';
  if (text === '*') return { kind: 'any' };
  if (text.startsWith(':') && !text.startsWith('::')) {
    const name = text.slice(1);
    return isParameterName(name) ? { kind: 'param', name } : `\`${text}\` is no parameter`;
  }
  const plain = text.replaceAll('::', ':');
  const canonical = canonicalSegment(plain);
  if (canonical === undefined) return `\`${text}\` has a broken percent-escape`;
  return { kind: 'text', text: canonical };
}

interface Question {
  readonly text: string;
  readonly aims: readonly Aim[];
  readonly query?: Template | undefined;
  readonly writer: Named;
  readonly routes: readonly Named[];
}

function resolve({ text, aims, query, writer, routes }: Question): TargetReading {
  let best: { route: Named; ranks: number[] } | undefined;
  for (const route of routes) {
    const ranks = rank(aims, route.segments);
    if (ranks !== undefined && (best === undefined || isBefore(ranks, best.ranks))) {
      best = { route, ranks };
    }
  }
  if (best === undefined) {
    const path = text.split('?', 1)[0]!;
    const near = nearest(path, routes.map((route) => route.text));
    return wrong(`the target \`${path}\` names no route`, near);
  }
  const bindings = bind(aims, best.route.segments);
  const unbound = aims.find((aim) => aim.kind === 'param' && !writer.params.includes(aim.name));
  if (unbound?.kind === 'param') return wrong(sayUnbound(`:${unbound.name}`, writer));
  const { text: pattern } = best.route;
  const target: Target = { kind: 'route', text, pattern, bindings, self: false };
  return { kind: 'target', target: query === undefined ? target : { ...target, query } };
}

/** How well each segment is met, from the left; undefined where the route isn't meant. */
function rank(aims: readonly Aim[], segments: readonly Segment[]): number[] | undefined {
  const ranks: number[] = [];
  for (const [i, segment] of segments.entries()) {
    const aim = aims[i];
    if (aim === undefined) return undefined;
    if (segment.kind === 'rest') {
      // A trailing `*` names a trailing `*` before it names a parameter.
      return [...ranks, aim.kind === 'any' && i === aims.length - 1 ? 4 : 1];
    }
    if (segment.kind === 'static') {
      if (aim.kind !== 'text' || aim.text !== segment.text) return undefined;
      ranks.push(3);
    } else {
      if (aim.kind === 'text' && aim.text === '') return undefined;
      ranks.push(2);
    }
  }
  return aims.length === segments.length ? ranks : undefined;
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((one, i) => one !== b[i]);
  return at !== -1 && a[at]! > (b[at] ?? 0);
}

function bind(aims: readonly Aim[], segments: readonly Segment[]): Bindings {
  const bindings: Bindings = new Map();
  for (const [i, segment] of segments.entries()) {
    if (segment.kind === 'param') bindings.set(segment.name, bindOne(aims[i]!));
    if (segment.kind === 'rest') bindings.set('*', bindRest(aims.slice(i)));
  }
  return bindings;
}

function bindOne(aim: Aim): 'any' | Template {
  switch (aim.kind) {
    case 'any': return 'any';
    case 'param': return paramTemplate(aim.name);
    case 'template': return templateOf(aim.parts.map(decodeText));
    case 'text': return templateOf([decodeText({ kind: 'text', text: aim.text })]);
  }
}

/** Several segments are one value, with slashes in it; an "any" among them makes it any. */
function bindRest(aims: readonly Aim[]): 'any' | Template {
  const parts: TemplatePart[] = [];
  for (const [i, aim] of aims.entries()) {
    const bound = bindOne(aim);
    if (bound === 'any') return 'any';
    if (i > 0) parts.push({ kind: 'text', text: '/' });
    parts.push(...bound.parts.filter(isNotEmpty));
  }
  return templateOf(parts);
}

/** Values of parameters are compared percent-decoded; text that can't be is left as it is. */
function decodeText(part: TemplatePart): TemplatePart {
  if (part.kind === 'value' || !part.text.includes('%')) return part;
  try {
    return { kind: 'text', text: decodeURIComponent(part.text) };
  } catch (error) {
    if (error instanceof URIError) return part;
    throw error;
  }
}
