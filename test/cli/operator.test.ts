// The operator's commands, refresh and purge, against a listener of their own: how it is found,
// what is printed, and what is said when it refuses, is somebody else, or isn't there.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { findAdmin } from '../../src/cli/operator.ts';
import { run as purge } from '../../src/cli/purge.ts';
import { run as refresh } from '../../src/cli/refresh.ts';
import type { World } from '../../src/cli/world.ts';
import { away, fakeGateway, opened } from '../admin/fake-gateway.ts';

type Command = (argv: readonly string[], world: World) => Promise<number>;
interface Ran { readonly code: number; readonly out: string[]; readonly err: string[] }

async function call(command: Command, argv: string[], env: World['env'] = {}): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const world: World = { out: (line) => out.push(line), err: (line) => err.push(line), env };
  return { code: await command(argv, world), out, err };
}

const UPSTREAM = 'upstream: http://localhost:3000\n';

t.test('a refresh is done and printed', async (t) => {
  const fake = fakeGateway();
  const { port } = await opened(t, fake);
  const admin = `127.0.0.1:${port}`;
  t.same(await call(refresh, ['/posts/7', 'tag:a', '--admin', admin]), {
    code: 0,
    out: [
      'tags made invalid: 2; entries being fetched again: 0',
      '  /posts/:id id=7',
      '  tag:a',
    ],
    err: [],
  });
  t.same(fake.touches.map(({ tags }) => tags), [['/posts/:id id=7', 'tag:a']]);
});

t.test('a purge is done and printed', async (t) => {
  const fake = fakeGateway();
  const { port } = await opened(t, fake);
  const env = { EVERFRESH_ADMIN: `localhost:${port}` };
  t.same(await call(purge, ['/posts'], env), {
    code: 0, out: ['tags made invalid: 1', '  /posts'], err: [],
  });
  t.equal(fake.touches.length, 1);
});

t.test('the listener is found by the flag, else the variable, else the file', async (t) => {
  const file = join(t.testdir({ 'r.yaml': `${UPSTREAM}admin: 127.0.0.1:4003\n` }), 'r.yaml');
  const env = { EVERFRESH_ADMIN: '127.0.0.1:4002' };
  const port = async (...asked: Parameters<typeof findAdmin>): Promise<number> => {
    const found = await findAdmin(...asked);
    return found.kind === 'found' ? found.port : 0;
  };
  t.equal(await port({ admin: 'localhost:4001', config: file }, env), 4001);
  t.equal(await port({ admin: undefined, config: file }, env), 4002);
  t.equal(await port({ admin: undefined, config: file }, {}), 4003);
  t.equal(await port({ admin: undefined, config: file }, { EVERFRESH_ADMIN: '' }), 4003);
});

t.test('without any file the listener is where it is by default', async (t) => {
  const before = process.cwd();
  t.teardown(() => process.chdir(before));
  process.chdir(t.testdir({}));
  t.same(await findAdmin({ admin: undefined, config: undefined }, {}), {
    kind: 'found', host: '127.0.0.1', port: 8081,
  });
});

t.test('a listener on every address is asked on this machine', async (t) => {
  const asked = (admin: string) => findAdmin({ admin, config: undefined }, {});
  t.match(await asked('0.0.0.0:4001'), { host: '127.0.0.1' });
  t.match(await asked('[::]:4001'), { host: '::1' });
});

