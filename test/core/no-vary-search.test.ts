// No-Vary-Search: which differences of two queries make none.
import t from 'tap';
import { searchPart, searchVariance } from '../../src/core/http/no-vary-search.ts';

const alike = (said: string, one: string, other: string): boolean => {
  const variance = searchVariance(['No-Vary-Search', said]);
  if (variance === undefined) return one === other;
  return searchPart(one, variance) === searchPart(other, variance);
};

t.test('queries are alike but for what makes no difference', (t) => {
  const rows: [said: string, one: string, other: string, alike: boolean][] = [
    ['params=("utm")', 'q=1&utm=a', 'utm=b&q=1', true],
    ['params=("utm")', 'q=1', 'q=1&utm=&utm=2', true],
    ['params=("utm")', 'q=1&utm=a', 'q=2&utm=a', false],
    ['params=("utm")', 'a=1&b=2', 'b=2&a=1', false],
    ['params=("utm" "x y")', 'q=1&x+y=1', 'q=1', true],
    ['params=("%C3%A9" "x%26y")', 'x%26y=2&q=1&%C3%A9=1', 'q=1', true],
    ['key-order', 'a=1&b=2', 'b=2&a=1', true],
    ['key-order', 'a=1&a=2', 'a=2&a=1', false],
    ['key-order, params=("c")', 'a=1&b=2&c=3', 'b=2&a=1', true],
    ['params', 'a=1', 'b=2&c', true],
    ['params, except=("id")', 'id=1&x=1', 'y=2&id=1', true],
    ['params, except=("id")', 'id=1&x=1', 'id=2&x=1', false],
    ['params=("a")', 'q=a%20b', 'q=a+b', true],
    ['params=("a")', 'q=A', 'q=a', false],
  ];
  for (const [said, one, other, expected] of rows) {
    t.equal(alike(said, one, other), expected, `${said}: ${one} and ${other}`);
  }
  t.end();
});

t.test('what cannot be read makes every difference count', (t) => {
  for (const said of [
    '', 'params=utm', 'params=("a" b)', 'params=(1)', 'params=1', 'key-order=1', 'params=("a"',
    'except=("a")', 'params=("a"), except=("b")', 'params=?0, except=("b")', 'params=?0',
    'params=()', 'params, except="a"', 'other', '&&&', 'params, except=("a" 1)',
  ]) t.equal(searchVariance(['No-Vary-Search', said]), undefined, said);
  t.equal(searchVariance([]), undefined);
  t.match(searchVariance(['No-Vary-Search', 'key-order, other=7, params=?0']), { freeOrder: true });
  t.end();
});
