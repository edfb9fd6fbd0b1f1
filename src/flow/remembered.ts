// Touches that the store could not be told of: kept, bounded, until it has been told; over the bound
// they are everything.

export class Remembered {
  #tags = new Set<string>();
  #everything = false;
  readonly #tagsMax: number;

  constructor(tagsMax: number) {
    this.#tagsMax = tagsMax;
  }

  get pending(): boolean {
    return this.#everything || this.#tags.size > 0;
  }

  add(tags: Iterable<string> | 'everything'): void {
    if (tags === 'everything') this.#everything = true;
    else for (const tag of tags) this.#tags.add(tag);
    if (this.#tags.size <= this.#tagsMax) return;
    this.#everything = true;
    this.#tags.clear();
  }

  all(): readonly string[] | 'everything' | undefined {
    if (this.#everything) return 'everything';
    return this.#tags.size === 0 ? undefined : [...this.#tags];
  }

  /** They have been touched; `everything` covers whatever else was there when it was taken. */
  forget(touched: readonly string[] | 'everything'): void {
    if (touched === 'everything') this.#everything = false;
    else for (const tag of touched) this.#tags.delete(tag);
  }
}
