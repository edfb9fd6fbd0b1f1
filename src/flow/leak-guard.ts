// Watches over what the operator says that all may share: now and then an answer is fetched again
// as nobody and as the reader who just asked, and compared. One difference, and the route is passed
// from then on: nobody is given what may be another's.
import { isSame, likeness, type Told } from '../core/entry/comparing.ts';
import { endToEnd, keepFields } from '../core/http/message.ts';
import type { Cacheable } from '../core/key/meaning.ts';
import { isCredential } from '../core/key/shown.ts';
import type { ReadRule } from '../core/rules/config.ts';
import { requestOf } from './fill.ts';
import type { Asked, Gateway } from './gateway.ts';
import type { Known } from './ports.ts';
import { Spool } from './spool.ts';

export type GuardResult = 'same' | 'other' | 'unclear' | 'failed';

/** A reader who says who it is was given what all share. */
export function watchForLeaks(gateway: Gateway, asked: Asked, meaning: Cacheable): void {
  const { quarantine, clock, ear } = gateway;
  const { rule } = meaning;
  if (rule.per !== 'everyone' || meaning.asking === 'none' || asked.method !== 'GET') return;
  if (quarantine.holds(rule) || !quarantine.begins(rule, clock.mono())) return;
  compare(gateway, asked, meaning)
    .then((result) => {
      ear.guarded(rule.pattern, result);
      if (result === 'other') keepApart(gateway, rule);
    })
    .catch((error: unknown) => ear.trouble('assertion', { error }))
    .finally(() => quarantine.over());
}

function keepApart(gateway: Gateway, rule: ReadRule): void {
  gateway.quarantine.add(rule);
  gateway.ear.trouble('leak', { route: rule.pattern });
  // What was worked out for requests of this configuration before is worked out anew.
  gateway.live = { ...gateway.live };
}

// In turn, so that a write in between is no difference between readers.
async function compare(
  gateway: Gateway, asked: Asked, meaning: Cacheable,
): Promise<GuardResult> {
  const nobodys = await fetched(gateway, meaning, []);
  const { credentials } = gateway.live.config;
  const shown = keepFields(endToEnd(asked.fields), (name) => isCredential(name, credentials));
  // What the operator's own credential sees is nobody's question here.
  const asReader = { ...meaning, rule: { ...meaning.rule, service: [] } };
  const readers = await fetched(gateway, asReader, shown);
  if (nobodys === undefined || readers === undefined) return 'failed';
  if (isSame(nobodys, readers)) return 'same';
  const again = await fetched(gateway, meaning, []);
  const more = await fetched(gateway, asReader, shown);
  if (again === undefined || more === undefined) return 'failed';
  return likeness([nobodys, again], [readers, more]);
}

const NOTHING_KNOWN: Known = { kind: 'unknown', because: 'store-joining' };

/** An answer that is nobody's refusal, and not too large to be kept. */
async function fetched(
  gateway: Gateway, meaning: Cacheable, credential: readonly string[],
): Promise<Told | undefined> {
  const request = requestOf({
    meaning, requestFields: [], known: NOTHING_KNOWN, names: [], cause: 'leak-guard', again: true,
  }, credential);
  const answer = await gateway.upstream.fetch({
    ...request,
    fields: keepFields(request.fields, (name) => name !== 'accept-encoding'),
    cause: 'leak-guard',
  });
  if (answer.kind === 'failed') return undefined;
  const spool = new Spool(answer.body, meaning.rule.maxBodyBytes);
  spool.leave();
  const gathered = await spool.gathered;
  const { status, fields } = answer;
  const refused = status === 401 || status === 403 || status === 429 || status >= 500;
  if (refused || gathered.kind !== 'whole') return undefined;
  return { status, fields, body: gathered.bytes };
}
