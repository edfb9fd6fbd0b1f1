// Touches that the store could not be told of: kept, bounded, until it has been told; over the
// bound they are everything. What is remembered while others are being told is not forgotten with
// them.

export interface Recalled {
  readonly tags: readonly string[] | 'everything';
  /** What was remembered after this turn is still to be told. */
  readonly turn: number;
}

export class Remembered {
  /** Tag to the turn in which it was last remembered. */
  readonly #tags = new Map<string, number>();
  #everything: number | undefined;
  #turn = 0;
  readonly #tagsMax: number;

  constructor(tagsMax: number) {
    this.#tagsMax = tagsMax;
  }

  get pending(): boolean {
    return this.#everything !== undefined || this.#tags.size > 0;
  }

  add(tags: Iterable<string> | 'everything'): void {
    if (tags === 'everything') this.#everything = this.#turn;
    else for (const tag of tags) this.#tags.set(tag, this.#turn);
    if (this.#tags.size <= this.#tagsMax) return;
    this.#everything = this.#turn;
    this.#tags.clear();
  }

  all(): readonly string[] | 'everything' | undefined {
    if (this.#everything !== undefined) return 'everything';
    return this.#tags.size === 0 ? undefined : [...this.#tags.keys()];
  }

  /** All there is, to be told now: a new turn begins. */
  recall(): Recalled | undefined {
    const tags = this.all();
    if (tags === undefined) return undefined;
    const turn = this.#turn;
    this.#turn += 1;
    return { tags, turn };
  }

  /** They have been touched. */
  forget({ turn }: Recalled): void {
    if (this.#everything !== undefined && this.#everything <= turn) this.#everything = undefined;
    for (const [tag, added] of this.#tags) if (added <= turn) this.#tags.delete(tag);
  }
}
