// Fetches one entry again: after a write, when its reader already has the stale one, or to warm a
// cold cache. Readers join these fetches as they join any other; what fails just stays invalid.
import { type Cacheable, readRuleOf } from '../core/key/meaning.ts';
import type { Use } from '../core/plan/ledger.ts';
import { valid } from '../core/promise/validity.ts';
import { type First, launch } from './fill.ts';
import type { Landing } from './flights.ts';
import type { Gateway } from './gateway.ts';
import type { FillOrder } from './keep.ts';
import type { Found } from './look.ts';
import type { FetchCause, RefreshResult } from './ports.ts';
import { endReader, type Replay, replayOf } from './reader.ts';
import { discard } from './spool.ts';

/** Fetches one use again, unless it turns out to be valid already. Never rejects. */
export async function refreshOne(gateway: Gateway, use: Use, cause: FetchCause): Promise<void> {
  const { pattern } = use.meaning.rule;
  try {
    gateway.ear.refreshed(pattern, await refreshed(gateway, use, cause));
  } catch (error) {
    gateway.ear.trouble('assertion', { error });
    gateway.ear.refreshed(pattern, 'failed');
  }
}

async function refreshed(gateway: Gateway, use: Use, cause: FetchCause): Promise<RefreshResult> {
  const { control, entries } = gateway.store;
  const meant = meaningNow(gateway, use);
  if (meant === undefined) return 'not-kept';
  const { reader, rule } = meant;
  const replay: Replay = reader === undefined
    ? { kind: 'as' } : await replayOf(gateway, reader, rule.pattern);
  if (replay.kind === 'no') {
    gateway.ledger.forget(use.key);
    return 'no-credential';
  }
  const { credential, as, stillGood } = replay;
  const meaning = credential === undefined ? meant : { ...meant, credential };
  for (let turn = 0; ; turn += 1) {
    const running = gateway.flights.running(use.key);
    if (running !== undefined) await running;
    const kept = await entries.get(use.key);
    const entry = kept?.kind === 'answer' ? kept : undefined;
    const known = await control.look(entry?.tags ?? use.tags);
    if (known.kind === 'unknown') return 'failed';
    // Its answer would not be kept; the last touch of the write that holds it refreshes again.
    if (known.held) return 'not-kept';
    const marker = await entries.get(use.meaning.key);
    const names = marker?.kind === 'vary' ? marker.names : [];
    if (entry !== undefined && valid(entry, known).kind === 'valid') return 'fresh-already';
    // Somebody else was quicker while the store was asked: wait for theirs, but not for ever.
    if (gateway.flights.running(use.key) !== undefined) {
      if (turn >= 2) return 'outrun';
      continue;
    }
    const former = entry && { entry, touched: true };
    const { fields } = meaning.recipe;
    const order: FillOrder = {
      meaning, requestFields: fields, known, former, names, cause, turn: use.key, again: true,
      as, stillGood,
    };
    return fly(gateway, use, order);
  }
}

/** Under the rules of now; undefined where a reload has changed the rule: nobody would read it. */
function meaningNow({ live, quarantine }: Gateway, { meaning }: Use): Cacheable | undefined {
  const route = live.finder.match(meaning.recipe.path)?.route;
  const rule = readRuleOf(route, meaning.recipe.method);
  if (route === undefined || rule?.hash !== meaning.rule.hash) return undefined;
  if (quarantine.holds(rule)) return undefined;
  const now = { ...meaning, route, rule, asking: 'none', telling: meaning.recipe.fields } as const;
  const { reader } = meaning;
  if (reader === undefined) return now;
  // What may be done as a reader is another thing than who it is.
  const identity = live.config.identities.find(({ hash }) => hash === reader.identity.hash);
  return identity && { ...now, reader: { ...reader, identity } };
}

async function fly(gateway: Gateway, use: Use, order: FillOrder): Promise<RefreshResult> {
  const flight = gateway.flights.start(use.key, () => launch(gateway, order));
  discardUnread(await flight.first);
  const landing = await flight.landing;
  const { reader } = order.meaning;
  const status = landing.kind === 'answer' ? landing.entry.status : undefined;
  const gone = status === 404 || status === 410;
  // What is not there any more is fetched again when somebody asks for it, not at each write.
  if (gone || landing.kind === 'unkept') gateway.ledger.forget(use.key);
  if (reader !== undefined && isRefused(landing)) {
    const { pattern } = use.meaning.rule;
    // What the operator's own credential may not see says nothing of the reader's.
    if (order.as === 'service') gateway.ear.trouble('service-refused', { pattern });
    else await endReader(gateway, reader, 'refused');
  }
  if (landing.kind === 'failed') {
    gateway.ear.trouble(
      'refresh-failed', { pattern: use.meaning.rule.pattern, because: landing.because },
    );
  }
  return resultOf(landing);
}

function isRefused(landing: Landing): boolean {
  return landing.kind === 'unkept' && (landing.status === 401 || landing.status === 403);
}

function resultOf(landing: Landing): RefreshResult {
  if (landing.kind === 'failed') return 'failed';
  if (landing.kind === 'unkept') return landing.status >= 500 ? 'failed' : 'not-kept';
  switch (landing.kept) {
    case 'stored': return 'kept';
    case 'revalidated': return 'not-modified';
    case 'collapsed': return 'fresh-already';
    case 'outrun': return 'outrun';
    default: return 'not-kept';
  }
}

/**
 * Fetches what is stale by its time, while its reader already has the stale answer (RFC 5861 §3).
 */
export function refreshBehind(gateway: Gateway, meaning: Cacheable, found: Found): void {
  if (gateway.flights.running(found.key) !== undefined) return;
  const { known, names, entry } = found;
  const order: FillOrder = {
    meaning: { ...meaning, asking: 'none' },
    requestFields: meaning.recipe.fields,
    known,
    former: entry && { entry, touched: meaning.searched === true },
    names,
    cause: 'revalidate',
    turn: found.key,
  };
  const flight = gateway.flights.start(found.key, () => launch(gateway, order));
  void flight.first.then(discardUnread);
  const { reader } = meaning;
  if (reader === undefined) return;
  void flight.landing.then(async (landing) => {
    if (isRefused(landing)) await endReader(gateway, reader, 'refused');
  }).catch((error: unknown) => gateway.ear.trouble('assertion', { error }));
}

function discardUnread(first: First): void {
  if (first.kind === 'streaming') discard(first.fetched.body);
}
