// What is wrong with the operator's configuration, and where: gathered all at once, printed like a
// compiler's messages, with what was probably meant. Decides nothing about any rule.

/** A place in a file, lines and columns from 1; line 0 where `file` is a flag or a variable. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Problem extends Place {
  readonly message: string;
  /** What was probably meant. */
  readonly suggestion?: string;
  readonly severity: 'error' | 'warning';
}

/** `routes.yaml:12:7: unknown option …`. */
export function printProblem(problem: Problem): string {
  const { file, line, column, message, suggestion, severity } = problem;
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  const grade = severity === 'warning' ? 'warning: ' : '';
  const meant = suggestion === undefined ? '' : ` (did you mean \`${suggestion}\`?)`;
  return `${place}: ${grade}${message}${meant}`;
}

/** Gathers problems; the same one at the same place counts once. */
export class Notes {
  readonly #problems = new Map<string, Problem>();
  readonly #settled = new Set<string>();

  wrong(at: Place, message: string, suggestion?: string): void {
    this.#add(at, 'error', message, suggestion);
  }

  warn(at: Place, message: string, suggestion?: string): void {
    this.#add(at, 'warning', message, suggestion);
  }

  /** The value at this place is wrong for one reason that says all: further ones are dropped. */
  settle(at: Place): void {
    this.#settled.add(`${at.file}:${at.line}:${at.column}`);
  }

  /** In the order of the file. */
  get problems(): Problem[] {
    return [...this.#problems.values()].sort(
      (a, b) => a.line - b.line || a.column - b.column);
  }

  #add(at: Place, severity: Problem['severity'], message: string, suggestion?: string): void {
    const { file, line, column } = at;
    const problem = { file, line, column, message, severity };
    const place = `${file}:${line}:${column}`;
    if (this.#settled.has(place)) return;
    const id = `${place}:${message}`;
    this.#problems.set(id, suggestion === undefined ? problem : { ...problem, suggestion });
  }
}

/** The name that is most like `wrong`, if one is near enough to be a slip of the finger. */
export function nearest(wrong: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(Math.min(wrong.length, 64) / 3)) + 1;
  for (const name of names) {
    if (name === wrong || Math.abs(name.length - wrong.length) >= least) continue;
    const steps = distance(wrong.slice(0, 64), name.slice(0, 64));
    if (steps < least) [best, least] = [name, steps];
  }
  return best;
}

/** Insertions, deletions, substitutions and swaps of neighbours that lead from `a` to `b`. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = slip(a[i - 1]!, b[j - 1]!);
      let steps = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        steps = Math.min(steps, before[j - 2]! + 1);
      }
      row.push(steps);
    }
    [before, above] = [above, row];
  }
  return above[b.length]!;
}

/** Another case is a small slip. */
function slip(a: string, b: string): number {
  if (a === b) return 0;
  return a.toLowerCase() === b.toLowerCase() ? 0.25 : 1;
}
