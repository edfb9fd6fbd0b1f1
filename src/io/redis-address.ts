// Where a Redis is, by the configuration, and how it is reached: one server, the primary that
// sentinels name, or a cluster. The control part and what is heard are always on one plain
// connection each; only the entries of a cluster are spread over its nodes.
import { Cluster, Command, Redis, type RedisOptions } from 'ioredis';
import type { RedisPlace } from '../core/rules/config.ts';
import { readPem } from './pem.ts';
import { type Connect, CONNECT_MS_MAX, type LinkManner, type Reach } from './redis-link.ts';
import { type As, Nodes } from './redis-owner.ts';
import { connectorTo, Direct, type Node, ToPrimary } from './redis-sockets.ts';

export interface RedisAddress {
  /** Messages stay on their shard; this needs Redis 7. */
  readonly sharded: boolean;
  /** To the server that has the control part. */
  readonly control: Connect;
  /** To whichever servers have the entries. */
  readonly data: Reach;
}

/** Throws where a PEM file can't be read. */
export function redisAddress(place: RedisPlace, controlKey: string): RedisAddress {
  const { url, cluster, sentinels } = place;
  if (cluster !== undefined) return ofCluster(cluster, place, controlKey);
  if (sentinels !== undefined) return plain(ofSentinels(sentinels, place));
  return plain(ofOne(url!, place));
}

function plain(control: Connect): RedisAddress {
  return { sharded: false, control, data: (how) => ({ redis: control(how) }) };
}

function ofOne(url: string, place: RedisPlace): Connect {
  const tls = tlsOf([url], place);
  return (how) => new Redis(url, { ...how, ...tls, Connector: Direct });
}

function ofSentinels(urls: readonly string[], place: RedisPlace): Connect {
  const { name, username, password } = place;
  const { tls } = tlsOf(urls, place);
  const sentinels = loginOf(urls);
  const options: LinkManner = {
    sentinels: urls.map((url) => nodeOf(url, 26_379)),
    name: name!,
    role: 'master',
    Connector: ToPrimary,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(sentinels.username === undefined ? {} : { sentinelUsername: sentinels.username }),
    ...(sentinels.password === undefined ? {} : { sentinelPassword: sentinels.password }),
    ...(tls === undefined ? {} : { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
    sentinelCommandTimeout: CONNECT_MS_MAX,
  };
  return (how) => new Redis({
    ...how,
    ...options,
    sentinelRetryStrategy: how.retryStrategy ?? (() => null),
    // What is not opened again by itself has no need to hear where to; it would also leave the
    // ears that it has at the sentinels behind when it ends.
    failoverDetector: how.lazyConnect !== true,
  });
}

function ofCluster(
  urls: readonly string[], place: RedisPlace, controlKey: string,
): RedisAddress {
  const seeds = urls.map((url) => nodeOf(url, 6379));
  const as: As = { ...loginOf(urls), ...tlsOf(urls, place) };
  const nodes = new Nodes(seeds, as);
  const slot = slotOf(controlKey);
  const Connector = connectorTo(() => nodes.ownerOf(slot));
  return {
    sharded: true,
    control: (how) => new Redis({ ...how, ...as, Connector }),
    data(how) {
      const redis = openCluster(seeds, as, how);
      return { redis, nodeOf: (key) => redis.slots[slotOf(key)]?.[0] ?? '' };
    },
  };
}

const REFRESH_MS = 10_000;
const REDIRECTIONS_MAX = 3;

/** Its nodes are left alone to fail: whoever asks is answered at once, or tried once elsewhere. */
function openCluster(seeds: readonly Node[], as: As, how: LinkManner): Cluster {
  const { retryStrategy, enableOfflineQueue: _, reconnectOnError: __, ...manner } = how;
  return new Cluster([...seeds], {
    enableOfflineQueue: false,
    scaleReads: 'master',
    slotsRefreshTimeout: CONNECT_MS_MAX,
    slotsRefreshInterval: REFRESH_MS,
    maxRedirections: REDIRECTIONS_MAX,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    clusterRetryStrategy: retryStrategy,
    // Names stay names: by them certificates are checked.
    dnsLookup: (name, callback) => callback(null, name),
    redisOptions: { ...manner, ...as, Connector: Direct },
  });
}

/** By the part between braces, if there is one, as the servers reckon it. */
function slotOf(key: string): number {
  return new Command('get', [key]).getSlot();
}

function nodeOf(url: string, usualPort: number): Node {
  const { hostname, port } = new URL(url);
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? usualPort : Number(port),
  };
}

/** The user of whichever address names one; it holds for all. */
function loginOf(urls: readonly string[]): Pick<RedisOptions, 'username' | 'password'> {
  const named = urls.map((url) => new URL(url)).find((url) => url.username + url.password !== '');
  if (named === undefined) return {};
  const [username, password] = [named.username, named.password].map(decodeURIComponent);
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
}

function tlsOf(urls: readonly string[], place: RedisPlace): Pick<RedisOptions, 'tls'> {
  return urls.some((url) => url.startsWith('rediss:')) ? { tls: readPem(place) } : {};
}
