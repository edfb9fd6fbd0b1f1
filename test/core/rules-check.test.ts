// What is allowed and still looks like a mistake, what must not be served, and the drawn graph.
import t from 'tap';
import { unfitToServe } from '../../src/core/rules/check.ts';
import type { Config } from '../../src/core/rules/config.ts';
import { drawGraph } from '../../src/core/rules/graph.ts';
import { parseRules } from '../../src/core/rules/parse.ts';
import type { ParseOptions } from '../../src/core/rules/parse.ts';
import { nearest, printProblem } from '../../src/core/rules/problem.ts';

const UP = 'upstream: http://localhost:3000\n';

function read(text: string, given: Partial<ParseOptions> = {}): { config: Config; said: string[] } {
  const parsed = parseRules(`${UP}${text}`, { file: 'routes.yaml', ...given });
  if (parsed.kind === 'wrong') throw new Error(parsed.problems.map(printProblem).join('\n'));
  return { config: parsed.config, said: parsed.warnings.map(printProblem) };
}

t.test('a path that lacks a method of a wider one shadows it', async (t) => {
  t.same(read(`routes:
  /posts/:id: { GET: , DELETE: { refresh: /posts/:id } }
  /posts/new: { GET: }
  /*: { GET: }
  /users: { POST: { refresh: /users/* } }
  /users/:id: { GET: }
`).said, [
    'routes.yaml:4:3: warning: `/posts/new` shadows `/posts/:id` and has no `DELETE` of its own',
    'routes.yaml:6:3: warning: `/users` shadows `/*` and has no `GET` of its own',
  ]);
});

t.test('paths that only overlap shadow nothing', async (t) => {
  t.same(read(`routes:
  /a/:x: { GET: }
  /:y/b: { POST: { purge: /a/* } }
  /a/b/*: { PUT: { purge: /a/* } }
  /a/: { PUT: { purge: /a/* } }
`).said, []);
});

t.test('a write that refreshes nothing, and a target that nobody reads, are told', async (t) => {
  t.same(read(`routes:
  /posts: { GET: , POST: }
  /jobs: { POST: { refresh: [/posts, /jobs, tag:x] } }
  /jobs/:id: { PUT: { purge: [/jobs/*] } }
`).said, [
    'routes.yaml:3:20: warning: `POST /posts` refreshes nothing but its own URL',
    'routes.yaml:4:38: warning: nobody reads `/jobs`: it has no `GET`',
    'routes.yaml:4:45: warning: no read has the tag `x`',
    'routes.yaml:5:31: warning: nobody reads `/jobs/* (/jobs/:id)`: it has no `GET`',
  ]);
});

t.test('a method that looks like a slip of the finger is told', async (t) => {
  t.same(read('routes: { /a: { GET: , PSOT: { purge: /a }, PURGE: { purge: /a } } }').said, [
    'routes.yaml:2:24: warning: `PSOT` is an unusual method (did you mean `POST`?)',
  ]);
});

t.test('a short secret and a short token are told, without telling them', async (t) => {
  t.same(read('secret: hunter2', { env: { EVERFRESH_ADMIN_TOKEN: 'hunter2' } }).said, [
    'EVERFRESH_ADMIN_TOKEN: warning: is short: take at least 16 random characters',
    'routes.yaml:2:1: warning: `secret` is short: take at least 32 random characters',
  ]);
  t.same(read(`secret: ${'x'.repeat(32)}`).said, []);
});

t.test('an admin listener that others can reach needs a token', async (t) => {
  const said = (text: string, env = {}): string[] =>
    unfitToServe(read(text, { env }).config).map(printProblem);
  t.match(said('admin: 0.0.0.0:8081'), [/^EVERFRESH_ADMIN_TOKEN: is needed: .*`0.0.0.0`/]);
  t.match(said('admin: 127.evil.example:8081'), [/is needed/]);
  t.same(said('admin: 0.0.0.0:8081', { EVERFRESH_ADMIN_TOKEN: 'x'.repeat(20) }), []);
  for (const address of ['127.0.0.1:1', '127.9.9.9:1', '"[::1]:1"', 'localhost:1', 'off']) {
    t.same(said(`admin: ${address}`), [], address);
  }
});

const GRAPH = `routes:
  /posts: { GET: { tags: [posts, "author:{response.body.author}"] }, POST: { refresh: /posts } }
  /posts/:id:
    GET:
    PUT: { refresh: [/posts/:id, "/posts?page=1"], purge: ["tag:author:{request.body.author}"] }
    DELETE: { purge: [tag:posts, tag:other] }
  /jobs: { POST: }
  /me: { GET: }
`;

