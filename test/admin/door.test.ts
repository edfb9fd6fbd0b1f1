// Who gets into the admin listener: with a token, without one, from pages of other sites; and how
// the listener opens and closes.
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import type { Said } from '../../src/flow/ports.ts';
import { isLoopback, openAdmin } from '../../src/admin/api.ts';
import { instance } from '../../src/admin/instance.ts';
import { call, post } from './call.ts';
import { fakeGateway, opened } from './fake-gateway.ts';

const CLOSED = ['GET /metrics', 'GET /config', 'GET /explain?url=/posts', 'POST /purge',
  'POST /refresh', 'POST /mode', 'GET /', 'GET /purge', 'OPTIONS /purge'];

t.test('with a token, nothing but the probes is open to those without it', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake, { token: 'open sesame' });
  for (const line of ['GET /healthz', 'GET /readyz']) {
    t.equal((await call(admin, line)).status, 200, line);
  }
  for (const line of CLOSED) {
    const { status, headers } = await call(admin, line);
    t.equal(status, 401, line);
    t.equal(headers['www-authenticate'], 'Bearer realm="everfresh"', line);
  }
  t.same(fake.touches, []);
});

t.test('a wrong token is refused, also one that is nearly right', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake, { token: 'open sesame' });
  const wrong = ['Bearer open sesam', 'Bearer open sesame!', 'Bearer ', 'Basic open sesame',
    'open sesame', 'Bearer', `Bearer ${'x'.repeat(5000)}`];
  for (const authorization of wrong) {
    const { status, headers } = await post(admin, '/purge', { tags: ['a'] }, { authorization });
    t.equal(status, 401, authorization.slice(0, 30));
    t.match(headers['www-authenticate'], /^Bearer realm="everfresh"/);
  }
  t.same(fake.touches, []);
});

t.test('the right token opens everything, by any name of the machine', async (t) => {
  const admin = await opened(t, fakeGateway(), { token: 'open sesame' });
  for (const authorization of ['Bearer open sesame', 'bearer open sesame']) {
    const headers = { authorization, host: 'everfresh.example.com' };
    t.equal((await call(admin, 'GET /config', { headers })).status, 200);
    t.equal((await post(admin, '/purge', { tags: ['a'] }, headers)).status, 202);
    t.equal((await call(admin, 'GET /nope', { headers })).status, 404);
  }
});

t.test('without a token, only names of this machine may be asked for', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake);
  const foreign = ['evil.example', 'evil.example:8081', 'localhost.evil.example', '127.0.0.1.a',
    '10.0.0.1', '[::2]:8081', ':8081', '0.0.0.0', '128.0.0.1', 'localhost@evil'];
  for (const host of foreign) {
    t.equal((await call(admin, 'GET /healthz', { headers: { host } })).status, 421, host);
    t.equal((await post(admin, '/purge', { tags: ['a'] }, { host })).status, 421, host);
  }
  t.same(fake.touches, []);
  const near = ['localhost', 'LocalHost:8081', '127.0.0.1:1', '[::1]', '[::1]:8081', '127.9.9.9'];
  for (const host of near) {
    t.equal((await call(admin, 'GET /healthz', { headers: { host } })).status, 200, host);
  }
});

t.test('without a token, a request that names nobody is refused', async (t) => {
  const { address, port } = await opened(t, fakeGateway());
  for (const head of ['GET /config HTTP/1.0\r\n\r\n', 'GET /config HTTP/1.1\r\nHost: \r\n\r\n']) {
    const socket = connect(port, address, () => socket.end(head));
    t.match(await text(socket), /^HTTP\/1\.1 421 /, head);
  }
});

t.test('pages of other sites are not told that they may ask', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake);
  const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' };
  const preflight = await call(admin, 'OPTIONS /purge', { headers });
  t.equal(preflight.status, 405);
  const read = await call(admin, 'GET /config', { headers });
  const written = await post(admin, '/purge', { tags: ['a'] }, headers);
  for (const reply of [preflight, read, written]) {
    t.same(Object.keys(reply.headers).filter((name) => name.startsWith('access-control')), []);
  }
});

t.test('loopback is told from everything else', async (t) => {
  const near = ['localhost', 'LOCALHOST', '127.0.0.1', '127.255.0.9', '::1', '[::1]', '0:0::1',
    '::ffff:127.0.0.1'];
  const far = ['', '0.0.0.0', '::', '126.0.0.1', '128.0.0.1', '::2', 'localhost.com', 'a.localhost',
    '127.1', '2130706433', '::ffff:10.0.0.1', '[localhost', '127.0.0.1:80'];
  t.same(near.filter((host) => !isLoopback(host)), []);
  t.same(far.filter((host) => isLoopback(host)), []);
});

t.test('without a token the listener opens on loopback only', async (t) => {
  const { gateway } = fakeGateway();
  const running = instance({
    gateway,
    masked: () => ({}),
    problems: () => [],
    metrics: () => Promise.resolve({ contentType: 'text/plain', text: '' }),
    listening: () => true,
    draining: () => false,
  });
  const deps = { running, ear: gateway.ear, clock: gateway.clock, token: undefined };
  await t.rejects(openAdmin(deps, { host: '0.0.0.0', port: 0 }), /a token, or a loopback address/);
  const admin = await openAdmin(deps, { host: 'localhost', port: 0 });
  t.teardown(() => admin.close());
  t.ok(isLoopback(admin.address));
  const taken = openAdmin(deps, { host: admin.address, port: admin.port });
  await t.rejects(taken, { code: 'EADDRINUSE' });
});

t.test('closing lets an order that is under way end', async (t) => {
  const fake = fakeGateway();
  const reached = Promise.withResolvers<void>();
  const said = Promise.withResolvers<Said>();
  const answer = await fake.touch({ tags: [], then: 'done' });
  fake.touch = () => {
    reached.resolve();
    return said.promise;
  };
  const admin = await opened(t, fake);
  const reply = post(admin, '/purge', { tags: ['a'] });
  await reached.promise;
  const closed = admin.close();
  said.resolve(answer);
  t.equal((await reply).status, 202);
  await closed;
  t.equal(fake.clock.waiting, 0, 'nothing is left behind');
  await t.rejects(call(admin, 'GET /healthz'), { code: 'ECONNREFUSED' });
});

t.test('closing does not wait for ever', async (t) => {
  const fake = fakeGateway();
  const reached = Promise.withResolvers<void>();
  fake.touch = () => {
    reached.resolve();
    return Promise.withResolvers<Said>().promise;
  };
  const admin = await opened(t, fake);
  const cut = t.rejects(post(admin, '/purge', { tags: ['a'] }), { code: 'ECONNRESET' });
  await reached.promise;
  const closed = admin.close();
  fake.clock.advance(5000);
  await closed;
  await cut;
});
