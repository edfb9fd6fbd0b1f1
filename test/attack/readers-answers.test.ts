// Section H, answers: what is one reader's is given to that reader alone, in whatever form it is
// asked for, and to nobody once the upstream has refused it.
import t, { type Test } from 'tap';
import { ok } from '../raw.ts';
import { readers, type Readers, shownIn } from './readers.ts';

const STORED = 'fwd=uri-miss; stored';
const TOUCHED = 'fwd=stale; stored; detail="touched"';

const ann = 'Cookie: sid=ann';
const bob = 'Cookie: sid=bob';

const status = (line: string, ...fields: string[]): string =>
  `${[`HTTP/1.1 ${line}`, ...fields, 'Content-Length: 0'].join('\r\n')}\r\n\r\n`;

/** Both ask twice; each gets what it was shown as, and none of the second ones is a hit. */
async function notKept(t: Test, ...fields: string[]): Promise<void> {
  const r = await readers(t, ({ head }) => ok(shownIn(head), ...fields));
  for (const line of [ann, bob, ann, bob]) {
    const told = await r.get('/session', line);
    t.notMatch(told.cache, /hit|stored/, fields.join());
    t.equal(told.body, line.slice('Cookie: '.length));
  }
}

/** Ends when nothing waits to be refreshed. */
async function rested(r: Readers): Promise<void> {
  const { refresher } = r.s.composed.gateway;
  while (refresher.backlog.waiting + refresher.backlog.running > 0) await r.pass(1);
}

async function keptApart(t: Test, ...fields: string[]): Promise<Readers> {
  const r = await readers(t, ({ head }) => ok(shownIn(head), ...fields));
  for (const line of [ann, bob]) t.equal((await r.get('/session', line)).cache, STORED);
  for (const line of [ann, bob]) {
    const told = await r.get('/session', line);
    t.equal(told.cache, 'hit', fields.join());
    t.equal(told.body, line.slice('Cookie: '.length));
    t.equal(told.values('cache-control').join(), 'private, no-cache');
    t.match(told.values('vary').join().toLowerCase(), /cookie/);
  }
  return r;
}

t.test('H124 an answer that sets a cookie: not kept', async (t) => {
  await notKept(t, 'Set-Cookie: sid=new');
});

t.test('H125 an answer that varies by who asks: kept apart', async (t) => {
  await keptApart(t, 'Vary: Cookie');
  await keptApart(t, 'Vary: Authorization, Cookie');
});

t.test('H126 an answer that varies by everything: not kept', async (t) => {
  await notKept(t, 'Vary: *');
});

t.test('H127 a private answer: kept apart, and one that is no-store not at all', async (t) => {
  await keptApart(t, 'Cache-Control: private, max-age=0, must-revalidate');
  await keptApart(t);
  await notKept(t, 'Cache-Control: no-store');
});

t.test('H128 a public answer to a reader: nobody else’s for that', async (t) => {
  const r = await keptApart(t, 'Cache-Control: public, s-maxage=60');
  t.equal((await r.get('/session')).body, 'nobody');
});

t.test('H129 misses of two readers at once: two fetches', async (t) => {
  const r = await readers(t);
  const told = await Promise.all([ann, bob, ann, bob].map((line) => r.get('/session', line)));
  t.same(told.map(({ body }) => body.split(' #')[0]), ['sid=ann', 'sid=bob', 'sid=ann', 'sid=bob']);
  t.equal(r.upstream.seen.length, 2);
});

t.test('H130 HEAD for what is another’s: the reader’s own, or asked for', async (t) => {
  const r = await readers(t);
  await r.get('/session', ann);
  const length = (await r.send('HEAD', '/session', ann)).values('content-length')[0];
  t.equal(Number(length), 'sid=ann #GET /session'.length);
  t.notMatch((await r.send('HEAD', '/session', bob)).cache, /hit/);
  t.notMatch((await r.send('HEAD', '/session')).cache, /hit/);
  const seen = r.upstream.exchanges.map(({ head }) => shownIn(head));
  t.same(seen, ['sid=ann', 'sid=bob', 'nobody']);
});

t.test('H131 a part of what is another’s: the reader’s own', async (t) => {
  const r = await readers(t);
  for (const line of [ann, bob]) await r.get('/session', line);
  for (const line of [ann, bob]) {
    const told = await r.get('/session', line, 'Range: bytes=4-6');
    t.equal(told.status, 206);
    t.equal(told.body, line.slice(-3));
  }
});

