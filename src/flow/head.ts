// A HEAD for what is kept but cannot be given: asked of the upstream as one, and what it says of
// the content that is kept renews that, or ends its freshness (RFC 9111 §4.3.5).
import { judgeHead } from '../core/entry/storing.ts';
import type { ClientWants } from '../core/http/client-directives.ts';
import { describes, freshen } from '../core/http/conditional.ts';
import type { Entry } from '../core/entry/entry.ts';
import type { Cacheable } from '../core/key/meaning.ts';
import { provesLittle, staleOnError } from './crowd.ts';
import { requestOf } from './fill.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
import { type FillOrder, keep, outdate, receivedOf, type Timing } from './keep.ts';
import type { Found } from './look.ts';
import { failed, type FetchedAnswer, pass } from './pass.ts';
import { noteAnswer } from './reader.ts';
import { discard } from './spool.ts';
import { fromStream, wantsReader } from './telling.ts';

export async function readHead(
  gateway: Gateway,
  asked: Asked,
  seat: { meaning: Cacheable; found: Found; wants: ClientWants | undefined },
): Promise<Told> {
  const { meaning, found } = seat;
  const { known, names, entry } = found;
  const timing: Timing = { startedAt: gateway.clock.mono(), requestedAt: gateway.clock.now() };
  const order: FillOrder = {
    meaning, requestFields: meaning.telling, known, names, cause: 'revalidate', id: asked.id,
    inform: asked.inform, beside: true,
  };
  const fetched = await gateway.upstream.fetch({
    ...requestOf(order, []), method: 'HEAD', signal: asked.gone, cause: 'revalidate',
  });
  if (fetched.kind === 'failed') {
    const stale = await staleOnError(gateway, asked, seat, fetched.because);
    return stale ?? failed(gateway, asked, fetched.because, meaning.route);
  }
  await noteAnswer(gateway, order, fetched, timing);
  const stale = fetched.status >= 500 ? await staleOnError(gateway, asked, seat) : undefined;
  if (stale !== undefined) {
    discard(fetched.body);
    return stale;
  }
  if (wantsReader(meaning, fetched.status)) {
    discard(fetched.body);
    return pass(gateway, asked, { because: 'credentials', route: meaning.route });
  }
  if (entry !== undefined) await taken(gateway, { order, entry, found, fetched, timing });
  const verdict = { kind: 'pass', because: 'safe-method' } as const;
  return fromStream(gateway, asked, { meaning, fetched, verdict });
}

/** What the answer says of the entry. */
async function taken(
  gateway: Gateway,
  { order, entry, found, fetched, timing }: {
    order: FillOrder; entry: Entry; found: Found; fetched: FetchedAnswer; timing: Timing;
  },
): Promise<void> {
  const { meaning } = order;
  const gone = fetched.status === 404 || fetched.status === 410;
  if (fetched.status !== 200 && !gone) return;
  const says = gone ? 'other' : describes(entry, fetched.fields);
  if (says === 'other') return outdate(gateway, entry);
  // After a write only a strong validator proves that nothing changed.
  if (says === 'nothing' || (provesLittle({ meaning, found }) && says !== 'proven')) return;
  const fields = freshen(entry.fields, fetched.fields);
  if (fields === undefined) return;
  const { status, reason, body } = entry;
  const received = receivedOf(gateway, order, { status, reason, fields }, timing);
  const judged = judgeHead(meaning, received, gateway.live.config);
  if (judged.kind === 'no') await outdate(gateway, entry);
  else await keep(gateway, order, { received, judged, body, timing });
}
