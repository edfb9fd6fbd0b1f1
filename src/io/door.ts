// The gateway's own listener: Node's http server with strict settings and hard bounds on time and
// size, and HTTP/2 for the connections that begin with it. Refuses what cannot even be parsed; it
// decides nothing else.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Config } from '../core/rules/config.ts';
import { answerOf } from '../flow/shortcut.ts';
import { Detour } from './detour.ts';
import type { Exchange } from './exchange.ts';
import { openFastPath } from './fast-path.ts';
import { awaited, headOf, inTurn, ReplyByLines } from './http1.ts';
import { lastWord, type Word } from './last-word.ts';
import { openSessions, type Sessions } from './sessions.ts';
import type { Ready, Shortcuts } from './shortcuts.ts';
import { isWebSocket } from './tunnel.ts';

/** The listener, with what its own closing does not end. */
export interface Door {
  readonly server: Server;
  /** Ends what has not begun to speak, and HTTP/2 gently: what is under way goes on. */
  drain(): void;
  /** Ends all of HTTP/2. */
  end(): void;
}

export interface DoorParts {
  /** Takes a request that no shortcut answers. */
  readonly handle: (exchange: Exchange) => void;
  /** An answer is on its way without it; called back when it is there. */
  readonly sends: () => () => void;
  readonly shortcuts: Shortcuts;
}

/** A server that keeps to the limits of the configuration. */
export function openDoor(
  config: Config, { handle: handler, sends, shortcuts }: DoorParts,
): Door {
  const { limits, tls } = config;
  const requestTimeout = limits.requestTimeoutMs;
  // Node refuses a head that may take longer than the whole request.
  const headersTimeout = Math.min(limits.headersTimeoutMs, requestTimeout || Infinity);
  const options = {
    maxHeaderSize: limits.headerBytes,
    requestTimeout,
    headersTimeout,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, headersTimeout),
    insecureHTTPParser: false,
    // What else a client offers is ignored (Node from 24.9 on; before that it is refused).
    shouldUpgradeCallback: isWebSocket,
    // The door refuses these itself, with a reason.
    requireHostHeader: false,
  };
  const tell = telling({ handle: handler, sends, shortcuts }, limits.sendTimeoutMs);
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    latest.set(request.socket, response);
    if (lent(request)) {
      response.once('close', () => fast?.answered(response));
      return inTurn(request, response, handler);
    }
    tell(request, response);
  };
  const pem = tls && {
    cert: readFileSync(tls.cert), key: readFileSync(tls.key), ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: headersTimeout,
  };
  const server = pem === undefined
    ? createServer(options, handle)
    : createTlsServer({ ...options, ...pem }, handle);
  const sessions = openSessions(limits, handler);
  const silent = new Silent();
  const serve = servingOf(server, pem === undefined ? 'connection' : 'secureConnection');
  const fast = pem === undefined && config.fastPath
    ? openFastPath({
      shortcuts,
      sends,
      serve: (connection) => serve(connection as Socket),
      handle: handler,
      keepAliveMs: limits.keepAliveTimeoutMs,
      sendTimeoutMs: limits.sendTimeoutMs,
      headBytesMax: limits.headerBytes,
    })
    : undefined;
  const take = (socket: Socket, first: Buffer): void => {
    if (fast !== undefined) return fast.take(socket, first);
    socket.unshift(first);
    serve(socket);
  };
  if (pem === undefined) bySight(server, { sessions, silent, take, ms: headersTimeout });
  else byName(server, { sessions, silent, serve });
  silent.watch(server);
  // All field lines are counted by the door; Node would silently drop those over its bound.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections;
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    awaited.add(request);
    handle(request, response);
  });
  // Any other expectation: the door says 417.
  server.on('checkExpectation', handle);
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    // From here on the socket is ours alone, its errors too.
    socket.on('error', () => socket.destroy());
    lastWord(socket, { kind: 'refuse', because: 'method-not-allowed', status: 405 });
  });
  return {
    server,
    drain() {
      silent.end();
      fast?.drain();
      sessions.drain();
    },
    end() {
      fast?.end();
      sessions.end();
    },
  };
}

/** A hit again is answered at once, anything else in turn. */
function telling(
  { handle, sends, shortcuts }: DoorParts, sendTimeoutMs: number,
): (request: IncomingMessage, response: ServerResponse) => void {
  const sendAtOnce = (
    { said }: Ready, request: IncomingMessage, response: ServerResponse,
  ): void => {
    const answer = answerOf(said);
    const reply = new ReplyByLines(response);
    reply.send(answer, answer.body as Uint8Array | undefined);
    if (request.socket.writableLength === 0) return;
    reply.whenOver(sends());
    reply.onStalled(sendTimeoutMs, () => reply.cutOff());
  };
  return (request, response) => {
    const head = response.socket === null ? undefined : headOf(request);
    const ready = head === undefined ? undefined : shortcuts.answer(head, request.socket);
    if (ready === undefined || ready === 'drawn') {
      return inTurn(request, response, handle, ready === 'drawn');
    }
    if (!(ready instanceof Promise)) return sendAtOnce(ready, request, response);
    const over = sends();
    void ready.then((found) => {
      over();
      if (response.destroyed) return;
      if (found === undefined) inTurn(request, response, handle);
      else sendAtOnce(found, request, response);
    });
  };
}

