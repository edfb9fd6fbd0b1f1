// Texts that only who has the key can read or make: AES-256-GCM, each under a nonce of its own, and
// good for the name alone under which it was sealed.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Sealing } from '../flow/ports.ts';

const NONCE_BYTES = 12;
const MAC_BYTES = 16;

/** `key`: 32 bytes. */
export function sealingBy(key: Uint8Array): Sealing {
  return {
    seal(name, text) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(name));
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
    },
    open(name, sealed) {
      const bytes = Buffer.from(sealed, 'base64');
      if (bytes.length < NONCE_BYTES + MAC_BYTES) return undefined;
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
        .setAAD(Buffer.from(name))
        .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + MAC_BYTES));
      try {
        const text = decipher.update(bytes.subarray(NONCE_BYTES + MAC_BYTES));
        return Buffer.concat([text, decipher.final()]).toString('utf8');
      } catch {
        return undefined; // of another key or name, or not whole
      }
    },
  };
}
