// Fetches what the cache lacks, gives it to who asked first, and keeps it if HTTP, the operator and
// the promise allow. An answer is judged by what was known before its fetch began, so one that a
// write outran is born invalid, however late it comes.
import type { Entry, Epoch, Key, Seq } from '../core/entry/entry.ts';
import { extentOf } from '../core/entry/parts.ts';
import { reusableOnError } from '../core/entry/reusing.ts';
import { entryOf, judgeHead, type Received, type Terms } from '../core/entry/storing.ts';
import { freshen, validatorsFor } from '../core/http/conditional.ts';
import { type Fields, hasField } from '../core/http/message.ts';
import type { Cacheable } from '../core/key/meaning.ts';
import { traceFields } from '../core/key/shown.ts';
import { valid } from '../core/promise/validity.ts';
import type { NotKeptBecause } from '../core/verdict.ts';
import type { Flight, Landing } from './flights.ts';
import type { Gateway } from './gateway.ts';
import type { FetchedAnswer } from './pass.ts';
import type { FetchCause, FetchFailure, Known } from './ports.ts';
import { withParts } from './joined.ts';
import { discard, Spool } from './spool.ts';
import { takeTurn } from './turn.ts';
import { SOON_MS, within } from './within.ts';

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
  /** Where instances that lack the same take turns; undefined: it is fetched whoever else does. */
  readonly turn?: Key;
  /** Of the reader's request, to be followed by. */
  readonly id?: string;
}

/** What the reader that started the fetch is given. */
export type First =
  | { readonly kind: 'landed'; readonly landing: Extract<Landing, { kind: 'answer' }> }
  /** Not over yet: the answer as it comes. */
  | {
      readonly kind: 'streaming';
      readonly fetched: FetchedAnswer;
      readonly kept: 'stored' | NotKeptBecause;
    }
  | { readonly kind: 'failed'; readonly because: FetchFailure };

/** A body that is not whole in this time after its head is not kept: others would wait for it. */
const KEPT_WITHIN_MS = 10_000;

/** Starts the fetch. Nothing here rejects. */
export function launch(gateway: Gateway, order: FillOrder): Flight<First> {
  const { promise: landing, resolve: land } = Promise.withResolvers<Landing>();
  const first = inTurn(gateway, order, land).catch((error: unknown): First => {
    gateway.ear.trouble('assertion', { error });
    land({ kind: 'failed', because: 'broken' });
    return { kind: 'failed', because: 'broken' };
  });
  return { first, landing };
}

async function inTurn(
  gateway: Gateway,
  order: FillOrder,
  land: (landing: Landing) => void,
): Promise<First> {
  const { turn: key, meaning, known, former } = order;
  if (key === undefined) return fetchAndKeep(gateway, order, land);
  const taken = await takeTurn(gateway, { key, meaning, known, former: former?.entry });
  if (taken.kind === 'found') {
    const { entry, names } = taken;
    const landing = { kind: 'answer', entry, names, valid: true, kept: 'collapsed' } as const;
    land(landing);
    return { kind: 'landed', landing };
  }
  return fetchAndKeep(gateway, order, (landing) => {
    taken.over(landing);
    land(landing);
  }).catch((error: unknown) => {
    taken.over({ kind: 'failed', because: 'broken' });
    throw error;
  });
}

