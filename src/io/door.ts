// The gateway's own listener: Node's http server with strict settings and hard bounds on time and
// size. Turns what it parses into an `Incoming`, and an `Answer` into bytes. It decides nothing.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { BlockList, isIPv6 } from 'node:net';
import type { Duplex } from 'node:stream';
import { field, fieldLines, type Fields, tokens } from '../core/http/message.ts';
import type { Config } from '../core/rules/config.ts';
import { Broken, type ByteStream, type Incoming } from '../flow/ports.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that keeps to the limits of the configuration. */
export function openServer(config: Config, handler: Handler): Server {
  const { limits, tls } = config;
  const options = {
    maxHeaderSize: limits.headerBytes,
    requestTimeout: limits.requestTimeoutMs,
    headersTimeout: limits.headersTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs),
    insecureHTTPParser: false,
    // The door refuses these itself, with a reason.
    requireHostHeader: false,
  };
  const server = tls === undefined
    ? createServer(options, handler)
    : createTlsServer({ ...options, cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, handler);
  // All field lines are counted by the door; Node would silently drop those over its bound.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections;
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    response.writeContinue();
    handler(request, response);
  });
  // Any other expectation: the door says 417.
  server.on('checkExpectation', handler);
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    socket.end('HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  return server;
}

/** Answers what cannot even be parsed; the same words whatever it was. */
export function refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW'
    ? '431 Request Header Fields Too Large'
    : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
  const body = JSON.stringify({ type: 'about:blank', title: status.slice(4), status: Number(status.slice(0, 3)) });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/problem+json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
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
    const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
    return list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
  };
}

/** The request as the stories see it. */
export function incomingOf(
  request: IncomingMessage,
  response: ServerResponse,
  { id, trusts }: { id: string; trusts: (address: string) => boolean },
): Incoming {
  const remote = request.socket.remoteAddress ?? '';
  const peerTrusted = trusts(remote);
  const fields: Fields = request.rawHeaders;
  const forwardedProto = peerTrusted ? tokens(field(fields, 'x-forwarded-proto')).at(-1) : undefined;
  const secure = 'encrypted' in request.socket || forwardedProto === 'https';
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
    httpVersion: request.httpVersion,
    scheme: secure ? 'https' : 'http',
    authority: fieldLines(fields, 'host')[0]?.toLowerCase() ?? '',
    remote: remote.replace(/^::ffff:(?=\d+\.)/, ''),
    peerTrusted,
    body: hasBody(fields) ? bodyOf(request) : undefined,
    gone: gone.signal,
    inform: (status, extra) => inform(response, status, extra),
  };
}

function hasBody(fields: Fields): boolean {
  const length = field(fields, 'content-length');
  return (length !== undefined && length !== '0') || field(fields, 'transfer-encoding') !== undefined;
}

async function* bodyOf(request: IncomingMessage): ByteStream {
  try {
    yield* request as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw new Broken('aborted', { cause: error });
  }
}

// RFC 9110 §15.2: a proxy must pass 1xx answers on, but for the one that it answered itself (100) and
// the one that is no answer to a proxied request (101).
function inform(response: ServerResponse, status: number, fields: Fields): void {
  if (status === 100 || status === 101 || response.headersSent) return;
  if (response.req.httpVersion !== '1.1') return;
  if (status === 102) {
    response.writeProcessing();
    return;
  }
  if (status !== 103) return;
  const hints: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (let i = 0; i < fields.length; i += 2) (hints[fields[i]!.toLowerCase()] ??= []).push(fields[i + 1]!);
  if (hints['link'] !== undefined) response.writeEarlyHints({ ...hints, link: hints['link'] });
}
