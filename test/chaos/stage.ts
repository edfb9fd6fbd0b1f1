// Everything that a run needs, as real processes: a store, a proxy to it for each gateway, the
// upstream, the gateways. With Sentinel and Cluster there are no proxies, since their clients learn
// addresses from the servers themselves; faults there are of processes, commands and slots.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster, type Cluster } from '../cluster.ts';
import { startSentinels, type Sentinels } from '../sentinels.ts';
import { ask, startSingle, type Single } from '../topologies.ts';
import { gatewayProcess, type GatewayProcess } from './gateway-process.ts';
import { Proxy } from './proxy.ts';
import { startUpstream, WELL, type Orders, type Upstream } from './upstream-process.ts';

export type Topology = 'single' | 'sentinel' | 'cluster';

/** `refuse`: no write is forwarded that the store might not be told of. */
export type WhenDown = 'pass' | 'refuse';

type Servers =
  | { readonly kind: 'single'; readonly single: Single }
  | { readonly kind: 'sentinel'; readonly sentinels: Sentinels }
  | { readonly kind: 'cluster'; readonly cluster: Cluster };

const UPSTREAM_AFTERMATH_MS = 3000;
const WELL_MS_MAX = 2 * WELL.latencyMs[1];

interface Strain {
  readonly msMax: number;
  readonly breaks: boolean;
}

export class Stage {
  readonly servers: Servers;
  readonly gateways: readonly GatewayProcess[];
  /** One for each gateway; none but with a single server. */
  readonly proxies: readonly Proxy[];
  readonly #upstream: Upstream;
  #strain: Strain = { msMax: WELL_MS_MAX, breaks: false };
  #strainUntil = -Infinity;

  constructor(parts: {
    servers: Servers; gateways: readonly GatewayProcess[]; proxies: readonly Proxy[];
    upstream: Upstream;
  }) {
    this.servers = parts.servers;
    this.gateways = parts.gateways;
    this.proxies = parts.proxies;
    this.#upstream = parts.upstream;
  }

  /** What the upstream may do to answers that end now. */
  strain(): Strain {
    if (performance.now() < this.#strainUntil) return this.#strain;
    return { msMax: WELL_MS_MAX, breaks: false };
  }

  async strainUpstream(orders: Partial<Orders>, strain: Partial<Strain> = {}): Promise<void> {
    this.#strain = { msMax: WELL_MS_MAX, breaks: false, ...strain };
    this.#strainUntil = Infinity;
    await this.#upstream.order(orders);
  }

  async healUpstream(): Promise<void> {
    await this.#upstream.order(WELL);
    this.#strainUntil = performance.now() + UPSTREAM_AFTERMATH_MS;
  }

  /** Ports of all servers that take writes now. */
  async primaries(): Promise<number[]> {
    switch (this.servers.kind) {
      case 'single':
        return [this.servers.single.redis.port];
      case 'sentinel':
        return [(await this.servers.sentinels.primary()).port];
      case 'cluster':
        return (await this.servers.cluster.masters()).map(({ port }) => port);
    }
  }

  async flush(): Promise<void> {
    for (const port of await this.primaries()) await ask(port, (redis) => redis.flushall());
  }

  /** Only what the instances keep of each other, whatever it is called. */
  async forgetControl(): Promise<void> {
    for (const port of await this.primaries()) {
      await ask(port, async (redis) => {
        for (const key of await redis.keys('*:control')) await redis.unlink(key);
      });
    }
  }
}

/** `store:` of a gateway's file; `port` is the one of its proxy, where there is one. */
export function storeOf(
  servers: Servers, whenDown: WhenDown, port: number,
): Record<string, unknown> {
  const rest = { prefix: 'chaos', when_down: whenDown };
  switch (servers.kind) {
    case 'single':
      return { url: `redis://127.0.0.1:${port}`, ...rest };
    case 'sentinel':
      return { sentinels: servers.sentinels.addresses, name: servers.sentinels.name, ...rest };
    case 'cluster':
      return { cluster: servers.cluster.addresses, ...rest };
  }
}

async function startServers(topology: Topology): Promise<Servers> {
  if (topology === 'single') return { kind: 'single', single: await startSingle() };
  if (topology === 'sentinel') return { kind: 'sentinel', sentinels: await startSentinels() };
  return { kind: 'cluster', cluster: await startCluster({ replicas: true }) };
}

async function stopServers(servers: Servers): Promise<void> {
  if (servers.kind === 'single') await servers.single.stop();
  else if (servers.kind === 'sentinel') await servers.sentinels.stop();
  else await servers.cluster.stop();
}

/** Starts it all; `ends` gets how to end each part, also of a stage that did not come about. */
export async function openStage(
  { topology, whenDown, instances, seed }: {
    topology: Topology; whenDown: WhenDown; instances: number; seed: number;
  },
  ends: (() => Promise<unknown>)[],
): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'everfresh-chaos-'));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  const servers = await startServers(topology);
  ends.push(() => stopServers(servers));
  const upstream = await startUpstream(seed);
  ends.push(() => upstream.stop());
  const proxies: Proxy[] = [];
  const gateways: GatewayProcess[] = [];
  for (let i = 0; i < instances; i += 1) {
    let port = 0;
    if (servers.kind === 'single') {
      const proxy = await Proxy.open({ port: servers.single.redis.port });
      ends.push(() => proxy.close());
      proxies.push(proxy);
      port = proxy.port;
    }
    const store = storeOf(servers, whenDown, port);
    const gateway = await gatewayProcess(`gateway-${i}`, { upstream: upstream.url, store, folder });
    gateways.push(gateway);
    ends.push(() => gateway.end('SIGKILL'));
    await gateway.start();
    gateway.takeIn();
  }
  return new Stage({ servers, gateways, proxies, upstream });
}
