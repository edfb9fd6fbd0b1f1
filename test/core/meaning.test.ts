// What a read means: cacheable with its recipe and tags, or passed and why.
import t from 'tap';
import { rulesOf } from '../asking.ts';

const rules = rulesOf(`
credentials: { headers: [x-who], cookies: [sid] }
routes:
  /posts:     { GET: { ttl: 1h, query: [page] }, POST: { refresh: [/posts] } }
  /posts/:id: { GET: { ttl: 1h } }
  /only:      { PUT: {} }
`);

t.test('what can’t be answered from the cache is passed, and says why', (t) => {
  const because = (target: string, fields: string[] = [], hasBody = false): string => {
    const meaning = rules.asks(target, fields, { hasBody });
    return meaning.kind === 'pass' ? meaning.because : 'cacheable';
  };
  t.equal(because('/none'), 'no-rule');
  t.equal(because('/only'), 'no-rule');
  t.equal(because('/POSTS'), 'no-rule');
  t.equal(because('/posts/'), 'no-rule');
  t.equal(because('/posts', [], true), 'request-body');
  t.equal(because('/posts', ['Upgrade', 'h2c']), 'cacheable', 'an offer may be ignored');
  t.equal(because('/posts/%61'), 'path-not-canonical');
  t.equal(because('/posts/a%2fb'), 'path-not-canonical');
  t.equal(because('/posts/a%2Fb'), 'cacheable');
  t.end();
});

t.test('the recipe fetches the entry with nothing of its reader’s', (t) => {
  const { recipe, asking, tags, params } = rules.reads(
    '/posts?utm=1&page=2',
    ['Accept', 'a/b', 'Authorization', 'x', 'Cookie', '_ga=1', 'User-Agent', 'u'],
  );
  t.strictSame(recipe, {
    kind: 'http', method: 'GET', target: '/posts?page=2', fields: ['Accept', 'a/b'],
    pattern: '/posts', path: '/posts',
  });
  t.equal(asking, 'authorization', 'which counts always');
  t.equal(params.size, 0);
  t.ok(tags.includes('/posts'));
  t.end();
});

t.test('a query of which nothing is left is not fetched with', (t) => {
  t.equal(rules.reads('/posts?utm=1').recipe.target, '/posts');
  t.equal(rules.reads('/posts?').recipe.target, '/posts');
  t.equal(rules.reads('/posts').recipe.target, '/posts');
  t.end();
});

t.test('what came by TLS is fetched as such', (t) => {
  t.equal(rules.reads('/posts', [], { scheme: 'https' }).recipe.secure, true);
  t.end();
});

t.test('a cookie that doesn’t count tells nothing apart, and one that does is told', (t) => {
  t.strictSame(rules.reads('/posts', ['Cookie', '_ga=1', 'X-A', '1']).telling, ['X-A', '1']);
  t.strictSame(rules.reads('/posts', ['Cookie', 'sid=1']).telling, ['Cookie', 'sid=1']);
  t.strictSame(
    rules.reads('/posts', ['Connection', 'x-a', 'X-A', '1']).telling,
    [],
    'nor does what is for one hop',
  );
  t.end();
});

t.test('parameters are bound by their meaning', (t) => {
  const tagsOf = (target: string): readonly string[] => rules.reads(target).tags;
  t.ok(tagsOf('/posts/7').includes('/posts/:id id=7'));
  t.equal(rules.reads('/posts/__proto__').params.get('id'), '__proto__');
  t.strictSame(
    tagsOf('/posts/a%21'), tagsOf('/posts/a!'), 'two spellings stand under the same tags',
  );
  t.end();
});

t.test('the content of a QUERY, and how it is to be read, are in its key', (t) => {
  const searches = rulesOf('routes: { /s: { GET: { ttl: 1h }, QUERY: { ttl: 1h } } }');
  const typed = ['Content-Type', 'application/json'];
  const ask = (text: string, fields = typed) =>
    searches.reads('/s', fields, { method: 'QUERY', body: Buffer.from(text) });
  const { key, recipe, tags } = ask('{"a":1}');
  t.match(recipe, { method: 'QUERY', fields: typed });
  t.equal(Buffer.from(recipe.body!).toString(), '{"a":1}');
  t.strictSame(tags, searches.reads('/s').tags, 'under the tags of its path');
  t.equal(ask('{"a":1}', [...typed, 'User-Agent', 'x']).key, key);
  const others = [
    ask('{"a":2}'), ask(''), ask('{"a": 1}'), ask('{"a":1}', []), searches.reads('/s', typed),
    ask('{"a":1}', ['Content-Type', 'application/sql']),
    ask('{"a":1}', [...typed, 'Content-Encoding', 'gzip']),
    ask('{"a":1}', [...typed, 'Content-Language', 'de']),
  ];
  t.equal(new Set([key, ...others.map((other) => other.key)]).size, others.length + 1);
  const unread = searches.asks('/s', typed, { method: 'QUERY', hasBody: true });
  t.match(unread, { kind: 'pass', because: 'request-body' }, 'content that is not known whole');
  t.equal(searches.reads('/s', [], { method: 'QUERY' }).recipe.body?.length, 0, 'or that is none');
  t.end();
});
