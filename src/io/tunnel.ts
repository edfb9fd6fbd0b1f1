// Upgrades to WebSocket: the handshake goes to the upstream, whose answer decides, and from its 101
// on bytes go both ways as they are. Nothing of what is said in a tunnel is looked at.
import { type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { atTheDoor } from '../core/http/door.ts';
import { endToEnd, field, type Fields, keepFields, tokens } from '../core/http/message.ts';
import { failBecause, failureStatus, type UpstreamFailure } from '../core/http/problem.ts';
import { forwardedFields } from '../core/key/forwarded.ts';
import type { UpstreamConfig } from '../core/rules/config.ts';
import type { FailBecause, RefuseBecause } from '../core/verdict.ts';
import type { Live } from '../flow/gateway.ts';
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
}

export function openTunnels({ live, newId, log }: Parts): Tunnels {
  const open = new Set<Duplex>();
  return {
    open(request, socket, head) {
      // Node has let go of this socket: without a listener a client that resets it would end us.
      socket.on('error', () => socket.destroy());
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
      handshake({ request, socket, head, say }, optionsFor(request, live(), asked, id));
    },
    async close() {
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

const pathOf = ({ url = '' }: IncomingMessage): string => url.split('?', 1)[0]!.slice(0, 1024);

interface Allowed {
  readonly target: string;
  readonly upstream: UpstreamConfig;
}

/** What the door lets in; a path that the file says is read as plain HTTP is 426. */
function allowed(
  { method, url, rawHeaders, httpVersion }: IncomingMessage, { config, finder }: Live,
): Allowed | { readonly because: RefuseBecause; readonly status: number } {
  const websocket = method === 'GET' && tokens(field(rawHeaders, 'upgrade')).includes('websocket');
  if (!websocket) return { because: 'bad-upgrade', status: failureStatus('bad-upgrade') };
  const door = atTheDoor(
    {
      method: method, target: url!, fields: rawHeaders, httpVersion,
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

/** The request that the upstream gets: as any other that is passed, and the wish to upgrade. */
function optionsFor(
  { rawHeaders, socket }: IncomingMessage,
  { config, trusts }: Live,
  { target, upstream }: Allowed,
  id: string,
): RequestOptions & { readonly upstream: UpstreamConfig } {
  const peer = { address: socket.remoteAddress ?? '', secure: 'encrypted' in socket };
  const authority = keepFields(rawHeaders, (name) => name === 'host')[1]?.toLowerCase() ?? '';
  const way = { ...connected(rawHeaders, peer, { id, trusts }), authority, httpVersion: '1.1' };
  const fields = forwardedFields(
    keepFields(endToEnd(rawHeaders), (name) => name !== 'host' && name !== 'content-length'),
    way, config,
  );
  const unix = upstream.url.startsWith('unix:');
  const url = new URL(unix ? 'http://localhost' : upstream.url);
  const host = config.hosts.length > 0 ? [] : ['Host', url.host];
  return {
    upstream,
    method: 'GET',
    path: target,
    headers: [...host, ...fields, 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
    setHost: false,
    agent: false,
    timeout: upstream.connectTimeoutMs + upstream.headersTimeoutMs,
    ...(unix
      ? { socketPath: upstream.url.slice('unix:'.length).replace(/^\/\/(?=\/)/, '') }
      : { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port }),
    ...readPem(upstream),
  };
}

interface Handshake {
  readonly request: IncomingMessage;
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
  const leave = (): void => void asking.destroy();
  socket.once('close', leave);
  let over = false;
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
  asking.on('error', ({ code }: NodeJS.ErrnoException) =>
    fail(code === 'ECONNRESET' ? 'reset' : 'refused'));
  asking.once('upgrade', (answer, other, behind) => {
    over = true;
    other.setTimeout(0);
    other.on('error', () => other.destroy());
    say(101);
    // The fields of one connection are what a handshake consists of.
    socket.write(headOf(answer, answer.rawHeaders), 'latin1');
    if (behind.length > 0) socket.write(behind);
    if (head.length > 0) other.write(head);
    join(socket, other);
  });
  asking.once('response', (answer) => {
    over = true;
    say(answer.statusCode!);
    socket.write(headOf(answer, [...endToEnd(answer.rawHeaders), 'Connection', 'close']), 'latin1');
    answer.on('error', () => socket.destroy());
    answer.pipe(socket);
  });
  asking.end();
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
