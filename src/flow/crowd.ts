// Many readers, one fetch. Whoever comes first fetches; the others wait for its answer and take it
// if no write came between its begin and theirs, otherwise the next one, which began after they
// came. Nobody waits for an answer that cannot be shared, and a leader that leaves or fails takes
// nobody with it.
import type { Entry } from '../core/entry/entry.ts';
import { reusableDisconnected, reusableOnError } from '../core/entry/reusing.ts';
import type { ClientWants } from '../core/http/client-directives.ts';
import { type Cacheable, variantKey } from '../core/key/meaning.ts';
import { valid } from '../core/promise/validity.ts';
import type { NotKeptBecause } from '../core/verdict.ts';
import { launch } from './fill.ts';
import type { Landing } from './flights.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
import { hit } from './hit.ts';
import { type Found, lookAside, tagsFor } from './look.ts';
import { failed, pass } from './pass.ts';
import type { FetchFailure } from './ports.ts';
import { isAccepted } from './reader.ts';
import { discard } from './spool.ts';
import { fromEntry, fromStream, judgingPass, noteUse, wantsReader } from './telling.ts';

/** A reader rides at most the running fetch and the one after it. */
const RIDES_MAX = 3;

type AnswerLanding = Extract<Landing, { kind: 'answer' }>;

interface Seat {
  readonly meaning: Cacheable;
  readonly found: Found;
  readonly wants: ClientWants | undefined;
}

export async function fetchTogether(gateway: Gateway, asked: Asked, first: Seat): Promise<Told> {
  let [seat, { found }] = [first, first];
  const { key } = found;
  for (let ride = 0; ride < RIDES_MAX; ride += 1) {
    const running = gateway.flights.running(found.key);
    if (running === undefined) return lead(gateway, asked, { ...seat, found });
    const landing = await running;
    // The answer may have said what makes a difference.
    seat = { ...seat, meaning: gateway.searches.apply(seat.meaning) };
    // The second one under the same key began when the first had ended, so after this reader came.
    const beganLater = ride > 0 && found.key === key;
    if (landing.kind === 'unkept') {
      const stale = landing.status >= 500 && await staleOnError(gateway, asked, { ...seat, found });
      return stale || judgingPass(gateway, asked, seat);
    }
    if (landing.kind === 'failed' && beganLater) {
      const stale = await staleOnError(gateway, asked, { ...seat, found }, landing.because);
      return stale ?? failed(gateway, asked, landing.because, seat.meaning.route);
    }
    if (landing.kind === 'answer' && fits(landing, seat.meaning)) {
      // What one session of a reader's is given proves nothing of another.
      const goodEnough = isAccepted(gateway, seat.meaning) && (beganLater ||
        (landing.valid && landing.kept !== 'held' && seat.wants?.reload !== true
          && await untouched(gateway, landing.entry, seat.meaning)));
      if (goodEnough) return collapsed(gateway, asked, { ...seat, found }, landing);
    }
    found = await lookAside(gateway, seat.meaning);
    const told = hit(gateway, asked, { ...seat, found });
    if (told !== undefined) return told;
  }
  return judgingPass(gateway, asked, seat);
}

/** A touch, or a hold, may have come after the flight's own last look, and before this reader. */
async function untouched(
  gateway: Gateway, entry: Entry, meaning: Cacheable,
): Promise<boolean> {
  const known = await gateway.store.control.look(tagsFor(entry, meaning));
  return known.kind === 'known' && !known.held && valid(entry, known).kind === 'valid';
}

/** Whether an answer is of the variant that this request asks for. */
function fits(landing: AnswerLanding, meaning: Cacheable): boolean {
  return variantKey(meaning.key, landing.names, meaning.telling) === landing.entry.key;
}

function collapsed(
  gateway: Gateway,
  asked: Asked,
  { meaning, found }: Seat,
  { entry, kept }: AnswerLanding,
): Told {
  const verdict = { kind: 'miss', because: found.because, kept: 'collapsed' } as const;
  const inUse = kept !== 'too-many-variants';
  return fromEntry(gateway, asked, { meaning, entry, verdict, inUse });
}

