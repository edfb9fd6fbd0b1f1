// Which parts of a query make no difference, as an answer's No-Vary-Search says: the order of
// names, some parameters, or all but some. Queries that differ in nothing else mean the same.
import { field, type Fields } from './message.ts';
import { dictionary, stringsOf } from './structured.ts';

export interface SearchVariance {
  /** Whether the order of the names makes none. */
  readonly freeOrder: boolean;
  /** Names that make none; or all of them, but for some. */
  readonly ignored: ReadonlySet<string>;
  readonly allBut: ReadonlySet<string> | undefined;
}

/**
 * Undefined where every difference counts: without the field, and where it can't be read or says
 * something of another type than it should.
 */
export function searchVariance(fields: Fields): SearchVariance | undefined {
  const value = field(fields, 'no-vary-search');
  const said = value === undefined ? undefined : dictionary(value);
  if (said === undefined) return undefined;
  const [order, params, except] = ['key-order', 'params', 'except']
    .map((name) => said.get(name)?.[0]);
  if (order !== undefined && typeof order !== 'boolean') return undefined;
  const freeOrder = order === true;
  if (params !== true && except !== undefined) return undefined;
  if (params === true) {
    const allBut = except === undefined ? [] : namesIn(except);
    return allBut && { freeOrder, ignored: new Set(), allBut: new Set(allBut) };
  }
  const ignored = params === undefined || params === false ? [] : namesIn(params);
  if (ignored === undefined || (ignored.length === 0 && !freeOrder)) return undefined;
  return { freeOrder, ignored: new Set(ignored), allBut: undefined };
}

// An Inner List of Strings and of nothing else, each escaped as in a query.
function namesIn(members: unknown): string[] | undefined {
  if (!Array.isArray(members)) return undefined;
  const names = stringsOf(members as Parameters<typeof stringsOf>[0]);
  if (names.length !== members.length) return undefined;
  return names.map(decoded);
}

function decoded(name: string): string {
  const [pair] = new URLSearchParams(name.replaceAll('&', '%26').replaceAll('=', '%3D'));
  return pair?.[0] ?? '';
}

/** What of a query makes a difference, as a text to compare. */
export function searchPart(query: string | undefined, variance: SearchVariance): string {
  const { freeOrder, ignored, allBut } = variance;
  const counts = (name: string): boolean =>
    (allBut === undefined ? !ignored.has(name) : allBut.has(name));
  // Two answers that name other parameters say nothing of one another's queries.
  const said = [freeOrder, [...ignored].sort(), allBut && [...allBut].sort()];
  const pairs = [...new URLSearchParams(query ?? '')].filter(([name]) => counts(name));
  // Only names are put in order: that among the values of one may carry meaning.
  if (freeOrder) pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return JSON.stringify([said, pairs]);
}
