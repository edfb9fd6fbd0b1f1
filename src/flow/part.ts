// A reader asks for a part of an answer that is not there whole: given from a part that is kept and
// has it, or asked of the upstream, whose part is then kept as such. Never taken for the whole.
import { extentOf } from '../core/entry/parts.ts';
import type { ClientWants } from '../core/http/client-directives.ts';
import { field } from '../core/http/message.ts';
import { askedRange } from '../core/http/range.ts';
import { asAskedOf, type Cacheable, partsOf } from '../core/key/meaning.ts';
import { staleOnError } from './crowd.ts';
import { launch } from './fill.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
import { hit } from './hit.ts';
import type { FillOrder } from './keep.ts';
import { type Found, lookAside } from './look.ts';
import { failed, pass } from './pass.ts';
import { discard } from './spool.ts';
import { fromEntry, fromStream, wantsReader } from './telling.ts';

export async function readPart(
  gateway: Gateway,
  asked: Asked,
  { meaning, found, wants }: { meaning: Cacheable; found: Found; wants: ClientWants | undefined },
): Promise<Told> {
  const range = field(asked.fields, 'range')!;
  const looked = await keptPart(gateway, asked, { meaning, wants });
  if ('told' in looked) return looked.told;
  const { parts, near } = looked;
  const order: FillOrder = {
    meaning: parts, requestFields: meaning.telling, known: near.known, former: undefined,
    names: near.names, cause: 'miss', id: asked.id, inform: asked.inform, beside: true,
    part: { range, whole: { meaning, names: found.names } },
  };
  const first = await launch(gateway, order).first;
  if (first.kind === 'failed') {
    const stale = await staleOnError(gateway, asked, { meaning, found, wants }, first.because);
    return stale ?? failed(gateway, asked, first.because, meaning.route);
  }
  const { because } = found;
  if (first.kind === 'streaming') {
    const { fetched, kept } = first;
    const stale = fetched.status >= 500
      ? await staleOnError(gateway, asked, { meaning, found, wants }) : undefined;
    const asks = wantsReader(meaning, fetched.status);
    if (stale !== undefined || asks) discard(fetched.body);
    if (stale !== undefined) return stale;
    if (asks) return pass(gateway, asked, { because: 'credentials', route: meaning.route });
    const verdict = { kind: 'miss', because, kept, upstreamStatus: fetched.status } as const;
    return fromStream(gateway, asked, { meaning, fetched, verdict });
  }
  const { entry, kept } = first.landing;
  const verdict = { kind: 'miss', because, kept, upstreamStatus: entry.status } as const;
  return fromEntry(gateway, asked, { meaning, entry, verdict, inUse: entry.status !== 206 });
}

/** What is kept of the part, if it may be given; else where parts stand, and what is there. */
export async function keptPart(
  gateway: Gateway,
  asked: Asked,
  { meaning, wants }: { meaning: Cacheable; wants: ClientWants | undefined },
): Promise<{ told: Told } | { parts: Cacheable; near: Found }> {
  const parts = partsOf(meaning);
  const range = field(asked.fields, 'range')!;
  const near = await lookAside(gateway, parts);
  if (near.entry !== undefined && has(near.entry, range)) {
    const told = hit(gateway, asked, { meaning: parts, found: near, wants });
    if (told !== undefined) return { told };
  }
  const asAsked = asAskedOf(parts, range);
  const again = await lookAside(gateway, asAsked);
  const told = hit(gateway, asked, { meaning: asAsked, found: again, wants });
  return told === undefined ? { parts, near } : { told };
}

function has(entry: NonNullable<Found['entry']>, range: string): boolean {
  const extent = extentOf(entry);
  if (extent === undefined) return false;
  const wanted = askedRange(range, extent.complete);
  return wanted.kind === 'parts' && wanted.spans.every(({ first, last }) =>
    first >= extent.first && last < extent.first + extent.bytes.length);
}
