// What a server says of itself: whether it is new enough, and whether it may throw the control part
// away for want of memory. Reads INFO; decides nothing else.

/** HRANDFIELD came with 6.2, SPUBLISH with 7. Valkey says a `redis_version` of 7.2 as well. */
const LEAST = { single: [6, 2], sharded: [7, 0] } as const;

export interface ServerTroubles {
  readonly tooOld?: string;
  readonly evicts?: string;
  readonly notGuarded?: string;
}

export function serverTroubles(info: string, sharded: boolean): ServerTroubles {
  return { ...versionTrouble(info, sharded), ...evictionTrouble(info), ...guardTrouble(info) };
}

function versionTrouble(info: string, sharded: boolean): ServerTroubles {
  const version = /^redis_version:(\d+)\.(\d+)\S*/m.exec(info);
  if (version === null) return { tooOld: 'the server does not tell its redis_version' };
  const [major, minor] = [Number(version[1]), Number(version[2])];
  const least = LEAST[sharded ? 'sharded' : 'single'];
  if (major > least[0] || (major === least[0] && minor >= least[1])) return {};
  return { tooOld: `${version[0]}, and ${least.join('.')} is needed` };
}

function evictionTrouble(info: string): ServerTroubles {
  const policy = /^maxmemory_policy:(allkeys-\w+)/m.exec(info)?.[1];
  if (policy === undefined || /^maxmemory:0\r?$/m.test(info)) return {};
  return { evicts: `maxmemory-policy ${policy} may evict the control key, and the cache with it` };
}

/** The number of good replicas is told only where one is asked for before a write is taken. */
function guardTrouble(info: string): ServerTroubles {
  const replicas = /^connected_slaves:([1-9]\d*)/m.test(info);
  const guarded = /^min_slaves_good_slaves:/m.test(info);
  // A master that is cut off from its cluster stops by itself.
  if (!replicas || guarded || /^cluster_enabled:1/m.test(info)) return {};
  return {
    notGuarded: 'cut off from its replicas, the server may keep answering while another one is '
      + 'promoted: set min-replicas-to-write 1',
  };
}
