// YAML text to a tree of values with their places, `${NAME}` filled in from the environment. All of
// YAML's own complaints, and keys that stand twice, become problems; no option is known by name.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Document, Node as YamlNode, YAMLError, YAMLMap } from 'yaml';
import type { Notes, Place } from './problem.ts';
import { scalarOf, tableOf } from './tree.ts';
import type { Scalar, Table, TableEntry, Tree } from './tree.ts';

export type Env = Readonly<Record<string, string | undefined>>;

// Aliases may repeat and nest; both are bounded, so that a small file can't mean a huge one.
const NODES_MAX = 100_000;
const DEPTH_MAX = 32;

interface Reading {
  readonly file: string;
  readonly env: Env;
  readonly notes: Notes;
  readonly doc: Document;
  readonly lines: LineCounter;
  nodes: number;
}

/** The top-level map of the text, empty for an empty text; undefined where it can't be read. */
export function readSource(
  text: string, about: { file: string; env: Env; notes: Notes },
): Table | undefined {
  const lines = new LineCounter();
  // Keys that stand twice are found below: YAML's own search takes the square of their number.
  const doc = parseDocument(text, {
    lineCounter: lines, prettyErrors: false, logLevel: 'error', uniqueKeys: false,
  });
  const reading: Reading = { ...about, doc, lines, nodes: 0 };
  const errors = [...doc.errors, ...doc.warnings];
  for (const error of errors) about.notes.wrong(placeAt(reading, error.pos[0]), sayError(error));
  if (errors.length > 0) return undefined;
  const top = placeAt(reading, 0);
  if (doc.contents === null) return tableOf([], top);
  const tree = convert(doc.contents, reading, 0);
  if (tree.is === 'table') return tree;
  if (tree.is === 'scalar' && tree.value === null) return tableOf([], top);
  about.notes.wrong(tree.at, 'the file must be a map of options, such as `upstream: http://…`');
  return undefined;
}

function sayError(error: YAMLError): string {
  const first = error.message.split('\n', 1)[0]!;
  return `not YAML: ${first.charAt(0).toLowerCase()}${first.slice(1)}`;
}

function placeAt({ file, lines }: Reading, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { file, line: Math.max(1, line), column: Math.max(1, col) };
}

function placeOf(node: unknown, reading: Reading, otherwise: Place): Place {
  const range = (node as Partial<YamlNode> | null)?.range;
  return range ? placeAt(reading, range[0]) : otherwise;
}

function convert(
  node: unknown, reading: Reading, depth: number, otherwise = placeAt(reading, 0),
): Tree {
  const at = placeOf(node, reading, otherwise);
  reading.nodes += 1;
  if (depth > DEPTH_MAX || reading.nodes > NODES_MAX) {
    const message = depth > DEPTH_MAX ? 'nested too deeply' : 'the file means too many values';
    return unusable(message, at, reading);
  }
  if (isAlias(node)) {
    const meant = node.resolve(reading.doc);
    if (meant !== undefined) return convert(meant, reading, depth + 1, at);
    return unusable(`\`*${node.source}\` names no anchor`, at, reading);
  }
  if (isSeq(node)) {
    const items = node.items.map((item) => convert(item, reading, depth + 1, at));
    return { is: 'list', items, at };
  }
  if (isMap(node)) return tableOf(entriesOf(node, reading, depth), at);
  if (isScalar(node)) return fillIn(node.value, node.source, at, reading);
  return nothing(at);
}

function entriesOf(map: YAMLMap, reading: Reading, depth: number): TableEntry[] {
  const entries = new Map<string, TableEntry>();
  for (const pair of map.items) {
    const at = placeOf(pair.key, reading, placeOf(map, reading, placeAt(reading, 0)));
    if (!isScalar(pair.key)) {
      reading.notes.wrong(at, 'a key must be plain text');
      continue;
    }
    const key = pair.key.source ?? String(pair.key.value);
    if (entries.has(key)) reading.notes.wrong(at, 'this key stands twice in the same map');
    entries.set(key, { key, at, value: convert(pair.value, reading, depth + 1, at) });
  }
  return [...entries.values()];
}

function nothing(at: Place): Scalar {
  return { is: 'scalar', value: null, text: '', at };
}

/** Told here, and not a second time by whoever reads it. */
function unusable(message: string, at: Place, { notes }: Reading): Scalar {
  notes.wrong(at, message);
  notes.settle(at);
  return { is: 'scalar', value: '', text: '', at };
}

// `$${` stands for `${` itself; a `${` that isn't closed is caught by the empty last group.
const HOLE = /\$(\$\{)|\$\{([^}]*)(\}?)/g;

function fillIn(value: unknown, source: string | undefined, at: Place, reading: Reading): Scalar {
  const text = typeof value === 'string' ? value : source ?? String(value);
  if (value === null || value === undefined) return nothing(at);
  const typed = typeof value === 'number' || typeof value === 'boolean';
  if (typed || !text.includes('${')) return { is: 'scalar', value: typed ? value : text, text, at };
  const filled = text.replace(HOLE, (_, escaped, inside: string, close: string) => {
    if (escaped !== undefined) return '${';
    if (close === '') reading.notes.wrong(at, `\`\${${inside}\` has no closing brace`);
    else return variable(inside, at, reading);
    return '';
  });
  return scalarOf(filled, at);
}

function variable(inside: string, at: Place, { env, notes }: Reading): string {
  const [, name, otherwise] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/.exec(inside) ?? [];
  if (name === undefined) {
    notes.wrong(at, `\`\${${inside}}\` must be \`\${NAME}\` or \`\${NAME:-default}\``);
    return '';
  }
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (value !== undefined && (value !== '' || otherwise === undefined)) return value;
  if (otherwise !== undefined) return otherwise;
  notes.wrong(at, `the environment has no \`${name}\`, and \`\${${name}}\` has no default`);
  notes.settle(at);
  return '';
}
