// The wire itself, for tests: a client and an upstream that send exactly the bytes they are told
// to, and a gateway between them. Bytes are written and read as latin1, one character a byte.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { compose, type Composed } from '../src/compose/gateway.ts';
import { openListeners } from '../src/compose/listeners.ts';
import { parseRules } from '../src/core/rules/parse.ts';
import { printProblem } from '../src/core/rules/problem.ts';
import type { Clock } from '../src/flow/ports.ts';

const PATIENCE_MS = 10_000;

interface Teardown {
  teardown(callback: () => Promise<void> | void): void;
}

export interface RawAnswer {
  readonly status: number;
  readonly reason: string;
  /** The head as it came, without its empty line. */
  readonly head: string;
  /** The values of a field, one for each line. */
  values(name: string): string[];
  readonly body: string;
  /** Lines of a chunked body's trailer section. */
  readonly trailers: readonly string[];
}

/** Bytes from a socket, taken apart by whoever asks for more of them. */
class Inbox {
  #text = '';
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#text += text;
      this.#wake?.();
    });
    socket.on('end', end);
    socket.on('close', end);
  }

  get text(): string {
    return this.#text;
  }

  take(length: number): string {
    const taken = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return taken;
  }

  /** Up to and without the mark; undefined when the other side ends before it. */
  async upTo(mark: string): Promise<string | undefined> {
    for (;;) {
      const at = this.#text.indexOf(mark);
      if (at >= 0) return this.take(at + mark.length).slice(0, at);
      if (!(await this.more())) return undefined;
    }
  }

  async exactly(length: number): Promise<string | undefined> {
    while (this.#text.length < length) if (!(await this.more())) return undefined;
    return this.take(length);
  }

  async toTheEnd(): Promise<string> {
    while (await this.more());
    return this.take(this.#text.length);
  }

  /** False when nothing will come any more. */
  async more(): Promise<boolean> {
    if (this.#ended) return false;
    const had = this.#text.length;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#wake = resolve;
      timer = setTimeout(() => reject(new Error(`nothing came after ${had} bytes`)), PATIENCE_MS);
    }).finally(() => clearTimeout(timer));
    return this.#text.length > had || !this.#ended;
  }
}

export class RawClient {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly #inbox: Inbox;
  #errors = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#inbox = new Inbox(socket);
    // A connection that is broken off by the other side is what many tests wait for.
    socket.on('error', () => {
      this.#errors += 1;
    });
    this.closed = new Promise((resolve) => void socket.once('close', () => resolve()));
  }

  get broken(): boolean {
    return this.#errors > 0;
  }

  /** What has come and was not taken. */
  get rest(): string {
    return this.#inbox.text;
  }

  write(...parts: string[]): this {
    this.socket.write(parts.join(''), 'latin1');
    return this;
  }

  /** The next answer; undefined when the connection ends instead, or inside it. */
  async answer({ toHead = false } = {}): Promise<RawAnswer | undefined> {
    const head = await this.#inbox.upTo('\r\n\r\n');
    if (head === undefined) return undefined;
    const [line = '', ...lines] = head.split('\r\n');
    const [, status = '', reason = ''] = /^HTTP\/1\.1 (\d{3})(?: (.*))?$/.exec(line) ?? [];
    const values = (name: string): string[] => lines
      .filter((text) => text.toLowerCase().startsWith(`${name}:`))
      .map((text) => text.slice(name.length + 1).trim());
    const known = { status: Number(status), reason, head, values };
    const code = known.status;
    const bare = toHead || code < 200 || code === 204 || code === 304;
    const body = bare ? { body: '', trailers: [] } : await this.#body(values);
    return body === undefined ? undefined : { ...known, ...body };
  }

  async #body(
    values: (name: string) => string[],
  ): Promise<Pick<RawAnswer, 'body' | 'trailers'> | undefined> {
    if (values('transfer-encoding')[0] === 'chunked') return this.#chunks();
    const [length] = values('content-length');
    const body = length === undefined
      ? await this.#inbox.toTheEnd()
      : await this.#inbox.exactly(Number(length));
    return body === undefined ? undefined : { body, trailers: [] };
  }

  async #chunks(): Promise<Pick<RawAnswer, 'body' | 'trailers'> | undefined> {
    let body = '';
    for (;;) {
      const size = await this.#inbox.upTo('\r\n');
      if (size === undefined) return undefined;
      const length = Number.parseInt(size, 16);
      if (length === 0) break;
      const chunk = await this.#inbox.exactly(length + 2);
      if (chunk === undefined) return undefined;
      body += chunk.slice(0, -2);
    }
    const trailers: string[] = [];
    for (;;) {
      const line = await this.#inbox.upTo('\r\n');
      if (line === undefined) return undefined;
      if (line === '') return { body, trailers };
      trailers.push(line);
    }
  }

  /** Waits until a piece of text has come, and takes everything up to its end. */
  async sees(text: string): Promise<boolean> {
    return (await this.#inbox.upTo(text)) !== undefined;
  }

  /** Everything that comes until the other side ends. */
  toTheEnd(): Promise<string> {
    return this.#inbox.toTheEnd();
  }

  /** Breaks off without a farewell. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
}

/** `from`: another address of the loopback. */
export async function dial(t: Teardown, address: string, from?: string): Promise<RawClient> {
  const { hostname, port } = new URL(address);
  const socket = connect({
    host: hostname, port: Number(port), ...(from === undefined ? {} : { localAddress: from }),
  });
  const client = new RawClient(socket);
  t.teardown(() => void socket.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve());
    socket.once('error', reject);
  });
  return client;
}

