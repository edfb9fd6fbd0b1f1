// Hashes of what was let go before anybody asked for it again, the newest ones only: a table that
// never grows, where a later one pushes out the oldest of the four that share its row.
const COUNT_MIN = 64;
const COUNT_MAX = 1 << 22;
const ROW = 4;

export class Ghosts {
  readonly #hashes: Uint32Array;

  /** Remembers about so many. */
  constructor(count: number) {
    const some = Math.min(COUNT_MAX, Math.max(COUNT_MIN, count));
    this.#hashes = new Uint32Array(2 ** Math.round(Math.log2(some)));
  }

  get bytes(): number {
    return this.#hashes.byteLength;
  }

  has(hash: number): boolean {
    const row = this.#rowOf(hash);
    for (let i = 0; i < ROW; i += 1) if (this.#hashes[row + i] === hash) return hash !== 0;
    return false;
  }

  add(hash: number): void {
    if (this.has(hash)) return;
    const row = this.#rowOf(hash);
    this.#hashes.copyWithin(row + 1, row, row + ROW - 1);
    this.#hashes[row] = hash;
  }

  #rowOf(hash: number): number {
    return hash & (this.#hashes.length - ROW);
  }
}
