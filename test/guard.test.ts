// What a request costs, counted and not timed, so that a slower design fails here on any machine:
// bytes allocated and system calls for a hit, requests to the upstream, round trips to the store.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { everfresh, type Running } from './cli/process.ts';
import { ok, rawUpstream, type RawUpstream } from './raw.ts';
import { freePort, install, startRedis, until } from './redis.ts';
import { ask } from './topologies.ts';

t.setTimeout(300_000);

/** Says, when it is asked by a signal, how much its process has allocated. */
const TELLS = `data:text/javascript,
import { getHeapStatistics } from 'node:v8';
process.on('SIGUSR2', () =>
  process.stderr.write('allocated ' + getHeapStatistics().total_allocated_bytes + '\\n'));
`;

interface Stage {
  readonly gateway: Running;
  readonly port: number;
  readonly upstream: RawUpstream;
}

async function stage(t: Test, more: string): Promise<Stage> {
  const upstream = await rawUpstream(t, ({ line, write }) => write(ok(line.padEnd(1024, '.'))));
  const folder = await mkdtemp(join(tmpdir(), 'everfresh-guard-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const port = await freePort();
  const file = join(folder, 'routes.yaml');
  await writeFile(file, `upstream: ${upstream.url}
listen: 127.0.0.1:${port}
admin: off
log: { sample: 0 }
${more}
routes:
  "/posts": { GET: { ttl: 1h }, POST: { refresh: [/posts] } }
  "/posts/:id": { GET: { ttl: 1h }, PUT: { refresh: [/posts] } }
`);
  const gateway = everfresh(t, ['serve', '--config', file], {
    NODE_OPTIONS: `--import ${JSON.stringify(encodeURI(TELLS))}`,
  });
  await gateway.line('listening');
  return { gateway, port, upstream };
}

/** Clients that ask at the same time, and wait for each other. */
class Crowd {
  readonly #sockets: Socket[] = [];

  static async of(t: Test, port: number, size: number): Promise<Crowd> {
    const crowd = new Crowd();
    for (let i = 0; i < size; i += 1) {
      const socket = connect(port, '127.0.0.1');
      t.teardown(() => void socket.destroy());
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve).once('error', reject);
      });
      crowd.#sockets.push(socket);
    }
    return crowd;
  }

  async ask(request: string, times: number): Promise<number> {
    for (let i = 0; i < times; i += 1) {
      await Promise.all(this.#sockets.map((one) => answered(one, request)));
    }
    return times * this.#sockets.length;
  }
}

/** When as many bytes have come as the head says. */
function answered(socket: Socket, request: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let came = '';
    const take = (piece: Buffer): void => {
      came += piece.toString('latin1');
      const head = came.indexOf('\r\n\r\n') + 4;
      const [, length] = /content-length: (\d+)/i.exec(came.slice(0, head)) ?? [];
      if (head < 4 || came.length < head + Number(length)) return;
      socket.off('data', take);
      if (came.startsWith('HTTP/1.1 200')) resolve();
      else reject(new Error(came.slice(0, head)));
    };
    socket.on('data', take);
    socket.write(request, 'latin1');
  });
}

const GET = 'GET /posts HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nUser-Agent: guard\r\n\r\n';
const put = (id: number): string =>
  `PUT /posts/${id} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`;

async function allocated({ gateway }: Stage): Promise<number> {
  const before = gateway.stderr().length;
  gateway.kill('SIGUSR2');
  const told = (): string | undefined =>
    /allocated (\d+)\n/.exec(gateway.stderr().slice(before))?.[1];
  await until(() => told() !== undefined, { what: 'what was allocated' });
  return Number(told());
}

for (const [name, more, most] of [
  ['on the socket', '', 5000],
  ['by Node’s server', 'fast_path: off', 20_000],
] as const) {
  t.test(`a hit ${name}: so many bytes allocated, and nobody else asked`, async (t) => {
    const here = await stage(t, more);
    const crowd = await Crowd.of(t, here.port, 8);
    await crowd.ask(GET, 200);
    const before = await allocated(here);
    // So many that what the process does by itself meanwhile counts for little.
    const hits = await crowd.ask(GET, 2000);
    const each = (await allocated(here) - before) / hits;
    t.ok(each <= most, `${each.toFixed()} bytes for each of ${hits}`);
    t.equal(here.upstream.seen.length, 1, 'the upstream was asked once');
  });
}