/** Starts the fetch and gives its answer as it comes. */
async function lead(gateway: Gateway, asked: Asked, seat: Seat): Promise<Told> {
  const { meaning, found } = seat;
  const { known, names, because } = found;
  // What another instance fetched for another session of the same reader's proves nothing of this.
  const turns = seat.wants?.reload !== true && isAccepted(gateway, meaning);
  const former = found.entry && { entry: found.entry, touched: provesLittle(seat) };
  const flight = gateway.flights.start(found.key, () => launch(gateway, {
    meaning, requestFields: meaning.telling, known, former, names, cause: 'miss', id: asked.id,
    inform: asked.inform,
    ...(turns ? { turn: found.key } : {}),
  }));
  const first = await flight.first;
  if (first.kind === 'landed') {
    const { entry, kept } = first.landing;
    if (kept === 'collapsed' && !isAccepted(gateway, meaning)) {
      return judgingPass(gateway, asked, seat);
    }
    const upstreamStatus = kept === 'revalidated' ? 304 : entry.status;
    const verdict = kept === 'collapsed'
      ? { kind: 'miss', because, kept } as const
      : { kind: 'miss', because, kept, upstreamStatus } as const;
    const inUse = kept !== 'too-many-variants';
    return fromEntry(gateway, asked, { meaning, entry, verdict, inUse });
  }
  if (first.kind === 'failed') {
    const stale = await staleOnError(gateway, asked, seat, first.because);
    return stale ?? failed(gateway, asked, first.because, meaning.route);
  }
  const { fetched, kept } = first;
  if (fetched.status >= 500) {
    const stale = await staleOnError(gateway, asked, seat);
    if (stale !== undefined) discard(fetched.body);
    if (stale !== undefined) return stale;
  }
  if (kept === 'stored') {
    void flight.landing.then((landing) => {
      noteUse(gateway, meaning, landing);
      const late = landing.kind === 'unkept' && remembers(landing.because, landing.status);
      if (late) gateway.uncacheable.add(found.key);
    });
  }
  if (remembers(kept, fetched.status)) gateway.uncacheable.add(found.key);
  if (wantsReader(meaning, fetched.status)) {
    discard(fetched.body);
    return pass(gateway, asked, { because: 'credentials', route: meaning.route });
  }
  const verdict = { kind: 'miss', because, kept, upstreamStatus: fetched.status } as const;
  return fromStream(gateway, asked, { meaning, fetched, verdict });
}

// What others' queries share may be valid for one of them and ended for another: like an entry that
// a write has ended, it is kept on only by what proves that nothing has changed.
export function provesLittle({ meaning, found }: Pick<Seat, 'meaning' | 'found'>): boolean {
  return found.standing === 'touched' || meaning.searched === true;
}

// An answer that may not be kept will most likely not be the next time either; one that failed or
// came at a bad moment may. An error says that of its request alone, which others need not repeat.
function remembers(kept: AnswerLanding['kept'], status: number): boolean {
  if (kept === 'stored' || kept === 'revalidated' || PASSING.has(kept)) return false;
  return status < 400 || OF_THE_RESOURCE.has(status);
}

const PASSING: ReadonlySet<string> = new Set<NotKeptBecause>([
  'held', 'outrun', 'broken-body', 'store-down', 'store-joining', 'store-slow',
]);

const OF_THE_RESOURCE = new Set([401, 403, 404, 410]);

/** What is kept, if the upstream fails or can't be reached, and no touch came since. */
export async function staleOnError(
  gateway: Gateway,
  asked: Asked,
  { meaning, found: { entry }, wants }: Seat,
  failure?: FetchFailure,
): Promise<Told | undefined> {
  if (entry === undefined || !isAccepted(gateway, meaning)) return undefined;
  const now = gateway.clock.now();
  const disconnected = failure === 'refused' || failure === 'reset';
  const because = reusableOnError(entry, wants, now) ? 'stale-if-error'
    : disconnected && reusableDisconnected(entry, meaning.rule, wants, now) ? 'disconnected'
      : undefined;
  if (because === undefined) return undefined;
  const known = await gateway.store.control.look(tagsFor(entry, meaning));
  if (known.kind === 'unknown' || known.held || valid(entry, known).kind === 'invalid') return;
  const ttlMs = entry.receivedAt + entry.freshMs - entry.initialAgeMs - now;
  const verdict = { kind: 'hit', because, ttlMs } as const;
  return fromEntry(gateway, asked, { meaning, entry, verdict });
}
