// The race that everfresh exists for: a read that began before a write and ends after it is used
// for
// no read that begins after the write was answered, whatever else goes wrong.
import type { ServerResponse } from 'node:http';
import t from 'tap';
import {
  Barrier, FORMS, inside, json, type Reply, type Script, type Stage, stage, until, watch,
} from '../play.ts';

const RULES = `
routes:
  /posts: { GET: { ttl: 1h }, POST: { refresh: [/posts] } }
`;

/**
 * The first read is kept, so that it is in use. The second answers what was before the write, and
 * late; those after it, of which the first is the refresh, as `then` says.
 */
function racing(
  slow: Barrier, then: (response: ServerResponse, version: number, nth: number) => unknown,
): Script {
  let version = 0;
  let reads = 0;
  return async (request, response) => {
    if (request.method !== 'GET') return json(response, { version: version += 1 });
    const nth = reads += 1;
    if (nth === 1) return json(response, { version });
    if (nth > 2) return then(response, version, nth);
    const old = { version };
    await slow.pass();
    return json(response, old);
  };
}

/** Starts the slow read, past what is kept. */
async function readSlowly(s: Stage, slow: Barrier): Promise<{ reply: Promise<Reply> }> {
  await s.get('/posts');
  const reply = s.get('/posts', { 'cache-control': 'no-cache' });
  await slow.reached;
  return { reply };
}

const FAILURES: Record<string, (response: ServerResponse) => unknown> = {
  'in no way': (response) => json(response, { version: 'new' }),
  'with 500': (response) => json(response, {}, { status: 500 }),
  'with 404': (response) => json(response, {}, { status: 404 }),
  'by a reset': (response) => response.socket!.destroy(),
  'inside its body': (response) => {
    response.writeHead(200, { 'content-length': 50 });
    response.write('{"version"', () => response.socket!.destroy());
  },
};

for (const form of FORMS) {
  for (const [how, fail] of Object.entries(FAILURES)) {
    t.test(`${form}: a read outrun by a write is not used, refresh failing ${how}`, async (t) => {
      const slow = new Barrier();
      const s = await stage(t, { form, rules: RULES, script: racing(slow, fail) });
      const early = await readSlowly(s, slow);
      t.equal((await s.send('POST', '/posts')).body, '{"version":1}');
      const after = [s.get('/posts'), s.get('/posts')];
      await inside(s, 3);
      slow.open();
      t.equal(
        (await early.reply).body, '{"version":0}', 'who came before the write may get the old',
      );
      const reads = [...after, ...after.map(() => s.get('/posts'))];
      for (const read of await Promise.allSettled(reads)) {
        if (read.status === 'fulfilled') t.not(read.value.body, '{"version":0}');
      }
      t.ok(s.count('GET /posts') > 2, 'the upstream was asked again');
    });
  }

  t.test(`${form}: nor when the writer is gone before the touch`, async (t) => {
    const [slow, applied] = [new Barrier(), new Barrier()];
    const script = racing(slow, (response, version) => json(response, { version }));
    const s = await stage(t, {
      form,
      rules: RULES,
      async script(request, response, body) {
        if (request.method === 'POST') await applied.pass();
        return script(request, response, body);
      },
    });
    const early = await readSlowly(s, slow);
    const writer = watch(s.url, 'POST', '/posts');
    await applied.reached;
    writer.leave();
    await writer.end;
    applied.open();
    slow.open();
    await early.reply;
    await until(async () => (await s.get('/posts')).body === '{"version":1}', 'the write is seen');
  });

  t.test(`${form}: nor in a burst of a hundred writes`, async (t) => {
    const slow = new Barrier();
    const s = await stage(
      t,
      {
        form, rules: `limits: { writes_per_client: 200 }\n${RULES}`,
        script: racing(slow, (response, version) => json(response, { version })),
      },
    );
    const early = await readSlowly(s, slow);
    await Promise.all(Array.from({ length: 100 }, async () => {
      const { version } = JSON.parse((await s.send('POST', '/posts')).body) as { version: number };
      slow.open();
      const read = JSON.parse((await s.get('/posts')).body) as { version: number };
      t.ok(read.version >= version, `${read.version} is not older than ${version}`);
    }));
    await early.reply;
    t.equal((await s.get('/posts')).body, '{"version":100}');
  });
}

