// Many readers of one cold key: one fetch for all of them, and nobody's failure, departure or
// privacy becomes another's.
import { request as httpRequest } from 'node:http';
import t from 'tap';
import { Barrier, FORMS, json, type Stage, stage, until } from '../play.ts';
import { VirtualClock } from '../virtual-clock.ts';

const RULES = `
routes:
  /posts:
    GET:  { ttl: 1h }
    POST: { refresh: [/posts] }
`;

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** Ends when so many requests have come in; as a plugin everfresh doesn't count them for us. */
async function entered(s: Stage, count: number): Promise<void> {
  const { composed } = s;
  if (composed !== undefined) return until(
    () => composed.handler.active() >= count, `${count} came in`,
  );
  for (let turn = 0; turn < 3; turn += 1) await s.send('OPTIONS', '/posts');
}

for (const form of FORMS) {
  t.test(`${form}: two hundred misses of a cold key are one fetch`, async (t) => {
    const slow = new Barrier();
    const s = await stage(t, {
      form,
      rules: RULES,
      script: async ({ method }, response) => {
        if (method === 'GET') await slow.pass();
        json(response, ['x']);
      },
    });
    const readers = times(200, () => s.get('/posts'));
    await slow.reached;
    await entered(s, 200);
    slow.open();
    const replies = await Promise.all(readers);
    t.equal(s.count('GET /posts'), 1);
    t.ok(replies.every(({ body, status }) => status === 200 && body === '["x"]'));
    t.equal(replies.filter(({ cache }) => cache === 'everfresh; fwd=uri-miss; stored').length, 1);
    const others = replies.filter(({ cache }) => /collapsed$|hit/.test(cache));
    t.equal(others.length, 199);
    t.ok(
      others.every(({ headers }) => headers.age !== undefined), 'theirs was fetched for another',
    );
  });

  t.test(`${form}: who reads after a write rides no fetch that began before it`, async (t) => {
    const slow = new Barrier();
    let value = 'old';
    const s = await stage(t, {
      form,
      rules: RULES,
      async script(request, response) {
        if (request.method === 'POST') return json(response, value = 'new', { status: 201 });
        const answer = value;
        if (answer === 'old') await slow.pass();
        json(response, answer);
      },
    });
    const before = times(5, () => s.get('/posts'));
    await slow.reached;
    await s.send('POST', '/posts', {});
    const after = times(20, () => s.get('/posts'));
    await entered(s, 25);
    slow.open();
    t.ok((await Promise.all(after)).every(({ body }) => body === '"new"'));
    await Promise.all(before);
    t.equal(s.count('GET /posts'), 2, 'one fetch of each value');
    t.equal((await s.get('/posts')).body, '"new"');
  });

  t.test(`${form}: a leader that goes away takes nobody with it`, async (t) => {
    const slow = new Barrier();
    const s = await stage(t, {
      form,
      rules: RULES,
      script: async ({ method }, response) => {
        if (method === 'GET') await slow.pass();
        json(response, 1);
      },
    });
    const leader = httpRequest(`${s.url}/posts`, { agent: false });
    leader.on('error', () => undefined);
    leader.end();
    await slow.reached;
    const waiters = times(10, () => s.get('/posts'));
    await entered(s, 11);
    leader.destroy();
    await new Promise((resolve) => void leader.once('close', resolve));
    slow.open();
    t.ok((await Promise.all(waiters)).every(({ status, body }) => status === 200 && body === '1'));
    t.equal(s.count('GET /posts'), 1);
  });

  t.test(`${form}: when a fetch fails the waiters share one more and are told`, async (t) => {
    const slow = new Barrier();
    const s = await stage(t, { form, rules: RULES, script: async (request, response) => {
        if (request.method !== 'GET') return json(response, 0);
        await slow.pass();
        request.socket.destroy();
      } });
    const readers = times(10, () => s.get('/posts'));
    await slow.reached;
    await entered(s, 10);
    slow.open();
    const replies = await Promise.all(readers);
    t.ok(
      replies.every(
        ({ status, headers }) =>
          status === 502 && headers['content-type'] === 'application/problem+json',
      ),
    );
    t.ok(s.count('GET /posts') <= 4, 'two fetches, each tried once more');
  });

  t.test(`${form}: nobody queues for answers that cannot be shared`, async (t) => {
    for (const said of ['private', 'no-store']) {
      let inside = 0;
      const all = new Barrier();
      const s = await stage(t, {
        form,
        rules: RULES,
        async script(_request, response) {
          inside += 1;
          // Nobody is answered before the last of the waiters is here; a queue would never end.
          if (inside > 1 && inside < 10) await all.pass();
          if (inside >= 10) all.open();
          json(response, inside, { headers: { 'cache-control': said } });
        },
      });
      const replies = await Promise.all(times(10, () => s.get('/posts')));
      t.equal(s.seen.length, 10, said);
      t.equal(
        replies.filter(({ cache }) => cache.includes(`detail="upstream-${said}"`)).length,
        10,
        'each is told why',
      );
    }
  });
}

t.test('readers of other variants do not take the leader’s', async (t) => {
  const slow = new Barrier();
  const s = await stage(t, {
    rules: RULES,
    async script(request, response) {
      await slow.pass();
      json(response, request.headers['accept-language'], { headers: { vary: 'Accept-Language' } });
    },
  });
  const readers = times(
    12, (i) => s.get('/posts', { 'accept-language': ['de', 'en', 'fr'][i % 3]! }),
  );
  await slow.reached;
  slow.open();
  const bodies = (await Promise.all(readers)).map(({ body }) => body);
  t.strictSame(bodies, times(12, (i) => `"${['de', 'en', 'fr'][i % 3]!}"`));
  t.equal(s.seen.length, 3);
});

t.test('when the upstream fails a waiter is given the stale answer as the leader is', async (t) => {
  const clock = new VirtualClock();
  const slow = new Barrier();
  let fails = false;
  const s = await stage(t, {
    clock,
    rules: 'routes:\n  /posts:\n    GET: { ttl: 1s, stale_if_error: 1h }\n',
    async script(_request, response) {
      if (fails) await slow.pass();
      json(response, 1, { status: fails ? 500 : 200 });
    },
  });
  await s.get('/posts');
  clock.advance(2000);
  fails = true;
  const readers = times(8, () => s.get('/posts'));
  await slow.reached;
  await entered(s, 8);
  slow.open();
  const replies = await Promise.all(readers);
  t.ok(
    replies.every(({ status, cache }) => status === 200 && cache.includes('stale-if-error')),
    'all of them',
  );
  t.equal(s.seen.length, 2);
});
