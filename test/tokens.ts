// Keys and signed tokens for tests, made anew in each run.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  exportJWK, generateKeyPair, type JWTPayload, SignJWT, type JSONWebKeySet, type JWK,
} from 'jose';

export interface Issuer {
  /** Where its public keys are, as a file. */
  readonly jwks: string;
  readonly set: JSONWebKeySet;
  readonly sign: (
    claims: JWTPayload, change?: { header?: object; expires?: number },
  ) => Promise<string>;
  /** Its file has other keys from now on. */
  readonly publish: (set: JSONWebKeySet) => Promise<void>;
}

export const ISSUER = 'https://id.example';
export const AUDIENCE = 'shop';

/** `now`: wall-clock milliseconds of the test. */
export async function issuer(
  t: { teardown(callback: () => Promise<void>): void }, { now, kid = 'one' }: {
    now: () => number; kid?: string;
  },
): Promise<Issuer> {
  const folder = await mkdtemp(join(tmpdir(), 'everfresh-keys-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const key: JWK = { ...await exportJWK(publicKey), kid, alg: 'ES256', use: 'sig' };
  const jwks = join(folder, 'jwks.json');
  const set = { keys: [key] };
  const publish = (next: JSONWebKeySet): Promise<void> => writeFile(jwks, JSON.stringify(next));
  await publish(set);
  return {
    jwks,
    set,
    publish,
    sign: (claims, { header = {}, expires = 3600 } = {}) => {
      const at = Math.floor(now() / 1000);
      return new SignJWT({ iss: ISSUER, aud: AUDIENCE, exp: at + expires, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid, ...header })
        .sign(privateKey);
    },
  };
}

/** The parts of a token put together by hand, with whatever signature. */
export function forged(header: object, claims: object, signature = ''): string {
  const part = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(claims)}.${signature}`;
}
