// A connection as Node's HTTP server sees it while the fast path lends it one request, or all that
// come: what is pushed in is what the server reads, what it writes goes to the socket.
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** The connection that a detour is lent of. */
export interface DetourOwner {
  /** The server reads more. */
  wanted(): void;
  /** It has no use for the detour any more. */
  left(): void;
}

export class Detour extends Duplex {
  readonly #socket: Socket;
  readonly #owner: DetourOwner;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly remoteFamily: string | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** The head of the request that is under way, where it is known; for whoever learns it. */
  head: string | undefined;

  constructor(socket: Socket, owner: DetourOwner) {
    super({ allowHalfOpen: true, decodeStrings: false, emitClose: true });
    this.#socket = socket;
    this.#owner = owner;
    this.remoteAddress = socket.remoteAddress;
    this.remotePort = socket.remotePort;
    this.remoteFamily = socket.remoteFamily;
    this.localAddress = socket.localAddress;
    this.localPort = socket.localPort;
  }

  override _read(): void {
    this.#owner.wanted();
  }

  override _write(
    chunk: Buffer | string, encoding: BufferEncoding, done: (error?: Error | null) => void,
  ): void {
    if (typeof chunk === 'string') this.#socket.write(chunk, encoding, done);
    else this.#socket.write(chunk, done);
  }

  override _writev(
    chunks: { chunk: Buffer | string; encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#socket.cork();
    chunks.forEach(({ chunk, encoding }, i) =>
      this._write(chunk, encoding, i === chunks.length - 1 ? done : () => undefined));
    this.#socket.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#owner.left();
    done(error);
  }

  /** As of a socket: ends when all that was written has gone out. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  setTimeout(ms: number, callback?: () => void): this {
    this.#socket.setTimeout(ms);
    if (callback !== undefined) this.once('timeout', callback);
    return this;
  }

  setNoDelay(on?: boolean): this {
    this.#socket.setNoDelay(on);
    return this;
  }

  setKeepAlive(on?: boolean, ms?: number): this {
    this.#socket.setKeepAlive(on, ms);
    return this;
  }

  ref(): this {
    this.#socket.ref();
    return this;
  }

  unref(): this {
    this.#socket.unref();
    return this;
  }
}