async function fetchAndKeep(
  gateway: Gateway,
  order: FillOrder,
  land: (landing: Landing) => void,
): Promise<First> {
  const { meaning, former, id } = order;
  const { recipe } = meaning;
  const startedAt = gateway.clock.mono();
  const requestedAt = gateway.clock.now();
  // After a touch only a strong validator proves that nothing changed: by a date, an old body
  // came back as new.
  const validators = former === undefined
    ? []
    : validatorsFor(former.entry.fields, former.touched ? 'strong' : 'any');
  const host = recipe.host === undefined ? [] : ['Host', recipe.host];
  const fetched = await gateway.upstream.fetch({
    method: recipe.method,
    target: recipe.target,
    fields: [
      ...recipe.fields.filter((_, i, all) => all[i - (i % 2)]!.toLowerCase() !== 'traceparent'),
      ...traceFields(order.requestFields),
      ...(id === undefined || hasField(recipe.fields, 'x-request-id') ? [] : ['X-Request-Id', id]),
      ...validators,
      ...(order.part === undefined ? [] : ['Range', order.part.range]),
      ...host,
      ...(recipe.secure === true ? ['X-Forwarded-Proto', 'https'] : []),
      'Via', '1.1 everfresh',
    ],
    body: recipe.body,
    route: meaning.route,
    safe: true,
    cause: order.cause === 'miss' && validators.length > 0 ? 'revalidate' : order.cause,
  });
  if (fetched.kind === 'failed') {
    land({ kind: 'failed', because: fetched.because });
    return { kind: 'failed', because: fetched.because };
  }
  const timing: Timing = { startedAt, requestedAt };
  if (fetched.status === 304 && former !== undefined && validators.length > 0) {
    return notModified(gateway, { order, former: former.entry, fetched, timing }, land);
  }
  if (fetched.status === 304) {
    // Nobody asked whether anything was modified: an answer without a meaning.
    discard(fetched.body);
    land({ kind: 'failed', because: 'broken' });
    return { kind: 'failed', because: 'broken' };
  }
  return gather(gateway, { order, fetched, timing }, land);
}

interface Timing {
  readonly startedAt: number;
  readonly requestedAt: number;
}

/** Judges an answer by its head, and gathers its body where it may be kept. */
export async function gather(
  gateway: Gateway,
  { order: given, fetched, timing }: { order: FillOrder; fetched: FetchedAnswer; timing: Timing },
  land: (landing: Landing) => void,
): Promise<First> {
  const whole = fetched.status === 206 ? undefined : given.part?.whole;
  const meant = whole === undefined ? given : { ...given, ...whole };
  const meaning = meant.part === undefined
    ? gateway.searches.learn(meant.meaning, fetched.fields) : meant.meaning;
  const order = { ...meant, meaning };
  const { config } = gateway.live;
  const received = receivedOf(gateway, order, fetched, timing);
  const judged = sparesStale(order, received)
    ?? judgeHead(meaning, received, config, order.part !== undefined);
  const declared = declaredLength(fetched.fields);
  if (judged.kind === 'no' || declared > meaning.rule.maxBodyBytes) {
    const because = judged.kind === 'no' ? judged.because : 'too-large';
    land({ kind: 'unkept', because, status: fetched.status });
    return { kind: 'streaming', fetched, kept: because };
  }
  const spool = new Spool(fetched.body, meaning.rule.maxBodyBytes);
  const cancel = gateway.clock.after(KEPT_WITHIN_MS, () => spool.stopKeeping());
  const landing = spool.gathered.then(async (gathered): Promise<Landing> => {
    cancel();
    switch (gathered.kind) {
      case 'too-large':
      case 'too-slow':
        return { kind: 'unkept', because: gathered.kind, status: fetched.status };
      case 'broken':
        return { kind: 'failed', because: 'reset' };
      case 'whole':
        return keep(gateway, order, { received, judged, body: gathered.bytes, timing });
    }
  });
  landing.then(land, (error: unknown) => {
    gateway.ear.trouble('assertion', { error });
    land({ kind: 'failed', because: 'broken' });
  });
  const landed = await within(gateway.clock, SOON_MS, landing);
  if (landed?.kind === 'answer') {
    spool.leave();
    return { kind: 'landed', landing: landed };
  }
  if (landed?.kind === 'failed') return { kind: 'failed', because: landed.because };
  const kept = landed?.kind === 'unkept' ? landed.because : 'stored';
  return { kind: 'streaming', fetched: { ...fetched, body: spool.reader() }, kept };
}

// An error does not take the place of what may be given in its stead (RFC 5861 §4), even if it says
// that it may be kept.
function sparesStale({ former }: FillOrder, { response, receivedAt }: Received): Terms | undefined {
  if (response.status < 500 || former === undefined || former.touched) return undefined;
  return reusableOnError(former.entry, receivedAt) ? { kind: 'no', because: 'status' } : undefined;
}

