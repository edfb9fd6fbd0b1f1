// Frames of HTTP/2, for tests that say what no client would: a connection on which exactly these
// frames are sent, and what comes back taken apart (RFC 9113 §4). Field lines go as plain literals.
import { connect, type Socket } from 'node:net';
import type { Test } from 'tap';

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export const TYPE = {
  data: 0, headers: 1, priority: 2, reset: 3, settings: 4, ping: 6, goaway: 7, window: 8,
  continuation: 9,
} as const;

export const END_STREAM = 1;
export const END_HEADERS = 4;

/** One frame. */
export function frame(type: number, flags: number, stream: number, payload = ''): Buffer {
  const body = Buffer.from(payload, 'latin1');
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** Field lines as literals that nobody indexes (RFC 7541 §6.2.2). */
export function lines(...pairs: readonly (readonly [name: string, value: string])[]): string {
  return pairs.map(([name, value]) => `\0${text(name)}${text(value)}`).join('');
}

function text(value: string): string {
  if (value.length < 127) return String.fromCharCode(value.length) + value;
  let [length, rest] = ['\x7f', value.length - 127];
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    length += String.fromCharCode((rest % 128) + 128);
  }
  return length + String.fromCharCode(rest) + value;
}

/** The head of a plain GET. */
export const plain = (path: string, ...more: (readonly [string, string])[]): string => lines(
  [':method', 'GET'], [':scheme', 'http'], [':authority', 'a'], [':path', path], ...more,
);

interface Frame {
  readonly type: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export interface FrameClient {
  readonly socket: Socket;
  /** All that came so far. */
  readonly came: readonly Frame[];
  /** Resolves when the other side has closed. */
  readonly closed: Promise<void>;
  send(...frames: Buffer[]): void;
  /** The next frame of this type that was not asked for before; undefined when the end comes. */
  next(type: number): Promise<Frame | undefined>;
}

/** A connection that has said its preface and empty settings. */
export async function dialFrames(t: Test, address: string): Promise<FrameClient> {
  const { hostname, port } = new URL(address);
  const socket = connect({ host: hostname, port: Number(port) });
  t.teardown(() => void socket.destroy());
  socket.on('error', () => socket.destroy());
  const came: Frame[] = [];
  const asked = new Set<Frame>();
  let rest = Buffer.alloc(0);
  let wake: () => void = () => undefined;
  let over = false;
  socket.on('data', (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes]);
    for (; rest.length >= 9; rest = rest.subarray(9 + rest.readUIntBE(0, 3))) {
      const length = rest.readUIntBE(0, 3);
      if (rest.length < 9 + length) break;
      const payload = Buffer.from(rest.subarray(9, 9 + length));
      came.push({ type: rest[3]!, stream: rest.readUInt32BE(5), payload });
    }
    wake();
  });
  const closed = new Promise<void>((resolve) => void socket.once('close', () => {
    over = true;
    wake();
    resolve();
  }));
  await new Promise<void>((resolve) => void socket.once('connect', () => resolve()));
  socket.write(Buffer.concat([PREFACE, frame(TYPE.settings, 0, 0)]));
  return {
    socket,
    came,
    closed,
    send: (...frames) => void (socket.writable && socket.write(Buffer.concat(frames))),
    async next(type) {
      for (;;) {
        const found = came.find((one) => one.type === type && !asked.has(one));
        if (found !== undefined) {
          asked.add(found);
          return found;
        }
        if (over) return undefined;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
