// Several workers on one port, as processes on a real Redis: they are one to their clients and to
// their operator, one that dies is replaced, and all end together.
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import type { Ready } from '../../src/admin/running.ts';
import { ask, Barrier, type Reply } from '../play.ts';
import { startRedis, until } from '../redis.ts';
import { everfresh, folder, type Running, type Test, upstream } from './process.ts';

t.setTimeout(300_000);

const redis = await startRedis();
t.teardown(() => redis.stop());

const ROUTES = 'routes: { /a: { GET: { ttl: 1h }, PUT: { refresh: [/a] } } }\n';
const TYPED = { headers: { 'content-type': 'application/json' } };

interface Crew extends Running {
  readonly url: string;
  readonly admin: string;
  write(rest: string): Promise<void>;
  ready(): Promise<Ready>;
  /** Waits until as many are ready, in a store that is. */
  all(count: number): Promise<number[]>;
}

/** A file's name is its namespace in Redis, so that no test sees what another kept. */
async function crew(
  t: Test, up: string, { workers = 3, more = '', name = '' } = {},
): Promise<Crew> {
  const file = join(await folder(t), 'routes.yaml');
  const write = (rest: string): Promise<void> => writeFile(file, [
    `upstream: ${up}`, 'listen: 127.0.0.1:0', 'admin: 127.0.0.1:0', `workers: ${workers}`,
    `store: { url: "${redis.url}", prefix: "${name}:"${more} }`, rest,
  ].join('\n'));
  await write(ROUTES);
  const running = everfresh(t, ['serve', '--config', file]);
  const { listen, admin } = await running.line('listening') as { listen: string; admin: string };
  const ready = async (): Promise<Ready> =>
    JSON.parse((await ask(`http://${admin}`, 'GET', '/readyz')).body) as Ready;
  return {
    ...running, url: `http://${listen}`, admin: `http://${admin}`, write, ready,
    async all(count) {
      let pids: number[] = [];
      await until(async () => {
        const { workers = [] } = await ready();
        pids = workers.flatMap(({ pid, status }) => (status === 'ready' ? [pid!] : []));
        return pids.length === count;
      }, { what: `${count} workers to be ready`, limitMs: 60_000 });
      return pids;
    },
  };
}

/** One after the other, each on a connection of its own: they go to the workers in turn. */
async function several(crew: Crew, count: number, path = '/a'): Promise<Reply[]> {
  const replies: Reply[] = [];
  for (let i = 0; i < count; i += 1) replies.push(await ask(crew.url, 'GET', path));
  return replies;
}

