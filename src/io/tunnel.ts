// Upgrades to WebSocket: the handshake goes to the upstream, whose answer decides, and from its 101
// on bytes go both ways as they are. Nothing of what is said in a tunnel is looked at.
import { type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { atTheDoor } from '../core/http/door.ts';
import { endToEnd, field, type Fields, keepFields, tokens } from '../core/http/message.ts';
import { failBecause, failureStatus, type UpstreamFailure } from '../core/http/problem.ts';
import { forwardedFields } from '../core/key/forwarded.ts';
import type { UpstreamConfig } from '../core/rules/config.ts';
import { socketPathOf } from '../core/rules/upstream.ts';
import type { FailBecause, RefuseBecause } from '../core/verdict.ts';
import type { Live } from '../flow/gateway.ts';
import type { Ear } from '../flow/ports.ts';
import { connected } from './exchange.ts';
import { declaresBody } from './http1.ts';
import { lastWord } from './last-word.ts';
import type { Logger } from './log.ts';
import { readPem } from './pem.ts';

/** How long the other end may take to close its side, so that a drain has an end. */
const FAREWELL_MS = 2000;

export interface Tunnels {
  /** Takes over a connection whose client asks for an upgrade; `head`: what came behind. */
  open(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Ends all of them. */
  close(): Promise<void>;
}

interface Parts {
  readonly live: () => Live;
  readonly newId: () => string;
  readonly log: Logger;
  readonly ear: Ear;
}

export function openTunnels({ live, newId, log, ear }: Parts): Tunnels {
  const open = new Set<Duplex>();
  let closing = false;
  return {
    open(request, socket, head) {
      // Node has let go of this socket: without a listener a client that resets it would end us.
      socket.on('error', () => socket.destroy());
      if (closing) return void socket.destroy();
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      const id = newId();
      const say = (result: number | RefuseBecause | FailBecause): void =>
        log.info({ id, path: pathOf(request), result }, 'upgrade');
      const asked = allowed(request, live());
      if ('because' in asked) {
        say(asked.because);
        // RFC 9110 §15.5.22: a 426 says what would be spoken instead.
        const instead = asked.status === 426 ? ['Upgrade', 'HTTP/1.1'] : [];
        return lastWord(socket, { kind: 'refuse', ...asked }, instead);
      }
      try {
        handshake({ socket, head, say }, optionsFor(request, live(), asked, id));
      } catch (error) {
        // A certificate that can't be read, or a field that Node refuses to send.
        ear.trouble('config', { upstream: asked.upstream.url, error });
        say('upstream-refused');
        lastWord(socket, { kind: 'fail', because: 'upstream-refused', status: 502 });
      }
    },
    async close() {
      closing = true;
      for (const socket of open) socket.end();
      const late = setTimeout(() => {
        for (const socket of open) socket.destroy();
      }, FAREWELL_MS);
      await Promise.all([...open].map((socket) =>
        new Promise<void>((resolve) => void socket.once('close', () => resolve()))));
      clearTimeout(late);
    },
  };
}

/** Whether a request wants what is carried in tunnels. */
export function isWebSocket(
  { method, rawHeaders }: { readonly method?: string | undefined; readonly rawHeaders: Fields },
): boolean {
  return method === 'GET' && tokens(field(rawHeaders, 'upgrade')).includes('websocket');
}

const pathOf = ({ url = '' }: IncomingMessage): string => url.split('?', 1)[0]!.slice(0, 1024);

interface Allowed {
  readonly target: string;
  readonly upstream: UpstreamConfig;
}

/** What the door lets in; a path that the file says is read as plain HTTP is 426. */
function allowed(
  { method, url, rawHeaders, httpVersion }: IncomingMessage, { config, finder }: Live,
): Allowed | { readonly because: RefuseBecause; readonly status: number } {
  // RFC 9110 §7.8: "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0
  // request".
  const fits = httpVersion === '1.1' && isWebSocket({ method, rawHeaders });
  if (!fits) return { because: 'bad-upgrade', status: failureStatus('bad-upgrade') };
  const door = atTheDoor(
    {
      method: 'GET', target: url!, fields: rawHeaders, httpVersion,
      hasBody: declaresBody(rawHeaders),
    },
    { limits: config.limits, hosts: config.hosts, credentials: config.credentials.headers },
  );
  if (door.kind === 'refuse') return { because: door.because, status: door.status };
  const route = finder.match(door.path)?.route;
  const read = !config.implicit && route?.reads.has('GET') === true;
  if (read) return { because: 'bad-upgrade', status: 426 };
  const target = door.query === undefined ? door.path : `${door.path}?${door.query}`;
  return { target, upstream: route?.upstream ?? config.upstream };
}

// There is no body, and 100 is answered for each connection.
const NOT_ASKED = new Set([
  'host', 'content-length', 'trailer', 'expect', 'everfresh-refresh', 'everfresh_refresh',
]);

/** The request that the upstream gets: as any other that is passed, and the wish to upgrade. */
function optionsFor(
  { rawHeaders, socket }: IncomingMessage,
  { config, trusts, believedFrom }: Live,
  { target, upstream }: Allowed,
  id: string,
): RequestOptions & { readonly upstream: UpstreamConfig } {
  const peer = { address: socket.remoteAddress ?? '', secure: 'encrypted' in socket };
  const authority = keepFields(rawHeaders, (name) => name === 'host')[1]?.toLowerCase() ?? '';
  const way = { ...connected(rawHeaders, peer, { id, trusts }), authority, httpVersion: '1.1' };
  const fields = forwardedFields(
    keepFields(
      endToEnd(believedFrom(rawHeaders, way.peer)), (name) => !NOT_ASKED.has(name)),
    way, config,
  );
  const socketPath = socketPathOf(upstream);
  const url = new URL(socketPath === undefined ? upstream.url : 'http://localhost');
  const host = config.hosts.length > 0 ? [] : ['Host', url.host];
  return {
    upstream,
    method: 'GET',
    path: target,
    headers: [...host, ...fields, 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
    setHost: false,
    agent: false,
    timeout: upstream.connectTimeoutMs + upstream.headersTimeoutMs,
    ...(socketPath === undefined
      ? { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port } : { socketPath }),
    ...readPem(upstream),
  };
}

interface Handshake {
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly say: (result: number | FailBecause) => void;
}

function handshake(
  { socket, head, say }: Handshake,
  { upstream, ...options }: RequestOptions & { readonly upstream: UpstreamConfig },
): void {
  const send = upstream.url.startsWith('https:') ? httpsRequest : httpRequest;
  const asking = send(options);
  const early = new Early(socket, head);
  let over = false;
  // Who has left is told nothing.
  socket.once('close', () => {
    over = true;
    asking.destroy();
  });
  const fail = (failure: UpstreamFailure): void => {
    if (over) return;
    over = true;
    const because = failBecause(failure);
    say(because);
    lastWord(socket, { kind: 'fail', because, status: failureStatus(because) });
  };
  asking.once('timeout', () => {
    fail('timeout');
    asking.destroy();
  });
  asking.on('error', ({ code = '' }: NodeJS.ErrnoException) =>
    fail(code.startsWith('HPE_') ? 'broken' : code === 'ECONNRESET' ? 'reset' : 'refused'));
  asking.once('upgrade', (answer, other, behind) => {
    over = true;
    other.setTimeout(0);
    other.on('error', () => other.destroy());
    say(101);
    // The fields of one connection are what a handshake consists of.
    socket.write(headOf(answer, answer.rawHeaders), 'latin1');
    if (behind.length > 0) socket.write(behind);
    for (const chunk of early.taken()) other.write(chunk);
    join(socket, other);
  });
  asking.once('response', (answer) => {
    // Whoever switches says to what.
    if (answer.statusCode === 101) {
      fail('broken');
      return void asking.destroy();
    }
    over = true;
    asking.setTimeout(0);
    early.taken();
    say(answer.statusCode!);
    socket.write(headOf(answer, [...endToEnd(answer.rawHeaders), 'Connection', 'close']), 'latin1');
    // What is cut must not look like what has ended.
    answer.on('error', () => (socket as Partial<Socket>).resetAndDestroy?.() ?? socket.destroy());
    answer.pipe(socket);
  });
  asking.end();
}

const EARLY_BYTES_MAX = 65_536;

/** What a client says before the handshake is over; one that leaves then ends it. */
class Early {
  readonly #chunks: Buffer[];
  readonly #socket: Duplex;
  #bytes = 0;

  constructor(socket: Duplex, head: Buffer) {
    this.#socket = socket;
    this.#chunks = head.length > 0 ? [head] : [];
    socket.on('data', this.#take).on('end', this.#leave);
  }

  readonly #take = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > EARLY_BYTES_MAX) this.#socket.pause();
  };

  readonly #leave = (): void => void this.#socket.destroy();

  /** From here on others read. */
  taken(): readonly Buffer[] {
    this.#socket.off('data', this.#take).off('end', this.#leave).pause();
    return this.#chunks;
  }
}

/** Both ways, at the pace of who reads; whichever end goes, the other does as well. */
function join(one: Duplex, other: Duplex): void {
  one.pipe(other).pipe(one);
  one.once('close', () => other.destroy());
  other.once('close', () => one.destroy());
}

function headOf({ statusCode, statusMessage }: IncomingMessage, fields: Fields): string {
  let head = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]!}: ${fields[i + 1]!}\r\n`;
  return `${head}Via: 1.1 everfresh\r\n\r\n`;
}
