// Parts of answers: from what is kept whole, from what is kept in part, and from the upstream. What
// is in part is never taken for the whole, and a write ends it as it ends everything.
import t from 'tap';
import { Barrier, FORMS, stage, until } from '../play.ts';
import { VirtualClock } from '../virtual-clock.ts';

const RULES = `routes:
  /doc: { GET: {}, PUT: { refresh: [/doc] } }
`;

/** An upstream with one document that knows ranges. */
function document(): { script: Parameters<typeof stage>[1]['script']; text: string; etag: string } {
  const doc = {
    text: '0123456789',
    etag: '"1"',
    script(request: { method?: string; headers: { range?: string } }, response: {
      writeHead(status: number, headers: Record<string, string>): { end(text?: string): void };
    }) {
      if (request.method === 'PUT') {
        response.writeHead(204, {}).end();
        return;
      }
      const common = {
        'cache-control': 'max-age=60', etag: doc.etag, 'content-type': 'text/plain',
      };
      const found = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
      if (found === null) {
        response.writeHead(200, common).end(doc.text);
        return;
      }
      const first = Number(found[1]);
      const last = Math.min(doc.text.length - 1, found[2] === '' ? Infinity : Number(found[2]));
      const part = doc.text.slice(first, last + 1);
      const range = `bytes ${first}-${last}/${doc.text.length}`;
      response.writeHead(206, { ...common, 'content-range': range }).end(part);
    },
  };
  return doc as never;
}

for (const form of FORMS) {
  t.test(`${form}: a whole answer gives any part of it`, async (t) => {
    const doc = document();
    const s = await stage(t, { form, rules: RULES, script: doc.script! });
    await s.get('/doc');
    for (const [range, status, body, place] of [
      ['bytes=0-1', 206, '01', 'bytes 0-1/10'],
      ['bytes=8-', 206, '89', 'bytes 8-9/10'],
      ['bytes=-1', 206, '9', 'bytes 9-9/10'],
      ['bytes=10-', 416, '', 'bytes */10'],
      ['bytes=x', 200, '0123456789', undefined],
    ] as const) {
      const told = await s.get('/doc', { range });
      t.equal(told.status, status, range);
      t.equal(told.body, body, range);
      t.equal(told.headers['content-range'], place, range);
      t.match(told.cache, /^everfresh; hit/);
    }
    const several = await s.get('/doc', { range: 'bytes=0-0,9-9' });
    t.match(several.headers['content-type'], /^multipart\/byteranges; boundary=/);
    t.match(several.body, /Content-Range: bytes 9-9\/10\r\n\r\n9\r\n--/);
    t.equal((await s.get('/doc', { range: 'bytes=0-1', 'if-range': '"1"' })).status, 206);
    t.equal((await s.get('/doc', { range: 'bytes=0-1', 'if-range': '"0"' })).status, 200);
    t.equal((await s.get('/doc', { range: 'bytes=0-1', 'if-none-match': '"1"' })).status, 304);
    t.equal((await s.send('HEAD', '/doc', undefined, { range: 'bytes=0-1' })).status, 200);
    t.equal(s.seen.length, 1);
  });

  t.test(`${form}: a part is kept as one, and is never the whole`, async (t) => {
    const doc = document();
    const s = await stage(t, { form, rules: RULES, script: doc.script! });
    const first = await s.get('/doc', { range: 'bytes=4-7' });
    t.match(first, { status: 206, body: '4567', cache: 'everfresh; fwd=uri-miss; stored' });
    const hit = await s.get('/doc', { range: 'bytes=5-6' });
    t.match(hit, { status: 206, body: '56' });
    t.match(hit.cache, /^everfresh; hit/);
    t.equal(hit.headers['content-range'], 'bytes 5-6/10');
    t.equal((await s.get('/doc', { range: 'bytes=6-8' })).body, '678', 'it lacks the 8');
    t.equal(s.seen.length, 2);
    t.match(await s.get('/doc'), { status: 200, body: doc.text });
    t.equal(s.seen.length, 3);
  });

  t.test(`${form}: parts that touch are one, and are whole when nothing lacks`, async (t) => {
    const doc = document();
    const s = await stage(t, { form, rules: RULES, script: doc.script! });
    await s.get('/doc', { range: 'bytes=0-4' });
    await s.get('/doc', { range: 'bytes=3-6' });
    t.match((await s.get('/doc', { range: 'bytes=0-6' })).cache, /hit/);
    await s.get('/doc', { range: 'bytes=7-' });
    const whole = await s.get('/doc');
    t.match(whole, { status: 200, body: doc.text });
    t.match(whole.cache, /hit/);
    t.equal(s.seen.length, 3);
  });

  t.test(`${form}: parts of two versions are not joined`, async (t) => {
    const doc = document();
    const s = await stage(t, { form, rules: RULES, script: doc.script! });
    await s.get('/doc', { range: 'bytes=0-4' });
    doc.text = 'abcdefghij';
    doc.etag = '"2"';
    t.equal((await s.get('/doc', { range: 'bytes=5-' })).body, 'fghij');
    t.match((await s.get('/doc')).cache, /uri-miss/);
  });

  t.test(`${form}: a write ends a part as well`, async (t) => {
    const doc = document();
    const s = await stage(t, { form, rules: RULES, script: doc.script! });
    await s.get('/doc', { range: 'bytes=0-4' });
    doc.text = 'abcdefghij';
    await s.send('PUT', '/doc', {});
    t.equal((await s.get('/doc', { range: 'bytes=0-4' })).body, 'abcde');
    t.equal(s.count('GET /doc'), 2, 'and it was not fetched again before it was asked for');
  });

  t.test(`${form}: an upstream that knows no ranges fills the cache with the whole`, async (t) => {
    const s = await stage(t, {
      form, rules: RULES,
      script: (_, response) =>
        response.writeHead(200, { 'cache-control': 'max-age=60' }).end('0123456789'),
    });
    t.equal((await s.get('/doc', { range: 'bytes=0-1' })).body, '01');
    await until(async () => /hit/.test((await s.get('/doc')).cache), 'it is kept');
    t.equal(s.seen.length, 1);
  });

  t.test(`${form}: a range on a version that the client names is the upstream's`, async (t) => {
    const doc = document();
    const s = await stage(t, { form, rules: RULES, script: doc.script! });
    const told = await s.get('/doc', { range: 'bytes=0-1', 'if-range': '"0"' });
    t.match(told.cache, /bypass; detail="request-range"/);
    t.equal(s.requests[0]!.headers['if-range'], '"0"');
  });
}

