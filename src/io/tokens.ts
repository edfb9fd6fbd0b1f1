// Signed tokens (RFC 7519): verified by jose with keys from a file or a URL, and what is known of
// them remembered for a while. A token whose keys cannot be had is no good for now, and a request
// with it is passed; nobody waits long for keys that do not come.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { JSONWebKeySet, JWTVerifyGetKey, RemoteJWKSet } from 'jose';
import type { Claims } from '../core/key/reader.ts';
import type { Identity, IdentitySource } from '../core/rules/config.ts';
import type { Clock, Ear, Tokens } from '../flow/ports.ts';

type Jwt = Extract<IdentitySource, { kind: 'jwt' }>;

const KNOWN_MAX = 20_000;
const TOKEN_CHARS_MAX = 8192;
/** So long what is no good is not looked at again: its key may be new, its time may come. */
const BAD_FOR_MS = 1000;
/** Keys that could not be had are not asked for again for so long. */
const KEYS_AGAIN_MS = 5000;
const KEYS_MS_MAX = 2000;
/** A key that is taken away is good for no longer. */
const KEYS_AGE_MS_MAX = 60_000;
const FILE_AGAIN_MS = 10_000;

const PUBLIC_KEYS = [
  'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA',
  'Ed25519',
];
/** A key that signs as well as it verifies belongs in no URL. */
const SHARED_KEYS = ['HS256', 'HS384', 'HS512'];

/** Only who has tokens pays for it. */
const loadJose = () => import('jose');
type Jose = Awaited<ReturnType<typeof loadJose>>;

interface Found {
  readonly told: Claims | { readonly bad: string };
  /** Wall-clock milliseconds until which that is known. */
  readonly until: number;
}

export interface TokensOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly ear: Pick<Ear, 'trouble'>;
  /** For a key that is not among those of a URL they are fetched again, but no sooner. */
  readonly newKeysAfterMs?: number;
}

export function openTokens({ clock, ear, newKeysAfterMs = 30_000 }: TokensOptions): Tokens {
  const known = new Map<string, Found>();
  const waiting = new Map<string, Promise<void>>();
  const keys = new Map<string, Keys>();

  const keysOf = (from: Jwt, jose: Jose): Keys => {
    const held = keys.get(from.jwks) ?? new Keys(from.jwks, { jose, clock, ear, newKeysAfterMs });
    keys.set(from.jwks, held);
    return held;
  };
  const keep = (id: string, found: Found): void => {
    known.delete(id);
    if (known.size >= KNOWN_MAX) known.delete(known.keys().next().value!);
    known.set(id, found);
  };
  const verify = async (identity: Identity, from: Jwt, token: string): Promise<Found> => {
    const jose = await loadJose();
    const now = clock.now();
    const bad = (why: string): Found => ({ told: { bad: why }, until: now + BAD_FOR_MS });
    const held = keysOf(from, jose);
    if (!held.mayBeHad()) return bad('its keys cannot be had');
    try {
      const { payload } = await jose.jwtVerify(token, held.get, {
        algorithms: held.remote ? PUBLIC_KEYS : [...PUBLIC_KEYS, ...SHARED_KEYS],
        ...(from.issuer.length === 0 ? {} : { issuer: [...from.issuer] }),
        ...(from.audience.length === 0 ? {} : { audience: [...from.audience] }),
        currentDate: new Date(now),
      });
      const expiresAt = payload.exp === undefined ? Infinity : payload.exp * 1000;
      const until = Math.min(expiresAt, now + identity.recheckMs);
      return { told: { values: payload, expiresAt }, until };
    } catch (error) {
      return bad(held.failed(error));
    }
  };

  return {
    look(identity, token) {
      if (token.length > TOKEN_CHARS_MAX) return { bad: 'it is too long' };
      const found = known.get(idOf(identity, token));
      if (found === undefined || found.until <= clock.now()) return 'unknown';
      return found.told;
    },
    verify(identity, token) {
      const { from } = identity;
      if (from.kind !== 'jwt' || token.length > TOKEN_CHARS_MAX) return Promise.resolve();
      const id = idOf(identity, token);
      const under = waiting.get(id) ?? verify(identity, from, token)
        .then((found) => keep(id, found))
        .finally(() => waiting.delete(id));
      waiting.set(id, under);
      return under;
    },
    prepare(identities) {
      for (const { from } of identities) {
        if (from.kind === 'jwt') void loadJose().then((jose) => keysOf(from, jose).bring());
      }
    },
  };
}

function idOf({ hash }: Identity, token: string): string {
  return createHash('sha256').update(`${hash} ${token}`).digest('base64');
}

type World = Required<TokensOptions> & { readonly jose: Jose };

/** The keys of one place. */
class Keys {
  readonly remote: boolean;
  /** Asked by jose for the key of a token. */
  readonly get: JWTVerifyGetKey;
  readonly #place: string;
  readonly #o: World;
  #awayUntil = 0;
  #file: { readonly keys: JWTVerifyGetKey; readonly readAt: number } | undefined;

  constructor(place: string, world: World) {
    this.#place = place;
    this.#o = world;
    this.remote = /^https?:\/\//.test(place);
    this.get = this.remote
      ? world.jose.createRemoteJWKSet(new URL(place), {
        timeoutDuration: KEYS_MS_MAX, cooldownDuration: world.newKeysAfterMs,
        cacheMaxAge: KEYS_AGE_MS_MAX,
      })
      : async (header, token) => (await this.#read())(header, token);
  }

  async bring(): Promise<void> {
    try {
      await (this.remote ? (this.get as RemoteJWKSet).reload() : this.#read());
    } catch (error) {
      this.failed(error);
    }
  }

  mayBeHad(): boolean {
    return this.#awayUntil <= this.#o.clock.now();
  }

  /**
   * Why a token is no good, never in its own words; if its keys could not be had, that is told once
   * in a while.
   */
  failed(error: unknown): string {
    const { errors } = this.#o.jose;
    const ofToken = error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)
      && !(error instanceof errors.JWKSInvalid) && error.code !== 'ERR_JOSE_GENERIC';
    if (ofToken) return error.message;
    this.#awayUntil = this.#o.clock.now() + KEYS_AGAIN_MS;
    this.#o.ear.trouble('tokens', { jwks: this.#place, because: sayError(error, errors) });
    return 'its keys cannot be had';
  }

  async #read(): Promise<JWTVerifyGetKey> {
    const now = this.#o.clock.now();
    if (this.#file !== undefined && now - this.#file.readAt < FILE_AGAIN_MS) return this.#file.keys;
    const set = JSON.parse(await readFile(this.#place, 'utf8')) as JSONWebKeySet;
    this.#file = { keys: this.#o.jose.createLocalJWKSet(set), readAt: now };
    return this.#file.keys;
  }
}

/** Never what stood in a file of keys. */
function sayError(error: unknown, errors: Jose['errors']): string {
  if (error instanceof errors.JOSEError) return error.message;
  if (error instanceof SyntaxError) return 'is no JSON';
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  return code ?? 'can\'t be had';
}
