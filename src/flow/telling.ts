// Gives a reader what was found or fetched: conditional requests are answered here, readers are
// entered in the ledger, and an answer that was passed is kept where the upstream calls it public.
import { fieldsOfReaders, sharable } from '../core/entry/answering.ts';
import type { Entry } from '../core/entry/entry.ts';
import { extentOf } from '../core/entry/parts.ts';
import { judgeHead } from '../core/entry/storing.ts';
import { evaluateConditional, notModifiedFields } from '../core/http/conditional.ts';
import { currentAge } from '../core/http/freshness.ts';
import { field, type Fields, hasField, keepFields } from '../core/http/message.ts';
import { askedRange, ifRangeHolds, partial, unsatisfiableFields } from '../core/http/range.ts';
import { forwardedFields } from '../core/key/forwarded.ts';
import type { Cacheable } from '../core/key/meaning.ts';
import { identitiesOf } from '../core/key/reader.ts';
import { shownWithCredentials } from '../core/key/shown.ts';
import type { Verdict } from '../core/verdict.ts';
import { gather } from './fill.ts';
import type { Landing } from './flights.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
import type { FillOrder } from './keep.ts';
import type { Found } from './look.ts';
import { answered, dressed, type FetchedAnswer, pass } from './pass.ts';
import { discard } from './spool.ts';

export function fromEntry(
  gateway: Gateway,
  asked: Asked,
  { meaning, entry, verdict, inUse = true }: {
    meaning: Cacheable;
    entry: Entry;
    verdict: Verdict;
    /** Whether it is to be fetched again after a write. */
    inUse?: boolean;
  },
): Told {
  const { clock } = gateway;
  // A part is not fetched again after a write: nobody knows which one will be asked for.
  if (inUse && entry.status !== 206) gateway.ledger.read(entry, meaning, clock.mono());
  return given(gateway, asked, { meaning, entry, verdict, now: clock.now() });
}

/** What of a request makes a difference to how an entry is given. */
export type Reader = Pick<Asked, 'method' | 'fields' | 'scheme' | 'authority' | 'calledAs'>;

/** How an entry is given to this reader at this time. */
export function given(
  gateway: Gateway,
  asked: Reader,
  { meaning, entry, verdict, now }: {
    meaning: Cacheable; entry: Entry; verdict: Verdict; now: number;
  },
): Told {
  const { route } = meaning;
  const ageMs = currentAge(entry, now);
  const shown = representation(asked, asGiven(entry, meaning), now);
  const fields = dressed(gateway, asked, {
    fields: shown.fields,
    verdict,
    route,
    // RFC 9111 §5.1: an answer that was fetched for this very request has no age of ours.
    ...(isOwnFetch(verdict) ? {} : { ageMs }),
  });
  // What came in chunks is all here: its length can be said (RFC 9110 §8.6).
  const { status, body: whole } = shown;
  if (whole !== undefined && status !== 204 && !hasField(fields, 'content-length')) {
    fields.push('Content-Length', String(whole.byteLength));
  }
  const body = asked.method === 'HEAD' ? undefined : whole;
  return answer({ ...shown, fields, body }, verdict, meaning);
}

/** As clients are told of it: what is one reader's, by a validator of its own. */
export function asGiven(entry: Entry, { rule }: Cacheable): Entry {
  if (identitiesOf(rule).length === 0) return entry;
  return { ...entry, fields: fieldsOfReaders(entry.fields, rule, entry.clientEtag) };
}

interface Given {
  readonly status: number;
  readonly reason: string;
  readonly fields: Fields;
  readonly body: Uint8Array | undefined;
}

/** What of an entry is given: all, some parts, or that nothing has changed (RFC 9110 §13.2.2). */
function representation(asked: Reader, entry: Entry, now: number): Given {
  const { status, reason, fields, body } = entry;
  // RFC 9110 §13.2.2: a condition comes before a Range, and is about the representation.
  const whole = status === 206 ? { ...entry, status: 200 } : entry;
  if (evaluateConditional(asked.fields, asked.method, whole, now) === 'not-modified') {
    return {
      status: 304, reason: 'Not Modified', fields: notModifiedFields(fields), body: undefined,
    };
  }
  // RFC 9110 §14.2: "A server MUST ignore a Range header field received with a request method that
  // is unrecognized or for which range handling is not defined."
  const ranged = asked.method === 'GET' || asked.method === 'QUERY';
  const range = ranged ? field(asked.fields, 'range') : undefined;
  const extent = range === undefined ? undefined : extentOf(entry);
  if (extent === undefined || !ifRangeHolds(asked.fields, fields, now)) {
    return { status, reason, fields, body };
  }
  const wanted = askedRange(range, extent.complete);
  if (wanted.kind === 'unsatisfiable') {
    const told = unsatisfiableFields(fields, extent.complete);
    return { status: 416, reason: 'Range Not Satisfiable', fields: told, body: undefined };
  }
  const part = wanted.kind === 'parts' ? partial(wanted, { fields, ...extent }) : undefined;
  if (part === undefined) return { status, reason, fields, body };
  return { ...part, reason: 'Partial Content' };
}

