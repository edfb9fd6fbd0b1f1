// Answers from the cache, if what was found is valid by the promise, fresh by HTTP, and may be had
// by this reader.
import { reuse, sharedWith } from '../core/entry/reusing.ts';
import type { ClientWants } from '../core/http/client-directives.ts';
import type { Cacheable } from '../core/key/meaning.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
import type { Found } from './look.ts';
import { isAccepted } from './reader.ts';
import { refreshBehind } from './refresh.ts';
import { fromEntry } from './telling.ts';

/** The answer from the cache, if this reader may have it now. */
export function hit(
  gateway: Gateway,
  asked: Asked,
  { meaning, found, wants }: { meaning: Cacheable; found: Found; wants: ClientWants | undefined },
): Told | undefined {
  const { entry } = found;
  if (entry === undefined || found.standing !== 'valid') return undefined;
  if (!sharedWith(entry, meaning.asking, meaning.rule)) return undefined;
  if (!isAccepted(gateway, meaning)) {
    found.because = 'recheck';
    return undefined;
  }
  const reused = reuse(entry, meaning.rule, wants, gateway.clock.now());
  if (reused.kind === 'no') {
    found.because = reused.because;
    return undefined;
  }
  if (reused.kind === 'while-revalidating') refreshBehind(gateway, meaning, found);
  const because = reused.kind === 'fresh' ? 'fresh' : 'stale-while-revalidate';
  const verdict = { kind: 'hit', because, ttlMs: reused.ttlMs } as const;
  return fromEntry(gateway, asked, { meaning, entry, verdict });
}
