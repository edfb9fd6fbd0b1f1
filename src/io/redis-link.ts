// One connection to Redis with a breaker: after a failure every call is refused at once, until a
// probe has been answered again. Every call is bounded in time, and none of them ever throws.
import { type Redis, type RedisOptions, ReplyError } from 'ioredis';
import type { Clock, StoreTrouble } from '../flow/ports.ts';
import type { Script } from './redis-lua.ts';
import type { ServerTroubles } from './redis-server.ts';

export type RedisTrouble =
  | 'unreachable' | 'timeout' | 'auth' | 'not-primary' | 'loading' | 'out-of-memory' | 'too-old'
  | 'evicts' | 'newer-format' | 'not-replicated' | 'refused' | 'internal';

export type Tell = (because: RedisTrouble, message: string) => void;

export type Reply =
  | { readonly kind: 'reply'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly because: StoreTrouble | 'store-newer' };

/** Everything but how it is to be reached, and as whom. */
export type LinkManner = Omit<RedisOptions, 'replyMapping'>;

export type Connect = (how: LinkManner) => Redis;

export interface LinkOptions {
  readonly connect: Connect;
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

const CONNECT_MS_MAX = 1000;
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

export class RedisLink {
  readonly #options: LinkOptions;
  readonly #redis: Redis;
  #up = false;
  #trips = 0;
  #because: RedisTrouble = 'unreachable';
  #closed = false;
  #probing = false;
  #cancelProbe: () => void = () => undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    const { budgetMs } = options;
    this.#redis = options.connect({
      ...CALM,
      commandTimeout: budgetMs,
      // A server that hangs is left, rather than filled with what nobody waits for any more.
      socketTimeout: Math.max(budgetMs * 2, CONNECT_MS_MAX),
      enableReadyCheck: true,
      maxLoadingRetryTime: RECONNECT_MS_MAX,
      retryStrategy: (times) => Math.min(20 * 2 ** Math.min(times, 8), RECONNECT_MS_MAX)
        * (0.5 + Math.random() / 2),
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    this.#redis.on('error', (error: unknown) => this.#trip(error));
    this.#redis.on('close', () => this.#trip(undefined));
    this.#redis.on('ready', () => {
      // A server that said it is a replica will say so again; it isn't asked in a tight loop.
      if (this.#because === 'not-primary') this.#probeLater();
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
    });
  }

  get(key: string): Promise<Reply> {
    return this.#bounded(() => this.#redis.getBuffer(key));
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

  async #bounded(ask: () => Promise<unknown>): Promise<Reply> {
    if (!this.#up) return { kind: 'failed', because: 'store-down' };
    try {
      return { kind: 'reply', value: await this.#inTime(ask()) };
    } catch (error) {
      const because = reasonOf(error);
      if (because === 'newer-format') {
        this.#options.tell(because, messageOf(error));
        return { kind: 'failed', because: 'store-newer' };
      }
      if (this.#options.strict || !(error instanceof ReplyError)) this.#trip(error);
      else this.#options.tell(because, messageOf(error));
      return { kind: 'failed', because: because === 'timeout' ? 'store-slow' : 'store-down' };
    }
  }

  #inTime(asked: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(this.#options.budgetMs, () => {
        reject(new Error('Command timed out'));
      });
      asked.finally(cancel).then(resolve, reject);
    });
  }

  #trip(error: unknown): void {
    if (this.#closed) return;
    if (error !== undefined) {
      this.#because = reasonOf(error);
      this.#options.tell(this.#because, messageOf(error));
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

  #fits({ tooOld, evicts }: ServerTroubles): boolean {
    const { tell } = this.#options;
    if (evicts !== undefined) tell('evicts', evicts);
    if (tooOld === undefined) return true;
    tell('too-old', tooOld);
    this.#because = 'too-old';
    this.#probeLater();
    return false;
  }
}

function reasonOf(error: unknown): RedisTrouble {
  const message = messageOf(error);
  if (/timed out|timeout|ETIMEDOUT/i.test(message)) return 'timeout';
  if (/^(WRONGPASS|NOAUTH|NOPERM)|invalid password|AUTH/.test(message)) return 'auth';
  if (message.startsWith('READONLY')) return 'not-primary';
  if (/^(LOADING|MASTERDOWN|BUSY)\b/.test(message)) return 'loading';
  if (message.startsWith('OOM')) return 'out-of-memory';
  if (message.startsWith('NEWER')) return 'newer-format';
  return error instanceof ReplyError ? 'refused' : 'unreachable';
}

/** Only the message: the error itself carries the command with its arguments, a password too. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return error.message === '' ? code ?? error.name : error.message;
}