/** An answer that still comes; it is all there is for a client whose own copy is not the same. */
export function fromStream(
  gateway: Gateway,
  asked: Asked,
  { meaning, fetched: came, verdict }: {
    meaning: Cacheable; fetched: FetchedAnswer; verdict: Verdict;
  },
): Told {
  const { route, rule } = meaning;
  const apart = identitiesOf(rule).length > 0 && sharable(verdict);
  const fetched = apart ? { ...came, fields: fieldsOfReaders(came.fields, rule, undefined) } : came;
  const now = gateway.clock.now();
  if (evaluateConditional(asked.fields, asked.method, fetched, now) === 'send') {
    return answered(gateway, asked, { fetched, verdict, route });
  }
  discard(fetched.body);
  const unchanged = notModifiedFields(fetched.fields);
  const fields = dressed(gateway, asked, { fields: unchanged, verdict, route });
  return answer({ status: 304, reason: 'Not Modified', fields, body: undefined }, verdict, meaning);
}

/** Passes a request with credentials, and keeps its answer if the upstream lets all share it. */
export function keepingPass(
  gateway: Gateway,
  asked: Asked,
  { meaning, found }: { meaning: Cacheable; found: Found },
): Promise<Told> {
  const timing = { startedAt: gateway.clock.mono(), requestedAt: gateway.clock.now() };
  const { known, names } = found;
  const { route } = meaning;
  const fields = fieldsToShare(gateway, asked, meaning);
  if (fields === undefined) return pass(gateway, asked, { because: 'credentials', route });
  const order: FillOrder = {
    meaning, requestFields: meaning.telling, known, former: undefined, names, cause: 'pass',
    beside: true,
    conditional: CONDITIONS.some((name) => hasField(asked.fields, name)),
  };
  return pass(gateway, asked, {
    because: 'credentials',
    route,
    fields,
    tap: async (fetched) => {
      const told = (kept: 'stored'): Verdict => ({ kind: 'pass', because: 'credentials', kept });
      const untold: Verdict = { kind: 'pass', because: 'credentials' };
      const first = await gather(gateway, { order, fetched, timing }, (landing) => {
        noteUse(gateway, meaning, landing);
      });
      if (first.kind === 'failed') return { failed: first.because };
      if (first.kind === 'streaming') return { body: first.fetched.body, verdict: untold };
      const { entry, kept } = first.landing;
      return { body: entry.body, verdict: kept === 'stored' ? told(kept) : untold };
    },
  });
}

/**
 * What the upstream is shown of a request whose answer may be kept for others: nothing that they
 * could not have said as well, but for the credentials. Undefined where the request says more.
 */
function fieldsToShare(gateway: Gateway, asked: Asked, meaning: Cacheable): Fields | undefined {
  const { config } = gateway.live;
  const { recipe } = meaning;
  // A parameter that is not in the key may have made the answer what it is.
  if (asked.method !== recipe.method || asked.target !== recipe.target) return undefined;
  if (CALLED.some((name) => hasField(recipe.fields, name))) return undefined;
  const shown = shownWithCredentials(asked.fields, recipe.fields, meaning.rule, config.credentials);
  if (shown === undefined) return undefined;
  const plain = keepFields(shown, (name) => name !== 'host' && name !== 'expect');
  const forwarded = forwardedFields(plain, asked, config);
  // The name by which this client calls the gateway is in the key only with `hosts`.
  if (config.hosts.length > 0) return forwarded;
  return keepFields(forwarded, (name) => !CALLED.includes(name));
}

const CONDITIONS = [
  'range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range',
  'max-forwards',
];

const CALLED = ['forwarded', 'x-forwarded-host', 'x-forwarded-port'];

const ELSEWHERE = new Set([302, 303, 307]);

/**
 * Even where all may share an answer, the upstream may want to know who asks: then it is told. So
 * it is where a reader was refused, or sent elsewhere, and had shown more than it was told.
 */
export function wantsReader({ asking, credential }: Cacheable, status: number): boolean {
  const refused = status === 401 || status === 403;
  if (credential?.withholds === true) return refused || ELSEWHERE.has(status);
  return asking !== 'none' && refused;
}

/**
 * Passes what could not be kept lately, so that nobody queues for it, and says of the answer why it
 * could not be kept this time either.
 */
export function judgingPass(
  gateway: Gateway,
  asked: Asked,
  { meaning }: { meaning: Cacheable },
): Promise<Told> {
  const requestedAt = gateway.clock.now();
  return pass(gateway, asked, {
    because: 'uncacheable-lately',
    route: meaning.route,
    tap: ({ status, reason, fields, body }) => {
      const judged = judgeHead(meaning, {
        response: { status, reason, fields },
        requestFields: meaning.telling,
        requestedAt,
        receivedAt: gateway.clock.now(),
      }, gateway.live.config);
      const kept = judged.kind === 'no' && status !== 304 ? { kept: judged.because } : {};
      const verdict: Verdict = { kind: 'pass', because: 'uncacheable-lately', ...kept };
      return Promise.resolve({ body, verdict });
    },
  });
}

/** Who reads an answer as it comes uses it no less than who finds it whole. */
export function noteUse(gateway: Gateway, meaning: Cacheable, landing: Landing): void {
  if (landing.kind !== 'answer' || landing.kept !== 'stored') return;
  gateway.ledger.read(landing.entry, meaning, gateway.clock.mono());
}

function isOwnFetch(verdict: Verdict): boolean {
  return verdict.kind === 'miss' && verdict.kept !== 'collapsed';
}

function answer(shown: Told['answer'], verdict: Verdict, { route }: Cacheable): Told {
  return { answer: shown, verdict, pattern: route.pattern };
}
