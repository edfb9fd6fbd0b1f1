// What is kept is bounded: bodies, variants, new ones by the minute, memory. Past a bound everfresh
// is a plain proxy, and says so.
import t from 'tap';
import { get, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { Barrier, FORMS, inside, json, stage, until, watch } from '../play.ts';
import { VirtualClock } from '../virtual-clock.ts';

const SMALL = 'routes:\n  /posts:\n    GET: { ttl: 1h, max_body: 1kb }\n';
const CHUNK = Buffer.alloc(700, 'x');

for (const form of FORMS) {
  t.test(`${form}: a larger body is given whole and not kept, announced or not`, async (t) => {
    const s = await stage(t, {
      form,
      rules: SMALL,
      script({ url }, response) {
        response.writeHead(200, url!.endsWith('said') ? { 'content-length': 1400 } : {});
        response.write(CHUNK);
        response.end(CHUNK);
      },
    });
    for (const path of ['/posts?said', '/posts?unsaid']) {
      const first = await s.get(path);
      t.equal(first.body.length, 1400);
      t.equal(first.cache, 'everfresh; fwd=uri-miss; detail="too-large"');
      const second = await s.get(path);
      t.equal(second.body.length, 1400);
      t.match(second.cache, /fwd=bypass/);
      t.equal(s.count(`GET ${path}`), 2);
    }
  });

  t.test(`${form}: an endless body streams, and those who waited go themselves`, async (t) => {
    const grow = new Barrier();
    const s = await stage(t, {
      form,
      rules: SMALL,
      async script(_request, response) {
        response.writeHead(200);
        response.write(CHUNK);
        await grow.pass();
        // Never ends: who waited for the end would wait for ever.
        response.write(CHUNK);
      },
    });
    const reading = async (): Promise<number> => {
      const request = get(`${s.url}/posts`, { agent: false }).on('error', () => undefined);
      const [response] = await once(request, 'response') as [IncomingMessage];
      let bytes = 0;
      for await (const chunk of response) {
        bytes += (chunk as Buffer).length;
        if (bytes === 1400) break;
      }
      request.destroy();
      return bytes;
    };
    const leader = reading();
    await grow.reached;
    const waiter = reading();
    grow.open();
    t.strictSame(await Promise.all([leader, waiter]), [1400, 1400]);
    t.equal(s.seen.length, 2);
  });

  t.test(`${form}: an event stream comes as it goes and is not kept`, async (t) => {
    const s = await stage(t, {
      form,
      rules: SMALL,
      script(_request, response) {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: 1\n\n');
      },
    });
    for (let turn = 0; turn < 2; turn += 1) {
      const request = get(`${s.url}/posts`, { agent: false }).on('error', () => undefined);
      const [response] = await once(request, 'response') as [IncomingMessage];
      t.match(response.headers['cache-status'], /detail="event-stream"/);
      const [chunk] = await once(response, 'data') as [Buffer];
      t.equal(chunk.toString(), 'data: 1\n\n');
      request.destroy();
    }
    t.equal(s.seen.length, 2);
  });
}

t.test('a route keeps max_variants, and others when these are read no more', async (t) => {
  const clock = new VirtualClock();
  const s = await stage(t, {
    clock,
    rules: 'routes:\n  /posts:\n    GET: { ttl: 1d, max_variants: 3 }\n',
    script: (_request, response) => json(response, 1),
  });
  for (let i = 0; i < 3; i += 1) t.match((await s.get(`/posts?r=${i}`)).cache, /stored/);
  for (let turn = 0; turn < 3; turn += 1) {
    t.equal(
      (await s.get('/posts?r=9')).cache, 'everfresh; fwd=uri-miss; detail="too-many-variants"',
    );
  }
  t.equal(s.composed!.gateway.ledger.variants('/posts'), 3);
  t.match((await s.get('/posts?r=1')).cache, /hit/);
  clock.advance(9 * 60_000);
  await s.get('/posts?r=1');
  clock.advance(2 * 60_000);
  t.match((await s.get('/posts?r=9')).cache, /stored/, 'two were not read for ten minutes');
  t.match((await s.get('/posts?r=1')).cache, /hit/);
});

t.test('new variants are bounded by the minute', async (t) => {
  const clock = new VirtualClock();
  const s = await stage(t, {
    clock,
    rules: 'limits: { new_variants_per_minute: 3 }\nroutes:\n  /posts:\n    GET: { ttl: 1d }\n',
    script: (_request, response) => json(response, 1),
  });
  for (let i = 0; i < 3; i += 1) t.match((await s.get(`/posts?r=${i}`)).cache, /stored/);
  t.match((await s.get('/posts?r=3')).cache, /too-many-variants/);
  t.match((await s.get('/posts?r=0')).cache, /hit/, 'what is kept is given');
  clock.advance(60_000);
  t.match((await s.get('/posts?r=3')).cache, /stored/);
});

t.test('memory holds no more than it may, and forgets what nobody reads', async (t) => {
  const s = await stage(t, {
    rules: 'memory: 1mb\nroutes:\n  /posts:\n    GET: { ttl: 1d }\n',
    script: ({ url }, response) => json(response, url!.padEnd(180_000, 'x')),
  });
  for (let i = 0; i < 5; i += 1) await s.get(`/posts?r=${i}`);
  t.match((await s.get('/posts?r=0')).cache, /hit/);
  await s.get('/posts?r=5');
  t.match((await s.get('/posts?r=0')).cache, /hit/, 'read since');
  t.match((await s.get('/posts?r=1')).cache, /uri-miss/, 'never read');
});

t.test('a slow answer is in use for whoever reads it as it comes', async (t) => {
  const clock = new VirtualClock();
  const slow = new Barrier();
  const s = await stage(t, {
    clock,
    rules: 'routes:\n  /posts:\n    GET: { ttl: 1d, max_variants: 1 }\n',
    async script(_request, response) {
      response.writeHead(200).write('a');
      await slow.pass();
      response.end('b');
    },
  });
  const reading = s.get('/posts');
  await slow.reached;
  await until(() => clock.waiting > 0, 'the head has come');
  clock.advance(20);
  slow.open();
  t.equal((await reading).body, 'ab');
  await until(() => s.composed!.gateway.ledger.variants('/posts') === 1, 'it is counted');
  t.match((await s.get('/posts')).cache, /hit/);
});

t.test('who collapses onto an answer over the bound makes no room for it either', async (t) => {
  const slow = new Barrier();
  const s = await stage(t, {
    rules: 'routes:\n  /posts:\n    GET: { ttl: 1d, max_variants: 1 }\n',
    async script({ url }, response) {
      if (url !== '/posts?r=0') await slow.pass();
      json(response, 1);
    },
  });
  await s.get('/posts?r=0');
  const readers = [s.get('/posts?r=1'), s.get('/posts?r=1')];
  await slow.reached;
  await until(() => s.composed!.handler.active() === 2, 'both came in');
  slow.open();
  const told = (await Promise.all(readers)).map(({ cache }) => cache.split('; ').at(-1));
  t.strictSame(new Set(told), new Set(['collapsed', 'detail="too-many-variants"']));
  t.equal(s.composed!.gateway.ledger.variants('/posts'), 1);
});

t.test('a body without an end holds nobody up for longer than ten seconds', async (t) => {
  const clock = new VirtualClock();
  const grow = new Barrier();
  let ended = 0;
  const s = await stage(t, {
    clock,
    rules: SMALL,
    async script(_request, response) {
      response.on('close', () => void (ended += 1));
      response.writeHead(200);
      response.write('small ');
      await grow.pass();
      response.write('chunks');
    },
  });
  const leader = watch(s.url, 'GET', '/posts');
  await until(() => (clock.advance(1), leader.body() === 'small '), 'the leader has its stream');
  const waiter = watch(s.url, 'GET', '/posts');
  await inside(s, 2);
  t.equal(s.seen.length, 1, 'who comes later waits for its end');
  clock.advance(10_000);
  t.equal(await waiter.head, 200, 'and goes by itself where there is none');
  t.equal(s.seen.length, 2);
  const third = watch(s.url, 'GET', '/posts');
  t.equal(await third.head, 200, 'nobody waits for it a second time');
  grow.open();
  await until(() => leader.body() === 'small chunks', 'the leader’s stream goes on');
  t.equal(ended, 0);
  for (const reader of [leader, waiter, third]) reader.leave();
  await until(() => ended === 3, 'nothing is fetched for nobody');
  t.equal(s.composed!.gateway.flights.size, 0);
});

t.test('a body without an end that nobody reads any more is not fetched for ever', async (t) => {
  const clock = new VirtualClock();
  const ended: string[] = [];
  let gets = 0;
  const s = await stage(t, {
    clock,
    rules: 'routes:\n  /posts:\n    GET: { ttl: 1h }\n    POST: { refresh: [/posts] }\n',
    script({ method, url }, response) {
      if (method === 'POST' || (url === '/posts' && (gets += 1) === 1)) return json(response, {});
      response.on('close', () => void ended.push(url!));
      response.writeHead(200).write('small ');
    },
  });
  await s.get('/posts');
  await s.send('POST', '/posts', {});
  await until(() => s.count('GET /posts') === 2, 'the refresh');
  const leader = watch(s.url, 'GET', '/posts?page=2');
  await until(() => (clock.advance(1), leader.body() === 'small '), 'the leader has its stream');
  leader.leave();
  await inside(s, 0);
  t.equal(s.composed!.gateway.flights.size, 2);
  t.same(ended, []);
  clock.advance(10_000);
  await until(() => ended.length === 2, 'both are ended');
  await until(() => s.composed!.gateway.flights.size === 0, 'and waited for by nobody');
});
