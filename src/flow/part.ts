// A reader asks for a part of an answer that is not there whole: given from a part that is kept and
// has it, or asked of the upstream, whose part is then kept as such. Never taken for the whole.
import { extentOf } from '../core/entry/parts.ts';
import type { ClientWants } from '../core/http/client-directives.ts';
import { field } from '../core/http/message.ts';
import { askedRange } from '../core/http/range.ts';
import { asAskedOf, type Cacheable, partsOf } from '../core/key/meaning.ts';
import { launch } from './fill.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
import { hit } from './hit.ts';
import type { FillOrder } from './keep.ts';
import { type Found, lookAside } from './look.ts';
import { failed } from './pass.ts';
import { fromEntry, fromStream } from './telling.ts';

export async function readPart(
  gateway: Gateway,
  asked: Asked,
  { meaning, found, wants }: { meaning: Cacheable; found: Found; wants: ClientWants | undefined },
): Promise<Told> {
  const parts = partsOf(meaning);
  const near = await lookAside(gateway, parts);
  const range = field(asked.fields, 'range')!;
  if (near.entry !== undefined && has(near.entry, range)) {
    const told = hit(gateway, asked, { meaning: parts, found: near, wants });
    if (told !== undefined) return told;
  }
  const asAsked = asAskedOf(parts, range);
  const again = await lookAside(gateway, asAsked);
  const told = hit(gateway, asked, { meaning: asAsked, found: again, wants });
  if (told !== undefined) return told;
  const order: FillOrder = {
    meaning: parts, requestFields: meaning.telling, known: near.known, former: undefined,
    names: near.names, cause: 'miss', id: asked.id,
    part: { range, whole: { meaning, names: found.names } },
  };
  const first = await launch(gateway, order).first;
  if (first.kind === 'failed') return failed(gateway, asked, first.because, meaning.route);
  const { because } = found;
  if (first.kind === 'streaming') {
    const { fetched, kept } = first;
    const verdict = { kind: 'miss', because, kept, upstreamStatus: fetched.status } as const;
    return fromStream(gateway, asked, { meaning, fetched, verdict });
  }
  const { entry, kept } = first.landing;
  const verdict = { kind: 'miss', because, kept, upstreamStatus: entry.status } as const;
  return fromEntry(gateway, asked, { meaning, entry, verdict, inUse: entry.status !== 206 });
}

function has(entry: NonNullable<Found['entry']>, range: string): boolean {
  const extent = extentOf(entry);
  if (extent === undefined) return false;
  const wanted = askedRange(range, extent.complete);
  return wanted.kind === 'parts' && wanted.spans.every(({ first, last }) =>
    first >= extent.first && last < extent.first + extent.bytes.length);
}
