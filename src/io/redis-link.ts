// One connection to Redis with a breaker: after a failure every call is refused at once, until a
// probe has been answered again; of a cluster, every call to the node that failed. Every call is
// bounded in time, and none of them ever throws.
import { type Redis, type RedisOptions, ReplyError } from 'ioredis';
import type { Clock, StoreTrouble } from '../flow/ports.ts';
import type { Script } from './redis-lua.ts';
import { Rests } from './redis-rests.ts';
import type { ServerTroubles } from './redis-server.ts';
import {
  isElsewhere, messageOf, reasonOf, type RedisTrouble, type Tell,
} from './redis-troubles.ts';

export type Reply =
  | { readonly kind: 'reply'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly because: StoreTrouble | 'store-newer' };

/** Everything but how it is to be reached, and as whom. */
export type LinkManner = Omit<RedisOptions, 'replyMapping'>;

export type Connect = (how: LinkManner) => Redis;

/** What a client of one server and one of a cluster have in common. */
export interface Client {
  readonly status: string;
  on(event: string, heard: (error: unknown) => void): unknown;
  connect(): Promise<void>;
  disconnect(): void;
  evalsha(sha: string, keys: number, ...rest: (string | Buffer)[]): Promise<unknown>;
  eval(lua: string, keys: number, ...rest: (string | Buffer)[]): Promise<unknown>;
  getBuffer(key: string): Promise<unknown>;
  info(): Promise<unknown>;
  ping(): Promise<unknown>;
  wait(replicas: number, ms: number): Promise<unknown>;
  publish(channel: string, text: string): Promise<unknown>;
  spublish(channel: string, text: string): Promise<unknown>;
}

export interface Reached {
  readonly redis: Client;
  /** Of a cluster: the node that has a key. One that fails is no reason to leave the others. */
  readonly nodeOf?: (key: string) => string;
}

export type Reach = (how: LinkManner) => Reached;

export interface LinkOptions {
  readonly reach: Reach;
  readonly clock: Clock;
  /** Bounds every call. */
  readonly budgetMs: number;
  /** How soon after a failure it is tried again. */
  readonly probeMs: number;
  /** Whether an error that the server itself tells breaks the link as well. */
  readonly strict: boolean;
  /** What INFO must not say; such a server is not used. */
  readonly judge?: (info: string) => ServerTroubles;
  readonly onUp: () => void;
  readonly onDown: () => void;
  readonly tell: Tell;
}

/** The key that says to which node a call goes, and the script that it runs. */
interface About {
  readonly key?: string | undefined;
  readonly script?: Script;
}

export const CONNECT_MS_MAX = 1000;
const RECONNECT_MS_MAX = 500;

/** Nothing waits in a queue, and nothing is sent again by itself. */
export const CALM: LinkManner = {
  protocol: 2,
  disableClientInfo: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: CONNECT_MS_MAX,
};

const ELSEWHERE: ReadonlySet<RedisTrouble> = new Set(['not-primary', 'moved', 'cluster-down']);

