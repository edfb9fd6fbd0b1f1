// The gateway's own listener: Node's http server with strict settings and hard bounds on time and
// size. Turns what it parses into an `Incoming`, and an `Answer` into bytes. It decides nothing.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { BlockList, isIP, isIPv6, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { listMembers } from '../core/http/list.ts';
import { field, fieldLines, type Fields, hasField, tokens } from '../core/http/message.ts';
import { cacheStatus } from '../core/http/cache-status.ts';
import { problem } from '../core/http/problem.ts';
import type { Config } from '../core/rules/config.ts';
import type { RefuseBecause } from '../core/verdict.ts';
import { Broken, type ByteStream, type Incoming } from '../flow/ports.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that keeps to the limits of the configuration. */
export function openServer(config: Config, handler: Handler): Server {
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
    shouldUpgradeCallback: (request: IncomingMessage) =>
      tokens(field(request.rawHeaders, 'upgrade')).includes('websocket'),
    // The door refuses these itself, with a reason.
    requireHostHeader: false,
  };
  const handle: Handler = (request, response) => {
    latest.set(request.socket, response);
    handler(request, response);
  };
  const pem = tls && { cert: readFileSync(tls.cert), key: readFileSync(tls.key) };
  const server = pem === undefined
    ? createServer(options, handle)
    : createTlsServer({ ...options, ...pem }, handle);
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
    lastWord(socket, 'method-not-allowed', 405);
  });
  return server;
}

/** The last request of each connection, by its answer: nonsense came after it, or inside it. */
const latest = new WeakMap<Duplex, ServerResponse>();

/** Requests whose client sends no body before it was told to (RFC 9110 §10.1.1). */
const awaited = new WeakSet<IncomingMessage>();

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
  lastWord(socket, ...unparsed(error.code));
}

function unparsed(code: string | undefined): Parameters<typeof refusal> {
  if (code === 'HPE_HEADER_OVERFLOW') return ['too-many-fields', 431];
  return ['bad-framing', code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400];
}

/** What was asked before the nonsense is still answered; then nothing more is read. */
function closeAfter(last: ServerResponse, socket: Socket): void {
  last.shouldKeepAlive = false;
  last.once('finish', () => socket.destroySoon());
}

function lastWord(socket: Socket, because: RefuseBecause, status: number): void {
  const { head, body } = refusal(because, status);
  socket.write(head);
  socket.write(body);
  // Not `end` alone: a client that never ends its half would hold the connection for ever.
  socket.destroySoon();
}

function refusal(because: RefuseBecause, status: number): { head: string; body: Uint8Array } {
  const { reason, fields, body } = problem(because, { status });
  const lines = [...fields, 'Cache-Status', cacheStatus({ kind: 'refuse', because, status })];
  let head = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let i = 0; i < lines.length; i += 2) head += `${lines[i]!}: ${lines[i + 1]!}\r\n`;
  return { head: `${head}Connection: close\r\n\r\n`, body };
}

/** Which peers are proxies whose word about a client is believed. */
export function trustedPeers(cidrs: readonly string[]): (address: string) => boolean {
  if (cidrs.length === 0) return () => false;
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address, bits] = cidr.split('/') as [string, string | undefined];
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    list.addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  return (address) => {
    const plain = plainAddress(address);
    return list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
  };
}

/** Each proxy adds its peer at the right: the first that is no proxy of ours is the client. */
function clientOf(fields: Fields, peer: string, trusts: (address: string) => boolean): string {
  const said = fieldLines(fields, 'x-forwarded-for').join(',');
  let client = peer;
  for (const one of said.split(',').reverse().map((text) => text.trim())) {
    if (!trusts(client)) break;
    // Some proxies add a port.
    const address = one.replace(/^\[(.*)\](?::\d+)?$|^([\d.]+):\d+$/, '$1$2');
    if (isIP(address) === 0) return peer;
    client = plainAddress(address);
  }
  return client;
}

/** An IPv4 address as such, however the socket shows it. */
const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

/** The request as the stories see it. */
export function incomingOf(
  request: IncomingMessage,
  response: ServerResponse,
  { id, trusts }: { id: string; trusts: (address: string) => boolean },
): Incoming {
  const peer = plainAddress(request.socket.remoteAddress ?? '');
  const peerTrusted = trusts(peer);
  const fields: Fields = request.rawHeaders;
  const proto = peerTrusted ? tokens(field(fields, 'x-forwarded-proto')).at(-1) : undefined;
  const secure = 'encrypted' in request.socket || proto === 'https';
  const gone = new AbortController();
  // 'close' comes after every answer; before its end it means that the client went away.
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return {
    id,
    method: request.method!,
    target: request.url!,
    fields,
    // Node's parser lets `HTTP/2.0` pass in a request line: on this wire it is no version at all.
    httpVersion: request.httpVersion === '2.0' && !('stream' in request) ? '' : request.httpVersion,
    scheme: secure ? 'https' : 'http',
    authority: fieldLines(fields, 'host')[0]?.toLowerCase() ?? '',
    peer,
    remote: clientOf(fields, peer, trusts),
    peerTrusted,
    body: declaresBody(fields) ? bodyOf(request, response) : undefined,
    gone: gone.signal,
    inform: (status, extra) => inform(response, status, extra),
  };
}

/** Whether bytes of a body follow the head. */
export function declaresBody(fields: Fields): boolean {
  const length = field(fields, 'content-length');
  return (length !== undefined && length !== '0') || hasField(fields, 'transfer-encoding');
}

async function* bodyOf(request: IncomingMessage, response: ServerResponse): ByteStream {
  // Whoever stops reading early has an answer already: it must still reach the client, so that the
  // connection stays, and what is left of the body is let go by.
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  if (awaited.delete(request) && !response.headersSent) response.writeContinue();
  try {
    yield* chunks;
  } catch (error) {
    throw new Broken('aborted', { cause: error });
  } finally {
    request.resume();
  }
}

// RFC 9110 §15.2: a proxy must pass 1xx answers on, but for the one that it answered itself (100)
// and the one that is no answer to a proxied request (101).
function inform(response: ServerResponse, status: number, fields: Fields): void {
  if (status === 100 || status === 101 || response.headersSent) return;
  if (response.req.httpVersion !== '1.1') return;
  if (status === 102) {
    response.writeProcessing();
    return;
  }
  if (status !== 103) return;
  const hints: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (let i = 0; i < fields.length; i += 2) {
    (hints[fields[i]!.toLowerCase()] ??= []).push(fields[i + 1]!);
  }
  const { link: lines = [], ...rest } = hints;
  // Node takes one link a line, of a plain form; a hint that it would refuse is only a hint.
  const link = lines.flatMap((line) => listMembers(line) ?? []).filter((one) => LINK.test(one));
  if (link.length > 0) response.writeEarlyHints({ ...rest, link });
}

const LINK = /^<[^<>]*>(?:\s*;\s*[^;"\s]+(?:=(?:"[^;"\s]*"|[^;"\s]*))?)*$/;