t.test('the store: no round trip for a hit, so few for a write', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const { gateway, port, upstream } = await stage(t, `store: ${redis.url}`);
  await gateway.line('store ready');
  const crowd = await Crowd.of(t, port, 8);
  await crowd.ask(GET, 20);
  // Redis counts how often it read from a connection: once for each round trip at most.
  const trips = (): Promise<number> => ask(redis.port, async (asked) =>
    Number(/total_reads_processed:(\d+)/.exec(await asked.info('stats'))?.[1]));
  const since = async (before: number): Promise<number> => await trips() - before;
  let before = await trips();
  const hits = await crowd.ask(GET, 500);
  const forHits = await since(before);
  // The lease is renewed by time, whoever asks.
  t.ok(forHits / hits < 0.02, `${forHits} round trips for ${hits} hits`);
  t.equal(upstream.count('GET /posts'), 1);
  const one = await Crowd.of(t, port, 1);
  before = await trips();
  for (let i = 0; i < 50; i += 1) await one.ask(put(i), 1);
  const forWrites = await since(before) / 50;
  t.ok(forWrites < 6.5, `${forWrites} round trips for a write`);
});

t.test('an entry that is in Redis only: one round trip for a hit', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const { gateway, port, upstream } = await stage(t, `store: ${redis.url}\nmemory: off`);
  await gateway.line('store ready');
  const crowd = await Crowd.of(t, port, 8);
  await crowd.ask(GET, 20);
  const gets = (): Promise<number> => ask(redis.port, async (asked) =>
    Number(/cmdstat_get:calls=(\d+)/.exec(await asked.info('commandstats'))?.[1]));
  const before = await gets();
  const hits = await crowd.ask(GET, 500);
  t.equal(await gets() - before, hits);
  t.equal(upstream.count('GET /posts'), 1);
});

/** Whether the machine lets processes be traced; `strace` is installed where that is allowed. */
async function tracing(): Promise<string | undefined> {
  if (!existsSync('/usr/bin/strace')) await install('strace').catch(() => undefined);
  if (!existsSync('/usr/bin/strace')) return 'no strace';
  try {
    execFileSync('/usr/bin/strace', ['-c', '-o', '/dev/null', '/bin/true'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'this machine lets no process be traced';
  }
}

t.test('a hit: so few system calls', async (t) => {
  const because = await tracing();
  if (because !== undefined) return t.pass(`not counted: ${because}`);
  const { gateway, port } = await stage(t, '');
  const crowd = await Crowd.of(t, port, 32);
  await crowd.ask(GET, 20);
  const folder = await mkdtemp(join(tmpdir(), 'everfresh-strace-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'calls');
  const strace = spawn('/usr/bin/strace', ['-f', '-c', '-p', `${gateway.pid}`, '-o', file]);
  const ended = once(strace, 'exit');
  let said = '';
  strace.stderr.on('data', (text: Buffer) => void (said += text.toString()));
  await until(() => said.includes('attached'), { what: 'strace' });
  const hits = await crowd.ask(GET, 60);
  strace.kill('SIGINT');
  await ended;
  const counts = new Map<string, number>();
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    // Share, seconds, microseconds for each, calls, perhaps errors, name.
    const [, calls, name] = /^ *[\d.]+ +[\d.]+ +\d+ +(\d+)(?: +\d+)? +([a-z]\w*)$/.exec(line) ?? [];
    if (name !== undefined && name !== 'total') counts.set(name, Number(calls));
  }
  const of = (...names: string[]): number =>
    names.reduce((sum, name) => sum + (counts.get(name) ?? 0), 0) / hits;
  t.ok(of('read', 'readv', 'recvmsg') < 1.1, `${of('read', 'readv', 'recvmsg')} to read`);
  t.ok(of('write', 'writev', 'sendmsg') < 1.1, `${of('write', 'writev', 'sendmsg')} to write`);
  const all = of(...counts.keys());
  t.ok(all < 4, `${all.toFixed(2)} in all`);
});
