// Whose answer a request asks for, by the identities that a rule names. A reader is told from
// another by an HMAC of what says who it is, never by that itself; what can be read in two ways, or
// says more than one thing, makes nobody a reader: such a request is passed.
import { createHmac } from 'node:crypto';
import { fieldLines, type Fields, keepFields } from '../http/message.ts';
import type { Credentials, Identity, ReadRule } from '../rules/config.ts';
import { saysWho } from './shown.ts';

/** Somebody, as far as keys and tags say it. */
export interface Reader {
  readonly identity: Identity;
  /** All entries of this reader's stand under it, however the credential was spelt. */
  readonly tag: string;
  /** What of it is in a key. */
  readonly part: string;
}

/** What a reader showed. In memory only, and never longer than it is good for. */
export interface Credential {
  /** Told from others of the same reader by it. */
  readonly id: string;
  /** What a fetch in this reader's name sends. */
  readonly fields: Fields;
  /** Wall-clock milliseconds; Infinity where nothing says when. */
  readonly expiresAt: number;
  /** By which a service may be told of whom it is asked. */
  readonly named: ReadonlyMap<string, string>;
  /** The request said more of who asks, which the upstream does not see. */
  readonly withholds: boolean;
}

export type Asker =
  /** No credential of any kind. */
  | { readonly kind: 'nobody' }
  | { readonly kind: 'reader'; readonly reader: Reader; readonly credential: Credential }
  /** In a few words, for whoever wants to know. */
  | { readonly kind: 'unclear'; readonly because: string };

/** The claims of a token that has been verified, and when it ends (wall-clock milliseconds). */
export interface Claims {
  readonly values: Readonly<Record<string, unknown>>;
  readonly expiresAt: number;
}

/** How readers are told apart, under one configuration. */
export interface Readers {
  readonly secret: string;
  /** Of a token that is good now; of any other why it is not. */
  readonly claims: (identity: Identity, token: string) => Claims | string;
}

const NOBODY: Asker = { kind: 'nobody' };
const unclear = (because: string): Asker => ({ kind: 'unclear', because });

/** Whose readers have answers of their own by this rule. */
export function identitiesOf({ per }: Pick<ReadRule, 'per'>): readonly Identity[] {
  return per === undefined || per === 'everyone' ? [] : per;
}

/** Who asks, as one of these identities. */
export function askerOf(
  fields: Fields,
  identities: readonly Identity[],
  { credentials, readers }: { credentials: Credentials; readers: Readers },
): Asker {
  if (isBound(fields)) return unclear('what it shows is bound to one request or connection');
  let found: { identity: Identity; shown: Shown } | undefined;
  for (const identity of identities) {
    const all = allShown(fields, identity);
    if (all.length === 0) continue;
    const [shown] = all;
    if (shown === undefined || all.length > 1) {
      return unclear(`its ${identity.name} can be read in more than one way`);
    }
    if (found !== undefined) {
      return unclear(`it is a ${identity.name} and a ${found.identity.name}`);
    }
    found = { identity, shown };
  }
  const beside = othersIn(fields, found?.identity, credentials);
  if (beside === 'credentials') return unclear('other credentials say who asks as well');
  if (found === undefined) {
    return beside === 'none' ? NOBODY
      : unclear('its cookies may say who asks: see `credentials`');
  }
  return asReader(found.identity, found.shown, beside === 'withheld', readers);
}

/** What says who asks by an identity. */
interface Shown {
  /** To be sent. */
  readonly fields: Fields;
  readonly raw: string;
  /** The same for all spellings that an upstream may take for the same. */
  readonly plain: string;
}

/** What is shown, once for each line or cookie of the name; undefined in it: not to be read. */
function allShown(fields: Fields, { from }: Identity): (Shown | undefined)[] {
  if (from.kind === 'cookie') {
    return cookiesIn(fields).filter(({ name }) => name === from.name)
      .map(({ value }) => shownCookie(from.name, value));
  }
  const name = from.kind === 'jwt' ? from.header : from.name;
  return fieldLines(fields, name).map((line) => {
    const raw = bare(line);
    const plain = name === 'authorization' ? plainAuthorization(raw) : raw;
    return raw === '' || plain === undefined ? undefined : { fields: [name, raw], raw, plain };
  });
}

