// What an operator means by a target that is given by hand.
import t from 'tap';
import { ownTarget } from '../../src/core/plan/operator.ts';
import { compileFinder } from '../../src/core/rules/match.ts';
import { parseRules } from '../../src/core/rules/parse.ts';

const READ = { GET: {} };
const ROUTES = {
  '/posts': READ, '/posts/:id': READ, '/u/:a/p/:b': READ,
  '/hook': { POST: { refresh: ['/posts'] } },
};

function meant(targets: string[], tags: string[] = [], routes: object | undefined = ROUTES) {
  const parsed = parseRules(
    JSON.stringify({ upstream: 'http://a', ...(routes && { routes }) }), { file: 'f' },
  );
  if (parsed.kind === 'wrong') throw new Error(
    parsed.problems.map(({ message }) => message).join(),
  );
  const { config } = parsed;
  const said = ownTarget({ targets, tags }, { config, finder: compileFinder(config.routes) });
  return said.kind === 'tags' ? said.tags : said.problems;
}

t.test('a pattern means its route, a path what stands there, a query one variant', async (t) => {
  t.same(meant(['/posts']), ['/posts']);
  t.same(meant(['/posts/:id']), ['/posts/:id']);
  t.same(meant(['/posts/7']), ['/posts/:id id=7']);
  t.same(meant(['/posts/a%20b']), ['/posts/:id id=a%20b']);
  t.same(meant(['/posts?page=1']), ['/posts ?page=1']);
  t.same(meant(['/posts/7?b=2&a=1']), ['/posts/:id id=7 ?a=1&b=2']);
  t.same(meant(['/POSTS/7/']), ['/posts/:id id=7'], 'in whatever spelling');
});

t.test('a `*` means any', async (t) => {
  t.same(meant(['/posts/*']), ['/posts/:id']);
  t.same(meant(['/u/ann/p/*']), ['/u/:a/p/:b a=ann']);
  t.same(meant(['/u/*/p/1']), ['/u/:a/p/:b b=1']);
  t.same(meant(['/posts/*'], [], { '/*': READ }), ['/*'], 'and widens where no tag says it');
  t.same(meant(['/a/b'], [], { '/*': READ }), ['/* *=a%2Fb']);
});

t.test('tags are given as tags or as targets', async (t) => {
  t.same(meant(['tag:a b'], ['c']), ['tag:c', 'tag:a%20b']);
});

t.test('what names nothing that is read is a problem, and all of them are told', async (t) => {
  t.same(meant(['/nowhere', '/hook', 'posts', '/posts']), [
    '`/nowhere` names no route that is read',
    '`/hook` names no route that is read',
    '`posts` names no route that is read',
  ]);
  t.same(meant([]), ['neither `targets` nor `tags` given']);
});
