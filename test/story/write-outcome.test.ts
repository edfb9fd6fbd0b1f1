// What is touched follows from what came of the write: nothing where it was refused, at once and
// once more after a quarantine where nobody knows.
import { setImmediate as soon } from 'node:timers/promises';
import t from 'tap';
import { FORMS, json, type Script, stage, until, watch } from '../play.ts';
import { renewed, serials } from '../serials.ts';
import { VirtualClock } from '../virtual-clock.ts';

const RULES = `
routes:
  /posts:     { GET: { ttl: 1d }, POST: { refresh: [/posts] } }
  /posts/:id: { GET: { ttl: 1d }, PUT: { refresh: [/posts/:id, /posts] } }
`;
const ALL = ['/posts', '/posts/1'];

/** A write ends as its body says. */
const ending: Script = (request, response, body) => {
  const how = body === '' ? '200' : (JSON.parse(body) as { how: string }).how;
  switch (how) {
    case 'reset': return void request.socket.destroy();
    case 'half':
      response.writeHead(200, { 'content-length': 100, 'content-type': 'application/json' });
      return void response.write('{"half":', () => void request.socket.destroy());
    case 'silence': return undefined;
    default: return json(response, {}, { status: Number(how) });
  }
};

for (const form of FORMS) {
  t.test(`${form}: a refused write touches nothing`, async (t) => {
    const s = await stage(t, { form, rules: RULES, script: serials(ending) });
    for (const how of ['400', '401', '403', '404', '409', '412', '422', '429', '451']) {
      t.same(await renewed(s, ALL, async () => {
        const reply = await s.send('PUT', '/posts/1', { how });
        t.equal(String(reply.status), how);
        t.match(reply.cache, /detail="not-applied"/);
      }), [], how);
    }
    t.same(
      [s.count('GET /posts'), s.count('GET /posts/1')], [1, 1], 'nor is anything fetched again',
    );
  });

  t.test(`${form}: whatever was applied, or may have been, touches`, async (t) => {
    for (const how of [
      '200', '201', '204', '302', '303', '202', '408', '500', '503', 'reset', 'half',
    ]) {
      const s = await stage(t, { form, rules: RULES, script: serials(ending) });
      t.same(
        await renewed(s, ALL, () => s.send('PUT', '/posts/1', { how }).catch(() => undefined)), ALL,
        how,
      );
    }
  });
}

