// Draws which writes refresh and purge which reads, as text or as a Mermaid flow chart.
import type { Config, Target, Template, WriteRule } from './config.ts';

export type GraphFormat = 'text' | 'mermaid';

interface Edge {
  readonly from: string;
  readonly verb: 'refresh' | 'purge';
  readonly target: string;
  /** Reads that it reaches; none for a tag that only the upstream gives. */
  readonly to: readonly string[];
}

export function drawGraph(config: Config, format: GraphFormat): string {
  const edges = config.routes.flatMap(({ writes }) =>
    [...writes.values()].flatMap((write) => edgesOf(write, config)));
  const reads = config.routes.flatMap(({ pattern, reads }) =>
    [...reads.keys()].map((method) => `${method} ${pattern}`));
  const idle = config.routes.flatMap(({ writes }) => [...writes.values()])
    .filter(({ refresh, purge }) => refresh.length + purge.length === 0).map(nameOf);
  return format === 'text' ? drawText(edges, reads, idle) : drawMermaid(edges, reads, idle);
}

function nameOf({ method, pattern }: WriteRule): string {
  return `${method} ${pattern}`;
}

function edgesOf(write: WriteRule, config: Config): Edge[] {
  const edge = (verb: Edge['verb']) => (target: Target): Edge =>
    ({ from: nameOf(write), verb, target: target.text, to: reached(target, config) });
  return [...write.refresh.map(edge('refresh')), ...write.purge.map(edge('purge'))];
}

function reached(target: Target, { routes }: Config): string[] {
  const found: string[] = [];
  for (const { pattern, reads } of routes) {
    for (const [method, { tags }] of reads) {
      const meant = target.kind === 'route'
        ? target.pattern === pattern : tags.some((tag) => mayBeEqual(tag, target.tag));
      if (meant) found.push(`${method} ${pattern}`);
    }
  }
  return found;
}

/** Whether two templates may come out as the same text, judged by what stands before any hole. */
function mayBeEqual(a: Template, b: Template): boolean {
  const [x, y] = [head(a), head(b)];
  if (a.text === x && b.text === y) return x === y;
  if (a.text === x) return x.startsWith(y);
  if (b.text === y) return y.startsWith(x);
  return x.startsWith(y) || y.startsWith(x);
}

function head({ parts }: Template): string {
  const first = parts[0];
  return first?.kind === 'text' ? first.text : '';
}

function drawText(
  edges: readonly Edge[], reads: readonly string[], idle: readonly string[],
): string {
  const lines: string[] = [];
  for (const from of new Set(edges.map((edge) => edge.from))) {
    lines.push(from);
    for (const { verb, target, to } of edges.filter((edge) => edge.from === from)) {
      const ends = to.length === 0 ? '(nothing that is read)' : to.join(', ');
      const own = to.length === 1 && to[0]!.endsWith(` ${target}`);
      lines.push(`  ${verb.padEnd(7)}  ${own ? ends : `${target} -> ${ends}`}`);
    }
  }
  for (const write of idle) lines.push(write, '  nothing but its own URL');
  const unmoved = unreached(edges, reads);
  if (unmoved.length > 0) lines.push('refreshed by no rule', ...unmoved.map((read) => `  ${read}`));
  return lines.join('\n');
}

function unreached(edges: readonly Edge[], reads: readonly string[]): string[] {
  const reached = new Set(edges.flatMap(({ to }) => to));
  return reads.filter((read) => !reached.has(read));
}

function drawMermaid(
  edges: readonly Edge[], reads: readonly string[], idle: readonly string[],
): string {
  const ids = new Map<string, string>();
  const lines = ['graph LR'];
  const node = (name: string, prefix: string): string => {
    const known = ids.get(`${prefix} ${name}`);
    if (known !== undefined) return known;
    const id = `${prefix}${ids.size}`;
    ids.set(`${prefix} ${name}`, id);
    lines.push(`  ${id}["${escapeMermaid(name)}"]`);
    return id;
  };
  for (const name of [...new Set(edges.map(({ from }) => from)), ...idle]) node(name, 'w');
  for (const name of reads) node(name, 'r');
  for (const { from, verb, target, to } of edges) {
    const ends = to.length > 0 ? to.map((name) => node(name, 'r')) : [node(target, 't')];
    for (const end of ends) lines.push(`  ${node(from, 'w')} -->|${verb}| ${end}`);
  }
  return lines.join('\n');
}

/** Mermaid's own entities; anything else may stand between its quotes. */
function escapeMermaid(name: string): string {
  return name.replaceAll('#', '#35;').replaceAll('"', '#quot;');
}
