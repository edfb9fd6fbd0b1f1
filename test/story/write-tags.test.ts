// Tags beyond those that follow from the path: those of the file and those that the upstream gives;
// and the operator's own touches, for writes that do not pass here.
import t from 'tap';
import { byOperator } from '../../src/flow/purge.ts';
import { FORMS, json, type Script, stage, until } from '../play.ts';
import { renewed, serials } from '../serials.ts';

const RULES = `
routes:
  /posts:     { GET: { ttl: 1h, query: [page] } }
  /posts/:id: { GET: { ttl: 1h, tags: ["author:{response.body.author}", all] } }
  /keyed/:by: { GET: { ttl: 1h } }
  /write/:tag: { POST: { refresh: ["tag:{params.tag}"] } }
  /write-list: { POST: { refresh: ["tag:{request.body.tags}"] } }
  /author/:name: { PUT: { refresh: ["tag:author:{params.name}"] } }
`;

const AUTHORS: Record<string, string> = { 1: 'ann', 2: 'bob' };
const FIELDS: Record<string, Record<string, string>> = {
  surrogate: { 'surrogate-key': 'red green' },
  xkey: { xkey: 'green blue' },
  tag: { 'cache-tag': 'red, blue' },
  groups: { 'cache-groups': '"red", "two words"' },
};

function tagged(): Script {
  let serial = 0;
  return (request, response) => {
    const last = request.url!.split('/')[2] ?? '';
    return json(
      response, { serial: serial += 1, author: AUTHORS[last] ?? 'nobody' },
      { headers: FIELDS[last] ?? {} },
    );
  };
}

const KEYED = ['/keyed/surrogate', '/keyed/xkey', '/keyed/tag', '/keyed/groups'];

for (const form of FORMS) {
  t.test(`${form}: a write reaches the tags of the file and of the upstream`, async (t) => {
    const s = await stage(t, { form, rules: RULES, script: tagged() });
    const posts = ['/posts/1', '/posts/2'];
    t.same(await renewed(s, posts, () => s.send('PUT', '/author/bob')), ['/posts/2']);
    t.same(await renewed(s, posts, () => s.send('POST', '/write/all')), posts);
    t.same(
      await renewed(s, KEYED, () => s.send('POST', '/write/red')),
      ['/keyed/surrogate', '/keyed/tag', '/keyed/groups'],
    );
    t.same(
      await renewed(s, KEYED, () => s.send('POST', '/write/green')),
      ['/keyed/surrogate', '/keyed/xkey'],
    );
    t.same(await renewed(s, KEYED, () => s.send('POST', '/write/two%20words')), ['/keyed/groups']);
    t.same(
      await renewed(s, KEYED, () => s.send('POST', '/write-list', { tags: ['blue', 'two words'] })),
      ['/keyed/xkey', '/keyed/tag', '/keyed/groups'],
    );
    t.same(await renewed(s, KEYED, () => s.send('POST', '/write/other')), []);
    t.same(
      await renewed(s, KEYED, () => s.send('POST', '/write-list', {})), KEYED,
      'a tag that cannot be computed widens to all',
    );
  });
}

t.test('a tag that moved to another author is found again by the refresh', async (t) => {
  AUTHORS['3'] = 'ann';
  t.teardown(() => delete AUTHORS['3']);
  const s = await stage(t, { rules: RULES, script: tagged() });
  const three = ['/posts/3'];
  t.same(await renewed(s, three, () => s.send('PUT', '/author/ann')), three);
  AUTHORS['3'] = 'bob';
  t.same(
    await renewed(s, three, () => s.send('PUT', '/author/ann')), three, 'and is bob’s from now on',
  );
  t.same(await renewed(s, three, () => s.send('PUT', '/author/bob')), three);
  t.same(await renewed(s, three, () => s.send('PUT', '/author/ann')), []);
});

t.test('an answer whose tag cannot be computed is not kept', async (t) => {
  const s = await stage(
    t, { rules: RULES, script: (_request, response) => json(response, { author: null }) },
  );
  t.match((await s.get('/posts/1')).cache, /tag-not-computable/);
});

t.test('an operator purges and refreshes by pattern, path, variant and tag', async (t) => {
  const s = await stage(t, { rules: RULES, script: tagged() });
  const { gateway } = s.composed!;
  const all = ['/posts', '/posts?page=1', '/posts/1', '/posts/2', ...KEYED];
  const order = (
    targets: string[], tags: string[] = [],
  ) => () => byOperator(gateway, { targets, tags }, 'purge');
  t.same(await renewed(s, all, order(['/posts'])), ['/posts', '/posts?page=1']);
  t.same(await renewed(s, all, order(['/posts?page=1'])), ['/posts?page=1']);
  t.same(await renewed(s, all, order(['/posts/:id'])), ['/posts/1', '/posts/2']);
  t.same(await renewed(s, all, order(['/posts/2', '/keyed/tag'])), ['/posts/2', '/keyed/tag']);
  t.same(await renewed(s, all, order(['/posts/*'])), ['/posts/1', '/posts/2']);
  t.same(
    await renewed(s, all, order(['tag:red'], ['author:ann'])),
    ['/posts/1', '/keyed/surrogate', '/keyed/tag', '/keyed/groups'],
  );

  await s.get('/posts/1');
  const before = s.count('GET /posts/1');
  const purged = await byOperator(gateway, { targets: ['/posts/1'], tags: [] }, 'purge');
  t.match(purged, { kind: 'done', touched: ['/posts/:id id=1'], refreshing: 0, confirmed: true });
  t.equal(s.count('GET /posts/1'), before, 'what is purged waits until it is asked for');
  t.match(
    await byOperator(gateway, { targets: ['/posts/1'], tags: [] }, 'refresh'),
    { kind: 'done', refreshing: 1 },
  );
  await until(() => s.count('GET /posts/1') === before + 1, 'what is refreshed does not');
  t.match(
    await byOperator(gateway, { targets: ['/nowhere', '/posts'], tags: [] }, 'purge'),
    { kind: 'wrong' },
  );
  t.match(await byOperator(gateway, { targets: [], tags: [] }, 'purge'), { kind: 'wrong' });
});

t.test('an operator reaches any path where there are no routes', async (t) => {
  const plain = serials();
  const s = await stage(t, {
    script(request, response, body) {
      response.setHeader('cache-control', 'max-age=3600');
      return plain(request, response, body);
    },
  });
  const { gateway } = s.composed!;
  const all = ['/a/1', '/a/2', '/b'];
  const order = (target: string) => () => byOperator(
    gateway, { targets: [target], tags: [] }, 'purge',
  );
  t.same(await renewed(s, all, order('/a/1')), ['/a/1']);
  t.same(await renewed(s, all, order('/a/*')), all, 'what no tag expresses widens');
});

t.test('what is to be warm is fetched at the start, and answers the first reader', async (t) => {
  const s = await stage(t, {
    rules: `
routes:
  /posts:
    GET:  { ttl: 1h, query: [page], warm: [/posts, "/posts?page=2"] }
    POST: { refresh: [/posts] }
`,
    script: serials(),
  });
  await until(() => s.seen.length === 2, 'both');
  await until(async () => /hit/.test((await s.get('/posts')).cache), 'kept');
  await until(async () => /hit/.test((await s.get('/posts?page=2')).cache), 'kept');
  t.same([...s.seen].sort(), ['GET /posts', 'GET /posts?page=2']);
  t.same(
    await renewed(s, ['/posts', '/posts?page=2'], () => s.send('POST', '/posts')),
    ['/posts', '/posts?page=2'],
  );
});