t.test('nor when the refresh is silent for long, and then breaks', async (t) => {
  const [slow, silent] = [new Barrier(), new Barrier()];
  const s = await stage(t, {
    rules: RULES,
    script: racing(slow, async (response, version, nth) => {
      if (nth > 3) return json(response, { version });
      await silent.pass();
      return response.socket!.destroy();
    }),
  });
  const early = await readSlowly(s, slow);
  await s.send('POST', '/posts');
  slow.open();
  t.equal((await early.reply).body, '{"version":0}');
  await silent.reached;
  const joined = s.get('/posts');
  await inside(s, 1);
  t.equal(s.count('GET /posts'), 3);
  silent.open();
  t.equal((await joined).body, '{"version":1}', 'it asks itself');
});

t.test('a burst of writes makes one refresh that runs and one that waits', async (t) => {
  let version = 0;
  let running = 0;
  let most = 0;
  const barriers = [new Barrier(), new Barrier(), new Barrier(), new Barrier()];
  let reads = 0;
  const s = await stage(t, {
    rules: `limits: { writes_per_client: 200 }\n${RULES}`,
    async script(request, response) {
      if (request.method !== 'GET') return json(response, { version: version += 1 });
      const nth = reads++;
      most = Math.max(most, running += 1);
      const now = { version };
      if (nth > 0) await barriers[nth]?.pass();
      running -= 1;
      return json(response, now);
    },
  });
  await s.get('/posts');
  await s.send('POST', '/posts');
  await barriers[1]!.reached;
  await Promise.all(Array.from({ length: 100 }, () => s.send('POST', '/posts')));
  t.same(s.composed!.gateway.refresher.backlog, { waiting: 1, running: 1 });
  t.equal(s.count('GET /posts'), 2, 'a hundred writes, and no other fetch yet');
  barriers[1]!.open();
  await barriers[2]!.reached;
  barriers[2]!.open();
  await until(async () => /hit/.test((await s.get('/posts')).cache), 'kept');
  t.equal((await s.get('/posts')).body, '{"version":101}');
  t.equal(s.count('GET /posts'), 3, 'one that ran, one that waited');
  t.equal(most, 1);
});

t.test('a slow refresh of one key takes no turn of another', async (t) => {
  const slow = new Barrier();
  let stuck = false;
  const s = await stage(t, {
    rules: `
routes:
  /posts/:id: { GET: { ttl: 1h, keep_fresh: { concurrency: 2 } }, PUT: { refresh: [/posts/:id] } }
`,
    async script(request, response) {
      if (request.method === 'GET' && request.url === '/posts/1' && stuck) await slow.pass();
      return json(response, {});
    },
  });
  await s.get('/posts/1');
  await s.get('/posts/2');
  stuck = true;
  for (let nth = 0; nth < 5; nth += 1) await s.send('PUT', '/posts/1');
  await slow.reached;
  await s.send('PUT', '/posts/2');
  await until(() => s.count('GET /posts/2') === 2, 'the other is refreshed meanwhile');
  slow.open();
});

t.test('readers join the refresh that is under way', async (t) => {
  const refresh = new Barrier();
  let version = 0;
  let reads = 0;
  const s = await stage(t, {
    rules: RULES,
    async script(request, response) {
      if (request.method !== 'GET') return json(response, { version: version += 1 });
      if ((reads += 1) === 2) await refresh.pass();
      return json(response, { version });
    },
  });
  await s.get('/posts');
  await s.send('POST', '/posts');
  await refresh.reached;
  const readers = Array.from({ length: 20 }, () => s.get('/posts'));
  await inside(s, 20);
  refresh.open();
  for (const { body, cache } of await Promise.all(readers)) {
    t.equal(body, '{"version":1}');
    t.match(cache, /collapsed/);
  }
  t.equal(s.count('GET /posts'), 2);
});

t.test('a read that is still being kept is not shared with who came after the write', async (t) => {
  const keeping = new Barrier();
  let version = 0;
  const s = await stage(t, {
    rules: RULES,
    script: (request, response) => {
      if (request.method !== 'GET') version += 1;
      return json(response, { version });
    },
  });
  const { entries } = s.composed!.gateway.store;
  const put = entries.put.bind(entries);
  let puts = 0;
  entries.put = async (kept) => {
    // A store that is far away takes its time, after the last look at what was touched.
    if ((puts += 1) === 1) await keeping.pass();
    return put(kept);
  };
  const early = s.get('/posts');
  await keeping.reached;
  t.equal((await s.send('POST', '/posts')).body, '{"version":1}');
  const late = s.get('/posts');
  await inside(s, 2);
  keeping.open();
  t.equal((await late).body, '{"version":1}');
  t.equal((await early).body, '{"version":0}');
  t.equal((await s.get('/posts')).body, '{"version":1}');
});
