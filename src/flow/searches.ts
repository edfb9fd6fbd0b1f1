// What answers said of their queries (No-Vary-Search), so that a reader who asks with another one
// that makes no difference finds them. Known to this instance only, from the answers that it has
// seen; who doesn't know asks the upstream.
import { searchVariance, type SearchVariance } from '../core/http/no-vary-search.ts';
import type { ResponseHead } from '../core/http/message.ts';
import { type Cacheable, inSearch } from '../core/key/meaning.ts';

/** Paths that are remembered; the oldest is forgotten first. */
const PATHS_MAX = 10_000;

export class Searches {
  readonly #byPath = new Map<string, SearchVariance>();

  /** What the request means, by what is known of its path. */
  apply(meaning: Cacheable): Cacheable {
    if (this.#byPath.size === 0 || tellsByQuery(meaning)) return meaning;
    const variance = this.#byPath.get(pathOf(meaning));
    return variance === undefined ? meaning : inSearch(meaning, variance);
  }

  /** What the answer says of it, for whoever comes next. */
  learn(
    meaning: Cacheable, { status, fields }: Pick<ResponseHead, 'status' | 'fields'>,
  ): Cacheable {
    const variance = tellsByQuery(meaning) ? undefined : searchVariance(fields);
    const path = pathOf(meaning);
    if (variance === undefined) {
      // An error says nothing of the others.
      if (status < 400) this.#byPath.delete(path);
      return meaning.searched === true ? inSearch(meaning, undefined) : meaning;
    }
    const full = this.#byPath.size >= PATHS_MAX && !this.#byPath.has(path);
    if (full) this.#byPath.delete(this.#byPath.keys().next().value!);
    this.#byPath.set(path, variance);
    return inSearch(meaning, variance);
  }
}

// What a tag of the rule reads tells answers apart, whatever the upstream says.
function tellsByQuery({ rule }: Cacheable): boolean {
  return rule.tags.some(({ parts }) =>
    parts.some((part) => part.kind === 'value' && part.from === 'query'));
}

function pathOf({ recipe: { host = '', path }, rule }: Cacheable): string {
  return `${rule.hash} ${host} ${path}`;
}
