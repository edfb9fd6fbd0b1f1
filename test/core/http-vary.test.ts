// Vary: which fields tell answers apart, and when two requests are alike in one.
import t from 'tap';
import { canonicalAcceptEncoding, variantPart, varyNames } from '../../src/core/http/vary.ts';

t.test('names are gathered from all lines, in lower case, each once', async (t) => {
  t.same(varyNames([]), { kind: 'names', names: [] });
  t.same(varyNames(['Vary', '']), { kind: 'names', names: [] });
  t.same(varyNames(['Vary', 'Origin, accept ,,ORIGIN', 'vary', 'X-B']), {
    kind: 'names', names: ['accept', 'origin', 'x-b'],
  });
});

t.test('a star anywhere, a name that is none and a list too long mean anything', async (t) => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => `x-${i}`).join(',');
  for (const value of ['*', 'a, *', '*, a', 'a b', '"a"', 'a;b', many(17)]) {
    t.same(varyNames(['Vary', 'x', 'Vary', value]), { kind: 'any' }, value);
  }
  t.equal(varyNames(['Vary', many(16)]).kind, 'names');
});

const alike = (name: string, a: string | undefined, b: string | undefined) => {
  const fields = (value: string | undefined) => (value === undefined ? [] : [name, value]);
  return variantPart(name, fields(a)) === variantPart(name, fields(b));
};

t.test('a field that is absent is like none that is there', async (t) => {
  for (const name of ['x-a', 'accept', 'accept-encoding', 'accept-language']) {
    t.equal(variantPart(name, []), '-');
    t.ok(alike(name, undefined, undefined));
    t.notOk(alike(name, undefined, ''), name);
    t.notOk(alike(name, undefined, '-'), name);
  }
});

t.test('other fields are compared as they stand, trimmed and combined', async (t) => {
  t.equal(variantPart('x-a', ['X-A', ' b ', 'x-a', 'C']), '=b, C');
  t.ok(alike('x-a', ' b ', 'b'));
  t.notOk(alike('x-a', 'b', 'B'));
});

t.test('codings come down to a closed list', async (t) => {
  const rows: [string, string][] = [
    ['gzip, deflate, br, zstd', 'br, deflate, gzip, zstd'],
    ['BR;q=0.1 ,GZip;Q=1.0', 'br, gzip'],
    ['x-gzip', 'gzip'],
    ['gzip, identity', 'gzip'],
    ['identity', ''],
    ['', ''],
    ['x;q=1', ''],
    [Array.from({ length: 1000 }, (_, i) => `x${i};q=1`).join(','), ''],
    ['gzip;q=0, br', 'br, gzip;q=0'],
    ['gzip;q=0.000, gzip', 'gzip;q=0'],
    ['gzip;q=2', ''],
    ['gzip;0q=.5', ''],
    ['gzip;q=x', ''],
    ['*', '*'],
    ['*;q=0', '*;q=0'],
    ['gzip, *;q=0', 'gzip, *;q=0'],
    ['identity, *;q=0', 'identity, *;q=0'],
    ['gzip, identity;q=0', 'gzip, identity;q=0'],
    ['gzip, x;q=0, *', 'gzip'],
    ['gzip, x, *', 'gzip, *'],
  ];
  for (const [value, canonical] of rows) {
    t.equal(canonicalAcceptEncoding(value), canonical, value.slice(0, 40));
    t.equal(canonicalAcceptEncoding(canonical), canonical, 'the canonical form is its own');
  }
});

t.test('requests that ask for the same codings are alike', async (t) => {
  t.equal(variantPart('accept-encoding', ['Accept-Encoding', 'gzip, br']), '=br, gzip');
  t.ok(alike('accept-encoding', 'gzip, br', 'BR,gzip'));
  t.notOk(alike('accept-encoding', 'gzip', 'br'));
});

t.test('media types and languages are compared by meaning', async (t) => {
  t.ok(alike('accept', 'text/HTML ; Level=1;q=1.0,a/b;q=0.50', 'text/html;level=1, a/b;q=0.5'));
  t.ok(alike('accept', 'a/b;q=0.5, c/d', 'c/d, a/b;q=0.5'));
  t.ok(alike('accept-language', 'de-CH,de;q=0.9', 'de-ch, de;q=0.9'));
  t.equal(
    variantPart('accept', ['Accept', 'A/B; V=X ;q=0.5,c/d']), '=c/d, a/b;v=X;q=0.5',
    'a parameter’s value as it stands',
  );
  for (const one of ['a/b;q=1', 'a/b;q=1.', 'a/b;q=1.0', 'a/b;q=1.000']) {
    t.ok(alike('accept', one, 'a/b'), one);
  }
  t.ok(alike('accept', 'a/b;q=0.', 'a/b;q=0'));
  t.notOk(alike('accept', 'a/b;v=1', 'a/b;v=2'));
  t.notOk(alike('accept', 'a/b, c/d', 'c/d, a/b'), 'the order of equals may be a preference');
  t.ok(alike('accept-language', 'en, de;q=0.9, fr', 'fr, en, de;q=0.9'), 'no order of languages');
  t.notOk(alike('accept-language', 'en, de;q=0.9', 'en;q=0.9, de'));
  t.notOk(alike('accept', 'a/b;q=0.5', 'a/b'));
  t.notOk(alike('accept', 'a/b;q=0', 'a/b'));
  t.notOk(alike('accept', 'a/b;v="x,y"', 'a/b;v="x", y/z'));
});

t.test('white space around the commas of a list of tokens says nothing', async (t) => {
  t.ok(alike('x-any', '1,2', '1 ,\t2'));
  t.notOk(alike('x-any', '1,2', '2,1'));
  for (const [one, other] of [['a b,c', 'a b, c'], ['"a,b"', '"a, b"'], ['a=b,c', 'a=b, c']]) {
    t.notOk(alike('x-any', one, other), 'of anything else nobody knows');
  }
});

t.test('what cannot be read is like nothing but itself', async (t) => {
  for (const value of [
    'a/b;q=7', 'a/b;q', 'a b', '"a', ';q=0.5', 'a/b;;', 'a/b;x y=1', 'a/b;q=0.5x', 'a/b;q=x0.5',
    'a/b;q=0.1234', 'a/b;q=1.0000', 'a/b;q=10',
  ]) {
    t.ok(alike('accept', value, value), value);
    t.match(variantPart('accept', ['accept', value]), /^!/, value);
  }
  t.notOk(alike('accept', ';q=0.5', '?;q=0.5'));
  t.ok(alike('accept', ' a b ', 'a b'), 'and to itself between blanks');
});