/** The upstream says that what is kept still holds (RFC 9111 §4.3.4). */
async function notModified(
  gateway: Gateway,
  { order, former, fetched, timing }: {
    order: FillOrder;
    former: Entry;
    fetched: FetchedAnswer;
    timing: Timing;
  },
  land: (landing: Landing) => void,
): Promise<First> {
  discard(fetched.body);
  const fields = freshen(former.fields, fetched.fields);
  if (fields === undefined) {
    // It speaks of another answer than ours (§4.3.3), so that nothing is known: ask for all of it.
    return fetchAndKeep(gateway, { ...order, former: undefined }, land);
  }
  const { status, reason } = former;
  const received = receivedOf(gateway, order, { status, reason, fields }, timing);
  const judged = judgeHead(order.meaning, received, gateway.live.config);
  const landing: Landing = judged.kind === 'no'
    ? { kind: 'unkept', because: judged.because, status }
    : await keep(gateway, order, { received, judged, body: former.body, timing });
  // A weak condition proves nothing to those who came after a write: they get all of it.
  const proves = order.former?.touched === true || landing.kind !== 'answer' || landing.valid;
  if (!proves) return fetchAndKeep(gateway, { ...order, former: undefined }, land);
  if (landing.kind === 'answer') {
    const kept = landing.kept === 'stored' ? 'revalidated' : landing.kept;
    land({ ...landing, kept });
    return { kind: 'landed', landing: { ...landing, kept } };
  }
  land(landing);
  const whole = { ...fetched, status, reason, fields, body: bodyOf(former.body) };
  const kept = landing.kind === 'unkept' ? landing.because : 'broken-body';
  return { kind: 'streaming', fetched: whole, kept };
}

async function keep(
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
  const made = entryOf(meaning, received, {
    judged,
    body,
    epoch: known.kind === 'known' ? known.epoch : ('' as Epoch),
    asOf: known.kind === 'known' ? known.seq : (0 as Seq),
    fetchMs: gateway.clock.mono() - timing.startedAt,
    names,
    config,
  });
  if (made.kind === 'no') return { kind: 'unkept', because: made.because, status };
  const { entry } = made;
  // Whose Content-Range and length don't agree says nothing of which bytes these are.
  const odd = status === 206 && extentOf(entry) === undefined;
  if (odd) return { kind: 'unkept', because: 'partial-answer', status };
  const marker = made.kept[0];
  const telling = marker?.kind === 'vary' ? marker.names : [];
  const answer = (standing: boolean, kept: 'stored' | NotKeptBecause): Landing =>
    ({ kind: 'answer', entry, names: telling, valid: standing, kept });
  if (known.kind === 'unknown') return answer(false, known.because);
  const after = await gateway.store.control.look(entry.tags);
  if (after.kind === 'unknown') return answer(false, after.because);
  if (valid(entry, after).kind === 'invalid') return answer(false, 'outrun');
  if (after.held) return answer(true, 'held');
  if (crowded(gateway, meaning, entry)) return answer(true, 'too-many-variants');
  const { part, requestFields } = order;
  const all = part === undefined ? made.kept
    : await withParts(gateway, { key: part.whole.meaning.key, requestFields }, made.kept);
  for (const kept of all) await gateway.store.entries.put(kept);
  gateway.ear.kept(entry);
  return answer(true, 'stored');
}

// New variants of a route are bounded in number and by the minute, so that nobody can push out what
// others read by asking for what nobody reads.
function crowded(gateway: Gateway, { rule }: Cacheable, entry: Entry): boolean {
  if (gateway.ledger.has(entry.key)) return false;
  if (!gateway.ledger.hasRoom(rule, gateway.clock.mono())) return true;
  return gateway.newVariants.add(rule.pattern) > gateway.live.config.limits.newVariantsPerMinute;
}

function receivedOf(
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

function declaredLength(fields: Fields): number {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]!.toLowerCase() === 'content-length') return Number(fields[i + 1]);
  }
  return 0;
}

async function* bodyOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
