// What a server says of itself: whether it is new enough, and whether it may throw the control part
// away for want of memory. Reads INFO; decides nothing else.

/** HRANDFIELD came with 6.2. Valkey says a `redis_version` of 7.2 beside its own. */
const LEAST = [6, 2] as const;

export interface ServerTroubles {
  readonly tooOld?: string;
  readonly evicts?: string;
}

export function serverTroubles(info: string): ServerTroubles {
  return { ...versionTrouble(info), ...evictionTrouble(info) };
}

function versionTrouble(info: string): ServerTroubles {
  const version = /^redis_version:(\d+)\.(\d+)\S*/m.exec(info);
  if (version === null) return { tooOld: 'the server does not tell its redis_version' };
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) return {};
  return { tooOld: `${version[0]}, and ${LEAST.join('.')} is needed` };
}

function evictionTrouble(info: string): ServerTroubles {
  const policy = /^maxmemory_policy:(allkeys-\w+)/m.exec(info)?.[1];
  if (policy === undefined || /^maxmemory:0\r?$/m.test(info)) return {};
  return { evicts: `maxmemory-policy ${policy} may evict the control key, and the cache with it` };
}
