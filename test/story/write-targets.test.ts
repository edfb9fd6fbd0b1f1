// What a write reaches, by where its targets take their values from.
import t from 'tap';
import { gzipSync } from 'node:zlib';
import { FORMS, json, stage, type Stage } from '../play.ts';
import { renewed, serials } from '../serials.ts';

const RULES = `
routes:
  /posts:           { GET: { ttl: 1h, query: [page, q] } }
  /posts/:id:       { GET: { ttl: 1h } }
  /users/:user/posts:     { GET: { ttl: 1h } }
  /users/:user/posts/:id: { GET: { ttl: 1h } }
  /path/:id:        { PUT: { refresh: [/posts/:id] } }
  /query:           { POST: { refresh: ["/posts/{query.id}"] } }
  /field:           { POST: { refresh: ["/posts/{request.headers.x-post}"] } }
  /body:            { POST: { refresh: ["/users/{request.body.author.name}/posts"] } }
  /answer:          { POST: { refresh: ["/posts/{response.body.id}"] } }
  /answers:         { POST: { refresh: ["/posts/{response.body.made.id}"] } }
  /answer-field:    { POST: { refresh: ["/posts/{response.headers.x-made}"] } }
  /page:            { POST: { refresh: ["/posts?page=1"] } }
  /search:          { POST: { refresh: ["/posts?q={query.q}"] } }
  /pages:           { POST: { refresh: [/posts] } }
  /any:             { POST: { refresh: [/users/*/posts] } }
  /partly/:user:    { POST: { refresh: ["/users/:user/posts/*"] } }
  /purge/:id:       { POST: { purge: [/posts/:id] } }
`;

const POSTS = ['/posts/1', '/posts/2', '/posts/3'];
const OF_USERS = ['/users/ann/posts', '/users/bob/posts'];
const PAGES = ['/posts', '/posts?page=1', '/posts?page=2'];

type Row = [what: string, paths: string[], act: (s: Stage) => Promise<unknown>, reached: string[]];

const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };
const TABLE: Row[] = [
  ['its path', POSTS, (s) => s.send('PUT', '/path/2'), ['/posts/2']],
  [
    'its path, percent-decoded', ['/posts/a%20b', '/posts/c'], (s) => s.send('PUT', '/path/a%20b'),
    ['/posts/a%20b'],
  ],
  ['its query', POSTS, (s) => s.send('POST', '/query?id=2'), ['/posts/2']],
  [
    'each value of its query', POSTS, (s) => s.send('POST', '/query?id=2&id=1'),
    ['/posts/1', '/posts/2'],
  ],
  ['a query without the value: the route', POSTS, (s) => s.send('POST', '/query'), POSTS],
  ['an empty value: the route', POSTS, (s) => s.send('POST', '/query?id='), POSTS],
  [
    'a request field', POSTS, (s) => s.send('POST', '/field', undefined, { 'x-post': '3' }),
    ['/posts/3'],
  ],
  ['no such field: the route', POSTS, (s) => s.send('POST', '/field'), POSTS],
  [
    'a JSON body', OF_USERS, (s) => s.send('POST', '/body', { author: { name: 'bob' } }),
    ['/users/bob/posts'],
  ],
  [
    'a list in a body', OF_USERS,
    (s) => s.send('POST', '/body', { author: [{ name: 'bob' }, { name: 'ann' }] }), OF_USERS,
  ],
  [
    'a merge patch', OF_USERS,
    (s) => s.send(
      'POST', '/body', '{"author":{"name":"bob"}}',
      { 'content-type': 'application/merge-patch+json' },
    ),
    ['/users/bob/posts'],
  ],
  [
    'a body without the member: the route', OF_USERS,
    (s) => s.send('POST', '/body', { author: 'bob' }), OF_USERS,
  ],
  [
    'a body that is no JSON: the route', OF_USERS,
    (s) => s.send('POST', '/body', '{"author"', { 'content-type': 'application/json' }), OF_USERS,
  ],
  [
    'a body of another type: the route', OF_USERS,
    (s) => s.send('POST', '/body', '{"author":{"name":"bob"}}', { 'content-type': 'text/plain' }),
    OF_USERS,
  ],
  [
    'a body said to be coded: the route', OF_USERS,
    (s) => s.send('POST', '/body', { author: { name: 'bob' } }, { 'content-encoding': 'x-own' }),
    OF_USERS,
  ],
  ['an answer’s body', POSTS, (s) => s.send('POST', '/answer', { id: 2 }), ['/posts/2']],
  [
    'a list in an answer’s body', POSTS,
    (s) => s.send('POST', '/answers', { made: [{ id: 2 }, { id: '3' }] }), ['/posts/2', '/posts/3'],
  ],
  [
    'an empty list in an answer: nothing', POSTS, (s) => s.send('POST', '/answers', { made: [] }),
    [],
  ],
  ['an answer without the member: the route', POSTS, (s) => s.send('POST', '/answer', {}), POSTS],
  [
    'a number that would be rounded: the route', POSTS,
    (s) => s.send(
      'POST', '/answer', '{"id":9007199254740993}', { 'content-type': 'application/json' },
    ),
    POSTS,
  ],
  [
    'a gzipped answer: the route', POSTS,
    (s) => s.send('POST', '/answer', { id: 2 }, { 'x-gzip': '1' }), POSTS,
  ],
  ['an answer’s field', POSTS, (s) => s.send('POST', '/answer-field', { id: 1 }), ['/posts/1']],
  ['exactly one variant', PAGES, (s) => s.send('POST', '/page'), ['/posts?page=1']],
  ['all variants in use', PAGES, (s) => s.send('POST', '/pages'), PAGES],
  [
    'a variant whose value needs escapes', ['/posts?q=a%2Bb%26c', '/posts?q=a'],
    (s) => s.send('POST', '/search?q=a%2Bb%26c'), ['/posts?q=a%2Bb%26c'],
  ],
  ['any', [...OF_USERS, '/users/ann/posts/1'], (s) => s.send('POST', '/any'), OF_USERS],
  [
    'some bound, some any', ['/users/ann/posts/1', '/users/ann/posts/2', '/users/bob/posts/1'],
    (s) => s.send('POST', '/partly/ann'), ['/users/ann/posts/1', '/users/ann/posts/2'],
  ],
  ['what it purges', POSTS, (s) => s.send('POST', '/purge/3'), ['/posts/3']],
];