const isCookie = (name: string): boolean => name.toLowerCase() === 'cookie';

/** One request may end so many of an identity: who shows more than two means no good. */
const ENDED_MAX = 8;

/** Everybody who is named by these fields, however unclear it is which of them asks. */
export function readersIn(
  fields: Fields, identities: readonly Identity[], readers: Readers,
): Reader[] {
  if (identities.length === 0) return [];
  // Many take the quotes off a cookie.
  const plain = fields.map((text, i) =>
    (i % 2 === 1 && isCookie(fields[i - 1]!) ? text.replaceAll('"', '') : text));
  const few = (identity: Identity) => allShown(plain, identity).slice(0, ENDED_MAX);
  return identities.flatMap((identity) => few(identity).flatMap((shown) => {
    const asker = shown && asReader(identity, shown, false, readers);
    return asker?.kind === 'reader' ? asker.reader : [];
  }));
}

/** The writer's own tags on what these identities read; none where it may be anybody. */
export function selvesOf(
  fields: Fields, identities: readonly Identity[],
  { credentials, readers }: { credentials: Credentials; readers: Readers },
): string[] {
  const own = new Set(identities.map(({ from }) => nameOf(from)));
  const other = keepFields(fields, (name) =>
    !own.has(name) && name !== 'cookie' && tellsApart(name, credentials));
  const shown = identities.flatMap((identity) => allShown(fields, identity));
  const found = readersIn(fields, identities, readers);
  if (other.length > 0 || found.length < shown.length) return [];
  return [...new Set(found.map(({ tag }) => tag))];
}

/** The field in which it stands. */
const nameOf = (from: Identity['from']): string =>
  (from.kind === 'cookie' ? 'cookie' : from.kind === 'jwt' ? from.header : from.name);

// It goes with a cookie, and says nothing of its own about who asks.
const tellsApart = (name: string, credentials: Credentials): boolean =>
  name !== 'x-csrf-token' && saysWho(name, credentials);

// cookie-octet of RFC 6265 §4.1.1; whatever else stands there, two parsers may read differently.
const COOKIE_VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/;

function shownCookie(name: string, value: string): Shown | undefined {
  if (!COOKIE_VALUE.test(value)) return undefined;
  return { fields: ['cookie', `${name}=${value}`], raw: value, plain: decoded(value) };
}

// RFC 9110 §5.6.3: no other white space, such as a byte of some letter, is none of a value.
function bare(text: string): string {
  return text.replace(/^[\t ]+|[\t ]+$/g, '');
}

function cookiesIn(fields: Fields): { name: string; value: string }[] {
  return fieldLines(fields, 'cookie').flatMap((line) => line.split(';')).flatMap((pair) => {
    const at = pair.indexOf('=');
    if (at < 0) return bare(pair) === '' ? [] : { name: bare(pair), value: '' };
    return { name: bare(pair.slice(0, at)), value: bare(pair.slice(at + 1)) };
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // no escapes, whatever it looks like
  }
}

// RFC 9110 §11.4: a scheme, whose case does not count, and behind spaces a token68 or parameters.
const AUTHORIZATION = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) +(\S.*)$/;
const TOKEN68 = /^[A-Za-z0-9._~+/-]+=*$/;

// These prove something of one request or one connection, and are no good for another.
const BOUND_SCHEMES =
  /^(?:dpop|digest|ntlm|negotiate|hawk|oauth|signature|mutual|scram|aws|gnap|hoba)/;
