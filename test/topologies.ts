// Real Redis set-ups for tests, on free ports of the loopback: a server with data on disk, and one
// behind TLS and ACL users. Sentinel and Cluster have files of their own. All that was started is
// ended by its pid.
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { generate } from 'selfsigned';
import { freePort, startRedis, type RunningRedis } from './redis.ts';

type Credentials = Pick<RedisOptions, 'tls' | 'username' | 'password' | 'enableReadyCheck'>;

/** What is asked of one server, on a connection of its own that ends with it. */
export async function ask<T>(
  port: number, what: (redis: Redis) => Promise<T>, options: Credentials = {},
): Promise<T> {
  const redis = new Redis({
    host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => null, protocol: 2,
    maxRetriesPerRequest: 0, commandTimeout: 5000, connectTimeout: 1000, ...options,
  });
  // Whatever fails is told to the caller by its own command.
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await what(redis);
  } finally {
    redis.disconnect();
  }
}

/** Whether something can be asked and is so; a server that is away says no. */
export async function holds(port: number, what: (redis: Redis) => Promise<boolean>): Promise<boolean> {
  return ask(port, what).catch((error: unknown) => {
    if (error instanceof Error) return false;
    throw error;
  });
}

export interface Single {
  readonly redis: RunningRedis;
  /** Keeps a copy of all data as it is now. */
  snapshot(): Promise<void>;
  restartEmpty(): Promise<void>;
  /** Killed after it has saved: everything is there again. */
  restartWithData(): Promise<void>;
  /** Killed, and started with the copy that was kept last; without one, empty. */
  rollBack(): Promise<void>;
  stop(): Promise<void>;
}

export async function startSingle(args: readonly string[] = []): Promise<Single> {
  const redis = await startRedis({ args });
  const told = await ask(redis.port, (asked) => asked.config('GET', 'dir'));
  const folder = String(Object.values(told as object)[1]);
  const [dump, copy] = [join(folder, 'dump.rdb'), join(folder, 'older.rdb')];
  const restart = async (prepare: () => Promise<void>): Promise<void> => {
    await redis.kill();
    await prepare();
    await redis.restart();
  };
  return {
    redis,
    async snapshot() {
      await ask(redis.port, (asked) => asked.save());
      await copyFile(dump, copy);
    },
    restartEmpty: () => restart(() => rm(dump, { force: true })),
    async restartWithData() {
      await ask(redis.port, (asked) => asked.save());
      await redis.restart();
    },
    rollBack: () => restart(() => copyFile(copy, dump).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return rm(dump, { force: true });
    })),
    stop: () => redis.stop(),
  };
}

export interface Guarded {
  /** By TLS only, with the user's name and password in it. */
  readonly url: string;
  /** The certificate that signed the server's. */
  readonly caFile: string;
  readonly ca: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** A server that speaks TLS only, and lets a user do everything with keys of one prefix only. */
export async function startGuarded(
  { user = 'everfresh', password = 'a-password', prefix = 'everfresh' } = {},
): Promise<Guarded> {
  const folder = await mkdtemp(join(tmpdir(), 'everfresh-guarded-'));
  const removed = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const made = await generate([{ name: 'commonName', value: 'localhost' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        {
          name: 'subjectAltName',
          altNames: [{ type: 2, value: 'localhost' }, { type: 7, ip: '127.0.0.1' }],
        },
      ],
    });
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    await writeFile(cert, made.cert);
    await writeFile(key, made.private, { mode: 0o600 });
    const port = await freePort();
    const redis = await startRedis({
      args: [
        '--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key,
        '--tls-ca-cert-file', cert, '--tls-auth-clients', 'no',
        '--user', user, 'on', `>${password}`, `~${prefix}*`, `&${prefix}*`, '+@all', '-flushall',
      ],
    });
    await ask(redis.port, async (asked) => {
      // Only now can it be asked no more: without TLS, or without a name.
      await asked.call('ACL', 'SETUSER', 'default', 'off');
      await asked.config('SET', 'port', '0');
    });
    return {
      url: `rediss://${user}:${password}@localhost:${port}`,
      caFile: cert,
      ca: made.cert,
      port,
      async stop() {
        await redis.stop();
        await removed();
      },
    };
  } catch (error) {
    await removed();
    throw error;
  }
}
