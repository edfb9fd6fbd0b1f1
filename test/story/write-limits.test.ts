// Bounds on writes: how many at once, how large a body is read, how long a slow client may take.
import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { Barrier, FORMS, json, stage, type Stage, until } from '../play.ts';
import { renewed, serials } from '../serials.ts';
import { VirtualClock } from '../virtual-clock.ts';

const RULES = `
routes:
  /posts:     { GET: { ttl: 1h }, POST: { refresh: ["/posts/{request.body.id}"] } }
  /posts/:id: { GET: { ttl: 1h } }
`;

for (const form of FORMS) {
  for (const limit of ['writes', 'writes_per_client']) {
    t.test(`${form}: writes over limits.${limit} get a 429, and touch nothing`, async (t) => {
      const open = new Barrier();
      let writes = 0;
      const s = await stage(t, {
        form,
        rules: `limits: { ${limit}: 2 }\n${RULES}`,
        script: serials(async (_request, response) => {
          writes += 1;
          await open.pass();
          json(response, {});
        }),
      });
      const two = [s.send('POST', '/posts', { id: 1 }), s.send('POST', '/posts', { id: 1 })];
      await until(() => writes === 2, 'two are with the upstream');
      t.same(await renewed(s, ['/posts', '/posts/1'], async () => {
        const third = await s.send('POST', '/posts', { id: 1 });
        t.equal(third.status, 429);
        t.match(third.body, /too-many-writes/);
        t.ok(third.headers['retry-after']);
        t.equal(third.headers['content-type'], 'application/problem+json');
      }), []);
      open.open();
      t.same((await Promise.all(two)).map(({ status }) => status), [200, 200]);
      t.equal((await s.send('POST', '/posts', { id: 1 })).status, 200, 'there is room again');
      t.equal(writes, 3);
    });
  }

  t.test(`${form}: clients behind a trusted proxy are counted apart`, async (t) => {
    const open = new Barrier();
    let writes = 0;
    const s = await stage(t, {
      form,
      rules: `trust_proxy: [127.0.0.1, 10.0.0.0/8]\nlimits: { writes_per_client: 1 }\n${RULES}`,
      script: serials(async (_request, response) => {
        writes += 1;
        await open.pass();
        json(response, {});
      }),
    });
    const write = async (way: string): Promise<number> =>
      (await s.send('POST', '/posts', { id: 1 }, { 'x-forwarded-for': way })).status;
    const first = write('198.51.100.7, 192.0.2.1, 10.0.0.2');
    await until(() => writes === 1, 'one is with the upstream');
    t.equal(await write('203.0.113.9, 192.0.2.1'), 429, 'what a client claims is not its address');
    t.equal(await write('192.0.2.1:4711'), 429, 'nor is a port a part of it');
    const ways = ['192.0.2.2', '[2001:db8::1]:80', '10.0.0.3, 10.0.0.2', '192.0.2.1, nonsense'];
    const others = ways.map((way) => write(way));
    await until(() => writes === 5, 'other clients, and the proxy itself where nothing is said');
    t.equal(await write(''), 429, 'the proxy');
    open.open();
    t.same(await Promise.all([first, ...others]), [200, 200, 200, 200, 200]);
    t.equal(s.requests[0]!.headers['x-forwarded-for'],
      '198.51.100.7, 192.0.2.1, 10.0.0.2, 127.0.0.1', 'the peer is added');
  });

  t.test(`${form}: who is no trusted proxy speaks for nobody else`, async (t) => {
    const open = new Barrier();
    let writes = 0;
    const s = await stage(t, {
      form,
      rules: `limits: { writes_per_client: 1 }\n${RULES}`,
      script: serials(async (_request, response) => {
        writes += 1;
        await open.pass();
        json(response, {});
      }),
    });
    const first = s.send('POST', '/posts', { id: 1 }, { 'x-forwarded-for': '192.0.2.1' });
    await until(() => writes === 1, 'one is with the upstream');
    const second = await s.send('POST', '/posts', { id: 1 }, { 'x-forwarded-for': '192.0.2.2' });
    t.equal(second.status, 429);
    open.open();
    t.equal((await first).status, 200);
    t.equal(s.requests[0]!.headers['x-forwarded-for'], '127.0.0.1');
  });

  t.test(`${form}: a body over write_body is streamed, and its targets widen`, async (t) => {
    const s = await stage(
      t, { form, rules: `limits: { write_body: 1kb }\n${RULES}`, script: serials() },
    );
    const paths = ['/posts/1', '/posts/2'];
    t.same(await renewed(s, paths, () => s.send('POST', '/posts', { id: 1 })), ['/posts/1']);
    const large = { id: 1, text: 'x'.repeat(200_000) };
    t.same(await renewed(s, paths, () => s.send('POST', '/posts', large)), paths);
    t.equal(
      s.requests.findLast(({ line }) => line === 'POST /posts')!.body, JSON.stringify(large),
      'every byte came',
    );
  });
}

