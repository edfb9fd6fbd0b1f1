// What the configuration says of the store, compiled: memory, or a Redis that is one server, a
// primary that sentinels name, or a cluster.
import type { RedisPlace, StoreConfig } from './config.ts';
import type { storeOptions } from './grammar.ts';
import type { Values } from './kinds.ts';
import type { Notes, Place } from './problem.ts';
import { entryOf } from './tree.ts';
import type { Tree } from './tree.ts';

export type GivenStore = string | Values<typeof storeOptions> | undefined;

type Given = Values<typeof storeOptions>;

/** `named`: the tree that it was read from; `at`: where it stands. */
interface Standing {
  readonly named: Tree | undefined;
  readonly at: Place;
  readonly notes: Notes;
}

const KINDS = ['url', 'cluster', 'sentinels'] as const;

export function compileStore(given: GivenStore, standing: Standing): StoreConfig {
  if (given === undefined || given === 'memory') return { kind: 'memory' };
  if (typeof given === 'string') {
    return { kind: 'redis', url: given, prefix: 'everfresh', whenDown: 'pass' };
  }
  const wrong = (what: string): void => standing.notes.wrong(standing.at, `\`store\` ${what}`);
  checkKind(given, standing.named, wrong);
  checkAddresses(given, wrong);
  const { prefix, when_down: whenDown, ...place } = given;
  return { kind: 'redis', ...onlyGiven(place), prefix, whenDown };
}

function checkKind(given: Given, named: Tree | undefined, wrong: (what: string) => void): void {
  const kinds = KINDS.filter((kind) => named?.is === 'table' && entryOf(named, kind) !== undefined);
  if (kinds.length === 0) wrong('needs a `url`, a `cluster` or `sentinels`');
  if (kinds.length > 1) wrong('takes only one of `url`, `cluster` and `sentinels`');
  const sentinel = kinds.includes('sentinels');
  const { name, username, password } = given;
  if (sentinel && name === undefined) wrong('needs the `name` that the sentinels know');
  if (!sentinel && (username !== undefined || password !== undefined)) {
    wrong('takes `username` and `password` with `sentinels` only; else they stand in the URL');
  }
  if (username !== undefined && password === undefined) wrong('needs a `password` for `username`');
}

/** All nodes are asked in the same way and as the same user, also those that are learnt later. */
function checkAddresses(given: Given, wrong: (what: string) => void): void {
  const { url, cluster, sentinels, ca, cert, key } = given;
  const nodes = cluster ?? sentinels;
  if (nodes?.length === 0) wrong('needs at least one address');
  const urls = (nodes ?? (url === undefined ? [] : [url])).map((text) => new URL(text));
  if (new Set(urls.map(({ protocol }) => protocol)).size > 1) {
    wrong('takes either `redis://` or `rediss://` in all addresses');
  }
  const users = urls.map(({ username, password }) => `${username}:${password}`);
  if (new Set(users.filter((user) => user !== ':')).size > 1) {
    wrong('takes the same user and password in all addresses');
  }
  if ((cert === undefined) !== (key === undefined)) wrong('takes `cert` and `key` together');
  const pem = [ca, cert, key].some((path) => path !== undefined);
  if (pem && urls.some(({ protocol }) => protocol !== 'rediss:')) {
    wrong('takes `ca`, `cert` and `key` with `rediss://` only');
  }
}

function onlyGiven(place: { readonly [K in keyof RedisPlace]: RedisPlace[K] | undefined }):
RedisPlace {
  return Object.fromEntries(
    Object.entries(place).filter(([, value]) => value !== undefined));
}
