// Whether answers to two readers are the same answer. What changes from one fetch to the next, such
// as a date in a body, says nothing of the readers: what one of them is told is compared only where
// it stays the same for each of them.
import { field, type Fields } from '../http/message.ts';

export interface Told {
  readonly status: number;
  readonly fields: Fields;
  readonly body: Uint8Array;
}

/** `unclear`: they differ, and so do two answers to the same reader. */
export type Likeness = 'same' | 'other' | 'unclear';

/** Exactly the same content, of the same kind. */
export function isSame(one: Told, other: Told): boolean {
  return one.status === other.status
    && typeOf(one) === typeOf(other)
    && Buffer.compare(one.body, other.body) === 0;
}

/** Two answers to each of two readers, fetched in turn. */
export function likeness(
  [a, again]: readonly [Told, Told], [b, more]: readonly [Told, Told],
): Likeness {
  if (isSame(a, b) || isSame(again, more)) return 'same';
  if (isSame(a, again) && isSame(b, more)) return 'other';
  const stable = [leavesOf(a), leavesOf(again), leavesOf(b), leavesOf(more)];
  const [one, oneAgain, other, otherAgain] = stable;
  if (!one || !oneAgain || !other || !otherAgain) return 'unclear';
  const names = new Set([...one.keys(), ...other.keys()]);
  for (const name of names) {
    const settled = one.get(name) === oneAgain.get(name)
      && other.get(name) === otherAgain.get(name);
    if (settled && one.get(name) !== other.get(name)) return 'other';
  }
  return 'unclear';
}

const typeOf = ({ fields }: Told): string =>
  (field(fields, 'content-type') ?? '').split(';')[0]!.trim().toLowerCase();

const LEAVES_MAX = 10_000;

/** Each scalar of a JSON body by its path; undefined for any other body. */
function leavesOf(told: Told): Map<string, string> | undefined {
  if (!/[/+]json$/.test(typeOf(told))) return undefined;
  try {
    const leaves = new Map<string, string>();
    const open: [path: string, value: unknown][] = [['', JSON.parse(textOf(told.body))]];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [path, value] = next;
      if (leaves.size > LEAVES_MAX) return undefined;
      if (typeof value !== 'object' || value === null) {
        leaves.set(path, JSON.stringify(value));
        continue;
      }
      leaves.set(`${path}/`, Array.isArray(value) ? String(value.length) : '');
      for (const [name, inner] of Object.entries(value)) {
        open.push([`${path}/${name.replaceAll('/', '~1')}`, inner]);
      }
    }
    return leaves;
  } catch {
    return undefined; // not JSON, whatever it says of itself
  }
}

const textOf = (body: Uint8Array): string => Buffer.from(body).toString('utf8');
