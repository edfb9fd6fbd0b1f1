// What a write fetches again: what is in use, hottest first, within bounds; the rest stays invalid
// and is fetched when somebody asks. Only a strong validator may spare the body.
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { Barrier, FORMS, json, type Script, stage, type Stage, until } from '../play.ts';
import { serials } from '../serials.ts';
import { VirtualClock } from '../virtual-clock.ts';

const rules = (keepFresh: string): string => `
routes:
  /posts:     { POST: { refresh: [/posts/:id] } }
  /posts/:id: { GET: { ttl: 1d, keep_fresh: ${keepFresh} } }
`.replace('[/posts/:id]', '[/posts/*]');

async function settled(s: Stage): Promise<void> {
  await until(() => {
    const { waiting, running } = s.composed!.gateway.refresher.backlog;
    return waiting + running === 0;
  }, 'all refreshes are over');
}

async function read(s: Stage, id: number, times: number): Promise<void> {
  for (let nth = 0; nth < times; nth += 1) await s.get(`/posts/${id}`);
}

t.test('only what was read lately is fetched again, the rest when it is asked for', async (t) => {
  const clock = new VirtualClock();
  const s = await stage(t, { clock, rules: rules('{ recent: 10m }'), script: serials() });
  await read(s, 1, 1);
  clock.advance(5 * 60_000);
  await read(s, 2, 1);
  clock.advance(5 * 60_000 + 1);
  const post = await s.send('POST', '/posts', {});
  t.match(post.cache, /refreshing=1/);
  await settled(s);
  t.same([s.count('GET /posts/1'), s.count('GET /posts/2')], [1, 2]);
  t.match((await s.get('/posts/1')).cache, /fwd=stale/, 'never the old one');
  t.match((await s.get('/posts/2')).cache, /hit/);
});

t.test('at most `top` of a route are fetched again, hottest first', async (t) => {
  const clock = new VirtualClock();
  const plain = serials();
  const s = await stage(t, {
    clock,
    rules: rules('{ top: 2, concurrency: 1 }'),
    script(request, response, body) {
      // Hits times the time of a fetch: the third is asked for less often, and is slow.
      if (request.url === '/posts/3') clock.advance(1000);
      else clock.advance(10);
      return plain(request, response, body);
    },
  });
  await read(s, 1, 2);
  await read(s, 2, 9);
  await read(s, 3, 3);
  const before = s.seen.length;
  await s.send('POST', '/posts', {});
  await settled(s);
  t.same(s.seen.slice(before), ['POST /posts', 'GET /posts/3', 'GET /posts/2']);
  t.match((await s.get('/posts/1')).cache, /fwd=stale/);
});

for (const form of FORMS) {
  t.test(`${form}: no more than \`concurrency\` fetches of a route run at once`, async (t) => {
    let running = 0;
    let most = 0;
    let writes = 0;
    const gate = new Barrier();
    const s = await stage(t, {
      form,
      rules: rules('{ concurrency: 3 }'),
      async script(request, response) {
        if (request.method !== 'GET') writes += 1;
        else if (writes > 0) {
          most = Math.max(most, running += 1);
          if (running === 3) setImmediate(() => gate.open());
          await gate.pass();
          running -= 1;
        }
        return json(response, {});
      },
    });
    await Promise.all(Array.from({ length: 20 }, (_, id) => s.get(`/posts/${id}`)));
    await s.send('POST', '/posts', {});
    await until(() => s.seen.length === 41, 'all twenty are fetched again');
    t.equal(most, 3);
  });
}

/** Tells by a date that nothing changed, which is wrong, and by a tag what is true. */
function validated(
  fields: (version: number) => Record<string, string>, versions: { now: number },
): Script {
  return (request, response: ServerResponse) => {
    if (request.method !== 'GET') return json(response, { version: versions.now += 1 });
    const { 'if-none-match': tag, 'if-modified-since': since } = request.headers;
    const headers = fields(versions.now);
    if (since !== undefined || (tag !== undefined && tag === headers['etag'])) {
      return void response.writeHead(304, headers).end();
    }
    return json(response, { version: versions.now }, { headers });
  };
}

