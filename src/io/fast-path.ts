// Requests on the socket itself. Between them a connection is at rest: a head whose very bytes are
// known is answered from `Shortcuts`, one of the plainest kind is read here, and anything else goes
// on to Node's HTTP server as it came.
//
// - one request is under way at a time
// - a request is read here, or lent to that server, only if its end is beyond doubt: a head of
//   plain lines, and after it nothing, or as many bytes as its one Content-Length says
// - the connection is at rest again when that request's answer has gone out and it stays open; what
//   came meanwhile waits, in order
// - where an end may be doubted the server has the connection for good
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Detour, type DetourOwner } from './detour.ts';
import type { Exchange } from './exchange.ts';
import { bodyBytes, type Line, type PlainExchange, plainExchange } from './plain.ts';
import type { Ready, Shortcuts } from './shortcuts.ts';
import { keepAliveLines } from './wire.ts';

export interface FastPathOptions {
  readonly shortcuts: Shortcuts;
  /** An answer is on its way; called back when it is there. */
  readonly sends: () => () => void;
  /** Gives a connection to Node's HTTP server. */
  readonly serve: (connection: Socket | Detour) => void;
  /** Tells the story of a request that was read here. */
  readonly handle: (exchange: Exchange) => void;
  readonly keepAliveMs: number;
  readonly sendTimeoutMs: number;
  readonly headBytesMax: number;
}

export interface FastPath {
  /** Takes a connection over, with what was read of it. */
  take(socket: Socket, first: Buffer): void;
  /** An answer on a detour is over, sent or not. */
  answered(response: ServerResponse): void;
  /** Ends the connections that are at rest. */
  drain(): void;
  /** Ends all. */
  end(): void;
}

export function openFastPath(options: FastPathOptions): FastPath {
  const open = new Set<Connection>();
  const lent = new WeakMap<Detour, Connection>();
  const world: World = {
    ...options, open, lent, draining: false, keepAlive: keepAliveLines(options.keepAliveMs),
  };
  return {
    take(socket, first) {
      new Connection(socket, world).begin(first);
    },
    answered(response) {
      const { socket } = response.req;
      if ((socket as unknown) instanceof Detour) {
        lent.get(socket as unknown as Detour)?.answered(response);
      }
    },
    drain() {
      world.draining = true;
      for (const connection of open) connection.leave();
    },
    end() {
      for (const connection of open) connection.end();
    },
  };
}

interface World extends FastPathOptions {
  readonly keepAlive: string;
  readonly open: Set<Connection>;
  readonly lent: WeakMap<Detour, Connection>;
  /** No more requests are taken. */
  draining: boolean;
}

/** What waits behind a request that is under way: who sends more is cut off. */
const WAITING_BYTES_MAX = 256 * 1024;

// Node's own margin, so that a client that goes by what it was told is not cut off.
const KEEP_ALIVE_MARGIN_MS = 1000;

const NOTHING = Buffer.alloc(0);

/**
 * - `rest`: no request is under way.
 * - `head`: some of a head has come; the server reads it as well.
 * - `asked`: the store was asked for the answer.
 * - `away`: a request is under way, here or at the server, whose end is known; `missing` bytes of
 *   it have not come yet.
 * - `given`: the server has it for good.
 * - `over`: nothing more is read.
 */
type State = 'rest' | 'head' | 'asked' | 'away' | 'given' | 'over';

class Connection implements Line, DetourOwner {
  readonly socket: Socket;
  readonly keepAlive: string;
  readonly #world: World;
  #state: State = 'rest';
  #detour: Detour | undefined;
  /** The request that is under way here. */
  #exchange: PlainExchange | undefined;
  /** What has come of a head that is not whole. */
  #head = '';
  #missing = 0;
  #waiting: Buffer = NOTHING;
  /** An answer is larger than what the socket takes at once: to be called when it has gone. */
  #gone: (() => void) | undefined;

  constructor(socket: Socket, world: World) {
    this.socket = socket;
    this.keepAlive = world.keepAlive;
    this.#world = world;
  }

