// The same door behind TLS: `tls: { cert, key }`, and an upstream whose certificate is checked.
import { readFile } from 'node:fs/promises';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { pair } from '../certificates.ts';
import { json, stage } from '../play.ts';

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