/** Sends the head and a piece, and the rest when it is told to. */
function slowly(s: Stage, length: number, piece: string): ReturnType<typeof httpRequest> {
  const { hostname, port } = new URL(s.url);
  const request = httpRequest(
    {
      host: hostname, port, method: 'POST', path: '/posts', agent: false,
      headers: { 'content-length': length, 'content-type': 'application/json' },
    },
  );
  request.on('error', () => undefined);
  request.write(piece);
  return request;
}

t.test('a slow client’s body holds no intent open', async (t) => {
  const s = await stage(t, { rules: RULES, script: serials() });
  const { control } = s.composed!.gateway.store;
  const intents: string[] = [];
  const intend = control.intend.bind(control);
  control.intend = (id, tags) => {
    intents.push(id);
    return intend(id, tags);
  };
  const client = slowly(s, 8, '{"i');
  await until(() => s.composed!.gateway.writers.all === 1, 'the write is there');
  t.same(await renewed(s, ['/posts/1'], () => s.get('/posts')), [], 'readers are not held up');
  t.same(intents, []);
  t.equal(s.count('POST /posts'), 0);
  client.end('d":1}'.slice(0, 5));
  const [response] = await once(client, 'response') as [{ statusCode: number; resume(): void }];
  response.resume();
  t.equal(response.statusCode, 200);
  t.equal(intents.length, 1);
});

t.test('a client that leaves inside its small body has written nothing', async (t) => {
  const s = await stage(t, { rules: RULES, script: serials() });
  t.same(await renewed(s, ['/posts', '/posts/1'], async () => {
    const client = slowly(s, 8, '{"i');
    await until(() => s.composed!.gateway.writers.all === 1, 'the write is there');
    client.destroy();
    await until(() => s.composed!.gateway.writers.all === 0, 'and is over');
  }), []);
  t.equal(s.count('POST /posts'), 0);
});

t.test('a client that leaves inside a large body leaves an unknown outcome', async (t) => {
  const s = await stage(t, {
    rules: `limits: { write_body: 1kb }\n${RULES}`,
    script: serials(() => undefined),
  });
  await s.get('/posts');
  const client = slowly(s, 100_000, 'x'.repeat(50_000));
  await until(() => s.count('POST /posts') === 1, 'it is on its way');
  client.destroy();
  await until(async () => /held/.test((await s.get('/posts')).cache), 'touched, and held');
});

t.test('a streaming answer to a write that touches nothing has no deadline', async (t) => {
  const clock = new VirtualClock();
  const late = new Barrier();
  const s = await stage(t, {
    clock,
    rules: 'write_deadline: 40s\nroutes: { /a: { GET: { ttl: 1h } } }',
    async script(_request, response) {
      response.write('first ');
      await late.pass();
      response.end('last');
    },
  });
  const heads = new Promise<IncomingMessage>((resolve, reject) => {
    const { hostname, port } = new URL(s.url);
    const options = { host: hostname, port, method: 'POST', path: '/chat/stream', agent: false };
    httpRequest(options, resolve).on('error', reject).end();
  });
  await late.reached;
  let head: IncomingMessage | undefined;
  void heads.then((came) => {
    head = came;
  });
  await until(() => {
    clock.advance(1);
    return head !== undefined;
  }, 'the answer’s head');
  clock.advance(1_000_000);
  late.open();
  t.equal(await text(await heads), 'first last');
});
