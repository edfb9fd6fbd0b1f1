// An instance that is killed at any point of a write leaves nothing stale behind: another one finds
// its intent, touches for it, and touches again when the upstream has had its time.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { everfresh, type Running } from '../cli/process.ts';
import { startRedis, until } from '../redis.ts';

t.setTimeout(240_000);

const CONTROL = '{everfresh}:control';
const QUARANTINE_MS = 1500;

/** Where the writer is killed; the upstream may have applied the write, or will, or never does. */
const POINTS = [
  'before its intent is recorded',
  'when its intent is recorded and nothing is forwarded',
  'when the upstream has it and has not applied it',
  'when the upstream has it, and applies it later',
  'when the upstream has applied it and not answered',
  'when half of the answer is here',
  'when it has touched and waits for a member that hangs',
  'when it has answered',
] as const;

type Point = (typeof POINTS)[number];

interface Upstream {
  readonly url: string;
  readonly server: Server;
  version: number;
  /** Called with each write: it says when to go on. */
  onWrite: (apply: () => void, answer: (how: 'whole' | 'half') => void) => void;
}

async function upstream(t: Test): Promise<Upstream> {
  const world = { version: 1, onWrite: () => undefined } as unknown as Upstream;
  const server = createServer((request, response) => {
    const body = (): string => JSON.stringify({ version: world.version });
    response.setHeader('Content-Type', 'application/json');
    if (request.method === 'GET') return void response.end(body());
    const answer = (how: 'whole' | 'half'): void => {
      response.setHeader('Content-Length', body().length);
      if (how === 'whole') response.end(body());
      else response.write(body().slice(0, 5));
    };
    request.resume().once('end', () => world.onWrite(() => void (world.version += 1), answer));
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(world, { url, server });
}

async function instance(t: Test, file: string): Promise<{ running: Running; url: string }> {
  const args = ['serve', '--config', file, '--listen', '127.0.0.1:0', '--admin', 'off'];
  const running = everfresh(t, args);
  const { listen } = await running.line('listening');
  return { running, url: `http://${String(listen)}` };
}

async function version(url: string): Promise<{ version: number; hit: boolean }> {
  const reply = await fetch(`${url}/things`);
  const { version } = (await reply.json()) as { version: number };
  return { version, hit: (reply.headers.get('cache-status') ?? '').includes('; hit') };
}

/** Prepares the world so that the returned promise ends at that point of the next write. */
function reached(
  point: Point, world: Upstream, raw: Redis, others: readonly Running[],
): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const fieldSeen = async (prefix: string): Promise<void> => {
    await until(async () => (await raw.hkeys(CONTROL)).some((name) => name.startsWith(prefix)));
  };
  world.onWrite = (apply, answer) => {
    switch (point) {
      case 'when the upstream has it and has not applied it':
        return resolve();
      case 'when the upstream has it, and applies it later':
        setTimeout(apply, 700);
        return resolve();
      case 'when the upstream has applied it and not answered':
        apply();
        return resolve();
      case 'when half of the answer is here':
        apply();
        answer('half');
        return void setImmediate(resolve);
      default:
        apply();
        return answer('whole');
    }
  };
  switch (point) {
    case 'before its intent is recorded':
      return Promise.resolve();
    case 'when its intent is recorded and nothing is forwarded':
      // The upstream hangs before it takes the request; the intent is there by then.
      world.onWrite = () => undefined;
      return fieldSeen('i:');
    case 'when it has touched and waits for a member that hangs':
      for (const other of others) other.kill('SIGSTOP');
      return fieldSeen('t:');
    default:
      return promise;
  }
}

for (const point of POINTS) {
  t.test(`a writer killed ${point} leaves nothing stale`, async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    const raw = new Redis(redis.url);
    t.teardown(() => raw.disconnect());
    const world = await upstream(t);
    const folder = await mkdtemp(join(tmpdir(), 'everfresh-killed-'));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'routes.yaml');
    await writeFile(file, `upstream: ${world.url}
store: ${redis.url}
lease: 1s
limits: { quarantine: ${QUARANTINE_MS}ms }
routes: { /things: { GET: { ttl: 1h }, PUT: { refresh: [/things] } } }
`);
    const [writer, reader] = await Promise.all([instance(t, file), instance(t, file)]);
    await until(async () => (await version(reader.url)).hit, { what: 'a hit of the reader' });
    await until(async () => (await version(writer.url)).hit, { what: 'a hit of the writer' });

    const there = reached(point, world, raw, [reader.running]);
    const write = fetch(`${writer.url}/things`, { method: 'PUT' });
    const answered = write.then(async (reply) => (await reply.text(), reply.ok), () => false);
    if (point === 'when it has answered') await answered;
    else await there;
    writer.running.kill('SIGKILL');
    t.equal(await answered, point === 'when it has answered');
    reader.running.kill('SIGCONT');

    // The intent's deadline: the lease, found out by the other one, and the quarantine.
    await until(async () => {
      const fields = await raw.hkeys(CONTROL);
      const members = (await raw.hget(CONTROL, 'members'))?.trim().split(' ').length;
      return members === 1 && !fields.some((name) => name.startsWith('i:'));
    }, { what: 'its intent to be ended' });
    await until(async () => {
      const read = await version(reader.url);
      if (read.version !== world.version) t.fail(`${read.version} of ${world.version}`);
      return read.hit;
    }, { what: 'a hit again' });
  });
}
