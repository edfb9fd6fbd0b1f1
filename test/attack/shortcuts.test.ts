// Hits that are answered at once: only what may be given at that moment, to whoever may have it,
// and counted and bounded as all others.
import t, { type Test } from 'tap';
import { parseRules } from '../../src/core/rules/parse.ts';
import {
  dial, front, type Front, ok, type RawAnswer, type RawClient, rawUpstream,
} from '../raw.ts';
import { VirtualClock } from '../virtual-clock.ts';

const RULES = `routes:
  "/posts": { GET: { ttl: 60s } }
  "/posts/:id": { GET: { ttl: 60s }, PUT: { refresh: [/posts] } }
  "/coded": { GET: { ttl: 60s } }
  "/moved": { GET: { ttl: 60s } }
`;

interface Stage {
  readonly s: Front;
  readonly clock: VirtualClock;
  readonly seen: readonly string[];
  /** Asks on one connection, and says whether the answer was given at once. */
  readonly ask: (
    target: string, ...lines: string[]
  ) => Promise<RawAnswer & { readonly atOnce: boolean }>;
  readonly put: () => Promise<void>;
  readonly client: RawClient;
}

async function stage(
  t: Test,
  { more = '', sample = 0, rules = RULES }: { more?: string; sample?: number; rules?: string } = {},
): Promise<Stage> {
  let version = 1;
  const upstream = await rawUpstream(t, ({ line, head, write }) => {
    if (line.startsWith('PUT')) version += 1;
    const coding = /^accept-encoding: (.*)$/im.exec(head)?.[1] ?? 'none';
    const varies = line.includes('coded');
    write(ok(
      varies ? coding : `v${version}`, `ETag: "${version}"`,
      ...(varies ? ['Vary: Accept-Encoding'] : []),
      ...(line.includes('moved') ? ['Content-Location: /here'] : []),
    ));
  });
  const clock = new VirtualClock();
  const s = await front(t, upstream.url, { rules: `${more}${rules}`, clock, sample });
  const { shortcuts } = s.composed;
  let atOnce = false;
  const answer = shortcuts.answer.bind(shortcuts);
  shortcuts.answer = (head, peer) => {
    const ready = answer(head, peer);
    atOnce = ready !== undefined && ready !== 'drawn';
    return ready;
  };
  const client = await dial(t, s.url);
  return {
    s, clock, seen: upstream.seen, client,
    async ask(target, ...lines) {
      const [method, path] = target.startsWith('/') ? ['GET', target] : target.split(' ');
      const head = [`${method!} ${path!} HTTP/1.1`, 'Host: a', ...lines].join('\r\n');
      const told = await client.write(`${head}\r\n\r\n`).answer({ toHead: method === 'HEAD' });
      if (told === undefined) throw new Error('no answer came');
      return { ...told, atOnce };
    },
    async put() {
      const length = 'Content-Length: 0';
      await client.write(`PUT /posts/1 HTTP/1.1\r\nHost: a\r\n${length}\r\n\r\n`).answer();
    },
  };
}

for (const [name, more] of [['on', ''], ['off', 'fast_path: off\n']] as const) {
  t.test(`fast_path ${name}: a hit again is given at once, and never past a write`, async (t) => {
    const { ask, put, seen } = await stage(t, { more });
    const told = [];
    for (let i = 0; i < 4; i += 1) told.push(await ask('/posts'));
    t.same(told.map(({ body }) => body), ['v1', 'v1', 'v1', 'v1']);
    t.same(told.map(({ atOnce }) => atOnce), [false, false, true, true]);
    await put();
    t.equal((await ask('/posts')).body, 'v2');
    t.match(await ask('/posts'), { body: 'v2', atOnce: true });
    t.equal(seen.filter((line) => line === 'GET /posts').length, 2);
  });

  t.test(`fast_path ${name}: its age and its end are those of the moment`, async (t) => {
    const { ask, clock, seen } = await stage(t, { more });
    for (let i = 0; i < 2; i += 1) await ask('/posts');
    const said = async (): Promise<unknown> => {
      const told = await ask('/posts');
      const ttl = /ttl=\d+/.exec(told.values('cache-status')[0]!)?.[0];
      return [told.atOnce, told.values('age')[0], ttl];
    };
    t.same(await said(), [true, '0', 'ttl=60']);
    clock.advance(999);
    t.same(await said(), [true, '0', 'ttl=59']);
    clock.advance(1);
    t.same(await said(), [true, '1', 'ttl=59']);
    clock.advance(58_999);
    t.same(await said(), [true, '59', 'ttl=0']);
    clock.advance(1);
    t.equal((await ask('/posts')).atOnce, false);
    t.equal(seen.length, 2);
  });
}

