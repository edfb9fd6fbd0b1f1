// Flags and `EVERFRESH_*` variables, put into the file's tree: flags win over variables, these
// over the file. What is wrong with one is told under its own name.
import type { Env } from './source.ts';
import type { Place } from './problem.ts';
import { entryOf, scalarOf, tableOf, withEntry } from './tree.ts';
import type { Table, TableEntry, Tree } from './tree.ts';

/** Options that a flag or a variable may set; the last two have no place in the file. */
export const OVERRIDES = [
  'upstream', 'listen', 'admin', 'store', 'memory', 'mode', 'workers', 'secret', 'log_level',
  'admin_token', 'credentials_key',
] as const;

/** Secrets that no file is asked for. */
const ONLY_VARIABLES: ReadonlySet<string> = new Set(['admin_token', 'credentials_key']);

export type OverrideName = (typeof OVERRIDES)[number];

/** Texts as the command line gave them. */
export type Overrides = Readonly<Partial<Record<OverrideName, string | undefined>>>;

export interface Override {
  readonly text: string;
  readonly at: Place;
}

export function variableOf(name: OverrideName): string {
  return `EVERFRESH_${name.toUpperCase()}`;
}

/** The flag's word, or the variable's; an empty variable counts as none. */
export function overrideOf(name: OverrideName, env: Env, flags: Overrides): Override | undefined {
  const flag = flags[name];
  if (flag !== undefined) return { text: flag, at: nowhere(`--${name.replaceAll('_', '-')}`) };
  const variable = variableOf(name);
  const text = Object.hasOwn(env, variable) ? env[variable] : undefined;
  return text === undefined || text === '' ? undefined : { text, at: nowhere(variable) };
}

export function applyOverrides(file: Table, env: Env, flags: Overrides): Table {
  let tree = file;
  for (const name of OVERRIDES) {
    const override = ONLY_VARIABLES.has(name) ? undefined : overrideOf(name, env, flags);
    if (override !== undefined) tree = put(tree, name, override);
  }
  return tree;
}

function nowhere(name: string): Place {
  return { file: name, line: 0, column: 0 };
}

function put(tree: Table, name: OverrideName, { text, at }: Override): Table {
  const value = scalarOf(text, at);
  if (name === 'log_level') {
    const log = entryOf(tree, 'log');
    const map = log?.value.is === 'table' ? log.value : tableOf([], at);
    const levelled = withEntry(map, entry('level', value));
    return withEntry(tree, { key: 'log', at: log?.at ?? at, value: levelled });
  }
  const old = entryOf(tree, name)?.value;
  const addressed = name === 'upstream' || (name === 'store' && text !== 'memory');
  const inside = addressed && old?.is === 'table';
  return withEntry(tree, entry(name, inside ? withUrl(old, value) : value));
}

function entry(key: string, value: Tree): TableEntry {
  return { key, at: value.at, value };
}

/** What says where several Redis servers are, and as whom they are asked. */
const SEVERAL = new Set(['cluster', 'sentinels', 'name', 'username', 'password']);

/** Another address, with the other options of the file. */
function withUrl(map: Table, url: Tree): Table {
  const others = map.entries.filter(({ key }) => !SEVERAL.has(key));
  return withEntry(tableOf(others, map.at), entry('url', url));
}
