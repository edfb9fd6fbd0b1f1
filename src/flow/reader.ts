// A reader of answers that are one reader's alone: whether what is kept may be given without asking
// the upstream, by which credential it is fetched again, and the end of one, on all instances.
import { field, type Fields, hasField, type ResponseHead } from '../core/http/message.ts';
import type { Cacheable } from '../core/key/meaning.ts';
import {
  type Credential, identitiesOf, type Reader, readersIn, selvesOf, serviceFieldsFor,
} from '../core/key/reader.ts';
import { OVERRIDES, type SelfOn } from '../core/plan/reach.ts';
import { since } from '../core/promise/lease.ts';
import { valid } from '../core/promise/validity.ts';
import type { Identity } from '../core/rules/config.ts';
import type { Asked, Gateway, Live, Told } from './gateway.ts';
import type { FillOrder, Timing } from './keep.ts';
import { momentOf } from './moment.ts';
import type { Acceptance } from './people.ts';
import type { Tokens } from './ports.ts';
import { touchOrRemember } from './touching.ts';
import { within } from './within.ts';

/** A token that ends so soon is not sent any more but by its holder. */
const EXPIRES_SOON_MS = 30_000;
const SWEEP_MS = 60_000;

/** Whether the upstream has accepted this reader's credential lately, and nothing has ended it. */
export function isAccepted(gateway: Gateway, { reader, credential }: Cacheable): boolean {
  if (reader === undefined) return true;
  if (credential === undefined) return false;
  const { clock, people } = gateway;
  const acceptance = people.acceptance(reader, credential);
  if (acceptance === undefined || credential.expiresAt <= clock.now()) return false;
  if (since(acceptance.at, momentOf(clock)) > reader.identity.recheckMs) return false;
  return holds(gateway, reader, acceptance);
}

function holds(
  { store }: Gateway, { tag }: Reader, acceptance: Pick<Acceptance, 'epoch' | 'asOf'>,
): boolean {
  const known = store.control.look([tag]);
  if (known instanceof Promise || known.kind === 'unknown') return false;
  return valid(acceptance, known).kind === 'valid';
}

// A redirect may be one to where people log in, and what is not there is there for nobody.
const accepts = (status: number): boolean => (status >= 200 && status < 300) || status === 304;

/** The upstream has answered a fetch in a reader's name. */
export async function noteAnswer(
  gateway: Gateway,
  { meaning: { reader, credential, rule }, known, as, again }: FillOrder,
  { status, fields }: Pick<ResponseHead, 'status' | 'fields'>,
  { startedAt: mono, requestedAt: wall }: Timing,
): Promise<void> {
  if (reader === undefined || credential === undefined) return;
  const { people, store } = gateway;
  if (accepts(status) && known.kind === 'known' && as !== 'service') {
    const { epoch, seq: asOf } = known;
    const acceptance: Acceptance = { epoch, asOf, at: { mono, wall } };
    const before = people.acceptance(reader, credential);
    // Who has to end it later must know that there is something to be ended.
    const { recheckMs, keepMs } = reader.identity;
    // A refresh is no word of its reader's, for which `keep` would begin anew.
    const text = again ? undefined : sealedOf(gateway, { reader, credential, acceptance });
    const noted = store.readers === undefined || await store.readers.note(reader.tag, {
      forMs: gateway.live.config.limits.entryLifeMs,
      // Whoever ended it has taken the note away.
      againMs: before !== undefined && holds(gateway, reader, before) ? recheckMs / 2 : 0,
      sealed: text === undefined ? undefined : { text, forMs: keepMs },
    });
    if (noted) people.accept(reader, credential, acceptance, again);
    sweepLater(gateway);
  }
  if (hasField(fields, 'set-cookie')) people.cookie(reader, rule.pattern);
}

