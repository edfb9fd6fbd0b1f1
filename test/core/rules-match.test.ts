// Which route a path belongs to: exactly, and by every spelling that a lenient server may accept.
import t from 'tap';
import type { Route } from '../../src/core/rules/config.ts';
import { compileFinder } from '../../src/core/rules/match.ts';
import type { Match } from '../../src/core/rules/match.ts';
import { PatternTree } from '../../src/core/rules/pattern.ts';
import { parseRules } from '../../src/core/rules/parse.ts';

function routesOf(...paths: string[]): readonly Route[] {
  const routes = Object.fromEntries(paths.map((path) => [path, { GET: {} }]));
  const text = JSON.stringify({ upstream: 'http://localhost', routes });
  const parsed = parseRules(text, { file: 'routes.yaml' });
  if (parsed.kind === 'wrong') throw new Error(JSON.stringify(parsed.problems));
  return parsed.config.routes;
}

function said(match: Match | undefined): string {
  if (match === undefined) return 'none';
  const params = [...match.params].map(([name, value]) => `${name}=${value}`);
  return [match.route.pattern, ...params].join(' ');
}

t.test('a static segment comes before a parameter, a parameter before the rest', async (t) => {
  const { match } = compileFinder(routesOf('/posts/new', '/posts/:id', '/posts/*', '/:a/b', '/'));
  t.equal(said(match('/posts/new')), '/posts/new');
  t.equal(said(match('/posts/7')), '/posts/:id id=7');
  t.equal(said(match('/posts/7/x')), '/posts/* *=7/x');
  t.equal(said(match('/posts/')), '/posts/* *=');
  t.equal(said(match('/x/b')), '/:a/b a=x');
  t.equal(said(match('/')), '/');
  t.equal(said(match('/posts')), 'none');
});

t.test('a search that fails deep down goes back to what is wider', async (t) => {
  const { match } = compileFinder(
    routesOf('/a/b/c', '/a/:x/d', '/:y/b/e', '/a/*', '/:p/:q/:r/z'));
  t.equal(said(match('/a/b/c')), '/a/b/c');
  t.equal(said(match('/a/b/d')), '/a/:x/d x=b');
  t.equal(said(match('/a/b/e')), '/a/* *=b/e');
  t.equal(said(match('/k/b/e')), '/:y/b/e y=k');
  t.equal(said(match('/k/b/f/z')), '/:p/:q/:r/z p=k q=b r=f');
  t.equal(said(match('/k/b/f')), 'none');
});

t.test('parameters are decoded, and a broken escape matches nothing', async (t) => {
  const { match } = compileFinder(routesOf('/posts/:id', '/files/*', '/caf%C3%A9'));
  t.equal(said(match('/posts/a%20b')), '/posts/:id id=a b');
  t.equal(said(match('/posts/%C3%A9')), '/posts/:id id=é');
  t.equal(said(match('/posts/a%2Fb')), '/posts/:id id=a/b');
  t.equal(said(match('/files/a/%C3%A9')), '/files/* *=a/é');
  t.equal(said(match('/caf%C3%A9')), '/caf%C3%A9');
  for (const path of ['/posts/%zz', '/posts/%', '/posts/%E9', '/files/a/%C3']) {
    t.equal(said(match(path)), 'none', path);
  }
});

t.test('the bytes are compared as they are', async (t) => {
  const { match } = compileFinder(routesOf('/posts', '/posts/:id'));
  const paths = [
    '/Posts', '/posts/', '//posts', '/p%6Fsts', '/posts;a=1', 'posts', '', '/posts/1/',
  ];
  for (const path of paths) {
    t.equal(said(match(path)), 'none', path);
  }
});

t.test('names that mean something to JavaScript are only names', async (t) => {
  const { match } = compileFinder(routesOf('/__proto__/:__proto__', '/:constructor'));
  t.equal(said(match('/__proto__/x')), '/__proto__/:__proto__ __proto__=x');
  t.equal(said(match('/toString')), '/:constructor constructor=toString');
});

t.test('one match leaves nothing behind for the next', async (t) => {
  const { match } = compileFinder(routesOf('/:a/:b/x', '/:c/*'));
  const first = match('/1/2/x');
  t.equal(said(match('/3/4/y')), '/:c/* c=3 *=4/y');
  t.equal(said(first), '/:a/:b/x a=1 b=2');
});

t.test('many routes and a long path are matched in linear time', async (t) => {
  const paths = Array.from({ length: 12 }, (_, i) =>
    [`${'/a'.repeat(i)}/:x${'/a'.repeat(12 - i)}/b`]).flat();
  const { match } = compileFinder(routesOf(...paths));
  const { value } = Object.getOwnPropertyDescriptor(Map.prototype, 'get') as {
    value: (this: Map<unknown, unknown>, key: unknown) => unknown;
  };
  const spy = t.capture(Map.prototype, 'get', value);
  const found = match(`${'/a'.repeat(5000)}/c`);
  spy.restore();
  const lookups = spy().length;
  t.equal(said(found), 'none');
  t.ok(lookups > 10 && lookups < 300, `${lookups} look-ups, where the tree has about 100 nodes`);
});

