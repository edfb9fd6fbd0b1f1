// What of a query string is keyed and forwarded, and what its pairs are called.
import t from 'tap';
import { decodeQuery, shownQuery } from '../../src/core/key/query.ts';

const all = { query: 'all', order: 'given' } as const;
const free = { query: 'all', order: 'free' } as const;
const listed = { query: ['page', 'sort', '__proto__'], order: 'given' } as const;

t.test('without a list the bytes stay as they came', (t) => {
  for (const query of [
    '', 'a', 'a=1&b=2', 'b=2&a=1', '&&a=1&', 'a=%41', 'a=b=c', 'a;b', '__proto__=1',
  ]) {
    t.equal(shownQuery(query, all), query);
  }
  t.equal(shownQuery(undefined, all), undefined);
  for (const query of ['a=1', 'none=1&o=2&one', undefined]) {
    t.equal(shownQuery(query, { query: 'none', order: 'given' }), undefined, `${query}`);
  }
  t.end();
});

t.test('with a list only what it names stays, byte for byte', (t) => {
  for (const [query, shown] of [
    ['page=1&x=2', 'page=1'], ['x=2', undefined], ['sort=a&page=1', 'sort=a&page=1'],
    ['page=1&page=2', 'page=1&page=2'], ['%70age=%31', '%70age=%31'], ['page', 'page'],
    ['page[]=1', undefined], ['Page=1', undefined], [
      'page=1;x=2', 'page=1;x=2',
    ], ['x=2;page=1', undefined],
    ['__proto__=1&constructor=2', '__proto__=1'], ['page=%FF&', 'page=%FF'], ['%ff=1', undefined],
  ] as const) t.equal(shownQuery(query, listed), shown, query);
  t.end();
});

t.test('where order is free, names are sorted and values of one name are not', (t) => {
  t.equal(shownQuery('b=2&a=1&b=1', free), 'a=1&b=2&b=1');
  t.equal(shownQuery('%62=2&a=1', free), 'a=1&%62=2', 'by their meaning');
  t.equal(shownQuery('0=1&=2', free), '=2&0=1', 'also an empty one');
  t.equal(shownQuery(undefined, free), undefined);
  t.equal(shownQuery('sort=1&x=1&page=2', { ...listed, order: 'free' }), 'page=2&sort=1');
  t.end();
});

t.test('pairs are decoded where they can be', (t) => {
  t.strictSame(decodeQuery('a+b=%41&c&=d&e=%zz&f=%FF&g=h=i'), [
    ['a b', 'A'], ['c', ''], ['', 'd'], ['e', '%zz'], ['f', '%FF'], ['g', 'h=i'],
  ]);
  t.strictSame(decodeQuery(undefined), []);
  t.end();
});