  /** Where the server has a request of this connection, or all of it. */
  get #lent(): Detour | undefined {
    const away = this.#state === 'away' && this.#exchange === undefined;
    return away || this.#state === 'head' || this.#state === 'given' ? this.#detour : undefined;
  }

  begin(first: Buffer): void {
    const { open, keepAliveMs } = this.#world;
    const socket = this.socket;
    open.add(this);
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('timeout', this.#onTimeout);
    socket.on('error', this.#onError);
    socket.on('drain', this.#onDrain);
    socket.on('close', this.#onClose);
    socket.setTimeout(keepAliveMs + KEEP_ALIVE_MARGIN_MS);
    socket.resume();
    this.#onData(first);
  }

  /** No more requests are taken from it. */
  leave(): void {
    if (this.#state !== 'rest') return;
    this.#state = 'over';
    if (this.socket.writableLength > 0) this.#gone ??= this.#world.sends();
    this.socket.destroySoon();
  }

  end(): void {
    this.socket.destroy();
  }

  answered(response: ServerResponse): void {
    const detour = this.#lent;
    if (this.#state !== 'away' || detour === undefined) return;
    if (detour.writableEnded || detour.destroyed) {
      this.#state = 'over';
      this.#waiting = NOTHING;
      return;
    }
    // The server has not read all of what it was lent.
    const whole = this.#missing === 0 && response.req.complete && response.writableFinished;
    if (!whole) return this.#give();
    detour.head = undefined;
    this.#rest();
  }

  /** Goes on with what waits. */
  #rest(): void {
    if (this.socket.destroyed) return;
    this.#state = 'rest';
    const { keepAliveMs } = this.#world;
    if (this.#world.draining) return this.leave();
    this.socket.setTimeout(keepAliveMs + KEEP_ALIVE_MARGIN_MS);
    const waiting = this.#waiting;
    this.#waiting = NOTHING;
    this.socket.resume();
    if (waiting.length > 0) this.#walk(waiting);
  }

  readonly #onData = (chunk: Buffer): void => {
    switch (this.#state) {
      case 'rest': return this.#gone === undefined ? this.#walk(chunk) : this.#moreBehind(chunk);
      case 'head': return this.#moreOfHead(chunk);
      case 'asked':
      case 'away': return this.#moreBehind(chunk);
      case 'given': return this.#lend(chunk);
      case 'over':
    }
  };

  /** Some of the body that is missing, and what comes behind it. */
  #moreBehind(chunk: Buffer): void {
    const here = Math.min(this.#missing, chunk.length);
    if (here > 0) {
      this.#missing -= here;
      this.#lend(chunk.subarray(0, here));
    }
    if (here === chunk.length) return;
    const rest = chunk.subarray(here);
    this.#waiting = this.#waiting.length === 0 ? rest : Buffer.concat([this.#waiting, rest]);
    if (this.#waiting.length <= WAITING_BYTES_MAX) return;
    // While nothing is read nobody would notice that the client goes; the store is soon heard of.
    if (this.#state === 'asked') this.socket.pause();
    else this.socket.destroy();
  }

  /** From the beginning of a request on. */
  #walk(chunk: Buffer): void {
    const text = chunk.toString('latin1');
    for (let at = 0;;) {
      // RFC 9112 §2.2: empty lines before a request are nothing; they begin none.
      while (text[at] === '\r' || text[at] === '\n') at += 1;
      if (at === text.length) return;
      const end = text.indexOf('\r\n\r\n', at) + 4;
      if (end === 3) return this.#openHead(chunk.subarray(at), text.slice(at));
      const head = at === 0 && end === text.length ? text : text.slice(at, end);
      const ready = this.#world.shortcuts.answer(head, this.socket);
      if (ready instanceof Promise) return this.#await(ready, chunk.subarray(at), head);
      if (ready === undefined || ready === 'drawn') {
        return this.#send(chunk.subarray(at), head, ready === 'drawn');
      }
      at = end;
      if (this.#answer(ready)) continue;
      this.#waiting = chunk.subarray(at);
      return this.#drainFirst();
    }
  }

  /** Nothing more is read before what was sent has gone. */
  #drainFirst(): void {
    this.#gone = this.#world.sends();
    this.socket.pause();
    this.socket.setTimeout(this.#world.sendTimeoutMs);
  }

  /** What comes meanwhile waits. */
  #await(coming: Promise<Ready | undefined>, chunk: Buffer, head: string): void {
    this.#state = 'asked';
    this.#waiting = chunk.subarray(head.length);
    this.socket.setTimeout(0);
    const over = this.#world.sends();
    void coming.then((ready) => {
      over();
      if (this.socket.destroyed || this.socket.writableEnded) return;
      this.socket.resume();
      if (ready === undefined) {
        const all = Buffer.concat([chunk.subarray(0, head.length), this.#waiting]);
        this.#waiting = NOTHING;
        this.#send(all, head, false);
      } else if (this.#answer(ready)) {
        this.#rest();
      } else {
        this.#state = 'rest';
        this.#drainFirst();
      }
    });
  }

  /** False where the socket has enough for now. */
  #answer({ first, body }: Ready): boolean {
    const socket = this.socket;
    if (body === undefined) {
      return typeof first === 'string' ? socket.write(first, 'latin1') : socket.write(first);
    }
    socket.cork();
    socket.write(first, 'latin1');
    const more = socket.write(body);
    socket.uncork();
    return more;
  }

  readonly #onDrain = (): void => {
    if (this.#gone === undefined) return;
    this.#sent();
    if (this.#state === 'rest') this.#rest();
  };

  #sent(): void {
    this.#gone?.();
    this.#gone = undefined;
  }

  /** A request that is not answered here, from its first byte on; its head is whole. */
  #send(chunk: Buffer, head: string, drawn: boolean): void {
    const body = bodyBytes(head);
    if (body === undefined) return this.#handOver(chunk);
    const end = head.length + body;
    this.#state = 'away';
    if (body === 0 && head.length <= this.#world.headBytesMax) {
      const exchange = plainExchange(head, { line: this, drawn });
      if (exchange !== undefined) {
        this.#waiting = chunk.subarray(end);
        this.#exchange = exchange;
        this.socket.setTimeout(0);
        return this.#world.handle(exchange);
      }
    }
    this.#missing = Math.max(0, end - chunk.length);
    this.#waiting = chunk.subarray(Math.min(end, chunk.length));
    this.#lend(chunk.subarray(0, Math.min(end, chunk.length)), body === 0 ? head : undefined);
  }

  /** The server reads it as it comes, so that its bounds of time and size hold. */
  #openHead(chunk: Buffer, text: string): void {
    this.#state = 'head';
    this.#head = text;
    this.#lend(chunk);
  }

  #moreOfHead(chunk: Buffer): void {
    const before = this.#head.length;
    const text = this.#head + chunk.toString('latin1');
    const end = text.indexOf('\r\n\r\n', Math.max(0, before - 3)) + 4;
    if (end === 3) {
      this.#head = text;
      if (text.length > this.#world.headBytesMax) this.#give();
      return this.#lend(chunk);
    }
    this.#head = '';
    const head = text.slice(0, end);
    const body = bodyBytes(head);
    if (body === undefined) {
      this.#state = 'given';
      return this.#lend(chunk);
    }
    this.#state = 'away';
    const whole = end + body - before;
    const here = Math.min(chunk.length, whole);
    this.#missing = whole - here;
    this.#waiting = chunk.subarray(here);
    this.#lend(chunk.subarray(0, here), body === 0 ? head : undefined);
  }

  /** To the server by way of a detour, which stays until the connection ends. */
  #lend(chunk: Buffer, head?: string): void {
    // From here on the server says how long anything may take.
    this.socket.setTimeout(0);
    if (this.#detour === undefined) {
      const detour = new Detour(this.socket, this);
      this.#detour = detour;
      this.#world.lent.set(detour, this);
      detour.head = head;
      this.#world.serve(detour);
    } else {
      this.#detour.head = head;
    }
    if (!this.#detour.push(chunk)) this.socket.pause();
  }

  #give(): void {
    this.#state = 'given';
    const waiting = this.#waiting;
    this.#waiting = NOTHING;
    this.socket.resume();
    if (waiting.length > 0) this.#lend(waiting);
  }

  /** To the server as it is, for good; only between two requests. */
  #handOver(chunk: Buffer): void {
    if (this.#detour !== undefined) {
      this.#state = 'given';
      return this.#lend(chunk);
    }
    const socket = this.socket;
    socket.off('data', this.#onData).off('end', this.#onEnd).off('timeout', this.#onTimeout);
    socket.off('error', this.#onError).off('drain', this.#onDrain).off('close', this.#onClose);
    this.#world.open.delete(this);
    socket.setTimeout(0);
    // A socket that flows would not give back what is put back.
    socket.pause();
    socket.unshift(chunk);
    this.#world.serve(socket);
    socket.resume();
  }

  wanted(): void {
    if (this.#gone === undefined) this.socket.resume();
  }

  left(): void {
    // A detour that is idle is nobody's while a request is under way here.
    const idle = this.#lent === undefined && !this.socket.destroyed;
    this.#detour = undefined;
    const busy = this.#exchange !== undefined || this.#state === 'asked';
    if (!idle || !busy) this.socket.destroy();
  }

  over(close: boolean): void {
    this.#exchange = undefined;
    if (!close) return this.#rest();
    this.#state = 'over';
    this.#waiting = NOTHING;
    this.socket.destroySoon();
  }

  // Whoever ends its half asks for nothing more, and gets what has been answered.
  readonly #onEnd = (): void => {
    if (this.#lent === undefined) this.socket.destroySoon();
    else this.#lent.push(null);
  };

  readonly #onTimeout = (): void => {
    if (this.#exchange !== undefined) this.#exchange.stalled();
    else if (this.#lent === undefined) this.socket.destroy();
    else this.#lent.emit('timeout');
  };

  readonly #onError = (error: Error): void => {
    if (this.#lent === undefined) this.socket.destroy();
    else this.#lent.destroy(error);
  };

  readonly #onClose = (): void => {
    this.#world.open.delete(this);
    this.#sent();
    this.#exchange?.lost();
    this.#detour?.destroy();
  };
}
