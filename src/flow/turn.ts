// One fetch for all instances that lack the same: whoever has the turn fetches, the others wait
// until it is over and then look aside as for any request. Who waited in vain fetches as well;
// nobody waits for what turned out not to be kept.
import type { Cacheable } from '../core/key/meaning.ts';
import type { Entry, Key } from '../core/entry/entry.ts';
import type { Landing } from './flights.ts';
import type { Gateway } from './gateway.ts';
import { lookAside } from './look.ts';
import type { Known } from './ports.ts';

/** A turn that its owner does not extend is over after this time. */
const TURN_MS = 1000;
/** So often another's turn is waited for. */
const WAITS_MAX = 5;

export type Taken =
  | { readonly kind: 'fetch'; readonly over: (landing: Landing) => void }
  /** Another instance has fetched it. */
  | { readonly kind: 'found'; readonly entry: Entry; readonly names: readonly string[] };

export interface TurnSeat {
  readonly key: Key;
  readonly meaning: Cacheable;
  readonly known: Known;
  /** What was found before, and is not good enough. */
  readonly former: Entry | undefined;
}

export async function takeTurn(gateway: Gateway, seat: TurnSeat): Promise<Taken> {
  const { turns } = gateway.store;
  const { key, known } = seat;
  if (turns === undefined || known.kind === 'unknown') return FREELY;
  const { epoch, seq: asOf, newest } = known;
  for (let [waits, anew] = [0, false]; waits < WAITS_MAX; waits += 1) {
    const turn = await turns.take(key, { epoch, asOf, newest, ms: TURN_MS, anew });
    if (turn.kind === 'unknown') return FREELY;
    if (turn.kind === 'mine') return { kind: 'fetch', over: hold(gateway, key) };
    const ending = await turn.ended;
    const { entry, standing, names } = await lookAside(gateway, seat.meaning);
    const valid = standing === 'valid' ? entry : undefined;
    if (valid !== undefined && isNews(seat, valid)) return { kind: 'found', entry: valid, names };
    if (ending === 'unkept') return FREELY;
    anew = true;
  }
  return FREELY;
}

const FREELY: Taken = { kind: 'fetch', over: () => undefined };

function isNews({ former }: TurnSeat, entry: Entry): boolean {
  return former === undefined || entry.asOf > former.asOf || entry.receivedAt > former.receivedAt;
}

function isKept(landing: Landing): boolean {
  return landing.kind === 'answer' && (landing.kept === 'stored' || landing.kept === 'revalidated');
}

/** Extends the turn until the fetch has landed. */
function hold({ store, clock, ear }: Gateway, key: Key): (landing: Landing) => void {
  const turns = store.turns!;
  const behind = (work: Promise<void>): void => {
    work.catch((error: unknown) => ear.trouble('assertion', { error }));
  };
  let cancel: () => void;
  const again = (): void => {
    cancel = clock.after(TURN_MS / 2, () => {
      behind(turns.extend(key, TURN_MS));
      again();
    });
  };
  again();
  return (landing) => {
    cancel();
    behind(turns.end(key, isKept(landing), TURN_MS));
  };
}
