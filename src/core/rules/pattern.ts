// Path patterns: `/posts/:id/files/*` to segments, and what is wrong with one. A pattern is
// compared with the exact bytes of a path, so it must be written in canonical form itself.
import type { Segment } from './config.ts';

export interface Pattern {
  readonly segments: readonly Segment[];
  /** In order; a trailing `*` is called `*`. */
  readonly params: readonly string[];
}

export interface Fault {
  readonly message: string;
  readonly suggestion?: string;
}

export type PatternReading =
  | { readonly kind: 'pattern'; readonly pattern: Pattern }
  | { readonly kind: 'wrong'; readonly faults: readonly Fault[] };

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function isParameterName(name: string): boolean {
  return NAME.test(name);
}

export function readPattern(text: string): PatternReading {
  if (!text.startsWith('/')) {
    const message = `the path \`${text}\` must begin with \`/\``;
    return { kind: 'wrong', faults: [{ message, suggestion: `/${text}` }] };
  }
  if (/[?#]/.test(text.replaceAll(/:[A-Za-z0-9_]*\?/g, ''))) {
    const message = `the path \`${text}\` must have no query: say \`query:\` under a method`;
    return { kind: 'wrong', faults: [{ message }] };
  }
  const raws = text.slice(1).split('/');
  const segments: Segment[] = [];
  const faults: Fault[] = [];
  for (const [i, raw] of raws.entries()) {
    const read = readSegment(raw, i === raws.length - 1);
    if ('message' in read) faults.push({ ...read, message: `in \`${text}\`: ${read.message}` });
    else segments.push(read);
  }
  const params = segments.flatMap(nameOf);
  const twice = params.find((name, i) => params.indexOf(name) < i);
  if (twice !== undefined) faults.push({ message: `in \`${text}\`: \`:${twice}\` stands twice` });
  if (faults.length > 0) return { kind: 'wrong', faults };
  return { kind: 'pattern', pattern: { segments, params } };
}

function nameOf(segment: Segment): string[] {
  if (segment.kind === 'param') return [segment.name];
  return segment.kind === 'rest' ? ['*'] : [];
}

function readSegment(raw: string, last: boolean): Segment | Fault {
  if (raw === '*') {
    return last ? { kind: 'rest' } : { message: '`*` may only stand at the end' };
  }
  const braced = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(raw)?.[1];
  if (braced !== undefined) {
    return { message: `a parameter is written with a colon`, suggestion: `:${braced}` };
  }
  if (raw.startsWith(':') && !raw.startsWith('::')) return readParameter(raw.slice(1));
  if (raw.includes('*')) return { message: '`*` must be a segment of its own, at the end' };
  return readStatic(raw, last);
}

function readParameter(name: string): Segment | Fault {
  if (NAME.test(name)) return { kind: 'param', name };
  if (name.includes('(')) {
    return { message: `\`:${name}\`: a parameter can't have a regular expression` };
  }
  if (name.endsWith('?')) {
    return { message: `\`:${name}\`: a parameter can't be optional; write two paths` };
  }
  const message = `\`:${name}\`: a parameter must be a whole segment, a letter and then letters, `
    + 'digits or `_`';
  return { message };
}

function readStatic(raw: string, last: boolean): Segment | Fault {
  if (raw === '' && !last) return { message: 'two slashes in a row' };
  if (raw === '.' || raw === '..') return { message: `\`${raw}\` is in no path that is matched` };
  if (raw.replaceAll('::', '').includes(':')) {
    return { message: `\`${raw}\`: a parameter must be a whole segment; a colon itself is \`::\`` };
  }
  const text = raw.replaceAll('::', ':');
  const canonical = canonicalSegment(text);
  if (canonical === undefined) return { message: `\`${raw}\` has a broken percent-escape` };
  if (canonical === text) return { kind: 'static', text };
  const suggestion = canonical.replaceAll(':', '::');
  return { message: `\`${raw}\` must be in canonical form`, suggestion };
}

/** RFC 3986 §3.3: what a segment holds as it is; §6.2.2: the rest is escaped, in capitals. */
export function canonicalSegment(text: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  return text
    .replaceAll(/%[0-9A-Fa-f]{2}/g, (escape) => {
      const char = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
      return /[A-Za-z0-9._~-]/.test(char) ? char : escape.toUpperCase();
    })
    .replaceAll(/[^A-Za-z0-9._~!$&'()*+,;=:@%-]/gu, escapeOne);
}

function escapeOne(char: string): string {
  const bytes = Array.from(new TextEncoder().encode(char));
  return bytes.map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

/** Equal for patterns that match the same paths. */
export function shapeOf(segments: readonly Segment[]): string {
  const pieces = segments.map((segment) =>
    (segment.kind === 'static' ? segment.text : segment.kind === 'param' ? '\0:' : '\0*'));
  return `/${pieces.join('/')}`;
}

interface Branch<T> {
  /** What ends here. */
  readonly here: T[];
  readonly statics: Map<string, Branch<T>>;
  param?: Branch<T>;
  /** What ends with a trailing `*` here. */
  readonly rest: T[];
}

const branch = <T>(): Branch<T> => ({ here: [], statics: new Map(), rest: [] });

/** Which of many patterns match nothing but what another one matches as well. */
export class PatternTree<T extends { readonly segments: readonly Segment[] }> {
  readonly #root = branch<T>();

  constructor(all: Iterable<T>) {
    for (const one of all) this.#add(one);
  }

  #add(one: T): void {
    let at = this.#root;
    for (const segment of one.segments) {
      if (segment.kind === 'rest') return void at.rest.push(one);
      if (segment.kind === 'param') {
        at = at.param ??= branch();
      } else {
        const next = at.statics.get(segment.text) ?? branch();
        at.statics.set(segment.text, next);
        at = next;
      }
    }
    at.here.push(one);
  }

  /** In no order; itself among them. */
  coveredBy(wide: readonly Segment[]): T[] {
    const found: T[] = [];
    this.#collect(this.#root, wide, found);
    return found;
  }

  #collect(at: Branch<T>, [segment, ...more]: readonly Segment[], found: T[]): void {
    if (segment === undefined) {
      found.push(...at.here);
    } else if (segment.kind === 'static') {
      const next = at.statics.get(segment.text);
      if (next !== undefined) this.#collect(next, more, found);
    } else if (segment.kind === 'param') {
      // An empty segment is no parameter's value.
      for (const [text, next] of at.statics) if (text !== '') this.#collect(next, more, found);
      if (at.param !== undefined) this.#collect(at.param, more, found);
    } else {
      found.push(...at.rest);
      for (const next of [...at.statics.values(), ...(at.param === undefined ? [] : [at.param])]) {
        found.push(...next.here);
        this.#collect(next, [segment], found);
      }
    }
  }
}
