// The configuration as a tree of values that know their place, whether they came from a file, a
// flag or a variable. Knows no option by name.
import type { Place } from './problem.ts';

export interface Scalar {
  readonly is: 'scalar';
  readonly value: string | number | boolean | null;
  /** The value as it was written, with variables filled in. */
  readonly text: string;
  readonly at: Place;
}

export interface List {
  readonly is: 'list';
  readonly items: readonly Tree[];
  readonly at: Place;
}

export interface TableEntry {
  readonly key: string;
  readonly at: Place;
  readonly value: Tree;
}

export interface Table {
  readonly is: 'table';
  readonly entries: readonly TableEntry[];
  readonly at: Place;
}

export type Tree = Scalar | List | Table;

/** A scalar out of bare text, typed as YAML would: `4` is a number, `true` a boolean. */
export function scalarOf(text: string, at: Place): Scalar {
  const logical = text === 'true' || text === 'false';
  if (logical) return { is: 'scalar', value: text === 'true', text, at };
  const numeric = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/.test(text);
  return { is: 'scalar', value: numeric ? Number(text) : text, text, at };
}

export function tableOf(entries: readonly TableEntry[], at: Place): Table {
  return { is: 'table', entries, at };
}

export function entryOf(table: Table, key: string): TableEntry | undefined {
  return table.entries.find((entry) => entry.key === key);
}

/** The table with this entry put in, or in place of the one that had its key. */
export function withEntry(table: Table, entry: TableEntry): Table {
  const others = table.entries.filter((other) => other.key !== entry.key);
  return tableOf([...others, entry], table.at);
}

/** What a tree is, for messages that say what was found; long or many-lined text is cut. */
export function describe(tree: Tree): string {
  if (tree.is === 'list') return 'a list';
  if (tree.is === 'table') return 'a map';
  if (tree.value === null) return 'nothing';
  const line = tree.text.split('\n', 1)[0]!;
  return `\`${line.length > 60 ? `${line.slice(0, 57)}...` : line}\``;
}
