// Certificates that live no longer than their test.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate for localhost, made for this test and gone with it. */
export async function pair(t: { teardown(callback: () => unknown): void }): Promise<Pair> {
  const folder = await mkdtemp(join(tmpdir(), 'everfresh-tls-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const altNames = [
    { type: 2, value: 'localhost' },
    { type: 7, ip: '127.0.0.1' },
  ] as const;
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [...altNames] }],
  });
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  await writeFile(cert, made.cert);
  await writeFile(key, made.private);
  return { cert, key };
}
