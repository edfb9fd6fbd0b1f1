// A real Redis Cluster for tests: three masters on free ports of the loopback, each with a replica
// if asked for. A master can be killed and brought back, and a slot moved with all its keys while
// the cluster is in use.
import type { Redis } from 'ioredis';
import { freePort, startRedis, until, type RunningRedis } from './redis.ts';
import { ask } from './topologies.ts';

const SLOTS = 16_384;
const MASTERS = 3;
const NODE_TIMEOUT_MS = 1000;

export interface Cluster {
  /** `host:port` of each. */
  readonly addresses: readonly string[];
  readonly servers: readonly RunningRedis[];
  /** Those that are masters now. */
  masters(): Promise<RunningRedis[]>;
  /** Which master has the slot of a key, or of anything with this hash tag. */
  ownerOf(key: string): Promise<RunningRedis>;
  /** Kills it; with replicas, ends when one of them was promoted. */
  kill(server: RunningRedis): Promise<void>;
  /** Brings back whoever is dead; ends when all slots are served. */
  revive(): Promise<void>;
  /** Moves the slot of a key, with all its keys, to another master. */
  reshard(key: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startCluster({ replicas = false } = {}): Promise<Cluster> {
  const servers: RunningRedis[] = [];
  const stop = async (): Promise<void> => {
    for (const server of servers.splice(0)) await server.stop();
  };
  try {
    const busPorts: number[] = [];
    for (let i = 0; i < MASTERS * (replicas ? 2 : 1); i += 1) {
      const busPort = await freePort();
      busPorts.push(busPort);
      servers.push(await startRedis({
        args: [
          '--cluster-enabled', 'yes', '--cluster-port', String(busPort),
          '--cluster-node-timeout', String(NODE_TIMEOUT_MS),
          '--cluster-require-full-coverage', 'no', '--cluster-replica-validity-factor', '0',
        ],
      }));
    }
    await join(servers, busPorts);
    const cluster = new Members([...servers], replicas);
    await cluster.whole();
    return {
      addresses: servers.map(({ port }) => `127.0.0.1:${port}`),
      servers: [...servers],
      masters: () => cluster.masters(),
      ownerOf: (key) => cluster.ownerOf(key),
      kill: (server) => cluster.kill(server),
      revive: () => cluster.revive(),
      reshard: (key) => cluster.reshard(key),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function join(servers: readonly RunningRedis[], busPorts: readonly number[]): Promise<void> {
  const [first] = servers;
  if (first === undefined) throw new Error('a cluster has servers');
  for (const [i, server] of servers.entries()) {
    await ask(server.port, async (asked) => {
      await asked.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
      const from = Math.floor((i * SLOTS) / MASTERS);
      const to = Math.floor(((i + 1) * SLOTS) / MASTERS) - 1;
      if (i < MASTERS) await asked.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
      await asked.call('CLUSTER', 'MEET', '127.0.0.1', first.port, busPorts[0] ?? 0);
    });
  }
  await until(async () => (await Promise.all(servers.map(async (server) =>
    (await nodesOf(server)).length === servers.length))).every(Boolean),
  { what: 'all nodes to know each other' });
  for (const [i, server] of servers.slice(MASTERS).entries()) {
    const id = await ask(servers[i]?.port ?? 0, idOf);
    await until(() => ask(server.port, async (asked) => {
      // Until the master's slots are known here, it may not be followed.
      const said = await asked.call('CLUSTER', 'REPLICATE', id).catch((error: Error) => error);
      return said === 'OK';
    }), { what: 'a replica to follow' });
  }
}

interface Node {
  readonly id: string;
  readonly port: number;
  readonly flags: string;
  readonly healthy: boolean;
}

const idOf = async (asked: Redis): Promise<string> => String(await asked.call('CLUSTER', 'MYID'));

async function nodesOf(server: RunningRedis): Promise<Node[]> {
  const text = await ask(server.port, async (asked) =>
    String(await asked.call('CLUSTER', 'NODES')));
  return text.trim().split('\n').map((line) => {
    const [id = '', address = '', flags = '', , , , , link = ''] = line.split(' ');
    const port = Number(/:(\d+)@/.exec(address)?.[1] ?? 0);
    return { id, port, flags, healthy: link === 'connected' && !/fail|handshake/.test(flags) };
  });
}

class Members {
  readonly #servers: readonly RunningRedis[];
  readonly #replicas: boolean;
  readonly #dead = new Set<RunningRedis>();

  constructor(servers: readonly RunningRedis[], replicas: boolean) {
    this.#servers = servers;
    this.#replicas = replicas;
  }

  #alive(): RunningRedis[] {
    return this.#servers.filter((server) => !this.#dead.has(server));
  }

  async masters(): Promise<RunningRedis[]> {
    const roles = await Promise.all(this.#alive().map(async (server) => ({
      server,
      own: (await nodesOf(server)).find(({ flags }) => flags.includes('myself'))?.flags ?? '',
    })));
    return roles.filter(({ own }) => own.includes('master')).map(({ server }) => server);
  }

  async ownerOf(key: string): Promise<RunningRedis> {
    const [asked] = this.#alive();
    const port = await ask(asked?.port ?? 0, async (redis) => {
      const slot = Number(await redis.call('CLUSTER', 'KEYSLOT', key));
      const ranges = await redis.call('CLUSTER', 'SLOTS') as [number, number, [string, number]][];
      return ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][1];
    });
    const owner = this.#servers.find((server) => server.port === port);
    if (owner === undefined) throw new Error(`nobody has the slot of ${key}`);
    return owner;
  }

