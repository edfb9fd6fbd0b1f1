// The gateway as a process: how it starts, what it refuses to start with, how it takes a changed
// file, and how it ends.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { ask, Barrier } from '../play.ts';
import { everfresh, folder, upstream } from './process.ts';

const ANY = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];

t.test('a certificate of the store that is not there is told, and nothing started', async (t) => {
  const file = join(await folder(t), 'routes.yaml');
  const store = 'store: { url: "rediss://:hunter2@127.0.0.1:1", ca: /none/ca.pem }';
  await writeFile(file, `upstream: http://127.0.0.1:1\n${store}\n`);
  const running = everfresh(t, ['serve', '--config', file, ...ANY]);
  t.equal(await running.ended, 2);
  t.match(running.stderr(), /the store can't be opened: .*\/none\/ca\.pem/);
  t.notMatch(running.stderr(), /hunter2/);
});

t.test('a URL alone starts a gateway, and SIGTERM ends it with 0', async (t) => {
  const running = everfresh(t, [await upstream(t), ...ANY]);
  const { listen, admin } = (await running.line('listening')) as { listen: string; admin: string };
  t.equal((await ask(`http://${listen}`, 'GET', '/a')).body, 'GET /a');
  t.equal((await ask(`http://${admin}`, 'GET', '/readyz')).status, 200);
  t.match(
    (await ask(`http://${admin}`, 'GET', '/metrics')).body,
    /everfresh_requests_total\{[^}]*result="miss"/,
  );
  running.kill('SIGTERM');
  t.equal(await running.ended, 0);
});

t.test('SIGTERM lets what is under way end first', async (t) => {
  const slow = new Barrier();
  const running = everfresh(t, [await upstream(t, () => slow.pass()), ...ANY]);
  const { listen } = (await running.line('listening')) as { listen: string };
  const reading = ask(`http://${listen}`, 'GET', '/slow');
  await slow.reached;
  running.kill('SIGTERM');
  await running.line('draining');
  slow.open();
  t.equal((await reading).body, 'GET /slow');
  t.equal(await running.ended, 0);
});

t.test(
  'a changed file is applied, a broken one is refused and the last good one stays',
  async (t) => {
    const file = join(await folder(t), 'routes.yaml');
    const up = await upstream(t);
    const write = (rest: string): Promise<void> => writeFile(file, `upstream: ${up}\n${rest}`);
    await write('routes: { /a: { GET: { ttl: 1h } } }\n');
    const running = everfresh(t, ['serve', '--config', file, ...ANY]);
    const { listen, admin } = (await running.line('listening')) as {
      listen: string;
      admin: string;
    };
    t.match((await ask(`http://${listen}`, 'GET', '/b')).cache, /bypass; detail="no-rule"/);

    await write('routes: { /b: { GET: { ttl: 1h } } }\n');
    running.kill('SIGHUP');
    await running.line('configuration applied');
    t.match((await ask(`http://${listen}`, 'GET', '/b')).cache, /stored/);

    await write('routes: { /b: { GET: { tll: 1h } } }\n');
    running.kill('SIGHUP');
    const refused = await running.line('configuration refused');
    t.match(JSON.stringify(refused['problems']), /routes\.yaml:2:\d+: .*did you mean `ttl`/);
    t.match((await ask(`http://${listen}`, 'GET', '/b')).cache, /hit/);
    const shown = JSON.parse((await ask(`http://${admin}`, 'GET', '/config')).body) as {
      problems: string[];
    };
    t.equal(shown.problems.length, 1);
  },
);

t.test('what cannot be served is said at once, all of it, with exit code 2', async (t) => {
  const file = join(await folder(t), 'routes.yaml');
  await writeFile(
    file,
    'upstrem: http://localhost:1\nroutes:\n  /a:\n    GET: { ttl: soon }\n' +
      '    POST: { refresh: [/nowhere] }\n',
  );
  const running = everfresh(t, ['serve', '--config', file]);
  t.equal(await running.ended, 2);
  t.match(running.stderr(), /:1:1: .*did you mean `upstream`/);
  t.match(running.stderr(), /:4:17: /);
  t.match(running.stderr(), /:5:\d+: .*\/nowhere/);

  const missing = everfresh(t, ['serve', '--config', join(file, 'not-there.yaml')]);
  t.equal(await missing.ended, 2);
  t.match(missing.stderr(), /can't be read/);

  const open = everfresh(t, [
    'http://127.0.0.1:9',
    '--listen',
    '127.0.0.1:0',
    '--admin',
    '0.0.0.0:0',
  ]);
  t.equal(await open.ended, 2, 'an admin listener that others reach needs a token');
  t.match(open.stderr(), /EVERFRESH_ADMIN_TOKEN/);

  const lenient = everfresh(t, ['http://127.0.0.1:9', ...ANY], {
    NODE_OPTIONS: '--insecure-http-parser',
  });
  t.equal(await lenient.ended, 2);
  t.match(lenient.stderr(), /smuggled/);

  const unknown = everfresh(t, ['serv']);
  t.equal(await unknown.ended, 2);
});

t.test('a port that is taken is an error with exit code 1', async (t) => {
  const up = await upstream(t);
  const running = everfresh(t, [up, '--listen', new URL(up).host, '--admin', 'off']);
  t.equal(await running.ended, 1);
  t.match(running.stderr(), /EADDRINUSE/);
});