export class RedisLink {
  readonly #options: LinkOptions;
  readonly #redis: Client;
  readonly #nodeOf: Reached['nodeOf'];
  readonly #rests: Rests;
  #up = false;
  #trips = 0;
  #because: RedisTrouble = 'unreachable';
  #closed = false;
  #probing = false;
  #cancelProbe: () => void = () => undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    const { budgetMs, clock, probeMs } = options;
    this.#rests = new Rests(clock, Math.max(budgetMs, probeMs));
    const { redis, nodeOf } = options.reach({
      ...CALM,
      commandTimeout: budgetMs,
      // A server that hangs is left, rather than filled with what nobody waits for any more.
      socketTimeout: Math.max(budgetMs * 2, CONNECT_MS_MAX),
      enableReadyCheck: true,
      maxLoadingRetryTime: RECONNECT_MS_MAX,
      retryStrategy: (times) => Math.min(20 * 2 ** Math.min(times, 8), RECONNECT_MS_MAX)
        * (0.5 + Math.random() / 2),
      reconnectOnError: isElsewhere,
    });
    this.#redis = redis;
    this.#nodeOf = nodeOf;
    redis.on('error', (error) => this.#trip(error));
    redis.on('sentinelError', (error) => options.tell(reasonOf(error), messageOf(error)));
    redis.on('close', () => this.#trip(undefined));
    redis.on('end', () => this.#startAgain());
    redis.on('ready', () => {
      // A server that said to look elsewhere may say so again; it isn't asked in a tight loop.
      if (ELSEWHERE.has(this.#because)) this.#probeLater();
      else this.#probeNow();
    });
  }

  get up(): boolean {
    return this.#up;
  }

  /** How often it broke: unchanged means that nothing failed in between. */
  get trips(): number {
    return this.#trips;
  }

  /** Why it is, or was last, broken. */
  get because(): RedisTrouble {
    return this.#because;
  }

  run(script: Script, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<Reply> {
    return this.#bounded(async () => {
      try {
        return await this.#redis.evalsha(script.sha, keys.length, ...keys, ...args);
      } catch (error) {
        // The server forgot it, or never knew it; it did not run.
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return await this.#redis.eval(script.lua, keys.length, ...keys, ...args);
      }
    }, { key: keys[0], script });
  }

  get(key: string): Promise<Reply> {
    return this.#bounded(() => this.#redis.getBuffer(key), { key });
  }

  /**
   * How many replicas have what was sent before, as soon as one has, or when the budget is over.
   */
  wait(): Promise<Reply> {
    return this.#bounded(() => this.#redis.wait(1, Math.ceil(this.#options.budgetMs / 2)));
  }

  /** May get lost without a word. */
  publish(command: 'publish' | 'spublish', channel: string, text: string): void {
    if (this.#up) void this.#bounded(() => this.#redis[command](channel, text));
  }

  close(): void {
    this.#closed = true;
    this.#up = false;
    this.#cancelProbe();
    this.#redis.disconnect();
  }

  async #bounded(ask: () => Promise<unknown>, { key, script }: About = {}): Promise<Reply> {
    const node = key === undefined ? undefined : this.#nodeOf?.(key);
    const rests = node !== undefined && !this.#rests.admits(node);
    if (!this.#up || rests) return { kind: 'failed', because: 'store-down' };
    try {
      const value = await this.#inTime(ask());
      if (node !== undefined) this.#rests.answered(node);
      return { kind: 'reply', value };
    } catch (error) {
      return this.#failed(error, messageOf(error, script), node);
    }
  }

  #failed(error: unknown, message: string, node: string | undefined): Reply {
    const because = reasonOf(error);
    if (because === 'newer-format') {
      this.#options.tell(because, message);
      return { kind: 'failed', because: 'store-newer' };
    }
    const lost = this.#options.strict || !(error instanceof ReplyError);
    if (lost && node === undefined) this.#trip(error, message);
    else this.#options.tell(because, message);
    if (lost && node !== undefined) this.#rests.failed(node);
    return { kind: 'failed', because: because === 'timeout' ? 'store-slow' : 'store-down' };
  }

  #inTime(asked: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(this.#options.budgetMs, () => {
        reject(new Error('Command timed out'));
      });
      asked.finally(cancel).then(resolve, reject);
    });
  }

  /** The client gave up by itself, as where a fail-over is told while it looks for a primary. */
  #startAgain(): void {
    if (this.#closed) return;
    this.#options.clock.after(RECONNECT_MS_MAX, () => {
      if (this.#closed || this.#redis.status !== 'end') return;
      this.#redis.connect().catch((error: unknown) => this.#trip(error));
    });
  }

  #trip(error: unknown, message = messageOf(error)): void {
    if (this.#closed) return;
    if (error !== undefined) {
      this.#because = reasonOf(error);
      this.#options.tell(this.#because, message);
    } else if (this.#up) {
      this.#because = 'unreachable';
      this.#options.tell('unreachable', 'the connection was closed');
    }
    this.#trips += 1;
    if (this.#up) {
      this.#up = false;
      this.#options.onDown();
    }
    this.#probeLater();
  }

  #probeLater(): void {
    this.#cancelProbe();
    this.#cancelProbe = this.#options.clock.after(this.#options.probeMs, () => this.#probeNow());
  }

  #probeNow(): void {
    this.#cancelProbe();
    if (this.#closed || this.#up || this.#probing || this.#redis.status !== 'ready') return;
    this.#probing = true;
    const trips = this.#trips;
    const { judge } = this.#options;
    const asked = judge === undefined ? this.#redis.ping() : this.#redis.info();
    this.#inTime(asked).then(
      (said) => {
        this.#probing = false;
        if (this.#closed) return;
        if (judge !== undefined && !this.#fits(judge(String(said)))) return;
        if (this.#trips !== trips || this.#redis.status !== 'ready') {
          this.#probeLater();
          return;
        }
        this.#up = true;
        this.#options.onUp();
      },
      (error: unknown) => {
        this.#probing = false;
        this.#trip(error);
      },
    );
  }

  #fits({ tooOld, evicts, notGuarded }: ServerTroubles): boolean {
    const { tell } = this.#options;
    if (notGuarded !== undefined) tell('not-guarded', notGuarded);
    if (evicts !== undefined) tell('evicts', evicts);
    if (tooOld === undefined) return true;
    tell('too-old', tooOld);
    this.#because = 'too-old';
    this.#probeLater();
    return false;
  }
}
