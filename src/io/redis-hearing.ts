// One connection to Redis that only listens: to the touches of all, and to what is sent to this
// instance. Each listening has a connection of its own, so that nothing that was missed on one is
// ever taken for heard on the next.
import { type Redis, ReplyError } from 'ioredis';
import type { Clock } from '../flow/ports.ts';
import { messageOf, reasonOf, type Tell } from './redis-troubles.ts';

export interface HearingOptions {
  /** Opens a connection that is not opened again by itself. */
  readonly connect: () => Promise<Redis | undefined>;
  readonly sharded: boolean;
  readonly clock: Clock;
  /** Bounds the opening. */
  readonly budgetMs: number;
  readonly heard: (text: string) => void;
  readonly deaf: () => void;
  /** What the server says; what is wrong with a connection is told by the other ones. */
  readonly tell: Tell;
}

export class Hearing {
  readonly #o: HearingOptions;
  #redis: Redis | undefined;
  #closed = false;

  constructor(options: HearingOptions) {
    this.#o = options;
  }

  /** True when everything that is sent to these channels from now on is heard. */
  async listen(channels: readonly string[]): Promise<boolean> {
    this.#hangUp();
    const { clock, budgetMs } = this.#o;
    const { promise: late, resolve } = Promise.withResolvers<false>();
    const cancel = clock.after(budgetMs, () => resolve(false));
    const opened = this.#open(channels).catch((error: unknown) => {
      if (error instanceof ReplyError) this.#o.tell(reasonOf(error), messageOf(error));
      return false; // it is tried again
    });
    const listens = await Promise.race([opened, late]);
    cancel();
    if (!listens) this.#hangUp();
    return listens;
  }

  async #open(channels: readonly string[]): Promise<boolean> {
    const { connect, sharded, heard } = this.#o;
    const redis = await connect();
    if (redis === undefined) return false;
    if (this.#closed || this.#redis !== undefined) {
      redis.disconnect();
      return false;
    }
    this.#redis = redis;
    redis.on('error', () => undefined); // the end of it is heard as well
    redis.on('end', () => this.#ended(redis));
    redis.on('moved', () => redis.disconnect()); // the slot went elsewhere, and the touches with it
    redis.on(sharded ? 'smessage' : 'message', (_channel: string, text: string) => {
      if (this.#redis === redis) heard(text);
    });
    if (sharded) await redis.ssubscribe(...channels);
    else await redis.subscribe(...channels);
    return this.#redis === redis && redis.status === 'ready';
  }

  close(): void {
    this.#closed = true;
    this.#hangUp();
  }

  #ended(redis: Redis): void {
    if (this.#redis !== redis) return;
    this.#redis = undefined;
    this.#o.deaf();
  }

  #hangUp(): void {
    const redis = this.#redis;
    this.#redis = undefined;
    redis?.disconnect();
  }
}
