// Targets of writes: which route each names, and what its parameters are bound to.
import t from 'tap';
import type { Target } from '../../src/core/rules/config.ts';
import { parseRules } from '../../src/core/rules/parse.ts';
import { printProblem } from '../../src/core/rules/problem.ts';

const PATHS = [
  '/posts', '/posts/:id', '/posts/latest', '/users/:user/posts', '/files/*', '/pages/:page',
  '/pages/*', '/shops/:shop/items/:item', '/a/::b',
];

/** The target, as the write `PUT /things/:id` names it. */
function compile(target: string): Target | string {
  const reads = PATHS.map((path) => [path, { GET: {} }]);
  const write = { '/things/:id': { PUT: { refresh: [target] } } };
  const routes = { ...Object.fromEntries(reads) as object, ...write };
  const parsed = parseRules(JSON.stringify({ upstream: 'http://a', routes }), { file: 'f' });
  if (parsed.kind === 'wrong') return parsed.problems.map(printProblem).join('\n');
  const route = parsed.config.routes.find(({ pattern }) => pattern === '/things/:id')!;
  return route.writes.get('PUT')!.refresh[0]!;
}

function said(target: string): string {
  const compiled = compile(target);
  if (typeof compiled === 'string') return compiled;
  if (compiled.kind === 'tag') return `tag ${compiled.tag.text}`;
  const bound = [...compiled.bindings]
    .map(([name, to]) => `${name}=${to === 'any' ? '(any)' : to.text}`);
  const query = compiled.query === undefined ? [] : [`?${compiled.query.text}`];
  return [compiled.pattern, ...bound, ...query].join(' ');
}

t.test('a target names a route by its shape', async (t) => {
  const cases: [target: string, meant: string][] = [
    ['/posts', '/posts'],
    ['/posts/:id', '/posts/:id id={params.id}'],
    ['/pages/:id', '/pages/:page page={params.id}'],
    ['/posts/*', '/posts/:id id=(any)'],
    ['/posts/1', '/posts/:id id=1'],
    ['/posts/a%20b', '/posts/:id id=a b'],
    ['/posts/latest', '/posts/latest'],
    ['/users/*/posts', '/users/:user/posts user=(any)'],
    ['/users/{request.body.by.name}/posts', '/users/:user/posts user={request.body.by.name}'],
    ['/posts/{response.body.id}', '/posts/:id id={response.body.id}'],
    ['/posts/{query.x}', '/posts/:id id={query.x}'],
    ['/posts/v-{request.headers.X-Id}', '/posts/:id id=v-{request.headers.x-id}'],
    ['/posts/{response.headers.x-id}', '/posts/:id id={response.headers.x-id}'],
    ['/shops/*/items/:id', '/shops/:shop/items/:item shop=(any) item={params.id}'],
    ['/a/::b', '/a/::b'],
  ];
  for (const [target, meant] of cases) t.equal(said(target), meant, target);
});

t.test('a trailing star names a trailing star before it names a parameter', async (t) => {
  t.equal(said('/pages/*'), '/pages/* *=(any)');
  t.equal(said('/pages/7'), '/pages/:page page=7');
  t.equal(said('/pages/7/8'), '/pages/* *=7/8');
  t.equal(said('/files/*'), '/files/* *=(any)');
  t.equal(said('/files/a/:id/{query.x}'), '/files/* *=a/{params.id}/{query.x}');
  t.equal(said('/files/a/*'), '/files/* *=(any)');
});

t.test('a query names exactly one variant', async (t) => {
  t.equal(said('/posts?page=1'), '/posts ?page=1');
  t.equal(said('/posts?page={request.body.page}&a=b'), '/posts ?page={request.body.page}&a=b');
  t.equal(said('/posts/{query.a?b}'), '/posts/:id id={query.a?b}');
  t.equal(said('/posts?'), '/posts');
});

t.test('a tag may have holes', async (t) => {
  t.equal(said('tag:posts'), 'tag posts');
  t.equal(said('tag:author:{request.body.author}'), 'tag author:{request.body.author}');
});

t.test('the parts of a template say where each value comes from', async (t) => {
  t.match(compile('tag:a:{request.body.x.0.y}:{params.id}'), {
    tag: { parts: [
      { kind: 'text', text: 'a:' },
      { kind: 'value', from: 'request.body', path: ['x', '0', 'y'] },
      { kind: 'text', text: ':' },
      { kind: 'value', from: 'params', path: ['id'] },
    ] },
  });
});

t.test('a target that can be nothing is an error that says why', async (t) => {
  const cases: [string, RegExp][] = [
    ['/post', /`\/post` names no route \(did you mean `\/posts`\?\)/],
    ['/posts/', /names no route/],
    ['/posts/1/2', /names no route/],
    ['posts', /must begin with `\/` or `tag:` \(did you mean `\/posts`\?\)/],
    ['/posts/:slug', /`:slug` is not bound: `\/things\/:id` has no such parameter/],
    ['/posts/{params.slug}', /`{params.slug}` is not bound/],
    ['tag:{params.slug}', /is not bound/],
    ['/posts/{body.id}', /must begin with one of/],
    ['/posts/{response.body.}', /names nothing/],
    ['/posts/{request.body.a..b}', /empty name/],
    ['/posts/{request.headers.a b}', /no name of a field/],
    ['/posts/{request.body.id', /brace without its other/],
    ['/posts/a}', /brace without its other/],
    ['/posts/%zz', /broken percent-escape/],
    ['/posts/:a-b', /is no parameter/],
    ['/posts @self', /`\/posts` has no `per` that names an identity/],
    ['tag:', /must be `tag:` and a name/],
    ['tag:a b', /must be `tag:` and a name/],
  ];
  for (const [target, message] of cases) t.match(said(target), message, target);
});
