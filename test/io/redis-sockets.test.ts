// A socket to Redis may fail more than once, as after a refused certificate: nothing of it ends the
// process. What can't be found is a failed connection, after which the client tries again.
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { connectorTo, Direct, ToPrimary } from '../../src/io/redis-sockets.ts';

/** Says OK to everything, and gives its own address as that of a primary. */
async function listener(t: Test): Promise<number> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      const { port } = server.address() as AddressInfo;
      const own = `*2\r\n$9\r\n127.0.0.1\r\n$${String(port).length}\r\n${port}\r\n`;
      for (const command of data.toString().split(/(?=\*\d+\r\n)/)) {
        socket.write(command.includes('get-master') ? own : '+OK\r\n');
      }
    });
    t.teardown(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

const ways = {
  'to a server': (port: number) => new Direct({ host: '127.0.0.1', port }),
  'to a primary': (port: number) => new ToPrimary({
    sentinels: [{ host: '127.0.0.1', port }], name: 'main', role: 'master', updateSentinels: false,
    protocol: 2,
  }),
};

for (const [what, way] of Object.entries(ways)) {
  void t.test(`a socket ${what} may fail twice`, async (t) => {
    const connector = way(await listener(t));
    const stream = await connector.connect(() => undefined);
    for (const why of ['refused', 'and complained of']) stream.emit('error', new Error(why));
    t.match(connector.firstError, { message: 'refused' });
    stream.destroy();
  });
}

void t.test('a sentinel is asked over such a socket too', async (t) => {
  const port = await listener(t);
  const connector = new ToPrimary({ sentinels: [{ host: '127.0.0.1', port }], name: 'main' });
  const { connectToSentinel } = connector as unknown as {
    connectToSentinel: (at: object) => Redis;
  };
  const redis = connectToSentinel({ host: '127.0.0.1', port });
  redis.on('error', () => undefined);
  t.teardown(() => redis.disconnect());
  t.equal(redis.options.Connector, Direct);
});

void t.test('what is not found is looked for again', async (t) => {
  const port = await listener(t);
  const told: string[] = [];
  let asked = 0;
  const Connector = connectorTo(() => {
    asked += 1;
    if (asked < 3) return Promise.reject(new Error('nobody knows'));
    return Promise.resolve({ host: '127.0.0.1', port });
  });
  const redis = new Redis({
    Connector, protocol: 2, disableClientInfo: true, enableReadyCheck: false,
    retryStrategy: () => 1,
  });
  t.teardown(() => redis.disconnect());
  redis.on('error', (error: Error) => told.push(error.message));
  await new Promise<void>((resolve) => void redis.once('ready', resolve));
  t.same(told, ['nobody knows', 'nobody knows']);
});
