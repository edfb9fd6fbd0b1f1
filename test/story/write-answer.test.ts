// When the writer is answered: never before the touch, not the last byte of a streaming answer
// before
// the second touch, with `wait` after the refreshes. A writer that leaves does not end its write.
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { setImmediate as soon } from 'node:timers/promises';
import t from 'tap';
import { Barrier, FORMS, json, type Script, type Stage, stage, until, watch } from '../play.ts';
import { serials } from '../serials.ts';
import { VirtualClock } from '../virtual-clock.ts';

const RULES = `
routes:
  /posts: { GET: { ttl: 1h }, POST: { refresh: [/posts] } }
`;

/** The nth touch of this gateway waits before its barrier. */
function barring(s: Stage, barriers: readonly Barrier[]): void {
  const { control } = s.composed!.gateway.store;
  const touch = control.touch.bind(control);
  let nth = 0;
  control.touch = async (step) => {
    await barriers[nth++]?.pass();
    return touch(step);
  };
}

/** Gives everything that could happen meanwhile the time to happen. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await soon();
}

/** Streams its answer: a head and some of it, the rest when the barrier opens. */
function streaming(rest: Barrier, end: 'whole' | 'broken' = 'whole'): Script {
  return async (request, response) => {
    response.writeHead(201, { 'content-type': 'text/plain' });
    response.write('one ');
    await soon();
    response.write('two ');
    await rest.pass();
    if (end === 'whole') response.end('three');
    else request.socket.destroy();
  };
}

t.test('the first byte of an answer comes after the touch', async (t) => {
  const s = await stage(t, { rules: RULES, script: serials() });
  const { body } = await s.get('/posts');
  const touch = new Barrier();
  barring(s, [touch]);
  const writer = watch(s.url, 'POST', '/posts', {});
  let answered = false;
  void writer.head.then(() => {
    answered = true;
  });
  await touch.reached;
  await turns();
  t.notOk(answered);
  t.equal(
    (await s.get('/posts')).body, body,
    'who reads before the write is answered may still see the old',
  );
  touch.open();
  t.equal(await writer.head, 200);
  t.not((await s.get('/posts')).body, body);
});

t.test('a streaming answer begins after one touch and ends after another', async (t) => {
  const rest = new Barrier();
  const s = await stage(t, { rules: RULES, script: serials(streaming(rest)) });
  const { body } = await s.get('/posts');
  const touches = [new Barrier(), new Barrier()] as const;
  barring(s, touches);
  const writer = watch(s.url, 'POST', '/posts', {});
  await touches[0].reached;
  await turns();
  t.equal(writer.body(), '');
  touches[0].open();
  t.equal(await writer.head, 201);
  await until(() => writer.body() === 'one ', 'the answer streams, but for what came last');
  const between = await s.get('/posts');
  t.not(between.body, body, 'what is answered after the head is new');
  t.match(between.cache, /held/, 'and not kept while the write goes on');
  rest.open();
  await touches[1].reached;
  await turns();
  t.notMatch(writer.body(), /three/, 'the last chunk waits for the second touch');
  touches[1].open();
  t.equal(await writer.end, 'whole');
  t.equal(writer.body(), 'one two three');
  t.not((await s.get('/posts')).body, between.body);
  await until(async () => /hit/.test((await s.get('/posts')).cache), 'kept again');
});

for (const form of FORMS) {
  t.test(`${form}: a writer that leaves before its answer does not end the write`, async (t) => {
    const applied = new Barrier();
    const s = await stage(t, {
      form,
      rules: RULES,
      script: serials(async (_request, response) => {
        await applied.pass();
        json(response, {});
      }),
    });
    const { body } = await s.get('/posts');
    const writer = watch(s.url, 'POST', '/posts', {});
    await applied.reached;
    writer.leave();
    t.equal(await writer.end, 'broken');
    applied.open();
    await until(() => s.count('GET /posts') === 2, 'the refresh');
    t.not((await s.get('/posts')).body, body);
  });

  t.test(`${form}: a writer that leaves inside its answer does not end the write`, async (t) => {
    const rest = new Barrier();
    const s = await stage(t, { form, rules: RULES, script: serials(streaming(rest)) });
    const { body } = await s.get('/posts');
    const writer = watch(s.url, 'POST', '/posts', {});
    await until(() => writer.body() === 'one ', 'the answer streams');
    const between = await s.get('/posts');
    t.not(between.body, body);
    writer.leave();
    await writer.end;
    await turns();
    rest.open();
    await until(
      async () => /hit/.test((await s.get('/posts')).cache),
      'the rest is read without it, and touched for',
    );
    t.not((await s.get('/posts')).body, between.body);
  });
}