/** Something that is changed by PUT. */
async function versions(t: Test): Promise<string> {
  let version = 'first';
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      if (request.method === 'PUT') version = body;
      response.end(version);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function counted(crew: Crew, name: string): Promise<number> {
  const { body } = await ask(crew.admin, 'GET', '/metrics');
  const lines = body.split('\n').filter((line) => new RegExp(`^${name}[{ ]`).test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

t.test('several workers answer on one port, and are one to the operator', async (t) => {
  const all = await crew(t, await upstream(t), { name: 'one' });
  const pids = await all.all(3);
  t.equal(new Set(pids).size, 3);
  t.notOk(pids.includes(all.pid), 'the process that was started looks after them');
  t.match(await all.ready(), { status: 'ready', store: { kind: 'redis', state: 'ready' } });

  // Not kept, so that every request is in the log.
  t.ok((await several(all, 12, '/none')).every(({ body }) => body === 'GET /none'));
  const requests = (): Running['lines'] => all.lines.filter(({ msg }) => msg === 'request');
  await until(() => requests().length >= 12, { what: 'the log' });
  t.same(new Set(requests().map(({ worker }) => worker)), new Set(pids), 'each of them took part');

  t.equal(await counted(all, 'everfresh_requests_total'), 12, 'summed');
  t.equal(await counted(all, 'everfresh_workers'), 3);
  t.equal(await counted(all, 'everfresh_store_ready'), 1, 'not summed');

  const explained = JSON.parse((await ask(all.admin, 'GET', '/explain?url=/a')).body) as object;
  t.match(explained, { kind: 'read', route: '/a' });
  const purged = await ask(all.admin, 'POST', '/purge', { ...TYPED, body: { targets: ['/a'] } });
  t.match(purged, { status: 202, body: /"touched":\["\/a"\]/ });
  const wrong = await ask(all.admin, 'POST', '/refresh', { ...TYPED, body: { targets: ['/x'] } });
  t.match(wrong, { status: 400, body: /names no route/ });
  t.match((await ask(all.admin, 'GET', '/config')).body, /"workers":3/);
  t.equal((await ask(all.admin, 'GET', '/healthz')).status, 200);

  all.kill('SIGTERM');
  t.equal(await all.ended, 0);
  t.same(pids.filter(alive), []);
});

t.test('a write through one worker is seen through all', async (t) => {
  const all = await crew(t, await versions(t), { workers: 2, name: 'write' });
  await all.all(2);
  for (let round = 0; round < 12; round += 1) {
    await until(async () => (await several(all, 6)).every(({ cache }) => cache.includes('; hit')),
      { what: 'a hit through everyone' });
    t.equal((await ask(all.url, 'PUT', '/a', { body: `version ${round}` })).status, 200);
    const seen = (await several(all, 6)).map(({ body }) => body);
    t.same(new Set(seen), new Set([`version ${round}`]), `round ${round}`);
  }
});

t.test('a worker that is killed is replaced while requests are answered', async (t) => {
  const all = await crew(t, await upstream(t), { name: 'kill' });
  const before = await all.all(3);
  const mode = await ask(all.admin, 'POST', '/mode', { ...TYPED, body: { mode: 'off' } });
  t.equal(mode.status, 200);
  const off = /detail="off"|detail="mode-off"|fwd=bypass/;
  t.ok((await several(all, 6)).every(({ cache }) => off.test(cache)), 'the mode reaches all');
  const sum = await counted(all, 'everfresh_requests_total');
  t.equal(sum, 6);

  const [victim, ...others] = before as [number, ...number[]];
  process.kill(victim, 'SIGKILL');
  let answered = 0;
  let broken = 0;
  let after: (number | undefined)[] = [];
  await until(async () => {
    await ask(all.url, 'GET', '/none').then(() => { answered += 1; }, () => { broken += 1; });
    after = (await all.ready()).workers!.flatMap(({ status, pid }) =>
      (status === 'ready' ? [pid] : []));
    return after.length === 3;
  }, { what: 'a successor', limitMs: 60_000 });
  t.ok(answered > 0, `${answered} answered meanwhile`);
  t.ok(broken <= 1, `at most the one that it was given when it died: ${broken}`);
  t.notOk(after.includes(victim));
  t.ok(others.every((pid) => after.includes(pid)), 'the others are as they were');
  t.same((await all.ready()).workers!.map(({ mode }) => mode), ['off', 'off', 'off']);
  t.ok((await several(all, 6)).every(({ cache }) => off.test(cache)), 'the successor goes by it');
  t.equal(await counted(all, 'everfresh_requests_total'), sum + answered + 6,
    'what the dead had counted stays counted');
  t.match(all.lines.find(({ what }) => what === 'worker'), { worker: victim, how: 'SIGKILL' });
  t.equal(await counted(all, 'everfresh_troubles_total\\{what="worker"\\}'), 1);
});

t.test('a changed file reaches every worker, and a broken one none', async (t) => {
  const all = await crew(t, await upstream(t), { workers: 2, name: 'reload' });
  await all.all(2);
  t.match(await several(all, 6, '/b'), Array(6).fill({ cache: /detail="no-rule"/ }));
  await all.write('routes: { /b: { GET: { ttl: 1h } } }\n');
  all.kill('SIGHUP');
  await all.line('configuration applied');
  t.ok((await several(all, 6, '/b')).every(({ cache }) => !cache.includes('no-rule')));
  t.match((await ask(all.admin, 'GET', '/config')).body, /"pattern":"\/b"/);

  await all.write('routes: { /b: { GET: { tll: 1h } } }\n');
  all.kill('SIGHUP');
  await all.line('configuration refused');
  t.match((await ask(all.admin, 'GET', '/config')).body, /did you mean `ttl`/);
  t.ok((await several(all, 6, '/b')).every(({ cache }) => !cache.includes('no-rule')));

  // A successor has never seen the first file.
  const [victim] = await all.all(2);
  process.kill(victim!, 'SIGKILL');
  await until(async () => !(await all.ready()).workers!.some(({ pid }) => pid === victim));
  await all.all(2);
  t.ok((await several(all, 6, '/b')).every(({ cache }) => !cache.includes('no-rule')));
});

t.test('an order whose worker dies is answered, and so is one where nobody is left', async (t) => {
  const all = await crew(t, await upstream(t), { workers: 2, name: 'order' });
  const [first] = await all.all(2);
  redis.pause();
  try {
    const order = ask(all.admin, 'POST', '/purge', { ...TYPED, body: { targets: ['/a'] } });
    // What is asked on the same way after it is answered after it has been taken.
    await ask(all.admin, 'GET', '/explain?method=PUT&url=/a');
    process.kill(first!, 'SIGKILL');
    const { status, headers, body } = await order;
    t.equal(status, 503);
    t.equal(headers['content-type'], 'application/problem+json');
    t.match(body, /has ended; whether it was done is not known/);
  } finally {
    redis.resume();
  }
  t.equal((await all.all(2)).includes(first!), false);
});

t.test('a connection that a dead worker was given is closed, never left waiting', async (t) => {
  const all = await crew(t, await upstream(t), { workers: 2, name: 'given' });
  const [hung] = await all.all(2);
  process.kill(hung!, 'SIGSTOP');
  const ends: string[] = [];
  // In turn: one of two is handed to the one that can't take it, and waits.
  const asked = [0, 1].map((i) => ask(all.url, 'GET', `/${i}`).then(
    () => void ends.push('answered'), () => void ends.push('closed')));
  await until(() => ends.length === 1, { what: 'the other one to answer' });
  t.match(await all.ready(), { status: 'ready', listening: true });
  t.ok((await all.ready()).workers!.some(({ status }) => status === 'silent'));
  process.kill(hung!, 'SIGKILL');
  await Promise.all(asked);
  t.same(ends, ['answered', 'closed']);
});

t.test('SIGTERM lets what every worker does end first, and ends them all', async (t) => {
  const slow = new Barrier();
  let under = 0;
  const up = await upstream(t, () => {
    under += 1;
    return slow.pass();
  });
  const all = await crew(t, up, { workers: 2, name: 'term' });
  const pids = await all.all(2);
  const reading = Array.from({ length: 6 }, (_, i) => ask(all.url, 'GET', `/slow/${i}`));
  await until(() => under === 6, { what: 'all to be under way' });
  all.kill('SIGTERM');
  await all.line('draining');
  t.match(await all.ready(), { status: 'draining' });
  slow.open();
  t.same((await Promise.all(reading)).map(({ body }) => body),
    reading.map((_, i) => `GET /slow/${i}`));
  t.equal(await all.ended, 0);
  t.same(pids.filter(alive), []);
  t.equal(all.lines.filter(({ what }) => what === 'worker').length, 0, 'none was restarted');
});

t.test('workers do not outlive the process that looks after them', async (t) => {
  const all = await crew(t, await upstream(t), { workers: 2, name: 'orphan' });
  const pids = await all.all(2);
  all.kill('SIGKILL');
  await all.ended;
  await until(() => !pids.some(alive), { what: 'the workers to end' });
  t.same(pids.filter(alive), []);
});

t.test('several workers with a memory each are refused: exit code 2', async (t) => {
  const file = join(await folder(t), 'routes.yaml');
  await writeFile(file, 'upstream: http://127.0.0.1:9\nworkers: 2\n');
  const running = everfresh(t, ['serve', '--config', file]);
  t.equal(await running.ended, 2);
  t.match(running.stderr(), /routes\.yaml:2:1: `workers`: .* need a Redis `store`/);
});

t.test('workers that cannot listen are given up: exit code 1, and why', async (t) => {
  const up = await upstream(t);
  const running = everfresh(t, [up, '--listen', new URL(up).host, '--admin', 'off'], {
    EVERFRESH_WORKERS: '2', EVERFRESH_STORE: redis.url,
  });
  t.equal(await running.ended, 1);
  t.match(running.stderr(), /cannot listen: .*EADDRINUSE/);
});