for (const how of ['202', '408', '500', '503', 'reset', 'half', 'silence']) {
  t.test(`a write that ends in ${how} is held for a quarantine, then refreshed`, async (t) => {
    const clock = new VirtualClock();
    const rules = `write_deadline: 10s\n${RULES}`;
    const s = await stage(t, { rules, script: serials(ending), clock });
    for (const path of ALL) await s.get(path);
    const writing = s.send('PUT', '/posts/1', { how }).then(
      (reply) => reply.status, () => 'broken',
    );
    if (how === 'silence') {
      await until(() => s.count('PUT /posts/1') === 1, 'the write is with the upstream');
      clock.advance(10_000);
    }
    const expected: Record<string, number | string> = { reset: 502, half: 'broken', silence: 504 };
    t.equal(await writing, expected[how] ?? Number(how));
    t.equal(s.count('GET /posts/1'), 1, 'no refresh yet');

    const meanwhile = await s.get('/posts/1');
    t.match(meanwhile.cache, /fwd=stale.*detail="?held/, 'given, and not kept');
    t.not((await s.get('/posts/1')).body, meanwhile.body, 'the next one is asked for again');
    const seen = s.count('GET /posts/1');
    clock.advance(59_999);
    t.match((await s.get('/posts')).cache, /held/);
    clock.advance(2);
    await until(() => s.count('GET /posts/1') === seen + 1, 'the refresh after the quarantine');
    await until(async () => /hit/.test((await s.get('/posts/1')).cache), 'it is kept again');
    t.equal(s.count('GET /posts/1'), seen + 1);
  });
}

t.test('a write of which not one byte was sent touches nothing', async (t) => {
  const rules = `
routes:
  /posts:     { GET: { ttl: 1d } }
  /away/:id:  { upstream: "http://127.0.0.1:1", PUT: { refresh: [/posts] } }
`;
  for (const form of FORMS) {
    const s = await stage(t, { form, rules, script: serials() });
    t.same(await renewed(s, ['/posts'], async () => {
      const reply = await s.send('PUT', '/away/1', { a: 1 });
      t.equal(reply.status, 502);
      t.match(reply.body, /upstream-refused/);
    }), []);
  }
});

t.test('a flood of refused writes flushes nothing, and fetches nothing', async (t) => {
  const s = await stage(t, { rules: RULES, script: serials(ending) });
  const { body } = await s.get('/posts');
  const statuses = await Promise.all(
    Array.from({ length: 60 }, async () => (await s.send('POST', '/posts', { how: '401' })).status),
  );
  t.same([...new Set(statuses)], [401]);
  t.equal((await s.get('/posts')).body, body);
  t.equal(s.count('GET /posts'), 1);
});

t.test('two quarantines of one entry: it is held until the later one is over', async (t) => {
  const clock = new VirtualClock();
  const s = await stage(t, { rules: RULES, script: serials(ending), clock });
  await s.get('/posts');
  await s.send('POST', '/posts', { how: '500' });
  clock.advance(40_000);
  await s.send('POST', '/posts', { how: '500' });
  clock.advance(30_000);
  t.match((await s.get('/posts')).cache, /held/, 'the first is over, the second is not');
  clock.advance(30_001);
  await until(async () => /hit/.test((await s.get('/posts')).cache), 'kept again');
});

t.test('a fault of ours after a write was forwarded leaves it held, and no intent', async (t) => {
  for (const at of ['fetch', 'touch'] as const) {
    const clock = new VirtualClock();
    const s = await stage(t, { rules: RULES, script: serials(ending), clock });
    await s.get('/posts');
    const { upstream, store: { control } } = s.composed!.gateway;
    const fetch = upstream.fetch.bind(upstream);
    const touch = control.touch.bind(control);
    let faults = 1;
    const fault = (): void => {
      faults -= 1;
      if (faults === 0) throw new Error('a fault of ours');
    };
    upstream.fetch = async (request) => {
      const fetched = await fetch(request);
      if (at === 'fetch') fault();
      return fetched;
    };
    control.touch = async (step) => {
      if (at === 'touch') fault();
      return touch(step);
    };
    t.equal((await s.send('POST', '/posts', { how: '200' })).status, 502, at);
    t.equal(s.count('POST /posts'), 1, 'never sent twice');
    t.match((await s.get('/posts')).cache, at === 'fetch' ? /held/ : /store-joining/);
    clock.advance(1_000);
    await until(async () => /held/.test((await s.get('/posts')).cache), 'held');
    clock.advance(60_000);
    await until(async () => /hit/.test((await s.get('/posts')).cache), 'kept again');
  }
});

t.test('a fault of ours that takes the touch as well is remembered', async (t) => {
  const s = await stage(t, { rules: RULES, script: serials(ending) });
  await s.get('/posts');
  const { gateway } = s.composed!;
  gateway.store.control.touch = () => Promise.reject(new Error('a fault of ours'));
  t.equal((await s.send('POST', '/posts', { how: '200' })).status, 502);
  t.ok(gateway.remembered.pending);
});

for (const how of ['202', '500', 'half', 'streams']) {
  t.test(`what only the answer names is held as well where it ends in ${how}`, async (t) => {
    const clock = new VirtualClock();
    const plain = serials((_request, response) => {
      const headers = { location: '/posts/7', 'content-type': 'application/json' };
      if (how === 'half') {
        response.writeHead(200, { ...headers, 'content-length': 9 });
        response.write('{', () => void response.socket!.destroy());
      } else if (how === 'streams') {
        response.writeHead(200, headers).write('{');
      } else json(response, {}, { status: Number(how), headers });
    });
    const s = await stage(t, { clock, script: plain, rules: `write_deadline: 10s\n${RULES}` });
    await s.get('/posts/7');
    const writing = watch(s.url, 'POST', '/import', {});
    await until(async () => {
      if (how === 'streams') clock.advance(1);
      return await Promise.race([writing.head.then(() => true, () => true), soon(false)]);
    }, 'the head');
    const between = await s.get('/posts/7');
    t.match(between.cache, /held/, 'the upstream may apply it after this');
    t.not((await s.get('/posts/7')).body, between.body);
    if (how === 'streams') {
      clock.advance(10_000);
      await writing.end;
    }
    clock.advance(60_001);
    await until(async () => /hit/.test((await s.get('/posts/7')).cache), 'kept again');
  });
}
