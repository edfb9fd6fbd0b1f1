// The first story: a reader asks. Say what the request means, look aside in the cache, answer from
// it if what stands there is valid by the promise and fresh by HTTP; otherwise fetch, together with
// everybody who asks for the same, and keep. Never waits for anything but the store's budget and
// the upstream.
import { clientWants, type ClientWants } from '../core/http/client-directives.ts';
import { field, hasField } from '../core/http/message.ts';
import { askedRange } from '../core/http/range.ts';
import { type Cacheable, meaningOf } from '../core/key/meaning.ts';
import type { PassBecause } from '../core/verdict.ts';
import { fetchTogether } from './crowd.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
import { readHead } from './head.ts';
import { hit } from './hit.ts';
import { watchForLeaks } from './leak-guard.ts';
import { type Found, lookAside } from './look.ts';
import { keptPart, readPart } from './part.ts';
import { pass, problemTold } from './pass.ts';
import { judgingPass, keepingPass } from './telling.ts';

/** `known`: what it means, where that was worked out before. */
export async function read(gateway: Gateway, asked: Asked, known?: Cacheable): Promise<Told> {
  const { config, finder, readers } = gateway.live;
  const meant = known ?? meaningOf(asked, config, (path) => finder.match(path), readers);
  if (meant.kind === 'pass') return pass(gateway, asked, meant);
  const meaning = gateway.searches.apply(meant);
  const { route, reader, credential } = meaning;
  if (reader !== undefined) gateway.people.seen(reader, credential!, gateway.clock.mono());
  if (gateway.quarantine.holds(meaning.rule)) {
    return pass(gateway, asked, { because: 'quarantined', route });
  }
  if (gateway.mode === 'observe') return pass(gateway, asked, { because: 'observe', route });

  const wants = config.clientDirectives === 'honour' ? clientWants(asked.fields) : undefined;
  const looked = lookAside(gateway, meaning);
  const found = looked instanceof Promise ? await looked : looked;
  watchForLeaks(gateway, asked, meaning);
  const told = hit(gateway, asked, { meaning, found, wants });
  if (told !== undefined) return told;

  if (wants?.onlyIfCached) {
    const shared = meaning.asking === 'none' || meaning.rule.per === 'everyone';
    const part = shared && asksForPart(asked) && !hasField(asked.fields, 'if-range')
      ? await keptPart(gateway, asked, { meaning, wants }) : undefined;
    if (part !== undefined && 'told' in part) return part.told;
    return problemTold(gateway, asked, { kind: 'fail', because: 'only-if-cached', route });
  }
  const around = goesAround(gateway, asked, { meaning, found, wants });
  if (around === 'credentials') return keepingPass(gateway, asked, { meaning, found });
  if (around === 'uncacheable-lately') return judgingPass(gateway, asked, { meaning });
  if (around === 'safe-method' && found.entry !== undefined) {
    return readHead(gateway, asked, { meaning, found, wants });
  }
  if (around !== undefined) return pass(gateway, asked, { because: around, route });
  if (asksForPart(asked)) return readPart(gateway, asked, { meaning, found, wants });
  return fetchTogether(gateway, asked, { meaning, found, wants });
}

// How long the answer is nobody knows yet; what asks for no part of any is no range.
const asksForPart = ({ method, fields }: Asked): boolean => method === 'GET'
  && askedRange(field(fields, 'range'), Number.MAX_SAFE_INTEGER).kind === 'parts';

/** Why a request that the cache cannot answer does not fill it either. */
function goesAround(
  gateway: Gateway,
  asked: Asked,
  { meaning, found, wants }: { meaning: Cacheable; found: Found; wants: ClientWants | undefined },
): PassBecause | undefined {
  if (meaning.asking !== 'none' && meaning.rule.per !== 'everyone') return 'credentials';
  if (wants?.noStore) return 'request-no-store';
  if (asked.method === 'HEAD') return 'safe-method';
  // A part of what the client may have in another version is the upstream's to judge.
  if (asksForPart(asked) && hasField(asked.fields, 'if-range')) return 'request-range';
  if (gateway.uncacheable.count(found.key) > 0) return 'uncacheable-lately';
  return undefined;
}