const loose = compileFinder(routesOf('/posts', '/posts/:id', '/posts/new', '/users/'));

const SPELLINGS: [what: string, path: string, meant: string[]][] = [
  ['a plain path means itself alone', '/posts/7', ['/posts/:id id=7']],
  ['a path of no route means none', '/other', []],
  ['a trailing slash may be dropped', '/posts/', ['/posts']],
  ['a trailing slash may be added', '/users', ['/users/']],
  ['slashes may be merged', '//posts//7', ['/posts/:id id=7']],
  ['unreserved characters may be decoded', '/p%6fsts/%37', ['/posts/:id id=7']],
  ['an escaped slash may be one', '/posts%2F7', ['/posts/:id id=7']],
  ['an escaped slash may be part of a value', '/posts/a%2fb', ['/posts/:id id=a/b']],
  ['parameters of a segment may be dropped', '/posts;v=1/7;x', ['/posts/:id id=7']],
  ['parameters of a value may be kept', '/posts/7;x', ['/posts/:id id=7;x', '/posts/:id id=7']],
  ['dot segments may be removed', '/a/../posts/./7', ['/posts/:id id=7']],
  ['escaped dot segments may be removed', '/a/%2e%2E/posts', ['/posts']],
  ['a dot segment at the end leaves a slash', '/posts/7/..', ['/posts']],
  ['a backslash may be a slash', '/posts\\7', ['/posts/:id id=7']],
  ['case may be ignored', '/POSTS/7', ['/posts/:id id=7']],
  ['another case may be a value', '/posts/NEW', ['/posts/:id id=NEW', '/posts/new']],
  ['escapes may be decoded twice', '/posts/%2537', ['/posts/:id id=%37', '/posts/:id id=7']],
  ['a slash may be escaped twice', '/posts%252F7', ['/posts/:id id=7']],
  ['a broken escape may be a value', '/posts/%zz', ['/posts/:id id=%zz']],
  ['all of it together is still seen', '//a/%2e%2e//P%6FSTS;x=1%2f%2537//', ['/posts/:id id=7']],
];

t.test('a write may be meant for each route that a lenient server would take', async (t) => {
  for (const [what, path, meant] of SPELLINGS) {
    const found = loose.matchLoosely(path).map(said);
    const missing = meant.filter((one) => !found.includes(one));
    t.same(missing, [], `${what}: ${path} means ${found.join(', ')}`);
    if (!path.startsWith('//a/')) {
      t.same(found.filter((one) => !meant.includes(one)), [], `${what}: and nothing else`);
    }
  }
});

t.test('the exact match is the first, and an ordinary path has one', async (t) => {
  t.same(loose.matchLoosely('/posts/new').map(said), ['/posts/new']);
  t.same(loose.matchLoosely('/posts/a%20b').map(said), ['/posts/:id id=a b']);
  t.equal(said(loose.matchLoosely('/posts/%2537')[0]), '/posts/:id id=%37');
});

t.test('a path made of escapes has a bounded number of spellings', async (t) => {
  const all = compileFinder(routesOf('/*'));
  const path = `/posts/${'%25'.repeat(500)}${';a//b/../%2e%2F'.repeat(400)}`;
  t.ok(all.matchLoosely(path).length <= 32);
  const hidden = `/${'%252e;x=%2525/'.repeat(400)}/posts${';y'.repeat(50)}%252f7`;
  const meant = loose.matchLoosely(hidden).map(said);
  t.ok(meant.includes('/posts/:id id=7'), 'and still means what it hides');
});

t.test('a pattern covers those that match nothing but what it matches', async (t) => {
  const [firsts, seconds] = [['a', 'b', ':x'], ['a', 'b', ':y']];
  const paths = ['/', '/*', ...firsts.flatMap((one) => [
    `/${one}`, `/${one}/`, `/${one}/*`,
    ...seconds.flatMap((two) => [`/${one}/${two}`, `/${one}/${two}/*`]),
  ])];
  const routes = paths.map((path) => routesOf(path)[0]!);
  const tree = new PatternTree(routes);
  const values = ['', 'a', 'b', 'c'];
  const deeper = (paths: string[]): string[] =>
    paths.flatMap((path) => values.map((value) => `${path}/${value}`));
  const tried = [...deeper(['']), ...deeper(deeper([''])), ...deeper(deeper(deeper([''])))];
  const matched = new Map(routes.map((route) => {
    const { match } = compileFinder([route]);
    return [route, tried.filter((path) => match(path) !== undefined)];
  }));
  for (const wide of routes) {
    const of = new Set(matched.get(wide));
    const covered = routes.filter((route) => matched.get(route)!.every((path) => of.has(path)));
    const said = tree.coveredBy(wide.segments).map(({ pattern }) => pattern);
    t.same(said.sort(), covered.map(({ pattern }) => pattern).sort(), wide.pattern);
  }
});