t.test('the graph says in text which writes refresh which reads', async (t) => {
  t.same(drawGraph(read(GRAPH).config, 'text').split('\n'), [
    'POST /posts',
    '  refresh  GET /posts',
    'PUT /posts/:id',
    '  refresh  GET /posts/:id',
    '  refresh  /posts?page=1 -> GET /posts',
    '  purge    tag:author:{request.body.author} -> GET /posts',
    'DELETE /posts/:id',
    '  purge    tag:posts -> GET /posts',
    '  purge    tag:other -> (nothing that is read)',
    'POST /jobs',
    '  nothing but its own URL',
    'refreshed by no rule',
    '  GET /me',
  ]);
});

t.test('the graph is drawn for Mermaid, each node once', async (t) => {
  const lines = drawGraph(read(GRAPH).config, 'mermaid').split('\n');
  t.equal(lines[0], 'graph LR');
  const names = lines.flatMap((line) => /\["(.*)"\]/.exec(line)?.[1] ?? []);
  t.same(names, [
    'POST /posts', 'PUT /posts/:id', 'DELETE /posts/:id', 'POST /jobs',
    'GET /posts', 'GET /posts/:id', 'GET /me', 'tag:other',
  ]);
  t.equal(lines.filter((line) => line.includes('-->|refresh|')).length, 3);
  t.equal(lines.filter((line) => line.includes('-->|purge|')).length, 3);
});

t.test('Mermaid\'s own characters are escaped', async (t) => {
  const { config } = read('routes: { /a: { POST: { purge: [\'tag:a"#b\'] } } }');
  t.match(drawGraph(config, 'mermaid'), 'tag:a#quot;#35;b');
});

t.test('the nearest name is one that a slip of the finger explains', async (t) => {
  const names = ['ttl', 'query', 'headers', 'stale_if_error', 'GET'];
  t.equal(nearest('tll', names), 'ttl');
  t.equal(nearest('qeury', names), 'query');
  t.equal(nearest('header', names), 'headers');
  t.equal(nearest('stale-if-error', names), 'stale_if_error');
  t.equal(nearest('get', names), 'GET');
  t.equal(nearest('banana', names), undefined);
  t.equal(nearest('x'.repeat(100_000), names), undefined);
});

t.test('a tag that no read can have is warned of, with the nearest that one has', (t) => {
  const parsed = parseRules([
    'upstream: http://localhost:1',
    'routes:',
    '  /a: { GET: { tags: [items, "by:{response.body.author}:x"] } }',
    '  /b: { POST: { refresh: ["tag:itmes", "tag:items", "tag:by:7:x", "tag:by:7"] } }',
  ].join('\n'), { file: 'routes.yaml', env: {} });
  t.same(parsed.kind === 'ok' && parsed.warnings.map(printProblem), [
    'routes.yaml:4:27: warning: no read has the tag `itmes` (did you mean `items`?)',
    'routes.yaml:4:67: warning: no read has the tag `by:7`',
  ]);
  t.end();
});

t.test('identities that look like a mistake are told', async (t) => {
  t.same(read(`identities:
  session: { from: { cookie: sid }, hold: store }
  named: { from: { header: x-user-id } }
  person: { from: { jwt: { jwks: "http://id.example/keys" } } }
  idle: { from: { cookie: idle } }
routes:
  /a: { GET: { per: [session, named] } }
  /b: { GET: { per: person } }
  /c: { POST: { refresh: ["/a @self", "/b @self"] } }
`).said.map((line) => line.replace('routes.yaml:', '').replace(' warning:', '')), [
    '3:3: `hold: store` of `session` has no effect without a Redis `store`',
    '4:3: anybody may set `x-user-id`: say by `trusted_from` whose word counts',
    '5:3: `person` has no `audience`: tokens that were made for others are taken as well',
    '5:3: `person` has no `issuer`: its keys alone are believed',
    '5:3: `jwks` of `person` comes in clear text, so that anybody on the way may change it',
    '6:3: no `per` names the identity `idle`',
    '10:27: `@self` reaches this session only, not all that `session` has open elsewhere',
  ]);
});

t.test('what instances need to tell readers apart is asked for on a shared store', async (t) => {
  const names = (text: string, env: Record<string, string> = {}): string[] =>
    unfitToServe(read(text, { env }).config).map(({ file }) => file);
  const redis = 'store: redis://localhost:6379\n';
  const user = (more: string): string =>
    `identities: { user: { from: { cookie: sid }${more} } }
routes: { /a: { GET: { per: user } } }`;
  const secret = { EVERFRESH_SECRET: 'x'.repeat(40) };
  t.same(names(user('')), []);
  t.same(names(redis + user('')), ['EVERFRESH_SECRET']);
  t.same(names(redis + user(''), secret), []);
  t.same(names(redis + user(', hold: store'), secret), ['EVERFRESH_CREDENTIALS_KEY']);
  t.same(names(redis + user(', hold: store'), { ...secret, EVERFRESH_CREDENTIALS_KEY: 'no' }), [
    'EVERFRESH_CREDENTIALS_KEY',
  ]);
  const key = Buffer.alloc(32).toString('hex');
  t.same(names(redis + user(', hold: store'), { ...secret, EVERFRESH_CREDENTIALS_KEY: key }), []);
});
