// A TCP proxy on a free port of the loopback, in front of a real server, whose two directions are
// spoilt at run time: cut, refused, hung, delayed, slowed down, cut inside an answer. What hangs is
// kept and delivered later, the end of a connection too, as after a partition of a network. It
// knows nothing of what it carries.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** `up` is what the client says, `down` is what the server says. */
export type Direction = 'up' | 'down';

export type Lane =
  | { readonly kind: 'flow' }
  | { readonly kind: 'hang' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  /** Each connection is reset after so many bytes more in this direction. */
  | { readonly kind: 'cut-after'; readonly bytes: number };

const FLOW: Lane = { kind: 'flow' };
/** More is not read from a peer while so much of it waits. */
const WAITING_BYTES_MAX = 1 << 20;
const SLICE_MS = 20;

interface Waiting {
  readonly at: number;
  /** Nothing: the peer has ended. */
  readonly bytes: Buffer | undefined;
}

export class Proxy {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #lanes: Record<Direction, Lane> = { up: FLOW, down: FLOW };
  readonly #pairs = new Set<Pair>();
  #refusing = false;
  #accepted = 0;

  private constructor(target: { host: string; port: number }) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  static async open(target: { host?: string; port: number }): Promise<Proxy> {
    const proxy = new Proxy({ host: '127.0.0.1', ...target });
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections so far, and those that are open. */
  get accepted(): number {
    return this.#accepted;
  }

  get open(): number {
    return this.#pairs.size;
  }

  /** Resets every connection there is; new ones are taken. */
  cut(): void {
    for (const pair of this.#pairs) pair.reset();
  }

  /** New connections are reset at once; those that are there stay. */
  refuse(on = true): void {
    this.#refusing = on;
  }

  /** Connections are taken and stand, and nothing is delivered either way. */
  hang(): void {
    this.spoil('up', { kind: 'hang' });
    this.spoil('down', { kind: 'hang' });
  }

  spoil(direction: Direction, lane: Lane): void {
    this.#lanes[direction] = lane;
    for (const pair of this.#pairs) pair.changed(direction);
  }

  /** All flows again; what has waited is delivered. */
  heal(): void {
    this.#refusing = false;
    this.spoil('up', FLOW);
    this.spoil('down', FLOW);
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    this.#accepted += 1;
    if (this.#refusing) {
      client.on('error', () => client.destroy());
      client.resetAndDestroy();
      return;
    }
    const server = connect({ ...this.#target, allowHalfOpen: true });
    const pair: Pair = new Pair(client, server, {
      lane: (direction) => this.#lanes[direction],
      over: () => void this.#pairs.delete(pair),
    });
    this.#pairs.add(pair);
  }
}

interface PairOptions {
  readonly lane: (direction: Direction) => Lane;
  readonly over: () => void;
}

/** One client's connection and the one to the server that it stands for. */
class Pair {
  readonly #sockets: readonly [Socket, Socket];
  readonly #pumps: Record<Direction, Pump>;
  readonly #over: () => void;

  constructor(client: Socket, server: Socket, { lane, over }: PairOptions) {
    this.#sockets = [client, server];
    this.#over = over;
    const reset = (): void => this.reset();
    this.#pumps = {
      up: new Pump(client, server, { lane: () => lane('up'), reset }),
      down: new Pump(server, client, { lane: () => lane('down'), reset }),
    };
    for (const socket of this.#sockets) {
      socket.setNoDelay(true);
      socket.once('close', () => {
        if (this.#sockets.every(({ destroyed }) => destroyed)) over();
      });
    }
  }

  changed(direction: Direction): void {
    this.#pumps[direction].changed();
  }

  reset(): void {
    for (const pump of Object.values(this.#pumps)) pump.stop();
    for (const socket of this.#sockets) resetNow(socket);
    this.#over();
  }
}

/**
 * One that is ending is closed only: the loop refuses to reset it then, and its handle would be
 * lost without being closed, so that the process could not end.
 */
export function resetNow(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** One direction of a connection: what waits, in order, and when the next of it may go. */
class Pump {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #lane: () => Lane;
  readonly #reset: () => void;
  readonly #waiting: Waiting[] = [];
  #bytes = 0;
  #passed = 0;
  #notBefore = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, { lane, reset }: { lane: () => Lane; reset: () => void }) {
    this.#from = from;
    this.#to = to;
    this.#lane = lane;
    this.#reset = reset;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.once('end', () => this.#take(undefined));
    // An error is followed by close; whatever broke, the other side hears of it as of an end.
    let broken = false;
    from.on('error', () => {
      broken = true;
    });
    from.once('close', () => {
      if (broken) this.#take(undefined);
    });
    to.on('drain', () => this.#go());
  }

  changed(): void {
    this.#passed = 0;
    this.#go();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }

  #take(bytes: Buffer | undefined): void {
    this.#waiting.push({ at: performance.now(), bytes });
    this.#bytes += bytes?.length ?? 0;
    if (this.#bytes > WAITING_BYTES_MAX) this.#from.pause();
    this.#go();
  }

  #go(): void {
    clearTimeout(this.#timer);
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined || this.#to.writableNeedDrain) return;
      const lane = this.#lane();
      if (lane.kind === 'hang') return;
      const leftMs = this.#dueAt(first, lane) - performance.now();
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.#go(), leftMs);
        return;
      }
      if (first.bytes === undefined) {
        this.#waiting.shift();
        this.#to.end();
      } else if (!this.#pass(first.bytes, lane)) {
        return;
      }
    }
  }

  /** False when nothing more may go now. */
  #pass(bytes: Buffer, lane: Lane): boolean {
    const room = roomFor(lane, this.#passed);
    const part = bytes.subarray(0, room);
    this.#advance(bytes, part.length);
    if (part.length > 0) this.#to.write(part);
    if (lane.kind === 'cut-after' && this.#passed >= lane.bytes) {
      // What was written before has to be on its way, or the cut would not be inside it.
      this.stop();
      setImmediate(this.#reset);
      return false;
    }
    if (lane.kind === 'slow') this.#notBefore = performance.now() + SLICE_MS;
    return true;
  }

  #dueAt(first: Waiting, lane: Lane): number {
    if (lane.kind === 'delay') return first.at + lane.ms;
    return lane.kind === 'slow' ? this.#notBefore : 0;
  }

  #advance(bytes: Buffer, length: number): void {
    this.#passed += length;
    this.#bytes -= length;
    if (this.#bytes <= WAITING_BYTES_MAX) this.#from.resume();
    if (length === bytes.length) this.#waiting.shift();
    else this.#waiting[0] = { at: this.#waiting[0]?.at ?? 0, bytes: bytes.subarray(length) };
  }
}

function roomFor(lane: Lane, passed: number): number {
  if (lane.kind === 'cut-after') return Math.max(0, lane.bytes - passed);
  if (lane.kind === 'slow') return Math.max(1, Math.floor((lane.bytesPerSecond * SLICE_MS) / 1000));
  return Infinity;
}