t.test('H132 a part of what is kept for nobody yet: asked for as its reader', async (t) => {
  const r = await readers(t, ({ head }) => (/range/i.test(head)
    ? `HTTP/1.1 206 Part\r\nContent-Range: bytes 0-2/9\r\nETag: "a"\r\nContent-Length: 3\r\n\r\n${
      shownIn(head).slice(4)}` : ok(shownIn(head), 'ETag: "a"')));
  for (const line of [ann, bob, ann, bob]) {
    t.equal((await r.get('/session', line, 'Range: bytes=0-2')).body, line.slice(-3));
  }
});

t.test('H133 If-None-Match with another’s validator: the whole answer', async (t) => {
  // The upstream's own validators are the same for all of its readers.
  const fields = ['ETag: "list"', 'Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT'];
  const r = await keptApart(t, ...fields);
  const etag = (await r.get('/session', ann)).values('etag')[0]!;
  t.equal((await r.get('/session', ann, `If-None-Match: ${etag}`)).status, 304);
  for (const line of [`If-None-Match: ${etag}`, 'If-None-Match: "list"', 'If-None-Match: W/"list"',
    'If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT', `If-None-Match: "x", ${etag}`]) {
    const told = await r.get('/session', bob, line);
    t.equal(told.status, 200, line);
    t.equal(told.body, 'sid=bob');
    t.same(told.values('last-modified'), []);
  }
});

t.test('H134 only-if-cached for what is another’s: 504', async (t) => {
  const r = await readers(t);
  await r.get('/session', ann);
  const only = 'Cache-Control: only-if-cached';
  t.equal((await r.get('/session', ann, only)).status, 200);
  t.equal((await r.get('/session', bob, only)).status, 504);
  t.equal((await r.get('/session', only)).status, 504);
  await r.pass(60_001);
  t.equal((await r.get('/session', ann, only)).status, 504, 'nor after recheck');
});

