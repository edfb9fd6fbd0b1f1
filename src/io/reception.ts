// The receiving end of one exchange with an upstream: undici pushes, the story pulls, and between
// them stands a short queue that stops the socket when it is full.
import type { Dispatcher } from 'undici';
import type { Fields } from '../core/http/message.ts';
import { Broken, type ByteStream, type FetchFailure } from '../flow/ports.ts';
import { concat } from '../flow/spool.ts';

const QUEUED_BYTES_MAX = 256 * 1024;

type Next = IteratorResult<Uint8Array, undefined>;

/** The body, too: it has one reader. */
export class Reception implements ByteStream {
  started = false;
  answered = false;
  trailers: Fields = [];
  abortedBecause: FetchFailure | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #paused = false;
  #begun = false;
  #ended = false;
  #failure: Broken | undefined;
  #waiting: { resolve: (next: Next) => void; reject: (error: Broken) => void } | undefined;

  [Symbol.asyncIterator](): this {
    return this;
  }

  return(): Promise<Next> {
    if (!this.#ended) this.abort('aborted');
    return Promise.resolve({ done: true, value: undefined });
  }

  start(controller: Dispatcher.DispatchController): void {
    // Thrown, so that the connection stays for the next one: this request was not written yet.
    if (this.abortedBecause !== undefined) throw new Broken(this.abortedBecause);
    this.#controller = controller;
    this.started = true;
  }

  abort(because: FetchFailure): void {
    if (this.#ended || this.abortedBecause !== undefined) return;
    this.abortedBecause = because;
    this.#queue.length = 0;
    this.#controller?.abort(new Broken(because));
  }

  push(chunk: Uint8Array): void {
    if (this.#waiting !== undefined) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve({ done: false, value: chunk });
      return;
    }
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.byteLength;
    if (this.#queuedBytes <= QUEUED_BYTES_MAX || this.#paused) return;
    this.#paused = true;
    this.#controller?.pause();
  }

  end(trailers: Fields): void {
    this.#ended = true;
    this.trailers = trailers;
    this.#waiting?.resolve({ done: true, value: undefined });
    this.#waiting = undefined;
  }

  fail(because: FetchFailure, cause: Error): void {
    this.#ended = true;
    this.#failure = new Broken(because, { cause });
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }

  // What has trailers is read as it came, so that they are told.
  whole(): Uint8Array | undefined {
    const all = this.#ended && this.#failure === undefined && !this.#begun;
    if (!all || this.trailers.length > 0) return undefined;
    this.#begun = true;
    return concat(this.#queue.splice(0), this.#queuedBytes);
  }

  next(): Promise<Next> {
    this.#begun = true;
    const chunk = this.#queue.shift();
    if (chunk !== undefined) {
      this.#queuedBytes -= chunk.byteLength;
      if (this.#paused && this.#queuedBytes < QUEUED_BYTES_MAX / 2) {
        this.#paused = false;
        this.#controller?.resume();
      }
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    const { promise, resolve, reject } = Promise.withResolvers<Next>();
    this.#waiting = { resolve, reject };
    return promise;
  }
}
