// Who is gone: watches the beats of others on one's own monotonic clock. A beat is only ever
// compared with itself; no store's clock is believed, and a beat that moves proves nothing but that
// it moved.

interface Seen {
  readonly beat: string;
  /** When this beat was first seen. */
  readonly since: number;
}

export class Watch {
  readonly #seen = new Map<string, Seen>();

  /** Takes in all who are watched: id to beat, an empty one for an id without a beat. */
  see(beats: ReadonlyMap<string, string>, mono: number): void {
    for (const id of this.#seen.keys()) if (!beats.has(id)) this.#seen.delete(id);
    for (const [id, beat] of beats) {
      if (this.#seen.get(id)?.beat !== beat) this.#seen.set(id, { beat, since: mono });
    }
  }

  /** Whoever was away knows nothing any more of who lives. */
  forget(): void {
    this.#seen.clear();
  }

  /** Its beat stood still for a full lease of watching. */
  gone(id: string, mono: number, leaseMs: number): boolean {
    const seen = this.#seen.get(id);
    return seen !== undefined && mono - seen.since >= leaseMs;
  }

  beat(id: string): string {
    return this.#seen.get(id)?.beat ?? '';
  }
}
