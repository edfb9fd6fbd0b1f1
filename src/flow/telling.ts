// Gives a reader what was found or fetched: conditional requests are answered here, readers are
// entered in the ledger, and an answer that was passed is kept where the upstream calls it public.
import type { Entry } from '../core/entry/entry.ts';
import { judgeHead } from '../core/entry/storing.ts';
import { evaluateConditional, notModifiedFields } from '../core/http/conditional.ts';
import { currentAge } from '../core/http/freshness.ts';
import { type Fields, hasField, keepFields } from '../core/http/message.ts';
import { forwardedFields } from '../core/key/forwarded.ts';
import type { Cacheable } from '../core/key/meaning.ts';
import { shownWithCredentials } from '../core/key/shown.ts';
import type { Verdict } from '../core/verdict.ts';
import { type FillOrder, gather } from './fill.ts';
import type { Landing } from './flights.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
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
  const { route } = meaning;
  const { clock } = gateway;
  if (inUse) gateway.ledger.read(entry, meaning, clock.mono());
  const now = clock.now();
  const ageMs = currentAge(entry, now);
  const same = evaluateConditional(asked.fields, asked.method, entry, now) === 'not-modified';
  const fields = dressed(gateway, asked, {
    fields: same ? notModifiedFields(entry.fields) : entry.fields,
    verdict,
    route,
    // RFC 9111 §5.1: an answer that was fetched for this very request has no age of ours.
    ...(isOwnFetch(verdict) ? {} : { ageMs }),
  });
  if (same) {
    const unchanged = { status: 304, reason: 'Not Modified', fields, body: undefined };
    return answer(unchanged, verdict, meaning);
  }
  const { status, reason } = entry;
  const body = asked.method === 'HEAD' ? undefined : entry.body;
  return answer({ status, reason, fields, body }, verdict, meaning);
}

/** An answer that still comes; it is all there is for a client whose own copy is not the same. */
export function fromStream(
  gateway: Gateway,
  asked: Asked,
  { meaning, fetched, verdict }: { meaning: Cacheable; fetched: FetchedAnswer; verdict: Verdict },
): Told {
  const { route } = meaning;
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
  if (asked.method !== 'GET' || asked.target !== recipe.target) return undefined;
  if (CALLED.some((name) => hasField(recipe.fields, name))) return undefined;
  const shown = shownWithCredentials(asked.fields, recipe.fields, meaning.rule, config.credentials);
  if (shown === undefined) return undefined;
  const plain = keepFields(shown, (name) => name !== 'host' && name !== 'expect');
  const forwarded = forwardedFields(plain, asked, config);
  // The name by which this client calls the gateway is in the key only with `hosts`.
  if (config.hosts.length > 0) return forwarded;
  return keepFields(forwarded, (name) => !CALLED.includes(name));
}

const CALLED = ['forwarded', 'x-forwarded-host', 'x-forwarded-port'];

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

function answer(given: Told['answer'], verdict: Verdict, { route }: Cacheable): Told {
  return { answer: given, verdict, pattern: route.pattern };
}
