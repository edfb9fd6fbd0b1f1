// Single requests and counted ones, from the bench's own process on the load's core; what is to be
// as fast as can be is wrk's.
import { Pool } from 'undici';

const pools = new Map<number, Pool>();
const CONNECTIONS = 64;

function poolOf(port: number): Pool {
  let pool = pools.get(port);
  if (pool === undefined) {
    pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS });
    pools.set(port, pool);
  }
  return pool;
}

export interface Text {
  readonly body: string;
  readonly cacheStatus: string;
}

/** Rejects for any status from 400 on. */
export async function text(
  port: number, path: string, { method = 'GET', body }: { method?: string; body?: string } = {},
): Promise<Text> {
  const response = await poolOf(port).request({
    path, method,
    ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
  });
  const all = await response.body.text();
  if (response.statusCode >= 400) throw new Error(`${method} ${path}: ${response.statusCode}`);
  return { body: all, cacheStatus: String(response.headers['cache-status'] ?? '') };
}

/** Of connections, which nobody keeps. */
const OF_CONNECTIONS = new Set(['connection', 'keep-alive', 'transfer-encoding']);

/** Bytes of an answer's field lines and body. */
export async function answerBytes(port: number, path: string): Promise<number> {
  const response = await poolOf(port).request({ path, method: 'GET' });
  let bytes = (await response.body.bytes()).length;
  for (const [name, value] of Object.entries(response.headers)) {
    if (!OF_CONNECTIONS.has(name)) bytes += `${name}: ${String(value)}\r\n`.length;
  }
  return bytes;
}

/** Milliseconds until the whole answer is here. */
export async function timed(
  port: number, path: string, how: { method?: string; body?: string } = {},
): Promise<number> {
  const from = performance.now();
  await text(port, path, how);
  return performance.now() - from;
}

/** How many requests one of the bench's APIs has answered. */
export async function requests(port: number): Promise<number> {
  return Number((await text(port, '/requests')).body);
}

/** Asks for each path once, so many at a time. */
export async function askEach(
  port: number, paths: Iterable<string>, together = 32,
): Promise<void> {
  const left = paths[Symbol.iterator]();
  await Promise.all(Array.from({ length: together }, async () => {
    for (let next = left.next(); next.done !== true; next = left.next()) {
      await text(port, next.value);
    }
  }));
}

/** `f(1)` to `f(size)`. */
export function* each(size: number, f: (k: number) => string): Generator<string> {
  for (let k = 1; k <= size; k += 1) yield f(k);
}

/** The connections of a server that is about to end; without a port those of all. */
export async function hangUp(port?: number): Promise<void> {
  for (const [of, pool] of [...pools]) {
    if (port !== undefined && of !== port) continue;
    pools.delete(of);
    await pool.destroy();
  }
}