t.test('an answer that breaks off is broken off to the writer, and held', async (t) => {
  const rest = new Barrier();
  const s = await stage(t, { rules: RULES, script: serials(streaming(rest, 'broken')) });
  await s.get('/posts');
  const writer = watch(s.url, 'POST', '/posts', {});
  await until(() => writer.body() === 'one ', 'the answer streams');
  rest.open();
  t.equal(await writer.end, 'broken');
  await until(async () => /held/.test((await s.get('/posts')).cache), 'held');
  t.equal(s.composed!.gateway.flights.size, 0);
});

const WAITING = RULES.replace('refresh: [/posts]', 'refresh: [/posts], wait: true');

t.test('with `wait` the writer is answered after the refreshes', async (t) => {
  const refresh = new Barrier();
  const plain = serials();
  let gets = 0;
  const s = await stage(t, {
    rules: WAITING,
    async script(request, response, body) {
      if (request.method === 'GET' && (gets += 1) === 2) await refresh.pass();
      return plain(request, response, body);
    },
  });
  await s.get('/posts');
  const writer = watch(s.url, 'POST', '/posts', {});
  let answered = false;
  void writer.head.then(() => {
    answered = true;
  });
  await refresh.reached;
  await turns();
  t.notOk(answered, 'not while the refresh is under way');
  refresh.open();
  t.equal(await writer.head, 200);
  t.match((await s.get('/posts')).cache, /hit/);
});

t.test('with `wait` nobody waits longer than `wait_timeout`', async (t) => {
  const clock = new VirtualClock();
  const refresh = new Barrier();
  const plain = serials();
  let gets = 0;
  const s = await stage(t, {
    clock,
    rules: WAITING.replace('wait: true', 'wait: true, wait_timeout: 3s'),
    async script(request, response, body) {
      if (request.method === 'GET' && (gets += 1) === 2) await refresh.pass();
      return plain(request, response, body);
    },
  });
  const { body } = await s.get('/posts');
  const writer = watch(s.url, 'POST', '/posts', {});
  let answered = false;
  void writer.head.then(() => {
    answered = true;
  });
  await refresh.reached;
  clock.advance(2_999);
  await turns();
  t.notOk(answered);
  clock.advance(1);
  t.equal(await writer.head, 200);
  const reading = s.get('/posts');
  await turns();
  refresh.open();
  t.not((await reading).body, body);
});

t.test('with `settle` answers are not kept for so long, then refreshed', async (t) => {
  const clock = new VirtualClock();
  const plain = serials();
  const s = await stage(
    t,
    {
      clock, rules: RULES.replace('refresh: [/posts]', 'refresh: [/posts], settle: 5s'),
      script: plain,
    },
  );
  const { body } = await s.get('/posts');
  t.equal((await s.send('POST', '/posts', {})).status, 200);
  const lagging = await s.get('/posts');
  t.not(lagging.body, body, 'the upstream is asked');
  t.match(lagging.cache, /held/);
  t.not((await s.get('/posts')).body, lagging.body, 'each time');
  clock.advance(4_999);
  t.match((await s.get('/posts')).cache, /held/);
  const seen = s.count('GET /posts');
  clock.advance(1);
  await until(() => s.count('GET /posts') === seen + 1, 'the refresh when it has settled');
  await until(async () => /hit/.test((await s.get('/posts')).cache), 'kept again');
});

t.test('a writer that stops reading holds nothing after the write’s deadline', async (t) => {
  const clock = new VirtualClock();
  const s = await stage(t, {
    clock,
    rules: `write_deadline: 10s\n${RULES}`,
    script: serials((_request, response) => {
      response.writeHead(201, { 'content-type': 'text/plain' });
      response.end(Buffer.alloc(64 * 1024 * 1024, 'x'));
    }),
  });
  await s.get('/posts');
  const { hostname, port } = new URL(s.url);
  const request = httpRequest({ hostname, port, method: 'POST', path: '/posts', agent: false });
  t.teardown(() => void request.destroy());
  request.on('error', () => undefined);
  const response = await new Promise<IncomingMessage>((resolve) => {
    request.on('response', resolve).end();
  });
  t.equal(response.statusCode, 201);
  const { gateway } = s.composed!;
  t.equal(gateway.writers.all, 1, 'a write is under way until its answer is over');
  const steps: string[] = [];
  const touch = gateway.store.control.touch.bind(gateway.store.control);
  gateway.store.control.touch = (step) => {
    steps.push(step.then);
    return touch(step);
  };
  clock.advance(9_900);
  await turns();
  t.same(steps, []);
  t.match((await s.get('/posts')).cache, /held/);
  clock.advance(100);
  await until(() => gateway.writers.all === 0, 'the write is over');
  t.same(steps, ['unknown'], 'as of an answer that breaks');
  clock.advance(60_000);
  await until(async () => /hit/.test((await s.get('/posts')).cache), 'kept again');
  t.same(steps, ['unknown', 'done']);
  let broken = false;
  response.on('error', () => void (broken = true)).resume();
  await until(() => response.closed, 'the end');
  t.ok(broken, 'and it gets no end that looks whole');
});
