// An API in a process of its own that counts versions: each item has a number that a PUT raises,
// each list shows several items. What it says is always what it has applied, so whoever shows less
// than an answered PUT shows something old. By orders of its parent it answers 500 after it has
// applied, applies late, breaks off inside a body, or is slow. Run by node with an IPC channel.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { itemsOf, LISTS, listOf } from './things.ts';
import { random } from './random.ts';
import type { Orders } from './upstream-process.ts';

const chance = random(Number(process.env['CHAOS_SEED'] ?? 1));
const versions = new Map<number, number>();
let orders: Orders = {
  latencyMs: [2, 20], failAfterApplying: 0, applyLate: 0, lateMs: 0, resetInBody: 0,
};

const versionOf = (id: number): number => versions.get(id) ?? 1;

function raise(id: number): number {
  const version = versionOf(id) + 1;
  versions.set(id, version);
  return version;
}

function shown(id: number): { id: number; version: number } {
  return { id, version: versionOf(id) };
}

/** What a path shows now; undefined: there is no such thing. */
function look(path: string, authorization: string | undefined): unknown {
  const [, kind, name] = path.split('/');
  const number = Number(name);
  if (kind === 'items' && Number.isInteger(number)) return shown(number);
  if (kind === 'lists' && number < LISTS) {
    return { list: number, items: itemsOf(number).map(shown) };
  }
  if (kind !== 'mine') return undefined;
  const reader = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1] ?? 'nobody';
  return { reader, secret: `only for ${reader}` };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const began = performance.now();
  const path = request.url ?? '/';
  request.resume();
  const put = /^\/items\/(\d+)$/.exec(path);
  if (request.method === 'PUT' && put !== null) return write(Number(put[1]), response, began);
  await pause(chance.between(...orders.latencyMs));
  const body = look(path, request.headers.authorization);
  // Time passes between the look and the answer, so that fills are outrun by writes.
  await pause(chance.between(...orders.latencyMs));
  send(response, { status: body === undefined ? 404 : 200, body: body ?? {}, began });
}

async function write(id: number, response: ServerResponse, began: number): Promise<void> {
  if (chance.next() < orders.applyLate) {
    await pause(orders.lateMs);
    raise(id);
    return send(response, { status: 200, body: shown(id), began });
  }
  await pause(chance.between(...orders.latencyMs));
  const version = raise(id);
  await pause(chance.between(...orders.latencyMs));
  const failed = chance.next() < orders.failAfterApplying;
  const body = failed ? { failed: true } : { id, version, list: listOf(id) };
  send(response, { status: failed ? 500 : 200, body, began });
}

function send(
  response: ServerResponse,
  { status, body, began }: { status: number; body: unknown; began: number },
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'x-upstream-ms': Math.ceil(performance.now() - began),
  });
  if (chance.next() >= orders.resetInBody) return void response.end(text);
  response.write(text.slice(0, text.length / 2), () => response.socket?.resetAndDestroy());
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    response.destroy(error instanceof Error ? error : undefined);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('message', (message: Orders) => {
  orders = message;
  process.send?.('done');
});
process.on('disconnect', () => process.exit(0));