const BOUND_FIELDS = new Set([
  'dpop', 'signature', 'signature-input', 'x-amz-date', 'x-amz-content-sha256', 'client-cert',
  'client-cert-chain', 'x-client-cert', 'x-ssl-client-cert', 'ssl-client-cert',
  'x-forwarded-client-cert', 'x-forwarded-tls-client-cert', 'x-amzn-mtls-clientcert',
]);

function isBound(fields: Fields): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    if (BOUND_FIELDS.has(fields[i]!.toLowerCase())) return true;
  }
  return false;
}

function plainAuthorization(raw: string): string | undefined {
  const [, scheme, rest] = AUTHORIZATION.exec(raw) ?? [];
  if (scheme === undefined) return raw;
  const lower = scheme.toLowerCase();
  if (BOUND_SCHEMES.test(lower)) return undefined;
  const single = lower === 'bearer' || lower === 'basic';
  return single && !TOKEN68.test(rest!) ? undefined : `${lower} ${rest!}`;
}

/** What else in a request says who is asking; cookies by default, which a fill withholds. */
function othersIn(
  fields: Fields, identity: Identity | undefined, credentials: Credentials,
): 'none' | 'withheld' | 'credentials' {
  const from = identity?.from;
  const own = from && nameOf(from);
  let beside: 'none' | 'withheld' = 'none';
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase();
    if (name === 'cookie' || name === own || !saysWho(name, credentials)) continue;
    if (tellsApart(name, credentials)) return 'credentials';
    beside = 'withheld';
  }
  const { cookies, identityCookies } = credentials;
  for (const { name } of cookiesIn(fields)) {
    if (from?.kind === 'cookie' && name === from.name) continue;
    const named = identityCookies.includes(name) || (cookies !== 'all' && cookies.includes(name));
    if (named) return 'credentials';
    if (cookies === 'all') beside = 'withheld';
  }
  return beside;
}

function asReader(
  identity: Identity, { fields, raw, plain }: Shown, withholds: boolean, readers: Readers,
): Asker {
  const { from } = identity;
  const digest = (text: string): string =>
    createHmac('sha256', readers.secret).update(`${identity.hash} ${text}`).digest('base64url');
  const tagged = (text: string): string => `who:${identity.name}:${text}`;
  const id = digest(raw);
  if (from.kind !== 'jwt') {
    const tag = tagged(plain === raw ? id : digest(plain));
    const named = new Map(from.kind === 'trusted' ? [[from.name, raw]] : []);
    const credential = { id, fields, expiresAt: Infinity, named, withholds };
    return { kind: 'reader', reader: { identity, tag, part: id }, credential };
  }
  const claims = readers.claims(identity, raw.replace(/^bearer +/i, ''));
  if (typeof claims === 'string') return unclear(`its token is not good: ${claims}`);
  // RFC 7800 §3.1: `cnf` says which key its holder has to prove, which nobody does to us.
  if (claims.values['cnf'] !== undefined) return unclear('its token is bound to a key');
  const said = from.claims.filter((name) => claims.values[name] !== undefined);
  if (said.length === 0) return unclear('its token names nobody');
  const part = digest(canonical(said.map((name) => [name, claims.values[name]])));
  const named = new Map(said.map((name) => [name, String(claims.values[name])]));
  const credential = { id, fields, expiresAt: claims.expiresAt, named, withholds };
  return { kind: 'reader', reader: { identity, tag: tagged(part), part }, credential };
}

/** JSON in which equal values are equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

// A name goes into a field of the service's request: what could be read as more than that does not.
const FIELD_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** What the operator's service is sent in a reader's name; undefined where that can't be said. */
export function serviceFieldsFor(
  { service }: Identity, { named }: Pick<Credential, 'named'>,
): Fields | undefined {
  const fields: string[] = [];
  for (const { name, texts, holes } of service) {
    let value = texts[0]!;
    for (const [i, hole] of holes.entries()) {
      const said = named.get(hole);
      if (said === undefined || !FIELD_VALUE.test(said)) return undefined;
      value += said + texts[i + 1]!;
    }
    fields.push(name, value);
  }
  return fields;
}