t.test('the token is taken from the environment', async (t) => {
  const fake = fakeGateway();
  const { port } = await opened(t, fake, { token: 'open sesame' });
  const env = { EVERFRESH_ADMIN: `127.0.0.1:${port}` };
  t.match(await call(purge, ['/posts'], { ...env, EVERFRESH_ADMIN_TOKEN: 'open sesame' }), {
    code: 0,
  });
  for (const token of [undefined, '', 'wrong', 'broken\n']) {
    const { code, err } = await call(purge, ['/posts'], { ...env, EVERFRESH_ADMIN_TOKEN: token });
    t.equal(code, 1);
    t.equal(err.length, 1);
    if (token !== 'broken\n') t.match(err, [/EVERFRESH_ADMIN_TOKEN must be the gateway's own/]);
    t.notMatch(err[0], /wrong$|broken/, 'and is never printed');
  }
  t.equal(fake.touches.length, 1);
});

t.test('each problem that the gateway finds is told', async (t) => {
  const { port } = await opened(t, fakeGateway());
  t.same(await call(refresh, ['/nope', '/posts', 'x', '--admin', `127.0.0.1:${port}`]), {
    code: 1,
    out: [],
    err: [
      'everfresh refresh: `/nope` names no route that is read',
      'everfresh refresh: `x` names no route that is read',
    ],
  });
});

t.test('an order that the store was not told of fails, and is printed all the same', async (t) => {
  const fake = fakeGateway();
  away(t, fake);
  const { port } = await opened(t, fake);
  const { code, out, err } = await call(purge, ['/posts', '--admin', `127.0.0.1:${port}`]);
  t.equal(code, 1);
  t.same(out, ['tags made invalid: 1', '  /posts']);
  t.match(err, [/the store can't be told now/]);
});

/** Somebody who answers everything in one way. */
async function stranger(
  t: { teardown(end: () => void): void }, status: number, body: string,
): Promise<string> {
  const server = createServer((_request, response) => void response.writeHead(status).end(body));
  t.teardown(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('somebody else at the address is recognised', async (t) => {
  const answers: [number, string][] = [
    [200, '<p>hello</p>'], [202, '{}'], [202, '{"touched":[1],"refreshing":0,"confirmed":true}'],
    [200, '{"touched":[],"refreshing":0,"confirmed":true}'], [404, ''], [502, '[]'], [200, 'null'],
  ];
  for (const [status, body] of answers) {
    const admin = await stranger(t, status, body);
    const { code, out, err } = await call(purge, ['/posts', '--admin', admin]);
    t.equal(code, 1, body);
    t.same(out, []);
    t.same(err, [
      `everfresh purge: ${admin}: answers ${status}, not like everfresh's admin listener`,
    ]);
  }
});

t.test('an answer without end is not read to its end', async (t) => {
  const admin = await stranger(t, 202, ' '.repeat(5 * 1024 ** 2));
  const { code, err } = await call(purge, ['/posts', '--admin', admin]);
  t.equal(code, 1);
  t.match(err, [/can't reach the admin listener/]);
});

t.test('a listener that is not there is told from one that refuses', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake);
  await admin.close();
  t.same(await call(purge, ['/posts', '--admin', `127.0.0.1:${admin.port}`]), {
    code: 1,
    out: [],
    err: [`everfresh purge: can't reach the admin listener at 127.0.0.1:${admin.port}: `
      + 'nothing listens there'],
  });
});

t.test('wrong usage is told with the right one', async (t) => {
  for (const argv of [[], ['--admin', '127.0.0.1:1'], ['/a', '--nope'], ['/a', '--admin']]) {
    const { code, out, err } = await call(refresh, argv);
    t.equal(code, 2, argv.join(' '));
    t.same(out, []);
    t.match(err, [/^everfresh refresh: /, /^usage: everfresh refresh TARGET/]);
  }
});

t.test('an address that leads nowhere is wrong usage', async (t) => {
  const dir = t.testdir({
    'off.yaml': `${UPSTREAM}admin: off\n`, 'any.yaml': `${UPSTREAM}admin: 127.0.0.1:0\n`,
    'bad.yaml': 'upstrem: a\n',
  });
  const cases: [string[], RegExp][] = [
    [['--admin', '8081'], /--admin: must be `host:port` \(did you mean `127\.0\.0\.1:8081`/],
    [['--admin', 'off'], /--admin: the admin listener is off/],
    [['--config', join(dir, 'off.yaml')], /off\.yaml: the admin listener is off/],
    [['--config', join(dir, 'any.yaml')], /port 0/],
    [['--config', join(dir, 'bad.yaml')], /bad\.yaml:1:1[\s\S]*or say `--admin/],
    [['--config', join(dir, 'none.yaml')], /no such file/],
  ];
  for (const [argv, message] of cases) {
    const { code, err } = await call(purge, ['/a', ...argv]);
    t.equal(code, 2, argv.join(' '));
    t.match(err.join('\n'), message);
  }
  t.match(await call(purge, ['/a'], { EVERFRESH_ADMIN: 'x' }), {
    code: 2, err: [/^everfresh purge: EVERFRESH_ADMIN: must be/],
  });
});
