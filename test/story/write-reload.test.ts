// The file changes, or the mode is switched, between reads and writes: what is kept stays reachable
// by the rules of now, and what the rules of now would not have kept is not used.
import t from 'tap';
import { parseRules } from '../../src/core/rules/parse.ts';
import { Barrier, json, stage, type Stage, until } from '../play.ts';
import { renewed, serials } from '../serials.ts';

const READS = `
routes:
  /posts:     { GET: { ttl: 1h, query: [page] } }
  /posts/:id: { GET: { ttl: 1h } }
  /users/:user/posts/:id: { GET: { ttl: 1h } }
`;

function reload(s: Stage, rules: string): void {
  const own = 'listen: 127.0.0.1:0\nadmin: off\nlog: { level: silent }';
  const yaml = `upstream: ${s.upstreamUrl}\n${own}\n${rules}`;
  const parsed = parseRules(yaml, { file: 'routes.yaml', env: {} });
  if (parsed.kind === 'wrong') throw new Error(
    parsed.problems.map(({ message }) => message).join(),
  );
  s.composed!.apply(parsed.config);
}

t.test('a rule that is new reaches what was kept before it', async (t) => {
  const s = await stage(t, { rules: READS, script: serials() });
  const paths = [
    '/posts', '/posts?page=1', '/posts/1', '/users/ann/posts/1', '/users/ann/posts/2',
    '/users/bob/posts/1',
  ];
  t.same(await renewed(s, paths, () => s.send('POST', '/elsewhere/1')), []);
  const targets: [target: string, reached: string[]][] = [
    ['/posts?page=1', ['/posts?page=1']],
    ['/posts/:id', ['/posts/1']],
    ['/users/*/posts/:id', ['/users/ann/posts/1', '/users/bob/posts/1']],
    ['/users/ann/posts/*', ['/users/ann/posts/1', '/users/ann/posts/2']],
    ['/users/ann/posts/:id', ['/users/ann/posts/1']],
  ];
  for (const [target, reached] of targets) {
    reload(s, READS);
    t.same(await renewed(s, paths, async () => {
      reload(s, `${READS}  /elsewhere/:id: { POST: { refresh: ["${target}"] } }\n`);
      t.match((await s.get('/posts')).cache, /hit/, 'a reload keeps what the rules still want');
      await s.send('POST', '/elsewhere/1');
    }), reached, target);
  }
});

t.test('a read rule that changes starts afresh, one that goes is passed', async (t) => {
  const s = await stage(t, { rules: READS, script: serials() });
  const { body } = await s.get('/posts?page=1&x=1');
  t.equal((await s.get('/posts?page=1&x=2')).body, body);
  reload(s, READS.replace('query: [page]', 'query: [page, x]'));
  const one = await s.get('/posts?page=1&x=1');
  t.not(one.body, body);
  t.not((await s.get('/posts?page=1&x=2')).body, one.body);
  reload(s, READS);
  t.not((await s.get('/posts?page=1')).body, body, 'nor is what was kept before it trusted again');
  reload(s, 'routes:\n  /posts/:id: { GET: { ttl: 1h } }\n');
  t.match((await s.get('/posts?page=1&x=1')).cache, /detail="?no-rule/);
});

t.test('a write while its rule is away is found by the rule that comes back', async (t) => {
  const s = await stage(t, { rules: READS, script: serials() });
  t.same(await renewed(s, ['/posts/1'], async () => {
    reload(s, READS.replace('/posts/:id: {', '/others/:id: {'));
    await s.send('PUT', '/posts/1');
    reload(s, READS);
  }), ['/posts/1'], 'since nobody could say what that write reached');
});

t.test('after a reload a refresh asks the upstream of now', async (t) => {
  const other = await stage(t, { script: serials() });
  const s = await stage(t, { rules: READS, script: serials() });
  await s.get('/posts/1');
  await s.get('/posts/1');
  reload(s, READS.replace('/posts/:id: {', `/posts/:id: { upstream: "${other.upstreamUrl}",`));
  await s.send('PUT', '/posts/1');
  await until(() => other.count('GET /posts/1') === 1, 'the refresh');
  t.equal(s.count('GET /posts/1'), 1);
  t.equal(other.count('PUT /posts/1'), 1);
});

t.test('what was written under a narrower route is seen when that is gone', async (t) => {
  const s = await stage(t, { rules: READS, script: serials() });
  t.same(await renewed(s, ['/posts/top', '/posts'], async () => {
    reload(s, `${READS}  /posts/top: { GET: { ttl: 1h } }\n`);
    await s.send('PUT', '/posts/top');
    reload(s, READS);
  }), ['/posts/top', '/posts']);
});

for (const mode of ['off', 'observe'] as const) {
  t.test(`what was kept before the mode was ${mode} is not used after it`, async (t) => {
    const s = await stage(t, { rules: READS, script: serials() });
    const { gateway } = s.composed!;
    t.same(await renewed(s, ['/posts/1', '/posts'], async () => {
      gateway.mode = mode;
      t.notMatch((await s.get('/posts/1')).cache, /hit/);
      t.equal((await s.send('PUT', '/posts/1')).status, 200);
      gateway.mode = 'on';
    }), ['/posts/1', '/posts']);
  });
}

t.test('a write passed while the mode was off, and answered after it, is seen', async (t) => {
  const [held, applied] = [new Barrier(), new Barrier()];
  let version = 0;
  const s = await stage(t, {
    rules: READS,
    async script(request, response) {
      if (request.method === 'GET') return json(response, { version });
      await held.pass();
      version += 1;
      applied.open();
      return json(response, {});
    },
  });
  const { gateway } = s.composed!;
  gateway.mode = 'off';
  const writing = s.send('PUT', '/posts/1');
  await held.reached;
  gateway.mode = 'on';
  t.equal((await s.get('/posts/1')).body, '{"version":0}');
  t.match((await s.get('/posts/1')).cache, /hit/);
  held.open();
  t.equal((await writing).status, 200);
  t.equal((await s.get('/posts/1')).body, '{"version":1}');
});

t.test('a reload that switches the mode on uses nothing of before', async (t) => {
  const s = await stage(t, { rules: READS, script: serials() });
  t.same(await renewed(s, ['/posts/1'], async () => {
    reload(s, `mode: off\n${READS}`);
    await until(() => s.composed!.gateway.mode === 'off', 'off');
    await s.send('PUT', '/posts/1');
    reload(s, READS);
    await until(() => s.composed!.gateway.mode === 'on', 'on');
  }), ['/posts/1']);
});
