// A rule while it is compiled: its route and method, its options as the file says them, with those
// of `defaults` behind them.
import type { Identity, ReadRule, Route, Target, UpstreamConfig, WriteRule } from './config.ts';
import { writeOptions } from './grammar.ts';
import { readFields } from './kinds.ts';
import type { Fields, Values } from './kinds.ts';
import type { Notes, Place } from './problem.ts';
import type { Named } from './target.ts';
import { tableOf } from './tree.ts';
import type { Table, TableEntry } from './tree.ts';

/** Where routes, rules and targets stand, for warnings. */
export type Places = Map<Route | ReadRule | WriteRule | Target | Identity, Place>;

export interface RoutesContext {
  readonly notes: Notes;
  readonly places: Places;
  readonly defaults: Table | undefined;
  /** Lower-case names of the fields that say who is asking. */
  readonly credentials: ReadonlySet<string>;
  readonly identities: readonly Identity[];
}

/** A route whose methods are not compiled yet. */
export interface Draft extends Named {
  readonly at: Place;
  readonly methods: readonly TableEntry[];
  readonly upstream?: UpstreamConfig;
}

/** Which rule is being compiled: its route, its options, all routes. */
export interface Rule {
  readonly route: Draft;
  readonly method: string;
  readonly options: Table;
  readonly at: Place;
  readonly routes: readonly Draft[];
}

/** The rule's own options and, behind them, those of `defaults` that are of its kind. */
export function readRule<F extends Fields>(
  fields: F, others: Fields, rule: Rule, { notes, defaults }: RoutesContext,
): Values<F> {
  const mine = rule.options.entries.filter(({ key, at }) => {
    const misplaced = !Object.hasOwn(fields, key) && Object.hasOwn(others, key);
    const right = fields === writeOptions as Fields ? 'reads' : 'writes';
    if (misplaced) {
      notes.wrong(at, `\`${key}\` is an option of ${right}, not of \`${rule.method}\``);
    }
    return !misplaced;
  });
  const own = new Set(mine.map(({ key }) => key));
  const usual = (defaults?.entries ?? [])
    .filter(({ key }) => Object.hasOwn(fields, key) && !own.has(key));
  return readFields(fields, tableOf([...mine, ...usual], rule.options.at), notes);
}
