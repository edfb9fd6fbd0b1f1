// A real Redis primary and its replica for tests, looked after by one sentinel or several, on free
// ports of the loopback. The primary can be killed, brought back as a replica, and replaced by the
// sentinels' own command.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findRedis, freePort, startRedis, until, type RunningRedis } from './redis.ts';
import { ask, holds } from './topologies.ts';

export interface Sentinels {
  readonly name: string;
  /** `host:port` of each. */
  readonly addresses: readonly string[];
  readonly servers: readonly RunningRedis[];
  /** The one that the sentinels call the primary now. */
  primary(): Promise<RunningRedis>;
  /** By the sentinels' command; ends when another one is the primary. */
  failOver(): Promise<void>;
  /** Ends when the sentinels have promoted the replica. */
  killPrimary(): Promise<void>;
  /** Brings back whoever is dead, as replicas. */
  revive(): Promise<void>;
  stop(): Promise<void>;
}

const NAME = 'main';

export async function startSentinels({ sentinels = 1 } = {}): Promise<Sentinels> {
  const ends: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const first = await startRedis();
    ends.push(() => first.stop());
    const second = await startRedis({ args: ['--replicaof', '127.0.0.1', String(first.port)] });
    ends.push(() => second.stop());
    await until(() => follows(second, first), { what: 'the replica to follow' });
    const ports: number[] = [];
    for (let i = 0; i < sentinels; i += 1) {
      const sentinel = await startSentinel(first.port, Math.floor(sentinels / 2) + 1);
      ends.push(sentinel.stop);
      ports.push(sentinel.port);
    }
    const operations = withSentinels([first, second], ports);
    await until(() => operations.whole(), { what: 'the sentinels to know all', limitMs: 30_000 });
    return { ...operations, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function follows(replica: RunningRedis, primary: RunningRedis): Promise<boolean> {
  return holds(replica.port, async (asked) => {
    const info = await asked.info('replication');
    return info.includes('role:slave') && info.includes(`master_port:${primary.port}\r`)
      && info.includes('master_link_status:up');
  });
}

async function startSentinel(
  primary: number, quorum: number,
): Promise<{ port: number; stop: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'everfresh-sentinel-'));
  const port = await freePort();
  const file = join(folder, 'sentinel.conf');
  await writeFile(file, [
    `port ${port}`, 'bind 127.0.0.1', `dir ${folder}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${primary} ${quorum}`,
    `sentinel down-after-milliseconds ${NAME} 1000`,
    `sentinel failover-timeout ${NAME} 3000`, '',
  ].join('\n'));
  const child = spawn(await findRedis(), [file, '--sentinel'], { stdio: 'ignore' });
  const atExit = (): void => void child.kill('SIGKILL');
  process.once('exit', atExit);
  await once(child, 'spawn');
  const stop = async (): Promise<void> => {
    process.off('exit', atExit);
    await gone(child);
    await rm(folder, { recursive: true, force: true });
  };
  // It looks after its servers every ten seconds by itself, which is long for a test.
  const up = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`a sentinel ended with ${child.exitCode}`);
    const periods = ['info-period', '500', 'publish-period', '500'];
    return holds(port, async (asked) =>
      (await asked.call('SENTINEL', 'DEBUG', ...periods)) === 'OK');
  };
  await until(up, { what: 'a sentinel to start' }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { port, stop };
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

function withSentinels(
  servers: readonly [RunningRedis, RunningRedis], ports: readonly number[],
): Omit<Sentinels, 'stop'> & { whole(): Promise<boolean> } {
  const [sentinel = 0] = ports;
  const dead = new Set<RunningRedis>();
  const primaryPort = async (): Promise<number> => {
    const [, port] = await ask(sentinel, (asked) =>
      asked.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as [string, string];
    return Number(port);
  };
  const primary = async (): Promise<RunningRedis> => {
    const port = await primaryPort();
    return servers.find((server) => server.port === port) ?? servers[0];
  };
  const other = (one: RunningRedis): RunningRedis =>
    (one === servers[0] ? servers[1] : servers[0]);
  /** Every sentinel knows the replica as one that can be promoted, and all other sentinels. */
  const whole = async (): Promise<boolean> => {
    const now = await primary();
    if (!(await follows(other(now), now))) return false;
    const known = await Promise.all(ports.map((port) => holds(port, async (asked) => {
      const told = await asked.call('SENTINEL', 'MASTER', NAME) as string[];
      const field = (name: string): string => told[told.indexOf(name) + 1] ?? '';
      const replicas = await asked.call('SENTINEL', 'REPLICAS', NAME) as string[][];
      const ready = replicas.some((one) => one[one.indexOf('flags') + 1] === 'slave'
        && one[one.indexOf('port') + 1] === String(other(now).port)
        && one[one.indexOf('master-link-status') + 1] === 'ok');
      return ready && field('flags') === 'master'
        && field('num-other-sentinels') === String(ports.length - 1);
    })));
    return known.every(Boolean);
  };
  const promoted = (before: RunningRedis): Promise<void> => until(async () => {
    if ((await primaryPort()) === before.port) return false;
    return holds(other(before).port, async (asked) =>
      (await asked.info('replication')).includes('role:master'));
  }, { what: 'the replica to be promoted', limitMs: 30_000 });
  const settled = (): Promise<void> =>
    until(whole, { what: 'the sentinels to see the replica', limitMs: 30_000 });
  return {
    name: NAME,
    addresses: ports.map((port) => `127.0.0.1:${port}`),
    servers,
    primary,
    whole,
    async failOver() {
      await settled();
      const before = await primary();
      await ask(sentinel, (asked) => asked.call('SENTINEL', 'FAILOVER', NAME));
      await promoted(before);
    },
    async killPrimary() {
      await settled();
      const before = await primary();
      dead.add(before);
      await before.kill();
      await promoted(before);
    },
    async revive() {
      for (const server of dead) {
        await server.restart();
        const now = await primary();
        await ask(server.port, (asked) => asked.replicaof('127.0.0.1', now.port));
        dead.delete(server);
      }
      await settled();
    },
  };
}
