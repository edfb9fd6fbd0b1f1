// One exchange of the plainest kind: a GET or HEAD without a body, in a head of plain lines, read
// from the socket and answered on it. Says what Node's own server would say, in its words.
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { field, type Fields, hasField, tokens } from '../core/http/message.ts';
import type { Answer, Incoming } from '../flow/ports.ts';
import { connected, type Exchange, hintsOf, type Reply, type Way } from './exchange.ts';
import { Leaving } from './gone.ts';
import { asText, headText, linesOf, ownText } from './wire.ts';

/** The connection, as an exchange on it sees it. */
export interface Line {
  readonly socket: Socket;
  /** The field lines of an answer after which the connection stays. */
  readonly keepAlive: string;
  /** The answer has gone out; `close`: it was the last. */
  over(close: boolean): void;
}

// RFC 9112 §2.1, in its plainest form: the request line and field lines as all parsers read them.
const LINE = /^[A-Z-]{1,20} \/[!-~]* HTTP\/1\.1\r\n/;
const FIELDS = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)+\r\n$/;
const isPlain = (head: string): boolean =>
  LINE.test(head) && FIELDS.test(head.slice(head.indexOf('\n') + 1));

const DOUBTFUL = /\r\n(?:transfer-encoding|upgrade|expect|content-length):/i;
const LENGTH = /\r\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r\n/i;

/** How many bytes follow a whole head; undefined where that may be doubted. */
export function bodyBytes(head: string): number | undefined {
  if (!isPlain(head) || head.startsWith('CONNECT ')) return undefined;
  if (!DOUBTFUL.test(head)) return 0;
  const [, length] = LENGTH.exec(head) ?? [];
  const once = length !== undefined && !DOUBTFUL.test(head.replace(LENGTH, '\r\n'));
  if (!once) return undefined;
  return Number(length);
}

// Node takes the one for the other.
const CONNECTION = ['connection', 'proxy-connection'];

/** Undefined for any other; `head`: plain lines to the empty one, as latin1. */
export function plainExchange(
  head: string, { line, drawn }: { line: Line; drawn: boolean },
): PlainExchange | undefined {
  if (!head.startsWith('GET ') && !head.startsWith('HEAD ')) return undefined;
  const [request = '', ...lines] = head.slice(0, -4).split('\r\n');
  const fields: string[] = [];
  for (const text of lines) {
    const colon = text.indexOf(':');
    const value = text.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, '');
    // They may be kept for longer than their head.
    fields.push(ownText(text.slice(0, colon)), ownText(value));
  }
  const options = CONNECTION.flatMap((name) => tokens(field(fields, name)));
  if (options.some((option) => option !== 'keep-alive')) return undefined;
  const [method = '', target = ''] = request.split(' ');
  return new PlainExchange({ head, method, target: ownText(target), fields, drawn }, line);
}

interface Asked {
  readonly head: string;
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
  readonly drawn: boolean;
}

export class PlainExchange implements Exchange, Reply {
  readonly head: string;
  readonly fields: Fields;
  readonly drawn: boolean;
  readonly #asked: Asked;
  readonly #line: Line;
  readonly #gone = new Leaving();
  #headSent = false;
  #over = false;
  /** The connection ends with this answer. */
  #closes = false;
  #framing: 'none' | 'length' | 'chunked' = 'length';
  #trailers: Fields = [];
  #out: Writable | undefined;
  #onStalled: (() => void) | undefined;
  #whenOver: (() => void)[] = [];

  constructor(asked: Asked, line: Line) {
    this.#asked = asked;
    this.#line = line;
    this.head = asked.head;
    this.fields = asked.fields;
    this.drawn = asked.drawn;
  }

  get reply(): Reply {
    return this;
  }

