// Connections of HTTP/2 (RFC 9113) that the door hands over: sessions with bounds on streams,
// resets, idle time and frames that ask for nothing. Each stream is one exchange (http2.ts).
import {
  constants, createServer, type ServerHttp2Session, type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Limits } from '../core/rules/config.ts';
import type { Exchange } from './exchange.ts';
import { exchangeByStream, PSEUDO } from './http2.ts';

/** Streams that a client may have reset at once, and more of them in each second. */
const RESETS_MAX = 200;
const RESETS_PER_SECOND = 20;

/** PING and SETTINGS frames in a second; more of them are no question. */
const FRAMES_PER_SECOND_MAX = 100;

/** Frames of a session that say nothing, or are malformed. */
const INVALID_FRAMES_MAX = 100;

/** How long a client may take to close its side when it was told that all is over. */
const FAREWELL_MS = 2000;

/** All sessions of a listener. */
export interface Sessions {
  /** Takes a connection over, with what was read of it put back. */
  take(socket: Socket): void;
  /** No new streams; those under way end. */
  drain(): void;
  /** Ends all at once. */
  end(): void;
}

export function openSessions(limits: Limits, handle: (exchange: Exchange) => void): Sessions {
  const sessions = new Map<ServerHttp2Session, Socket>();
  let socketOfNext: Socket | undefined;
  const server = createServer({
    settings: {
      maxConcurrentStreams: limits.streams,
      // Up to twice the bound is read, so that it can be answered; more resets the stream.
      maxHeaderListSize: 2 * limits.headerBytes,
    },
    maxHeaderListPairs: 2 * limits.headerCount + PSEUDO.length,
    maxSessionInvalidFrames: INVALID_FRAMES_MAX,
    streamResetBurst: RESETS_MAX,
    streamResetRate: RESETS_PER_SECOND,
    // What an upstream says twice is said twice.
    ...{ strictSingleValueFields: false },
  });
  // What goes wrong on one connection is nobody's error but its client's.
  server.on('sessionError', () => undefined);
  server.on('session', (session) => {
    const socket = socketOfNext!;
    sessions.set(session, socket);
    session.once('close', () => sessions.delete(session));
    guard(session, socket, limits);
  });
  server.on('stream', (given, _headers, _flags, rawHeaders: string[]) => {
    const stream = given as ServerHttp2Stream;
    stream.on('error', () => undefined);
    const { session } = stream;
    const socket = session && sessions.get(session as ServerHttp2Session);
    if (socket === undefined) return void stream.close(constants.NGHTTP2_REFUSED_STREAM);
    boundBody(stream, limits.requestTimeoutMs);
    handle(exchangeByStream(stream, rawHeaders, {
      address: socket.remoteAddress ?? '', secure: 'encrypted' in socket,
    }));
  });
  return {
    take(socket) {
      // Who ends its half takes no answers either (RFC 9113 §5.1 knows it of streams alone).
      socket.allowHalfOpen = false;
      socketOfNext = socket;
      server.emit('connection', socket);
    },
    drain() {
      for (const [session, socket] of sessions) leave(session, socket);
    },
    end() {
      for (const [session, socket] of sessions) {
        session.destroy();
        socket.destroy();
      }
    },
  };
}

/** Ends a session that asks for nothing: idle for too long, or busy with itself. */
function guard(session: ServerHttp2Session, socket: Socket, limits: Limits): void {
  let open = 0;
  let idle: NodeJS.Timeout | undefined;
  const wait = (ms: number): void => {
    idle = setTimeout(() => leave(session, socket), ms);
    idle.unref();
  };
  wait(limits.headersTimeoutMs);
  session.on('stream', (stream: ServerHttp2Stream) => {
    clearTimeout(idle);
    open += 1;
    stream.once('close', () => {
      open -= 1;
      if (open === 0 && !session.closed) wait(limits.keepAliveTimeoutMs);
    });
  });
  session.once('close', () => clearTimeout(idle));
  let since = performance.now();
  let frames = 0;
  const count = (): void => {
    const now = performance.now();
    if (now - since >= 1000) [since, frames] = [now, 0];
    frames += 1;
    if (frames > FRAMES_PER_SECOND_MAX) {
      session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      socket.destroySoon();
    }
  };
  session.on('ping', count);
  session.on('remoteSettings', count);
}

/** Says that nothing more is taken; a client that does not close then is closed. */
function leave(session: ServerHttp2Session, socket: Socket): void {
  session.close();
  session.once('close', () => {
    setTimeout(() => socket.destroy(), FAREWELL_MS).unref();
  });
}

/** The whole request must be here in its time, as on any other connection. */
function boundBody(stream: ServerHttp2Stream, ms: number): void {
  if (ms === 0 || stream.endAfterHeaders) return;
  const late = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), ms);
  late.unref();
  stream.once('end', () => clearTimeout(late));
  stream.once('close', () => clearTimeout(late));
}
