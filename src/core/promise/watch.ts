// Who is still there: watches the beats of others on one's own monotonic clock and judges what a
// joiner may do. A beat is only ever compared with itself; no store's clock is believed.

export type Liveness = 'live' | 'gone' | 'unknown';

export type Joining =
  | { readonly kind: 'enter'; readonly because: 'nobody-missing' | 'live-member' }
  /** Somebody went without leaving, and nobody is there who could know what is missing. */
  | { readonly kind: 'new-epoch'; readonly because: 'no-live-member' }
  | { readonly kind: 'wait'; readonly because: 'watching' };

interface Seen {
  beat: string;
  /** When this beat was first seen. */
  since: number;
  moves: number;
}

// What a server that hung had been sent runs when it wakes, long after its sender gave up: one move
// proves nothing. Who beats twice while it is watched is there.
const MOVES_OF_THE_LIVE = 2;

export class Watch {
  readonly #leaseMs: number;
  readonly #seen = new Map<string, Seen>();

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** Takes in a whole roster: id to beat, an empty one for an id without a beat. */
  see(beats: ReadonlyMap<string, string>, mono: number): void {
    for (const id of this.#seen.keys()) if (!beats.has(id)) this.#seen.delete(id);
    for (const [id, beat] of beats) {
      const seen = this.#seen.get(id);
      if (seen === undefined) this.#seen.set(id, { beat, since: mono, moves: 0 });
      else if (seen.beat !== beat) {
        this.#seen.set(id, { beat, since: mono, moves: seen.moves + 1 });
      }
    }
  }

  /** Whoever was away knows nothing any more of who lives. */
  forget(): void {
    this.#seen.clear();
  }

  /** Gone: no beat in a full lease of watching. Live: it moved twice, and less than that ago. */
  state(id: string, mono: number): Liveness {
    const seen = this.#seen.get(id);
    if (seen === undefined) return 'unknown';
    if (mono - seen.since >= this.#leaseMs) return 'gone';
    return seen.moves >= MOVES_OF_THE_LIVE ? 'live' : 'unknown';
  }

  beat(id: string): string {
    return this.#seen.get(id)?.beat ?? '';
  }

  /** What one that isn't a member may do, with these members present. */
  judge(members: Iterable<string>, mono: number): Joining {
    let present = 0;
    let gone = 0;
    for (const id of members) {
      const state = this.state(id, mono);
      if (state === 'live') return { kind: 'enter', because: 'live-member' };
      present += 1;
      if (state === 'gone') gone += 1;
    }
    if (present === 0) return { kind: 'enter', because: 'nobody-missing' };
    if (gone === present) return { kind: 'new-epoch', because: 'no-live-member' };
    return { kind: 'wait', because: 'watching' };
  }
}