/** A request on a connection of its own, that is closed after its answer. */
export async function once(t: Teardown, address: string, ...parts: string[]): Promise<RawAnswer> {
  const client = await dial(t, address);
  const answer = await client.write(...parts).answer();
  if (answer === undefined) throw new Error('no answer came');
  client.socket.destroy();
  return answer;
}

/** One request as a raw upstream sees it. */
export interface Exchange {
  /** `GET /posts` */
  readonly line: string;
  readonly head: string;
  readonly body: string;
  readonly socket: Socket;
  /** Which connection it came on, from 0; and which request of that one. */
  readonly connection: number;
  readonly turn: number;
  readonly write: (...parts: string[]) => void;
}

export interface RawUpstream {
  readonly url: string;
  readonly seen: string[];
  readonly exchanges: Exchange[];
  /** Connections so far, and those that are open. */
  readonly connections: number;
  readonly open: number;
  count(line: string): number;
  close(): Promise<void>;
}

/** An upstream that answers each request with what `script` writes. */
export async function rawUpstream(
  t: Teardown,
  script: (exchange: Exchange) => unknown,
): Promise<RawUpstream> {
  const seen: string[] = [];
  const exchanges: Exchange[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    const connection = connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    void converse(socket, connection, (exchange) => {
      seen.push(exchange.line);
      exchanges.push(exchange);
      return script(exchange);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> => new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
  t.teardown(close);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    exchanges,
    get connections() {
      return connections;
    },
    get open() {
      return sockets.size;
    },
    count: (line) => seen.filter((other) => other === line).length,
    close,
  };
}

async function converse(
  socket: Socket,
  connection: number,
  tell: (exchange: Exchange) => unknown,
): Promise<void> {
  const inbox = new Inbox(socket);
  for (let turn = 0; ; turn += 1) {
    const head = await patiently(inbox.upTo('\r\n\r\n'));
    if (head === undefined) return;
    const line = head.split(' ', 2).join(' ');
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    const chunked = /\r\ntransfer-encoding: *chunked/i.test(head);
    const body = chunked ? await patiently(inbox.upTo('0\r\n\r\n')) : await inbox.exactly(length);
    if (body === undefined) return;
    const write = (...parts: string[]): void => void socket.write(parts.join(''), 'latin1');
    await tell({ line, head, body, socket, connection, turn, write });
  }
}

/** An idle connection says nothing for as long as it likes. */
async function patiently(wanted: Promise<string | undefined>): Promise<string | undefined> {
  return wanted.catch((error: unknown) => {
    if (error instanceof Error && error.message.startsWith('nothing came')) return undefined;
    throw error;
  });
}

/** An answer with its length. */
export function ok(body: string, ...fields: string[]): string {
  const lines = ['HTTP/1.1 200 OK', ...fields, `Content-Length: ${body.length}`];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

export interface Front {
  readonly url: string;
  readonly composed: Composed;
  close(): Promise<void>;
}

/** A gateway before an address; `rules` is the rest of its file. */
export async function front(
  t: Teardown,
  upstream: string,
  { rules = '', options = '', clock, sample = 0 }: {
    rules?: string; options?: string; clock?: Clock; sample?: number;
  } = {},
): Promise<Front> {
  const yaml = `upstream: { url: "${upstream}"${options && `, ${options}`} }\n` +
    `listen: 127.0.0.1:0\nadmin: off\nlog: { level: silent, sample: ${sample} }\n${rules}`;
  const parsed = parseRules(yaml, { file: 'routes.yaml', env: {} });
  if (parsed.kind === 'wrong') throw new Error(parsed.problems.map(printProblem).join('\n'));
  const { config } = parsed;
  const composed = await compose(config, clock === undefined ? {} : { clock });
  const listeners = await openListeners(composed, config, {
    masked: () => ({}), refused: () => [],
  });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => closed ??= (async () => {
    await listeners.close();
    await composed.close();
  })();
  t.teardown(close);
  return { url: `http://${listeners.gateway}`, composed, close };
}
