// Keeps what was fetched, if HTTP, the operator and the promise allow: judged by what was known
// before the fetch began, and once more by what is known now. Bounds how many new variants a route
// may get.
import type { Entry, Epoch, Key, Seq } from '../core/entry/entry.ts';
import { extentOf } from '../core/entry/parts.ts';
import { entryOf, type Received, type Terms } from '../core/entry/storing.ts';
import type { Fields } from '../core/http/message.ts';
import { asAskedOf, type Cacheable } from '../core/key/meaning.ts';
import { valid } from '../core/promise/validity.ts';
import type { NotKeptBecause } from '../core/verdict.ts';
import type { Landing } from './flights.ts';
import type { Gateway } from './gateway.ts';
import { withParts } from './joined.ts';
import type { Fetch, FetchCause, Known } from './ports.ts';

/** What a fill starts from. */
export interface FillOrder {
  readonly meaning: Cacheable;
  /** Of the reader, or of the recipe when nobody reads: they choose the variant. */
  readonly requestFields: Fields;
  /** Known before the fetch. */
  readonly known: Known;
  /** What is kept now, valid or not, and whether a write ended it. */
  readonly former?: { readonly entry: Entry; readonly touched: boolean } | undefined;
  /** By which fields variants of this key were told apart so far. */
  readonly names: readonly string[];
  readonly cause: FetchCause;
  /** Asked for is this part (a Range field's value); a whole answer that comes is kept as such. */
  readonly part?: { readonly range: string; readonly whole: Pick<FillOrder, 'meaning' | 'names'> };
  /** The upstream has seen a condition, or a Range, of its client's own. */
  readonly conditional?: boolean;
  /** Fetched beside the flights of its key, so that another one may have been quicker. */
  readonly beside?: true;
  /** No reader waits for it: it follows a write. */
  readonly again?: true;
  /** Asked before it is sent: the credential may have ended since it was chosen. */
  readonly stillGood?: (() => boolean) | undefined;
  /** Not as the reader, but in the reader's name. */
  readonly as?: 'service' | undefined;
  /** Where instances that lack the same take turns; undefined: it is fetched whoever else does. */
  readonly turn?: Key;
  /** Of the reader's request, to be followed by. */
  readonly id?: string;
  /** Takes what the upstream says before its answer, for the reader that fetches. */
  readonly inform?: Fetch['inform'];
}

export interface Timing {
  readonly startedAt: number;
  readonly requestedAt: number;
}

export async function keep(
  gateway: Gateway,
  order: FillOrder,
  { received, judged, body, timing }: {
    received: Received;
    judged: Extract<Terms, { kind: 'store' }>;
    body: Uint8Array;
    timing: Timing;
  },
): Promise<Landing> {
  const { meaning, known, names } = order;
  const { config } = gateway.live;
  const { status } = received.response;
  const { part, requestFields } = order;
  const madeOf = (of: Cacheable): ReturnType<typeof entryOf> => entryOf(of, received, {
    judged,
    body,
    epoch: known.kind === 'known' ? known.epoch : ('' as Epoch),
    asOf: known.kind === 'known' ? known.seq : (0 as Seq),
    fetchMs: gateway.clock.mono() - timing.startedAt,
    names,
    config,
  });
  let made = madeOf(meaning);
  // Several parts in one body, or a Content-Range that does not agree with the length, say nothing
  // of which bytes these are: they answer the same question again, and no other.
  const apart = part !== undefined && made.kind === 'entry' && status === 206
    && extentOf(made.entry) === undefined;
  if (apart) made = madeOf(asAskedOf(meaning, part.range));
  if (made.kind === 'no') return { kind: 'unkept', because: made.because, status };
  const { entry } = made;
  const marker = made.kept[0];
  const telling = marker?.kind === 'vary' ? marker.names : [];
  const answer = (standing: boolean, kept: 'stored' | NotKeptBecause): Landing =>
    ({ kind: 'answer', entry, names: telling, valid: standing, kept });
  if (known.kind === 'unknown') return answer(false, known.because);
  const after = await gateway.store.control.look(entry.tags);
  if (after.kind === 'unknown') return answer(false, after.because);
  if (valid(entry, after).kind === 'invalid') return answer(false, 'outrun');
  if (after.held) return answer(true, 'held');
  // A part that grows takes no more room than it had.
  const there = status === 206 && await gateway.store.entries.get(entry.key) !== undefined;
  if (!there && crowded(gateway, meaning, entry)) return answer(true, 'too-many-variants');
  const all = part === undefined || apart ? made.kept
    : await withParts(gateway, {
      key: part.whole.meaning.key, requestFields, bytesMax: meaning.rule.maxBodyBytes,
    }, made.kept);
  // Parts of one version are put together, whichever came first.
  const beside = order.beside === true && status !== 206;
  if (beside && await newerThere(gateway, entry, timing)) return answer(true, 'stored');
  for (const kept of all) await gateway.store.entries.put(kept);
  gateway.ear.kept(entry);
  return answer(true, 'stored');
}

/** What was fetched since this fetch began is newer, also by the same touches. */
async function newerThere(gateway: Gateway, entry: Entry, timing: Timing): Promise<boolean> {
  const there = await gateway.store.entries.get(entry.key);
  return there?.kind === 'answer' && there.epoch === entry.epoch && there.asOf >= entry.asOf
    && there.receivedAt > timing.requestedAt;
}

// New variants of a route are bounded in number and by the minute, so that nobody can push out what
// others read by asking for what nobody reads.
function crowded(gateway: Gateway, { rule, reader }: Cacheable, entry: Entry): boolean {
  if (gateway.ledger.has(entry.key)) return false;
  const mono = gateway.clock.mono();
  if (reader !== undefined && !gateway.ledger.hasRoomFor(reader, rule, mono)) return true;
  if (!gateway.ledger.hasRoom(rule, mono)) return true;
  return gateway.newVariants.add(rule.pattern) > gateway.live.config.limits.newVariantsPerMinute;
}

export function receivedOf(
  gateway: Gateway,
  order: FillOrder,
  { status, reason, fields }: { status: number; reason: string; fields: Fields },
  timing: Timing,
): Received {
  return {
    response: { status, reason, fields },
    requestFields: order.requestFields,
    requestedAt: timing.requestedAt,
    receivedAt: gateway.clock.now(),
  };
}

/** From now on it may be asked about, but not be given. */
export async function outdate(gateway: Gateway, entry: Entry): Promise<void> {
  const { entries } = gateway.store;
  const there = await entries.get(entry.key);
  // Somebody may have fetched it meanwhile.
  if (there?.kind !== 'answer' || there.receivedAt !== entry.receivedAt) return;
  await entries.put({ ...entry, outdated: true });
}