/** What nobody may use any more does not stay for want of visitors. */
function sweepLater(gateway: Gateway): void {
  if (gateway.sweeping || gateway.people.size === 0) return;
  gateway.sweeping = true;
  gateway.clock.after(SWEEP_MS, () => {
    gateway.sweeping = false;
    gateway.people.sweep(gateway.clock.mono());
    sweepLater(gateway);
  });
}

/** Whether there is anybody as whom this may be fetched again, as far as can be said at once. */
export function mayReplay({ people, clock }: Gateway, { reader, rule }: Cacheable): boolean {
  if (reader === undefined) return true;
  const { replayAs, hold, keepMs } = reader.identity;
  if (replayAs === 'none' || people.hasCookie(reader, rule.pattern)) return false;
  if (hold === 'store') return true;
  return people.shown(reader).some(({ seenAt }) => clock.mono() - seenAt <= keepMs);
}

export type Replay =
  | {
      readonly kind: 'as';
      readonly credential?: Credential;
      readonly as?: 'service';
      /** Nothing has ended it since. */
      readonly stillGood?: () => boolean;
    }
  | { readonly kind: 'no' };

/** As whom one reader's answer may be fetched again, while its reader is away. */
export async function replayOf(
  gateway: Gateway, reader: Reader, pattern: string,
): Promise<Replay> {
  const { people, clock } = gateway;
  const { identity } = reader;
  if (identity.replayAs === 'none' || people.hasCookie(reader, pattern)) return { kind: 'no' };
  for (const { credential, seenAt, acceptance } of people.shown(reader)) {
    const lately = clock.mono() - seenAt <= identity.keepMs;
    const replay = lately ? replayBy(gateway, reader, { credential, acceptance }) : undefined;
    if (replay !== undefined) return replay;
  }
  const held = await heldInStore(gateway, reader);
  return (held && replayBy(gateway, reader, held)) ?? { kind: 'no' };
}

interface Held {
  readonly credential: Credential;
  readonly acceptance: Pick<Acceptance, 'epoch' | 'asOf'>;
}

function replayBy(
  gateway: Gateway, reader: Reader, { credential, acceptance }: Held,
): Replay | undefined {
  const { identity } = reader;
  if (!holds(gateway, reader, acceptance)) return undefined;
  if (credential.expiresAt - gateway.clock.now() < EXPIRES_SOON_MS) return undefined;
  const stillGood = (): boolean => holds(gateway, reader, acceptance);
  if (identity.replayAs === 'own') return { kind: 'as', credential, stillGood };
  const fields = serviceFieldsFor(identity, credential);
  return fields && { kind: 'as', credential: { ...credential, fields }, as: 'service', stillGood };
}

/** What this reader showed, for other instances to fetch as it. */
function sealedOf(
  { clock, sealing }: Gateway,
  { reader: { identity, tag, part }, credential, acceptance: { epoch, asOf } }: Held & {
    reader: Reader;
  },
): string | undefined {
  if (identity.hold !== 'store' || sealing === undefined) return undefined;
  const { expiresAt, named, id, fields } = credential;
  return sealing.seal(tag, JSON.stringify({
    id, fields, part, epoch, asOf, seenAt: clock.now(), named: [...named],
    ...(expiresAt === Infinity ? {} : { expiresAt }),
  }));
}

/** What another instance has seen of this reader lately. */
async function heldInStore(
  { clock, sealing, store }: Gateway, { identity, tag, part }: Reader,
): Promise<Held | undefined> {
  if (identity.hold !== 'store' || sealing === undefined) return undefined;
  const sealed = await store.readers?.sealed(tag);
  const text = sealed === undefined ? undefined : sealing.open(tag, sealed);
  if (text === undefined) return undefined;
  // Nobody else could have written it.
  const said = JSON.parse(text) as SealedCredential;
  if (said.part !== part || clock.now() - said.seenAt > identity.keepMs) return undefined;
  const { id, fields, named, expiresAt = Infinity, epoch, asOf } = said;
  const credential = { id, fields, named: new Map(named), expiresAt, withholds: false };
  return { credential, acceptance: { epoch, asOf } };
}