/** Whether it comes from the fast path, which has looked for it already. */
const lent = ({ socket }: IncomingMessage): boolean => (socket as unknown) instanceof Detour;

type Serve = (socket: Socket) => void;

/** What the server does with a connection by itself, from now on done by whoever takes it. */
function servingOf(server: Server, event: 'connection' | 'secureConnection'): Serve {
  const listeners = server.listeners(event) as Serve[];
  server.removeAllListeners(event);
  return (socket) => {
    for (const listener of listeners) listener.call(server, socket);
  };
}

/** Connections that have not begun to speak, which neither Node nor anybody else knows yet. */
class Silent {
  readonly #sockets = new Map<string, Socket>();

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      this.#sockets.set(nameOf(socket), socket);
      socket.once('close', () => this.spoke(socket));
    });
  }

  /** By its address, since the socket of TLS is another one. */
  spoke(socket: Socket): void {
    this.#sockets.delete(nameOf(socket));
  }

  end(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#sockets.clear();
  }
}

const names = new WeakMap<Socket, string>();

// A socket that is closed has no address any more.
function nameOf(socket: Socket): string {
  const name = names.get(socket) ?? `${socket.remoteAddress} ${socket.remotePort}`;
  names.set(socket, name);
  return name;
}

/** Behind TLS the client has said by which protocol it goes on (RFC 7301). */
function byName(
  server: Server,
  { sessions, silent, serve }: { sessions: Sessions; silent: Silent; serve: Serve },
): void {
  server.on('secureConnection', (socket: TLSSocket) => {
    silent.spoke(socket);
    if (socket.alpnProtocol === 'h2') sessions.take(socket);
    else serve(socket);
  });
}

// RFC 9113 §3.4: with this a client of HTTP/2 begins, which no request of HTTP/1 does.
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** In clear text the first bytes say it (§3.3); they must be here in their time. */
function bySight(
  server: Server,
  { sessions, silent, take, ms }: {
    sessions: Sessions; silent: Silent; take: (socket: Socket, first: Buffer) => void; ms: number;
  },
): void {
  server.on('connection', (socket: Socket) => {
    let seen = Buffer.alloc(0);
    const late = setTimeout(() => socket.destroy(), ms);
    late.unref();
    const look = (): void => {
      const more = socket.read() as Buffer | null;
      if (more === null) return;
      seen = Buffer.concat([seen, more]);
      const length = Math.min(seen.length, PREFACE.length);
      const like = PREFACE.compare(seen, 0, length, 0, length) === 0;
      if (like && length < PREFACE.length) return;
      letGo();
      silent.spoke(socket);
      if (!like) return take(socket, seen);
      socket.unshift(seen);
      sessions.take(socket);
    };
    const gone = (): void => {
      letGo();
      socket.destroy();
    };
    const letGo = (): void => {
      clearTimeout(late);
      socket.off('readable', look).off('end', gone).off('error', gone).off('close', letGo);
    };
    socket.on('readable', look).on('end', gone).on('error', gone).on('close', letGo);
  });
}

/** The last request of each connection, by its answer: nonsense came after it, or inside it. */
const latest = new WeakMap<Duplex, ServerResponse>();

/**
 * Hands upgrades over. Who asks for one before the answers to what was asked have come is cut off:
 * Node lets go of the connection at once, and nobody would bring those answers to their end.
 */
export function onUpgrade(
  server: Server, open: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const last = latest.get(socket);
    if (last === undefined || last.writableFinished) open(request, socket, head);
    else socket.destroy();
  });
}

/** Answers what cannot even be parsed; the same words whatever it was. */
export function refuseUnparsed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const last = latest.get(socket);
  if (last !== undefined && !last.writableFinished) {
    if (last.req.complete) return closeAfter(last, socket);
    // Into an answer that has begun, or is not its turn yet, nothing else may be written.
    if (last.headersSent || last.socket !== socket) {
      socket.destroy();
      return;
    }
  }
  lastWord(socket, unparsed(error.code));
}

function unparsed(code: string | undefined): Word {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return { kind: 'refuse', because: 'too-many-fields', status: 431 };
  }
  const status = code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  return { kind: 'refuse', because: 'bad-framing', status };
}

/** What was asked before the nonsense is still answered; then nothing more is read. */
function closeAfter(last: ServerResponse, socket: Socket): void {
  if (!last.shouldKeepAlive) return;
  last.shouldKeepAlive = false;
  last.once('finish', () => socket.destroySoon());
}
