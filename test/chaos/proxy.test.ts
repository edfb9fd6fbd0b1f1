// The proxy that spoils connections does to them what it says, each way by itself, and lets go of
// them again.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { until } from '../redis.ts';
import { Proxy, resetNow } from './proxy.ts';

interface Client {
  readonly socket: Socket;
  readonly got: () => string;
  readonly broken: () => boolean;
  says(text: string): void;
  gets(text: string): Promise<void>;
}

/** A server that says back what it hears, in capitals, and what it heard. */
async function echo(t: Test): Promise<{ port: number; heard: () => string }> {
  let heard = '';
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).once('close', () => sockets.delete(socket));
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard += text;
      socket.write(text.toUpperCase());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { port: (server.address() as AddressInfo).port, heard: () => heard };
}

async function dial(t: Test, port: number): Promise<Client> {
  const socket = connect(port, '127.0.0.1');
  let [got, broken] = ['', false];
  socket.setEncoding('latin1').on('data', (text: string) => {
    got += text;
  });
  socket.on('error', () => {
    broken = true;
  });
  t.teardown(() => socket.destroy());
  await new Promise<void>((resolve) => {
    socket.once('connect', () => resolve()).once('close', () => resolve());
  });
  return {
    socket,
    got: () => got,
    broken: () => broken,
    says: (text) => void socket.write(text),
    gets: (text) => until(() => got === text, { what: `the client to get ${text}, not ${got}` }),
  };
}

async function between(t: Test): Promise<{ proxy: Proxy; heard: () => string }> {
  const { port, heard } = await echo(t);
  const proxy = await Proxy.open({ port });
  t.teardown(() => proxy.close());
  return { proxy, heard };
}

/** What went a whole way round on another connection was sent after all that came before it. */
async function roundTrip(t: Test, proxy: Proxy): Promise<void> {
  const client = await dial(t, proxy.port);
  client.says('x');
  await client.gets('X');
  client.socket.destroy();
}

t.test('what it carries comes as it was said, and ends as it ended', async (t) => {
  const { proxy, heard } = await between(t);
  const client = await dial(t, proxy.port);
  const long = 'abcdefgh'.repeat(100_000);
  client.says(long);
  await client.gets(long.toUpperCase());
  t.equal(heard(), long);
  client.socket.end();
  await once(client.socket, 'close');
  await until(() => proxy.open === 0, { what: 'the connection to be let go of' });
  t.equal(proxy.accepted, 1);
});

t.test('cut connections are reset, and new ones are taken', async (t) => {
  const { proxy } = await between(t);
  const client = await dial(t, proxy.port);
  client.says('a');
  await client.gets('A');
  proxy.cut();
  await until(client.broken, { what: 'the client to be reset' });
  await roundTrip(t, proxy);
});

t.test('a socket that is just ending is closed by a reset as well', async (t) => {
  const { port } = await echo(t);
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const closed = once(socket, 'close');
  socket.end();
  process.nextTick(resetNow, socket);
  await closed;
});

t.test('while it refuses, new connections are reset and those that stand go on', async (t) => {
  const { proxy } = await between(t);
  const before = await dial(t, proxy.port);
  before.says('a');
  await before.gets('A');
  proxy.refuse();
  const refused = await dial(t, proxy.port);
  await until(() => refused.socket.destroyed, { what: 'the new one to be reset' });
  before.says('b');
  await before.gets('AB');
  proxy.heal();
  await roundTrip(t, proxy);
});

t.test('what hangs is delivered when it flows again, also what came last', async (t) => {
  const { proxy, heard } = await between(t);
  const stands = await dial(t, proxy.port);
  stands.says('a');
  await stands.gets('A');
  proxy.hang();
  const taken = await dial(t, proxy.port);
  taken.says('b');
  stands.says('c');
  taken.socket.end();
  await until(() => proxy.accepted === 2, { what: 'the connection to be taken' });
  t.equal(heard(), 'a');
  t.equal(stands.got(), 'A');
  proxy.heal();
  await stands.gets('AC');
  await until(() => heard().includes('b'), { what: 'the other one to be heard' });
});

t.test('one way may hang while the other one flows', async (t) => {
  const { proxy, heard } = await between(t);
  const client = await dial(t, proxy.port);
  proxy.spoil('down', { kind: 'hang' });
  client.says('a');
  await until(() => heard() === 'a', { what: 'the server to hear it' });
  t.equal(client.got(), '');
  proxy.spoil('up', { kind: 'hang' });
  proxy.spoil('down', { kind: 'flow' });
  await client.gets('A');
  client.says('b');
  proxy.spoil('up', { kind: 'flow' });
  await client.gets('AB');
});

t.test('what is delayed comes late, and what follows does not wait for it twice', async (t) => {
  const { proxy } = await between(t);
  const client = await dial(t, proxy.port);
  proxy.spoil('down', { kind: 'delay', ms: 150 });
  const began = performance.now();
  for (const letter of 'abcdefghij') {
    client.says(letter);
    await new Promise((resolve) => void setImmediate(resolve));
  }
  await client.gets('ABCDEFGHIJ');
  const tookMs = performance.now() - began;
  t.ok(tookMs >= 149, `${tookMs} ms`);
  t.ok(tookMs < 10 * 150, `${tookMs} ms`);
});

t.test('what is slow takes its time by its length', async (t) => {
  const { proxy } = await between(t);
  const client = await dial(t, proxy.port);
  proxy.spoil('up', { kind: 'slow', bytesPerSecond: 1000 });
  const began = performance.now();
  for (let i = 0; i < 30; i += 1) client.says('0123456789');
  await client.gets('0123456789'.repeat(30));
  const tookMs = performance.now() - began;
  t.ok(tookMs > 250, `300 bytes at 1000 a second: ${tookMs} ms`);
});

t.test('a cut inside an answer lets no more than so many bytes pass', async (t) => {
  const { proxy } = await between(t);
  const client = await dial(t, proxy.port);
  client.says('abc');
  await client.gets('ABC');
  proxy.spoil('down', { kind: 'cut-after', bytes: 4 });
  client.says('defghij');
  await until(() => client.socket.destroyed, { what: 'the client to be reset' });
  t.ok('ABCDEFG'.startsWith(client.got()), client.got());
  t.notMatch(client.got(), /H/);
  proxy.heal();
  await roundTrip(t, proxy);
});