  incoming(way: Way): Incoming {
    const { method, target, fields } = this.#asked;
    const peer = { address: this.#line.socket.remoteAddress ?? '', secure: false };
    return {
      ...connected(fields, peer, way),
      method,
      target,
      fields,
      httpVersion: '1.1',
      authority: field(fields, 'host')?.toLowerCase() ?? '',
      body: undefined,
      gone: this.#gone,
      inform: (status, extra) => this.#inform(status, extra),
    };
  }

  unread(): boolean {
    return false;
  }

  get headSent(): boolean {
    return this.#headSent;
  }

  get over(): boolean {
    return this.#over || !this.#line.socket.writable;
  }

  last(): void {
    this.#closes = true;
  }

  cutOff(): void {
    this.#line.socket.destroy();
  }

  whenOver(callback: () => void): void {
    if (this.#over) callback();
    else this.#whenOver.push(callback);
  }

  onStalled(ms: number, callback: () => void): void {
    if (this.#over) return;
    this.#onStalled = callback;
    this.#line.socket.setTimeout(ms);
  }

  /** Nothing was taken or sent for that long: an upstream's silence is not the client's. */
  stalled(): void {
    if (this.#line.socket.writableLength > 0) this.#onStalled?.();
  }

  /** The connection is gone. */
  lost(): void {
    if (this.#over) return;
    this.#gone.abort();
    this.#out?.destroy();
    this.#end();
  }

  send(answer: Answer, body: Uint8Array | undefined): void {
    const { socket } = this.#line;
    const size = body?.byteLength ?? 0;
    const head = this.#headOf(answer, size);
    this.#headSent = true;
    if (body === undefined || size === 0 || this.#framing === 'none') {
      socket.write(head, 'latin1');
    } else {
      const text = asText(body);
      socket.cork();
      socket.write(text === undefined ? head : head + text, 'latin1');
      if (text === undefined) socket.write(body);
      socket.uncork();
    }
    if (socket.writableLength === 0) this.#end();
    else socket.write('', () => this.#end());
  }

  /** The head goes with the first of the body, if that is here at once. */
  stream(answer: Answer): boolean {
    const { socket } = this.#line;
    const head = this.#headOf(answer, undefined);
    this.#headSent = true;
    socket.cork();
    socket.write(head, 'latin1');
    process.nextTick(() => socket.uncork());
    return true;
  }

  get out(): Writable {
    return this.#out ??= new Writable({
      decodeStrings: false,
      write: (chunk: Uint8Array, _encoding, done) => this.#write(chunk, done),
      final: (done) => this.#finish(done),
      destroy: (error, done) => {
        if (!this.#over && !this.#out!.writableFinished) this.#line.socket.destroy();
        done(error);
      },
    })
      // What goes wrong on a client's connection ends it, and is nobody's error.
      .on('error', () => undefined)
      .once('finish', () => this.#end());
  }

  trailers(fields: Fields): void {
    this.#trailers = fields;
  }

  #write(chunk: Uint8Array, done: (error?: Error | null) => void): void {
    const { socket } = this.#line;
    if (this.#framing === 'none' || chunk.byteLength === 0) return done();
    if (this.#framing === 'length') return void socket.write(chunk, done);
    socket.cork();
    socket.write(`${chunk.byteLength.toString(16)}\r\n`, 'latin1');
    socket.write(chunk);
    socket.write('\r\n', 'latin1', done);
    socket.uncork();
  }

  #finish(done: (error?: Error | null) => void): void {
    const { socket } = this.#line;
    let end = '';
    if (this.#framing === 'chunked') end = `0\r\n${linesOf(this.#trailers)}\r\n`;
    socket.write(end, 'latin1', done);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    for (const callback of this.#whenOver) callback();
    this.#line.over(this.#closes);
  }

  /** `size`: of a body that is here; undefined where it is still to come. */
  #headOf(answer: Answer, size: number | undefined): string {
    const { status, fields } = answer;
    const bodyless = this.#asked.method === 'HEAD' || status === 204 || status === 304;
    const sized = hasField(fields, 'content-length');
    this.#framing = bodyless ? 'none' : sized || size !== undefined ? 'length' : 'chunked';
    const chunked = this.#framing === 'chunked';
    let more = this.#closes ? 'Connection: close\r\n' : this.#line.keepAlive;
    if (chunked) more += 'Transfer-Encoding: chunked\r\n';
    else if (!bodyless && !sized) more += `Content-Length: ${size}\r\n`;
    return headText(answer, { more, trailers: chunked });
  }

  // RFC 9110 §15.2; 100 and 101 are about another connection.
  #inform(status: number, fields: Fields): void {
    if ((status !== 102 && status !== 103) || this.#headSent || this.over) return;
    try {
      const said = status === 102 ? 'HTTP/1.1 102 Processing\r\n' : earlyHints(fields);
      if (said !== undefined) this.#line.socket.write(`${said}\r\n`, 'latin1');
    } catch {
      // A hint that cannot be sent is only a hint.
      return;
    }
  }
}

function earlyHints(fields: Fields): string | undefined {
  const hints = hintsOf(fields);
  if (hints === undefined) return undefined;
  const lines = linesOf(['Link', hints.links.join(', '), ...hints.others]);
  return `HTTP/1.1 103 Early Hints\r\n${lines}`;
}