const RULES = 'routes:\n  /posts: { GET: { ttl: 1d }, POST: { refresh: [/posts] } }\n';
const OLD = 'Mon, 01 Jan 2024 00:00:00 GMT';

for (const [what, fields] of [
  ['a date', () => ({ 'last-modified': OLD })],
  ['a weak tag', () => ({ etag: 'W/"same"' })],
  ['a weak tag and a date', () => ({ etag: 'W/"same"', 'last-modified': OLD })],
] as const) {
  t.test(`after a write nothing is asked by ${what}`, async (t) => {
    const s = await stage(t, { rules: RULES, script: validated(fields, { now: 0 }) });
    t.equal((await s.get('/posts')).body, '{"version":0}');
    await s.send('POST', '/posts');
    t.equal((await s.get('/posts')).body, '{"version":1}');
    await settled(s);
    for (const { line, headers } of s.requests) {
      if (line.startsWith('GET')) t.notOk(
        headers['if-none-match'] ?? headers['if-modified-since'], 'without a condition',
      );
    }
  });
}

t.test('after a write a strong tag spares the body where nothing changed', async (t) => {
  for (const etag of ['"same"', undefined]) {
    const s = await stage(
      t,
      {
        rules: RULES,
        script: validated(
          (version) => ({ etag: etag ?? `"${version}"`, 'last-modified': OLD }), { now: 0 },
        ),
      },
    );
    await s.get('/posts');
    await s.send('POST', '/posts');
    await settled(s);
    const after = await s.get('/posts');
    t.match(after.cache, /hit/);
    t.equal(after.body, etag === undefined ? '{"version":1}' : '{"version":0}', 'as the tag says');
    t.equal(s.requests.at(-1)!.headers['if-none-match'], etag ?? '"0"');
    t.equal(s.requests.at(-1)!.headers['if-modified-since'], undefined);
  }
});

t.test('a 404 or 410 on a refresh is an answer', async (t) => {
  for (const status of [404, 410]) {
    let there = true;
    const s = await stage(t, {
      rules: RULES,
      script(request, response) {
        if (request.method !== 'GET') there = false;
        return json(
          response, { there }, { status: request.method === 'GET' && !there ? status : 200 },
        );
      },
    });
    await s.get('/posts');
    await s.send('POST', '/posts');
    await settled(s);
    const gone = await s.get('/posts');
    t.equal(gone.status, status);
    t.match(gone.cache, /hit/);
  }
});

t.test('a refresh never follows a redirect', async (t) => {
  let moved = false;
  const s = await stage(t, {
    rules: RULES,
    script(request, response) {
      if (request.method !== 'GET') moved = true;
      const moves = request.method === 'GET' && moved && request.url === '/posts';
      if (!moves) return json(response, { url: request.url });
      return response.writeHead(307, { location: '/secret', 'content-length': 0 }).end();
    },
  });
  await s.get('/posts');
  await s.send('POST', '/posts');
  await settled(s);
  const after = await s.get('/posts');
  t.equal(after.status, 307);
  t.notOk(s.seen.includes('GET /secret'));
});

t.test('an answer that came slowly to its one reader is in use as well', async (t) => {
  const rest = new Barrier();
  let reads = 0;
  const s = await stage(t, {
    rules: RULES,
    async script(request, response) {
      if (request.method !== 'GET') return json(response, {});
      response.writeHead(200, { 'content-type': 'text/plain' });
      response.write('head ');
      if ((reads += 1) === 1) await rest.pass();
      return response.end(`rest ${reads}`);
    },
  });
  const reading = s.get('/posts');
  await rest.reached;
  // So long that the answer is streamed, not given whole.
  await new Promise((resolve) => void setTimeout(resolve, 60));
  rest.open();
  t.equal((await reading).body, 'head rest 1');
  await until(() => s.composed!.gateway.ledger.size === 1, 'it is known');
  await s.send('POST', '/posts');
  await until(() => s.count('GET /posts') === 2, 'the refresh');
});
