// The same door behind TLS: `tls: { cert, key }`, and an upstream whose certificate is checked.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { generate } from 'selfsigned';
import t from 'tap';
import { json, stage } from '../play.ts';

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate for localhost, made for this test and gone with it. */
async function pair(t: { teardown(callback: () => unknown): void }): Promise<Pair> {
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

t.test('clients come by TLS, and what is kept for them says so', async (t) => {
  const { cert, key } = await pair(t);
  const s = await stage(t, {
    rules: `tls: { cert: ${cert}, key: ${key} }\nroutes: { /a: { GET: { ttl: 1h } } }`,
    script: (request, response) => json(response, request.headers['x-forwarded-proto'] ?? 'none'),
  });
  const ca = await readFile(cert);
  const get = (): Promise<{ body: string; cache: string }> =>
    new Promise((resolve, reject) => {
      const { port } = new URL(s.url);
      const sent = httpsRequest(
        { host: '127.0.0.1', port, path: '/a', ca, agent: false },
        (got) => {
          const cache = String(got.headers['cache-status']);
          text(got).then((body) => resolve({ body, cache }), reject);
        },
      );
      sent.on('error', reject).end();
    });
  t.match(await get(), { body: '"https"', cache: 'everfresh; fwd=uri-miss; stored' });
  t.match((await get()).cache, /; hit/);
});

t.test('an upstream is believed only with a certificate that its `ca` signed', async (t) => {
  const { cert, key } = await pair(t);
  const pem = { cert: await readFile(cert), key: await readFile(key) };
  const server = createServer(pem, (_request, response) => void response.end('secret'));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  const rules = (ca: string): string =>
    `routes: { /a: { upstream: { url: "${url}"${ca} }, GET: {} } }`;
  const never = (): never => t.fail('the default upstream is not asked') as never;
  const trusting = await stage(t, { rules: rules(`, ca: ${cert}`), script: never });
  t.equal((await trusting.get('/a')).body, 'secret');
  const strict = await stage(t, { rules: rules(''), script: never });
  t.equal((await strict.get('/a')).status, 502);
});
