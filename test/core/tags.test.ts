// Structural tags: what an entry carries, and that whatever a write can name is among it.
import t from 'tap';
import {
  extraTag, reachTag, routeTag, structuralTags, variantTag,
} from '../../src/core/plan/tags.ts';
import type { Route } from '../../src/core/rules/config.ts';
import { parseRules } from '../../src/core/rules/parse.ts';

function route(path: string, methods: object = { GET: {} }): Route {
  const parsed = parseRules(
    JSON.stringify({ upstream: 'http://a', routes: { [path]: methods } }), { file: 'f' },
  );
  if (parsed.kind === 'wrong') throw new Error(
    parsed.problems.map(({ message }) => message).join(),
  );
  return parsed.config.routes[0]!;
}

const bound = (params: Record<string, string>): Map<string, string> =>
  new Map(Object.entries(params));

t.test('an entry carries its route, each combination of parameters, and its variant', async (t) => {
  t.same(structuralTags(route('/posts'), bound({}), undefined), ['/posts', '/posts ?']);
  t.same(structuralTags(route('/posts'), bound({}), 'page=1'), ['/posts', '/posts ?page=1']);
  t.same(structuralTags(route('/u/:a/p/:b'), bound({ a: '1', b: '2' }), undefined), [
    '/u/:a/p/:b', '/u/:a/p/:b a=1', '/u/:a/p/:b b=2', '/u/:a/p/:b a=1&b=2', '/u/:a/p/:b a=1&b=2 ?',
  ]);
  t.equal(
    structuralTags(
      route('/:a/:b/:c/:d'), bound({ a: '1', b: '2', c: '3', d: '4' }), undefined,
    ).length,
    2 ** 4 + 1,
  );
});

t.test('over four parameters an entry carries only its route and its full path', async (t) => {
  const five = route('/:a/:b/:c/:d/:e');
  const all = bound({ a: '1', b: '2', c: '3', d: '4', e: '5' });
  const tags = structuralTags(five, all, undefined);
  t.equal(tags.length, 3);
  t.ok(tags.includes(reachTag(five, all)));
  t.not(reachTag(five, all), five.pattern, 'of which the full path is one of its own');
  t.equal(reachTag(five, bound({ a: '1' })), five.pattern);
  t.ok(tags.includes(reachTag(five, bound({ a: '1' }))));
  t.equal(reachTag(route('/:a/:b/:c/:d'), bound({ a: '1' })), '/:a/:b/:c/:d a=1');
});

t.test('whatever a write binds of a route is a tag of the entries there', async (t) => {
  const users = route('/u/:a/p/:b');
  const tags = structuralTags(users, bound({ a: 'x', b: 'y' }), undefined);
  for (const some of [{}, { a: 'x' }, { b: 'y' }, { a: 'x', b: 'y' }, { b: 'y', a: 'x' }]) {
    t.ok(tags.includes(reachTag(users, bound(some))), JSON.stringify(some));
  }
  for (const other of [
    { a: 'y' }, { b: 'x' }, { a: 'x', b: 'z' },
  ]) t.notOk(tags.includes(reachTag(users, bound(other))));
});

t.test('a variant is named by the meaning of its query, not by its spelling', async (t) => {
  const posts = route('/posts');
  const tag = variantTag(posts, bound({}), 'a=1&b=x%20y');
  for (const same of [
    'b=x%20y&a=1', 'b=x+y&a=%31', '&a=1&&b=x%20y&',
  ]) t.equal(variantTag(posts, bound({}), same), tag, same);
  for (const other of [
    'a=1', 'a=1&b=x', 'a=1&b=x%20y&c', 'a=1%26b=x%20y',
  ]) t.not(variantTag(posts, bound({}), other), tag, other);
  t.equal(variantTag(posts, bound({}), ''), variantTag(posts, bound({}), undefined));
});

t.test('a variant is named without the parameters that its rule drops', async (t) => {
  const some = route('/posts', { GET: { query: ['page'] } });
  t.equal(variantTag(some, bound({}), 'utm=1&page=2'), '/posts ?page=2');
  const both = { GET: { query: ['page', 'sort'] }, QUERY: { query: ['page', 'x'] } };
  t.equal(variantTag(route('/posts', both), bound({}), 'x=1&sort=2&page=3'), '/posts ?page=3',
    'by either of its rules, so that one tag is of both');
  const unread = route('/posts', { PUT: {} });
  t.equal(variantTag(unread, bound({}), 'utm=1&page=2'), '/posts ?page=2&utm=1');
});

t.test('values forge no other tag, whatever is in them', async (t) => {
  const users = route('/u/:a/p/:b');
  const forged = structuralTags(users, bound({ a: '1&b=2', b: '3 ?x' }), undefined);
  t.notOk(forged.includes(reachTag(users, bound({ a: '1', b: '2' }))));
  for (const value of ['{x}', 'a b', 'a&b', 'a=b', 'a\r\nb', 'a\0b', '\ud800', '__proto__']) {
    t.match(
      routeTag('/x/:a', ['a'], bound({ a: value })), /^\/x\/:a a=[^\s&={}\0]*$/,
      JSON.stringify(value),
    );
    t.match(extraTag(value), /^tag:[^\s&={}\0]*$/);
  }
  t.not(extraTag('a b'), extraTag('a%20b'));
});

t.test('a long tag is hashed, differs where it differed, and stays short', async (t) => {
  const [one, two] = [
    'x'.repeat(500), `${'x'.repeat(499)}y`,
  ].map((value) => routeTag('/x/:a', ['a'], bound({ a: value })));
  t.not(one, two);
  t.ok(one!.length <= 200);
  t.ok(one!.startsWith('/x/:a #'), 'so that it still widens to its route');
  t.match(one, /^\/x\/:a #[\w-]{43}$/);
  t.not(extraTag('x'.repeat(500)), extraTag('x'.repeat(501)));
  t.ok(extraTag('x'.repeat(500)).startsWith('tag: #'), 'and is no route’s');
  t.equal(extraTag('x'.repeat(196)), `tag:${'x'.repeat(196)}`, 'two hundred are not too many');
  t.equal(extraTag('x'.repeat(197)).length, 49);
});

t.test('a route with a long path has it as its tag, and short ones for its entries', async (t) => {
  const long = route(`/${'x'.repeat(300)}/:a`);
  const [tag, ...others] = structuralTags(long, bound({ a: '1' }), undefined);
  t.equal(tag, long.pattern);
  t.equal(reachTag(long, bound({})), long.pattern);
  t.equal(others.length, 2);
  for (const other of others) t.ok(other.length <= 200, other);
});

t.test('what stands for a `*` is the same in every spelling of its path', async (t) => {
  const files = route('/files/*');
  const tag = reachTag(files, bound({ '*': 'a/b' }));
  for (const same of [
    'A/b', 'a/b/', 'a//b', '/a/b', 'a;v=1/b;w=2',
  ]) t.equal(reachTag(files, bound({ '*': same })), tag, same);
  for (const other of ['a', 'a/b/c', 'ab', 'a/b.txt']) t.not(
    reachTag(files, bound({ '*': other })), tag, other,
  );
  t.equal(
    reachTag(route('/x/:id'), bound({ id: 'A-b' })),
    reachTag(route('/x/:id'), bound({ id: 'a-B' })),
    'ids are taken without regard to case by many',
  );
  for (const other of ['a/', '/a']) t.not(
    reachTag(route('/x/:id'), bound({ id: other })),
    reachTag(route('/x/:id'), bound({ id: 'a' })),
    'but by nothing else',
  );
});