const upstream = serials((request, response, body) => {
  const made = body === '' ? {} : safeParse(body);
  if (request.headers['x-gzip'] === undefined) {
    // What is sent comes back as it was spelt.
    const headers = { 'x-made': String(made['id']), 'content-type': 'application/json' };
    response.writeHead(200, headers).end(body === '' ? '{}' : body);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
  response.end(gzipSync(body));
});

function safeParse(body: string): Record<string, unknown> {
  const whole = body.startsWith('{') && body.endsWith('}');
  return whole ? JSON.parse(body) as Record<string, unknown> : {};
}

for (const form of FORMS) {
  t.test(`${form}: a write reaches what its targets name`, async (t) => {
    const s = await stage(t, { form, rules: RULES, script: upstream });
    for (const [what, paths, act, reached] of TABLE) {
      t.same(await renewed(s, paths, () => act(s)), reached, what);
    }
  });
}

t.test('a form names what it reaches, each value of a name', async (t) => {
  const s = await stage(t, {
    rules: RULES.replaceAll('author.name', 'author'),
    script: serials((_request, response) => json(response, {})),
  });
  t.same(
    await renewed(s, OF_USERS, () => s.send('POST', '/body', 'x=1&author=bob', FORM_TYPE)),
    ['/users/bob/posts'],
  );
  t.same(
    await renewed(s, OF_USERS, () => s.send('POST', '/body', 'author=bob&author=ann', FORM_TYPE)),
    OF_USERS,
  );
  const coded = { ...FORM_TYPE, 'content-encoding': 'gzip' };
  t.same(await renewed(s, OF_USERS, () => s.send('POST', '/body', 'author=bob', coded)), OF_USERS);
});

t.test('what is only purged is fetched when somebody asks for it', async (t) => {
  const s = await stage(t, { rules: RULES, script: upstream });
  await s.get('/posts/3');
  t.equal((await s.send('POST', '/purge/3')).cache, 'everfresh; fwd=method; detail="refreshing=0"');
  t.equal(s.count('GET /posts/3'), 1, 'the write ordered no refresh');
  t.match((await s.get('/posts/3')).cache, /fwd=stale/);
});
