// Fetches what the cache lacks, gives it to who asked first, and keeps it if HTTP, the operator and
// the promise allow. An answer is judged by what was known before its fetch began, so one that a
// write outran is born invalid, however late it comes.
import type { Entry } from '../core/entry/entry.ts';
import { reusableOnError } from '../core/entry/reusing.ts';
import { judgeHead, type Received, type Terms } from '../core/entry/storing.ts';
import { freshen, validatorsFor } from '../core/http/conditional.ts';
import {
  endToEnd, type Fields, hasField, keepFields, plainName,
} from '../core/http/message.ts';
import { shownId, traceFields } from '../core/key/shown.ts';
import type { Flight, Landing } from './flights.ts';
import type { Gateway } from './gateway.ts';
import { type FillOrder, keep, outdate, receivedOf, type Timing } from './keep.ts';
import type { FetchedAnswer } from './pass.ts';
import type { Fetch, FetchFailure } from './ports.ts';
import { noteAnswer } from './reader.ts';
import { discard, Spool, streamOf } from './spool.ts';
import { takeTurn } from './turn.ts';
import { SOON_MS, within } from './within.ts';

/** What the reader that started the fetch is given. */
export type First =
  | { readonly kind: 'landed'; readonly landing: Extract<Landing, { kind: 'answer' }> }
  /** Not over yet: the answer as it comes. */
  | {
      readonly kind: 'streaming';
      readonly fetched: FetchedAnswer;
      readonly kept: Extract<Landing, { kind: 'answer' }>['kept'];
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
  const { former } = order;
  if (order.stillGood?.() === false) {
    land({ kind: 'unkept', because: 'outrun', status: 200 });
    return { kind: 'failed', because: 'aborted' };
  }
  const startedAt = gateway.clock.mono();
  const requestedAt = gateway.clock.now();
  // After a touch only a strong validator proves that nothing changed: by a date, an old body
  // came back as new.
  const validators = former === undefined
    ? []
    : validatorsFor(former.entry.fields, former.touched ? 'strong' : 'any');
  const part = order.part === undefined ? [] : ['Range', order.part.range];
  const fetched = await gateway.upstream.fetch({
    ...requestOf(order, [...validators, ...part]),
    cause: order.cause === 'miss' && validators.length > 0 ? 'revalidate' : order.cause,
  });
  if (fetched.kind === 'failed') {
    land({ kind: 'failed', because: fetched.because });
    return { kind: 'failed', because: fetched.because };
  }
  const timing: Timing = { startedAt, requestedAt };
  if (order.meaning.reader !== undefined) {
    await noteAnswer(gateway, order, fetched, timing);
  }
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

/** What the upstream is asked by a recipe, and nothing that its reader alone said. */
export function requestOf(
  { meaning: { recipe, route, rule, credential }, requestFields, id, inform, again }: FillOrder,
  more: Fields,
): Omit<Fetch, 'cause'> {
  const { method, target, body, host, secure } = recipe;
  const given = [...rule.service, ...(credential?.fields ?? [])];
  // What is said in somebody's name is said once, however a client spells it.
  const names = new Set(given.filter((_, i) => i % 2 === 0).map(plainName));
  const fields = keepFields(recipe.fields, (name) => !names.has(plainName(name)));
  const named = id === undefined || hasField(fields, 'x-request-id');
  return {
    method,
    target,
    fields: [
      ...keepFields(fields, (name) => name !== 'traceparent'),
      ...traceFields(requestFields),
      ...given,
      ...(again === true ? ['Everfresh-Refresh', '1'] : []),
      ...(named ? [] : ['X-Request-Id', shownId(id)]),
      ...more,
      ...(host === undefined ? [] : ['Host', host]),
      ...(secure === true ? ['X-Forwarded-Proto', 'https'] : []),
      'Via', '1.1 everfresh',
    ],
    body,
    route,
    safe: true,
    ...(inform === undefined ? {} : { inform }),
  };
}

/** Judges an answer by its head, and gathers its body where it may be kept. */
export async function gather(
  gateway: Gateway,
  { order: given, fetched, timing }: { order: FillOrder; fetched: FetchedAnswer; timing: Timing },
  land: (landing: Landing) => void,
): Promise<First> {
  const whole = fetched.status === 206 ? undefined : given.part?.whole;
  const meant = whole === undefined ? given : { ...given, ...whole };
  const isPart = meant.part !== undefined && whole === undefined;
  const meaning = isPart ? meant.meaning : gateway.searches.learn(meant.meaning, fetched);
  const order = { ...meant, meaning };
  const { config } = gateway.live;
  const received = receivedOf(gateway, order, fetched, timing);
  const judged = sparesStale(order, received) ?? ofTheQuestion(order, received)
    ?? judgeHead(meaning, received, config, order.part !== undefined);
  const declared = declaredLength(fetched.fields);
  if (judged.kind === 'no' || declared > meaning.rule.maxBodyBytes) {
    const because = judged.kind === 'no' ? judged.because : 'too-large';
    if (judged.kind === 'no') await replaced(gateway, order, fetched.status);
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
  // Fields that are not kept (RFC 9111 §5.2.2.4), and trailers, are for the one who asked.
  const all = judged.terms.fields.length === endToEnd(fetched.fields).length
    && !hasField(fetched.fields, 'trailer');
  if (landed?.kind === 'answer' && all) {
    spool.leave();
    return { kind: 'landed', landing: landed };
  }
  if (landed?.kind === 'failed') return { kind: 'failed', because: landed.because };
  const kept = landed?.kind === 'unkept' ? landed.because
    : landed?.kind === 'answer' ? landed.kept : 'stored';
  return { kind: 'streaming', fetched: { ...fetched, body: spool.reader() }, kept };
}

// An error does not take the place of what may be given in its stead (RFC 5861 §4), even if it says
// that it may be kept.
function sparesStale({ former }: FillOrder, { response, receivedAt }: Received): Terms | undefined {
  if (response.status < 500 || former === undefined || former.touched) return undefined;
  const spared = reusableOnError(former.entry, undefined, receivedAt);
  return spared ? { kind: 'no', because: 'status' } : undefined;
}

// RFC 9111 §4.3.3: "A full response […] indicates that none of the stored responses nominated in
// the conditional request are suitable". What may not take its place ends it all the same, unless
// it is about this moment only.
async function replaced(gateway: Gateway, { former }: FillOrder, status: number): Promise<void> {
  const passing = status >= 500 || status === 408 || status === 425 || status === 429;
  if (former !== undefined && !passing) await outdate(gateway, former.entry);
}

// What was asked for with a Range, or under a client's own condition, may be refused for that: such
// an answer is of its question alone.
function ofTheQuestion(
  { part, conditional }: FillOrder, { response: { status } }: Received,
): Terms | undefined {
  const asked = part !== undefined || conditional === true;
  return asked && status !== 200 && status !== 206 ? { kind: 'no', because: 'status' } : undefined;
}

/** The upstream says that what is kept still holds (RFC 9111 §4.3.4). */
async function notModified(
  gateway: Gateway,
  { order: given, former, fetched, timing }: {
    order: FillOrder;
    former: Entry;
    fetched: FetchedAnswer;
    timing: Timing;
  },
  land: (landing: Landing) => void,
): Promise<First> {
  discard(fetched.body);
  // All of it, with nothing said twice.
  const { former: _former, inform: _inform, ...again } = given;
  const strength = given.former?.touched === true ? 'strong' : 'any';
  const fields = freshen(former.fields, fetched.fields, strength);
  if (fields === undefined) {
    // It speaks of another answer than ours (§4.3.3), so that nothing is known: ask for all of it.
    return fetchAndKeep(gateway, again, land);
  }
  const { status, reason } = former;
  const order = { ...given, meaning: gateway.searches.learn(given.meaning, { status, fields }) };
  const received = receivedOf(gateway, order, { status, reason, fields }, timing);
  const judged = judgeHead(order.meaning, received, gateway.live.config);
  // It holds, but may not be kept any more.
  if (judged.kind === 'no') await outdate(gateway, former);
  const landing: Landing = judged.kind === 'no'
    ? { kind: 'unkept', because: judged.because, status }
    : await keep(gateway, order, { received, judged, body: former.body, timing });
  // A weak condition proves nothing to those who came after a write: they get all of it.
  const proves = order.former?.touched === true || landing.kind !== 'answer' || landing.valid;
  if (!proves) return fetchAndKeep(gateway, again, land);
  if (landing.kind === 'answer') {
    const kept = landing.kept === 'stored' ? 'revalidated' : landing.kept;
    land({ ...landing, kept });
    return { kind: 'landed', landing: { ...landing, kept } };
  }
  land(landing);
  const whole = { ...fetched, status, reason, fields, body: streamOf(former.body) };
  const kept = landing.kind === 'unkept' ? landing.because : 'broken-body';
  return { kind: 'streaming', fetched: whole, kept };
}

function declaredLength(fields: Fields): number {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]!.toLowerCase() === 'content-length') return Number(fields[i + 1]);
  }
  return 0;
}