t.test('conditions, HEAD and variants are answered at once as they are otherwise', async (t) => {
  const { ask, put } = await stage(t);
  const twice = async (...asked: [string, ...string[]]): Promise<unknown> => {
    for (let i = 0; i < 2; i += 1) await ask(...asked);
    const told = await ask(...asked);
    return [told.atOnce, told.status, told.body, told.values('content-length')[0]];
  };
  t.same(await twice('/posts'), [true, 200, 'v1', '2']);
  t.same(await twice('HEAD /posts'), [true, 200, '', '2']);
  t.same(await twice('/posts', 'If-None-Match: "1"'), [true, 304, '', undefined]);
  t.same(await twice('/posts', 'If-None-Match: "0"'), [true, 200, 'v1', '2']);
  t.same(await twice('/coded', 'Accept-Encoding: gzip'), [true, 200, 'gzip', '4']);
  t.same(await twice('/coded', 'Accept-Encoding: br'), [true, 200, 'br', '2']);
  t.same(await twice('/coded', 'Accept-Encoding: gzip'), [true, 200, 'gzip', '4']);
  await put();
  t.equal((await ask('/posts', 'If-None-Match: "1"')).body, 'v2');
  t.match(await ask('/posts', 'If-None-Match: "1"'), { status: 200, body: 'v2', atOnce: true });
});

t.test('what is not plain, or says who asks, is never learnt', async (t) => {
  const { ask, s } = await stage(t);
  await ask('/posts');
  for (const line of [
    'Authorization: Basic x', 'Cookie: a=1', 'X-Api-Key: x', 'Range: bytes=0-0',
    'Cache-Control: max-age=60', 'Pragma: no-cache', 'Content-Length: 0',
    'If-Modified-Since: Fri, 02 Jan 2026 03:04:05 GMT',
  ]) {
    for (let i = 0; i < 3; i += 1) t.equal((await ask('/posts', line)).atOnce, false, line);
  }
  t.equal(s.composed.shortcuts.size, 0);
  for (let i = 0; i < 3; i += 1) t.equal((await ask('/moved')).atOnce, false, 'told by our name');
});

t.test('one head is learnt of requests that differ in what only passes by', async (t) => {
  const { ask, s } = await stage(t);
  for (let i = 0; i < 20; i += 1) {
    const { atOnce } = await ask('/posts', `traceparent: 00-${i}`, `X-Request-Id: ${i}`);
    t.equal(atOnce, i >= 2);
  }
  t.equal(s.composed.shortcuts.size, 1);
  t.equal((await ask('/posts')).atOnce, true, 'as of one that has none');
});

t.test('what passes by elsewhere, and means something here, is asked for as it is', async (t) => {
  const here = await stage(t, {
    more: 'credentials: { headers: [x-correlation-id] }\n', rules: `routes:
  "/posts": { GET: { ttl: 60s } }
`,
  });
  for (let i = 0; i < 3; i += 1) await here.ask('/posts');
  t.equal((await here.ask('/posts')).atOnce, true);
  const own = await here.ask('/posts', 'X-Correlation-Id: secret');
  t.match([own.atOnce, own.values('cache-status')[0]], [false, /fwd=bypass; detail="credentials"/]);
  const keyed = await stage(t, { rules: `routes:
  "/posts": { GET: { ttl: 60s, headers: [x-real-ip] } }
` });
  for (let i = 0; i < 3; i += 1) await keyed.ask('/posts');
  const other = await keyed.ask('/posts', 'X-Real-IP: 2.2.2.2');
  t.match([other.atOnce, other.values('cache-status')[0]], [false, /fwd=uri-miss/]);
});