t.test('parts that do not say which bytes they are answer the same question only', async (t) => {
  let serial = 0;
  const s = await stage(t, {
    rules: RULES,
    script(request, response) {
      serial += 1;
      const { range } = request.headers;
      if (request.method === 'PUT' || range === undefined) return void response.end(`${serial}`);
      const kinds: Record<string, Record<string, string>> = {
        'bytes=0-0,2-2': { 'content-type': 'multipart/byteranges; boundary=x' },
        'bytes=4-9': { 'content-range': 'bytes 4-9/10' },
        'bytes=0-3': { 'content-range': 'bytes 0-3/*' },
      };
      response.writeHead(206, { 'cache-control': 'max-age=60', ...kinds[range] }).end(`${serial}`);
    },
  });
  const ask = async (range?: string) =>
    (await s.get('/doc', range === undefined ? {} : { range })).body;
  for (const range of ['bytes=0-0,2-2', 'bytes=4-9', 'bytes=0-3']) {
    const first = await ask(range);
    t.equal(await ask(range), first, range);
    t.match(await s.get('/doc', { range }), { status: 206, cache: /; hit/ });
  }
  t.not(await ask('bytes=5-6'), await ask('bytes=4-9'), 'not what would lie within it');
  t.not(await ask(), await ask('bytes=0-3'), 'nor the whole');
  const before = await ask('bytes=4-9');
  await s.send('PUT', '/doc');
  t.not(await ask('bytes=4-9'), before, 'and a write ends them');
});

t.test('a kept part answers conditions, and who wants only what is kept', async (t) => {
  const doc = document();
  const s = await stage(t, { rules: RULES, script: doc.script! });
  await s.get('/doc', { range: 'bytes=2-5' });
  const again = await s.get('/doc', { 'range': 'bytes=2-3', 'if-none-match': '"1"' });
  t.equal(again.status, 304);
  const only = { 'cache-control': 'only-if-cached' };
  t.match(await s.get('/doc', { range: 'bytes=2-3', ...only }), { status: 206, body: '23' });
  t.equal((await s.get('/doc', { range: 'bytes=8-', ...only })).status, 504);
  t.equal(s.count('GET /doc'), 1);
});

t.test('parts that grow are no new variants, and no larger than a body may be', async (t) => {
  const doc = document();
  const rules = `routes:
  /doc: { GET: { max_body: 6b } }
  /other: { GET: {} }
limits: { new_variants_per_minute: 3 }
`;
  const s = await stage(t, { rules, script: doc.script! });
  for (const range of ['bytes=0-1', 'bytes=2-3', 'bytes=4-5']) await s.get('/doc', { range });
  t.match((await s.get('/doc', { range: 'bytes=0-5' })).cache, /; hit/, 'joined');
  await s.get('/doc', { range: 'bytes=6-7' });
  t.notMatch((await s.get('/doc', { range: 'bytes=0-7' })).cache, /; hit/, 'not beyond the bound');
  t.match((await s.get('/other')).cache, /stored/, 'and others have their room');
});

t.test('where all may share it, who asks for a part or its head may be asked for', async (t) => {
  const s = await stage(t, {
    rules: 'routes: { /own: { GET: { ttl: 1h, per: everyone } } }',
    script(request, response) {
      const known = request.headers.authorization === 'x';
      response.writeHead(known ? 200 : 401, { 'content-length': 2 }).end('hi');
    },
  });
  const own = { authorization: 'x' };
  t.equal((await s.get('/own', { ...own, range: 'bytes=0-0' })).status, 200);
  t.equal((await s.send('HEAD', '/own', undefined, own)).status, 200);
});

t.test('parts that are asked for at once are put together, whichever comes first', async (t) => {
  const doc = document();
  const held = new Barrier();
  const clock = new VirtualClock();
  const s = await stage(t, {
    rules: RULES, clock,
    async script(request, response, body) {
      if (request.headers.range === 'bytes=0-4') await held.pass();
      await doc.script!(request, response, body);
    },
  });
  const first = s.get('/doc', { range: 'bytes=0-4' });
  await held.reached;
  clock.advance(1000);
  await s.get('/doc', { range: 'bytes=5-9' });
  clock.advance(1000);
  held.open();
  await first;
  t.match(await s.get('/doc'), { body: '0123456789', cache: /; hit/ });
});
