// Finds the node of a Redis Cluster that has a slot, among those that it was told of and those that
// it has learnt of since. Sends no command but CLUSTER SLOTS.
import { Redis, type RedisOptions } from 'ioredis';
import { CALM, CONNECT_MS_MAX } from './redis-link.ts';
import { Direct, type Node } from './redis-sockets.ts';

/** Of a user and TLS, the same for all nodes. */
export type As = Pick<RedisOptions, 'username' | 'password' | 'tls'>;

/** One of them may be gone, and another may not know yet; all of a large cluster are too many. */
const ASKED_AT_ONCE = 3;
const LEARNT_MAX = 1000;

export class Nodes {
  readonly #seeds: readonly Node[];
  readonly #as: As;
  #learnt: readonly Node[] = [];

  constructor(seeds: readonly Node[], as: As) {
    this.#seeds = seeds;
    this.#as = as;
  }

  /** The word of whichever answers first. Rejects where none does, or nobody has the slot. */
  async ownerOf(slot: number): Promise<Node> {
    const asked = shuffled([...this.#learnt, ...this.#seeds]).slice(0, ASKED_AT_ONCE);
    const ranges = await Promise.any(asked.map((node) => this.#ask(node))).catch(firstOf);
    const nodes = ranges.flatMap((range) => range.nodes);
    this.#learnt = [...new Map(nodes.map((node) => [`${node.host} ${node.port}`, node])).values()]
      .slice(0, LEARNT_MAX);
    const owner = ranges.find(({ from, to }) => from <= slot && slot <= to)?.nodes[0];
    if (owner === undefined) throw new Error('CLUSTERDOWN nobody has the slot of the control key');
    return owner;
  }

  async #ask(node: Node): Promise<readonly Range[]> {
    const redis = new Redis({
      ...CALM, ...this.#as, ...node, commandTimeout: CONNECT_MS_MAX, enableReadyCheck: false,
      lazyConnect: true, retryStrategy: () => null, Connector: Direct,
    });
    let why: unknown;
    redis.on('error', (error: unknown) => void (why ??= error));
    try {
      await redis.connect();
      return readRanges(await redis.cluster('SLOTS'), node.host);
    } catch (error) {
      throw why ?? error;
    } finally {
      redis.disconnect();
    }
  }
}

interface Range {
  readonly from: number;
  readonly to: number;
  /** The master first. */
  readonly nodes: readonly Node[];
}

/** A node without a host of its own stands where the one that was asked stands. */
function readRanges(reply: unknown, asked: string): readonly Range[] {
  const items: readonly unknown[] = Array.isArray(reply) ? reply : [];
  return items.filter((item) => Array.isArray(item)).map(([from, to, ...nodes]: unknown[]) => ({
    from: Number(from),
    to: Number(to),
    nodes: nodes.filter((node) => Array.isArray(node)).map(([host, port]: unknown[]) => ({
      host: typeof host === 'string' && host !== '' && host !== '?' ? host : asked,
      port: Number(port),
    })),
  }));
}

function shuffled(nodes: readonly Node[]): Node[] {
  return nodes.map((node) => ({ node, at: Math.random() })).sort((a, b) => a.at - b.at)
    .map(({ node }) => node);
}

function firstOf(error: unknown): never {
  throw error instanceof AggregateError ? error.errors[0] : error;
}
