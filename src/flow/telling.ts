// Gives a reader what was found or fetched: conditional requests are answered here, readers are
// entered in the ledger, and an answer that was passed is kept where the upstream calls it public.
import type { Entry } from '../core/entry/entry.ts';
import { evaluateConditional, notModifiedFields } from '../core/http/conditional.ts';
import { currentAge } from '../core/http/freshness.ts';
import type { Cacheable } from '../core/key/meaning.ts';
import type { Verdict } from '../core/verdict.ts';
import { type FillOrder, gather } from './fill.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
import type { Found } from './look.ts';
import { answered, dressed, type FetchedAnswer, pass } from './pass.ts';
import { discard } from './spool.ts';

export function fromEntry(
  gateway: Gateway,
  asked: Asked,
  { meaning, entry, verdict }: { meaning: Cacheable; entry: Entry; verdict: Verdict },
): Told {
  const { route } = meaning;
  const { clock } = gateway;
  gateway.ledger.read(entry, meaning, clock.mono());
  const now = clock.now();
  const ageMs = currentAge(entry, now);
  const same = evaluateConditional(asked.fields, asked.method, entry, now) === 'not-modified';
  const fields = dressed(gateway, asked, {
    fields: same ? notModifiedFields(entry.fields) : entry.fields,
    verdict,
    route,
    // An answer just fetched has no age of ours yet; one that was kept has (RFC 9111 §5.1).
    ...(verdict.kind === 'hit' ? { ageMs } : {}),
  });
  if (same) {
    return answer({ status: 304, reason: 'Not Modified', fields, body: undefined }, verdict, meaning);
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
  const fields = dressed(gateway, asked, { fields: notModifiedFields(fetched.fields), verdict, route });
  return answer({ status: 304, reason: 'Not Modified', fields, body: undefined }, verdict, meaning);
}

/** Passes a request with credentials, and keeps its answer if the upstream says that it may be shared. */
export function keepingPass(
  gateway: Gateway,
  asked: Asked,
  { meaning, found }: { meaning: Cacheable; found: Found },
): Promise<Told> {
  const timing = { startedAt: gateway.clock.mono(), requestedAt: gateway.clock.now() };
  const { known, names } = found;
  const order: FillOrder = {
    meaning, requestFields: meaning.telling, known, former: undefined, names, cause: 'pass',
  };
  return pass(gateway, asked, {
    because: 'credentials',
    route: meaning.route,
    tap: async (fetched) => {
      const told = (kept: 'stored'): Verdict => ({ kind: 'pass', because: 'credentials', kept });
      const untold: Verdict = { kind: 'pass', because: 'credentials' };
      if (asked.method !== 'GET') return { body: fetched.body, verdict: untold };
      const first = await gather(gateway, { order, fetched, timing }, () => undefined);
      if (first.kind === 'failed') return { failed: first.because };
      if (first.kind === 'streaming') return { body: first.fetched.body, verdict: untold };
      const { entry, kept } = first.landing;
      return { body: entry.body, verdict: kept === 'stored' ? told(kept) : untold };
    },
  });
}

function answer(given: Told['answer'], verdict: Verdict, { route }: Cacheable): Told {
  return { answer: given, verdict, pattern: route.pattern };
}