t.test('H135 what all share: never filled by who says who asks', async (t) => {
  const r = await readers(t);
  for (const line of [ann, 'Authorization: Bearer ann']) await r.get('/plain', line);
  t.match((await r.get('/plain')).body, /^nobody #/);
  t.match((await r.get('/all', ann)).body, /^nobody #/);
});

t.test('H136 a route that all share, and that differs: in quarantine', async (t) => {
  const r = await readers(t, ({ head }) => (/GET \/all/.test(head)
    ? ok(/cookie/i.test(head) ? `hello ${shownIn(head)}` : 'hello') : undefined));
  t.equal((await r.get('/all', ann)).body, 'hello', 'what nobody in particular may see');
  while (r.s.composed.gateway.quarantine.patterns.length === 0) await r.pass(1);
  for (const line of [ann, bob]) {
    const told = await r.get('/all', line);
    t.equal(told.cache, 'fwd=bypass; detail="quarantined"');
    t.equal(told.body, `hello ${line.slice('Cookie: '.length)}`);
  }
  t.equal((await r.get('/all')).cache, 'fwd=bypass; detail="quarantined"');
});

t.test('H137 a purge: all that is kept for readers is asked for again', async (t) => {
  const r = await keptApart(t);
  const { byOperator } = await import('../../src/flow/purge.ts');
  await byOperator(r.s.composed.gateway, { targets: ['/session'], tags: [] }, 'purge');
  for (const line of [ann, bob]) t.equal((await r.get('/session', line)).cache, TOUCHED);
});

for (const refusal of ['401 Unauthorized', '403 Forbidden']) {
  t.test(`a ${refusal.slice(0, 3)} to a write, a pass, or a fetch ends its reader`, async (t) => {
    const ends: [method: string, target: string][] = [
      ['POST', '/write'], ['GET', '/elsewhere'], ['GET', '/session?page=2'], ['HEAD', '/x'],
    ];
    for (const [method, target] of ends) {
      let refuses = false;
      const r = await readers(t, () => (refuses ? status(refusal) : undefined));
      for (const line of [ann, bob]) await r.get('/session', line);
      refuses = true;
      await r.send(method, target, ann);
      refuses = false;
      t.equal((await r.get('/session', ann)).cache, TOUCHED, `${method} ${target}`);
      t.equal((await r.get('/session', bob)).cache, 'hit', 'and nobody else');
    }
  });
}

t.test('H138 a reader who was refused: nothing more is given', async (t) => {
  let refuses = false;
  const r = await readers(t, ({ head }) => (refuses && /sid=ann/.test(head)
    ? status('401 Unauthorized') : undefined));
  await r.get('/session', ann);
  await r.get('/session?b', ann);
  refuses = true;
  t.equal((await r.get('/session', ann)).cache, 'hit', 'the upstream was not asked');
  t.equal((await r.get('/elsewhere', ann)).status, 401);
  t.equal((await r.get('/session', ann)).status, 401);
  t.equal((await r.get('/session?b', ann)).status, 401);
});

t.test('H139 a reader who is refused at a refresh: nothing more is given', async (t) => {
  let refuses = false;
  const r = await readers(t, ({ head }) => (refuses && /sid=ann/.test(head)
    ? status('401 Unauthorized') : undefined));
  for (const target of ['/session', '/session?b']) {
    for (const line of [ann, bob]) await r.get(target, line);
  }
  refuses = true;
  await r.send('POST', '/write');
  const { gateway } = r.s.composed;
  await rested(r);
  t.equal(gateway.people.count('session'), 1);
  for (const target of ['/session', '/session?b']) {
    t.equal((await r.get(target, ann)).status, 401);
    t.equal((await r.get(target, bob)).cache, 'hit');
  }
});

t.test('H140 a logout: nothing more is given, however its path is spelt', async (t) => {
  const paths = ['/logout', '/logout?x=1', '/LOGOUT', '/logout/', '/log%6fut', '/logout;a'];
  for (const path of paths) {
    const r = await readers(t);
    for (const line of [ann, bob]) await r.get('/session', line);
    await r.send('POST', path, ann, 'X-CSRF-Token: one');
    t.equal((await r.get('/session', ann)).cache, TOUCHED, path);
    t.equal((await r.get('/session', bob)).cache, 'hit', path);
  }
});

t.test('H141 a revoked session within and after recheck: at most so long', async (t) => {
  let refuses = false;
  const r = await readers(t, () => (refuses ? status('401 Unauthorized') : undefined));
  await r.get('/session', ann);
  refuses = true;
  await r.pass(59_999);
  t.equal((await r.get('/session', ann)).cache, 'hit', 'nobody has said so here');
  await r.pass(2);
  t.equal((await r.get('/session', ann)).status, 401);
});

t.test('H142 an upstream that fails after recheck: nothing old is given', async (t) => {
  let fails = false;
  const r = await readers(t, () => (fails ? status('503 Later') : undefined));
  await r.get('/session', ann);
  fails = true;
  await r.send('POST', '/mine', bob);
  await r.pass(30_000);
  t.equal((await r.get('/session', ann)).cache, 'hit');
  await r.pass(31_000);
  t.equal((await r.get('/session', ann)).status, 503);
});

t.test('H143 a redirect to a login: accepts nobody', async (t) => {
  let away = false;
  const r = await readers(t, () => (away ? status('302 Found', 'Location: /login') : undefined));
  await r.get('/session', ann);
  away = true;
  await r.pass(61_000);
  t.equal((await r.get('/session', ann)).status, 302);
  t.equal((await r.get('/session', ann)).status, 302, 'nor is it kept');
});

t.test('H144 another’s own by @self: only the writer’s', async (t) => {
  const r = await readers(t);
  for (const line of [ann, bob]) await r.get('/session', line);
  await r.send('POST', '/mine', ann);
  await rested(r);
  t.same(r.upstream.seen.filter((line) => line === 'GET /session').length, 3);
  t.equal((await r.get('/session', bob)).cache, 'hit');
});

t.test('H145 @self of nobody in particular, or of two: everyone’s, or both’s', async (t) => {
  const cat = 'Cookie: sid=cat';
  const writers: [lines: string[], refreshed: number][] = [
    [[], 3], [['Authorization: Bearer x'], 3], [[ann, 'X-Api-Key: x'], 3],
    [['Cookie: sid=ann; sid=bob'], 2], [[ann], 1],
  ];
  for (const [lines, refreshed] of writers) {
    const r = await readers(t);
    for (const line of [ann, bob, cat]) await r.get('/session', line);
    await r.send('POST', '/mine', ...lines);
    await rested(r);
    t.equal(r.upstream.count('GET /session') - 3, refreshed, lines.join());
  }
});

t.test('H146 a restart: every reader is asked about again', async (t) => {
  const one = await readers(t);
  await one.get('/session', ann);
  await one.s.close();
  const two = await readers(t);
  t.equal((await two.get('/session', ann)).cache, STORED);
});

t.test('H147 a reload that changes who a reader is: nothing of before is given', async (t) => {
  const r = await readers(t);
  for (const line of [ann, bob]) await r.get('/session', line);
  const { gateway } = r.s.composed;
  r.reload((yaml) => yaml.replace('{ cookie: sid }', '{ header: x-api-key }'));
  t.equal(gateway.people.size, 0);
  t.equal((await r.get('/session', ann)).cache, 'fwd=bypass; detail="credentials"');
  t.equal((await r.get('/session', 'X-Api-Key: ann')).cache, STORED);
});

t.test('H148 very many readers, and very many answers of one: no more than may be', async (t) => {
  const r = await readers(t);
  const { people } = r.s.composed.gateway;
  for (let i = 0; i < 50; i += 1) await r.get('/token', `Authorization: Bearer ${i}`);
  t.equal(people.count('token'), 20);
  t.equal((await r.get('/token', 'Authorization: Bearer 49')).cache, 'hit');
  const told = [];
  for (let i = 0; i < 4; i += 1) {
    told.push((await r.get(`/token?${i}`, 'Authorization: Bearer 49')).cache);
  }
  const refused = 'fwd=uri-miss; detail="too-many-variants"';
  t.same(told, [STORED, STORED, refused, refused]);
  await r.pass(15 * 60_000 + 60_001);
  t.equal(people.count('token'), 0, 'and nobody for longer than `keep`');
});

t.test('H149 strangers who are refused: they touch nothing', async (t) => {
  const r = await readers(t, () => status('401 Unauthorized'));
  const { control } = r.s.composed.gateway.store;
  const before = control.look([]);
  for (let i = 0; i < 20; i += 1) {
    await r.get('/session', `Cookie: sid=${i}`);
    await r.send('POST', '/logout', `Cookie: sid=${i}`);
  }
  t.same(control.look([]), before);
});

t.test('H150 stale-while-revalidate and fetches behind: as the reader who asked', async (t) => {
  const r = await readers(t, ({ head }) =>
    ok(shownIn(head), 'Cache-Control: max-age=1, stale-while-revalidate=100'));
  for (const line of [ann, bob]) await r.get('/http', line);
  await r.pass(2000);
  for (const line of [ann, bob, ann]) {
    t.equal((await r.get('/http', line)).body, line.slice('Cookie: '.length));
    await r.pass(0);
  }
  t.same(new Set(r.upstream.exchanges.map(({ head }) => shownIn(head))),
    new Set(['sid=ann', 'sid=bob']));
  t.ok(r.upstream.seen.length > 2);
});

t.test('a HEAD for a path that ends a reader by GET ends it as well', async (t) => {
  const r = await readers(t);
  await r.get('/session', ann);
  await r.send('HEAD', '/bye', ann);
  t.equal((await r.get('/session', ann)).cache, TOUCHED);
});

t.test('a logout with the cookie in quotes, which many take off, ends it', async (t) => {
  const r = await readers(t);
  await r.get('/session', ann);
  await r.send('POST', '/logout', 'Cookie: sid="ann"');
  t.equal((await r.get('/session', ann)).cache, TOUCHED);
});

t.test('what is not there accepts nobody', async (t) => {
  const r = await readers(t, ({ line }) => (line.includes('gone') ? status('404 No') : undefined));
  await r.get('/session', ann);
  await r.pass(59_000);
  t.equal((await r.get('/session?gone', ann)).status, 404);
  await r.pass(2000);
  t.match((await r.get('/session', ann)).cache, /recheck/);
});

t.test('a request that shows very many cookies of a name ends a few at most', async (t) => {
  const r = await readers(t, ({ line }) =>
    (line === 'GET /elsewhere' ? status('401 No') : undefined));
  const names = Array.from({ length: 20 }, (_, i) => `sid=${i}`);
  for (const name of names) await r.get('/session', `Cookie: ${name}`);
  await r.get('/elsewhere', `Cookie: ${names.join('; ')}`);
  t.match(r.s.composed.gateway.store.control.look([]), { seq: 8 });
});

t.test('a token that is known no more when its logout is answered ends its reader', async (t) => {
  let pass = (): Promise<void> => Promise.resolve();
  const r = await readers(t, ({ line }) => {
    if (line === 'POST /logout') void pass();
    return undefined;
  });
  pass = () => r.pass(61_000);
  const line = await r.token({ sub: 'ann' });
  await r.get('/person', line);
  const { tag } = [...r.s.composed.gateway.ledger.dependents(['/person'], 0)][0]!.meaning.reader!;
  await r.send('POST', '/logout', line);
  t.match(r.s.composed.gateway.store.control.look([tag]), { newest: 1 });
});