  async kill(server: RunningRedis): Promise<void> {
    const before = (await this.masters()).length;
    this.#dead.add(server);
    await server.kill();
    if (!this.#replicas) return;
    await until(async () => (await this.masters()).length === before && (await this.#served()),
      { what: 'a replica to be promoted', limitMs: 30_000 });
  }

  async revive(): Promise<void> {
    for (const server of this.#dead) await server.restart();
    this.#dead.clear();
    await this.whole();
  }

  /** Every node sees every other as healthy, and all slots are served. */
  async whole(): Promise<void> {
    await until(async () => {
      const seen = await Promise.all(this.#servers.map((server) => nodesOf(server)));
      return seen.every((nodes) => nodes.length === this.#servers.length
        && nodes.every(({ healthy }) => healthy)) && (await this.#served());
    }, { what: 'the cluster to be whole', limitMs: 30_000 });
  }

  async #served(): Promise<boolean> {
    const told = await Promise.all(this.#alive().map((server) => ask(server.port,
      async (asked) => String(await asked.call('CLUSTER', 'INFO')))));
    return told.every((info) => info.includes('cluster_state:ok')
      && info.includes(`cluster_slots_ok:${SLOTS}`));
  }

  async reshard(key: string): Promise<void> {
    const from = await this.ownerOf(key);
    const to = (await this.masters()).find((server) => server !== from);
    if (to === undefined) throw new Error('there is no other master');
    const [fromId, toId] = [await ask(from.port, idOf), await ask(to.port, idOf)];
    const slot = String(await ask(from.port, (asked) => asked.call('CLUSTER', 'KEYSLOT', key)));
    await ask(to.port, (asked) => asked.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId));
    await ask(from.port, async (asked) => {
      await asked.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
      for (;;) {
        const keys = await asked.call('CLUSTER', 'GETKEYSINSLOT', slot, 100) as string[];
        if (keys.length === 0) break;
        await asked.call(
          'MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'REPLACE', 'KEYS', ...keys,
        );
      }
    });
    // The new owner first, so that no moment is without one.
    for (const server of [to, from, ...(await this.masters())]) {
      await ask(server.port, (asked) => asked.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId));
    }
  }
}