t.test('what passes by is looked at as far as the door looks at it', async (t) => {
  const { ask, s } = await stage(t);
  for (let i = 0; i < 3; i += 1) await ask('/posts');
  for (const line of ['X-Real-Ip: \x7f', 'b3: \0', 'b3: a\rb']) {
    const client = await dial(t, s.url);
    const head = `GET /posts HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`;
    t.equal((await client.write(head).answer())?.status, 400, JSON.stringify(line));
  }
  const many = await dial(t, s.url);
  const lines = 'b3: 1\r\n'.repeat(120);
  const told = await many.write(`GET /posts HTTP/1.1\r\nHost: a\r\n${lines}\r\n`).answer();
  t.equal(told?.status, 431);
});

t.test('a proxy in front is not answered by what a client has said', async (t) => {
  const { ask, s } = await stage(t, { more: 'trust_proxy: [127.0.0.1/32]\n' });
  for (let i = 0; i < 3; i += 1) await ask('/posts', 'X-Forwarded-Proto: https');
  const { shortcuts } = s.composed;
  const head = 'GET /posts HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n';
  t.ok(shortcuts.answer(head, { remoteAddress: '127.0.0.1' }));
  t.equal(shortcuts.answer(head, { remoteAddress: '127.0.0.2' }), undefined);
});

t.test('neither a mode, nor another file, nor draining is passed by', async (t) => {
  const { ask, s } = await stage(t);
  for (let i = 0; i < 3; i += 1) await ask('/posts');
  const { gateway } = s.composed;
  gateway.mode = 'off';
  t.equal((await ask('/posts')).atOnce, false);
  gateway.mode = 'observe';
  t.equal((await ask('/posts')).atOnce, false);
  gateway.mode = 'on';
  t.equal((await ask('/posts')).atOnce, true);
  const next = parseRules(
    `upstream: ${gateway.live.config.upstream.url}\nroutes: { "/posts": { GET: { ttl: 10s } } }`,
    { file: 'routes.yaml', env: {} });
  if (next.kind === 'wrong') throw new Error('the file is wrong');
  s.composed.apply(next.config);
  t.equal((await ask('/posts')).atOnce, false, 'under other rules it is another answer');
  await ask('/posts');
  t.equal((await ask('/posts')).atOnce, true);
  s.composed.drain();
  const last = await ask('/posts');
  t.match([last.atOnce, last.values('connection')[0]], [false, 'close']);
});

t.test('each of them is counted, and drawn for the log', async (t) => {
  const { ask, s } = await stage(t);
  for (let i = 0; i < 10; i += 1) await ask('/posts');
  const { text } = await s.composed.metrics.text();
  t.match(text, /requests_total\{route="\/posts",result="hit",because="fresh",kept=""\} 9\n/);
  t.match(text, /request_seconds_count\{result="hit"\} 9\n/);
  t.match(text, /request_seconds_bucket\{le="\+Inf",result="hit"\} 9\n/);
  t.equal(s.composed.gateway.ledger.dependents(['t:/posts'], Infinity).length, 0);
  const all = await stage(t, { sample: 1 });
  for (let i = 0; i < 3; i += 1) t.equal((await all.ask('/posts')).atOnce, false, 'to be logged');
});

for (const more of ['', 'fast_path: off\n']) {
  for (const drawn of [0.1, 0.9]) {
    t.test(`each hit is drawn for the log once: ${drawn} ${more}`, async (t) => {
      let draws = 0;
      const { random } = Math;
      t.teardown(() => void (Math.random = random));
      Math.random = () => {
        draws += 1;
        return drawn;
      };
      const { ask } = await stage(t, { sample: 0.5, more });
      await ask('/posts');
      draws = 0;
      for (let i = 0; i < 5; i += 1) await ask('/posts');
      t.equal(draws, 5);
    });
  }
}

t.test('so many heads are known and no more', async (t) => {
  const { ask, s, client } = await stage(t);
  await ask('/posts');
  const lines = Array.from({ length: 40_000 }, (_, i) =>
    `GET /posts HTTP/1.1\r\nHost: a\r\nIf-None-Match: "old-${i}"\r\n\r\n`);
  for (let at = 0; at < lines.length; at += 500) {
    client.write(...lines.slice(at, at + 500));
    for (let i = 0; i < 500; i += 1) await client.answer();
  }
  const { size } = s.composed.shortcuts;
  t.ok(size > 1000 && size <= 65_536, `${size} are known`);
  const long = `If-None-Match: "${'a'.repeat(3000)}"`;
  await ask('/posts', long);
  t.equal((await ask('/posts', long)).atOnce, false, 'a long one is not');
});