interface SealedCredential extends Pick<Acceptance, 'epoch' | 'asOf'> {
  readonly id: string;
  readonly fields: Fields;
  readonly part: string;
  /** Wall-clock milliseconds. */
  readonly seenAt: number;
  readonly expiresAt?: number;
  readonly named: readonly (readonly [string, string])[];
}

/** Tokens in this request are verified, where that takes a while; then they are known. */
export function verified(
  { live, tokens }: { live: Pick<Live, 'config'>; tokens: Tokens }, fields: Fields,
): Promise<unknown> | undefined {
  const waits: Promise<void>[] = [];
  for (const identity of live.config.identities) {
    if (identity.from.kind !== 'jwt') continue;
    const value = field(fields, identity.from.header);
    const token = value?.trim().replace(/^bearer +/i, '');
    if (token === undefined || tokens.look(identity, token) !== 'unknown') continue;
    waits.push(tokens.verify(identity, token));
  }
  return waits.length === 0 ? undefined : Promise.all(waits);
}

/** Whose own a writer's `@self` reaches. */
export function selfOf(
  { live }: { live: Pick<Live, 'config' | 'readers'> }, { fields }: Pick<Asked, 'fields'>,
): SelfOn {
  const { config: { credentials }, readers } = live;
  return ({ reads }) => {
    const identities = [...reads.values()].flatMap(identitiesOf);
    return selvesOf(fields, [...new Set(identities)], { credentials, readers });
  };
}

/**
 * What follows from an answer to this request, before it goes out: a credential may be good no
 * more. Whom its tokens name is asked now, since that may not be known any more by then.
 */
export function endsFor(gateway: Gateway, asked: Asked): (told: Told) => Promise<void> {
  const { live, clock, store } = gateway;
  const { config: { identities, leaseMs }, readers } = live;
  const forgotten = forgottenBy(live, asked);
  const byToken = identities.filter(({ from }) => from.kind === 'jwt');
  const inTokens = readersIn(asked.fields, byToken, readers);
  return async ({ verdict, answer: { status } }) => {
    if (verdict.kind === 'hit' || verdict.kind === 'refuse') return;
    const refused = status === 401 || status === 403;
    const ending = refused ? identities : forgotten;
    if (ending.length === 0) return;
    const others = ending.filter(({ from }) => from.kind !== 'jwt');
    const ended = [
      ...inTokens.filter(({ identity }) => ending.includes(identity)),
      ...readersIn(asked.fields, others, readers),
    ];
    const because = refused ? 'refused' : 'forgotten';
    // Nobody waits for longer than the promise needs.
    const lease = Math.max(leaseMs, store.leaseMsMax());
    await within(clock, 2 * lease,
      Promise.all(ended.map((reader) => endReader(gateway, reader, because))));
  };
}

/** Identities of which a request like this ends the reader that it shows. */
export function forgottenBy(
  { forgets }: Pick<Live, 'forgets'>,
  { method, path, fields }: Pick<Asked, 'method' | 'path' | 'fields'>,
): Identity[] {
  // Whoever serves a GET serves a HEAD by the same means.
  const methods = [
    method, ...(method === 'HEAD' ? ['GET'] : []),
    ...OVERRIDES.flatMap((name) => field(fields, name) ?? []),
  ];
  return [...new Set(methods.flatMap((one) => forgets(one.toUpperCase(), path)))];
}

export type EndBecause = 'refused' | 'forgotten';

/** Ends all that is kept for a reader, here and wherever its touch is heard. */
export async function endReader(
  gateway: Gateway, reader: Reader, because: EndBecause,
): Promise<void> {
  const { people, store, ear } = gateway;
  people.forget(reader.tag);
  // Where nobody was accepted there is nothing to end, however often somebody is refused.
  if (await store.readers?.known(reader.tag) === false) return;
  await store.readers?.forget(reader.tag);
  ear.readerEnded(reader.identity.name, because);
  await touchOrRemember(gateway, { tags: [reader.tag], then: 'done' });
}
