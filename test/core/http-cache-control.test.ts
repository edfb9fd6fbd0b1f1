// Cache-Control: every directive, and what becomes of those that can't be read.
import t from 'tap';
import { parseCacheControl, pragmaNoCache } from '../../src/core/http/cache-control.ts';
import { clientWants } from '../../src/core/http/client-directives.ts';

t.test('directives are read in any case, from several lines, with quotes or without', async (t) => {
  const read = parseCacheControl([
    'cache-control', 'MAX-AGE=60, Public', 'X', 'max-age=1', 'Cache-Control',
    's-maxage="120",immutable',
  ]);
  t.match(read, { maxAgeMs: 60_000, sMaxageMs: 120_000, public: true });
  t.same(read.unreadable, []);
  t.match(parseCacheControl('no-store, no-transform, must-revalidate'), {
    noStore: true, mustRevalidate: true,
  });
  t.match(parseCacheControl('proxy-revalidate, must-understand, only-if-cached'), {
    proxyRevalidate: true, mustUnderstand: true, onlyIfCached: true,
  });
  t.match(parseCacheControl('stale-while-revalidate=30, stale-if-error=40'), {
    staleWhileRevalidateMs: 30_000, staleIfErrorMs: 40_000,
  });
  t.match(parseCacheControl('min-fresh=5, max-stale=6'), { minFreshMs: 5000, maxStaleMs: 6000 });
  t.match(parseCacheControl('max-stale'), { maxStaleMs: Infinity });
});

t.test('nothing said is nothing read', async (t) => {
  for (const none of [undefined, '', [], ['Vary', 'a'], ' , ,']) {
    const read = parseCacheControl(none);
    t.equal(read.maxAgeMs, undefined);
    t.equal(read.noStore, false);
    t.equal(read.private, false);
  }
});

t.test('freshness that cannot be read is none', async (t) => {
  for (const value of [
    'max-age', 'max-age=', 'max-age=-1', 'max-age=1.5', 'max-age=abc', "max-age='60'",
    'max-age=+60',
    'max-age= 60', 'max-age=60s', 'max-age=60, max-age=61', 'max-age="60', 'max-age=60, max-age',
  ]) {
    const read = parseCacheControl(value);
    t.equal(read.maxAgeMs, 0, value);
    t.same(read.unreadable, ['max-age'], value);
  }
  t.equal(parseCacheControl('max-age=60, max-age=060').maxAgeMs, 60_000, 'equal duplicates agree');
  t.equal(parseCacheControl('xmax-age=60, max-age-x=60').maxAgeMs, undefined);
});

t.test('huge numbers are bounded', async (t) => {
  const bound = 2 ** 31 * 1000;
  t.equal(parseCacheControl('max-age=2147483648').maxAgeMs, bound);
  t.equal(parseCacheControl('max-age=99999999999').maxAgeMs, bound);
  t.equal(parseCacheControl(`max-age=${'9'.repeat(1000)}`).maxAgeMs, bound);
});

t.test('private and no-cache are limited only by a list that can be read', async (t) => {
  t.same(parseCacheControl('private="Set-Cookie, X-Token"').private, ['set-cookie', 'x-token']);
  t.same(parseCacheControl('no-cache=Set-Cookie').noCache, ['set-cookie']);
  t.same(parseCacheControl('no-cache="a", no-cache="b"').noCache, ['a', 'b']);
  for (const value of [
    'private', 'private=', 'private=""', 'private="a b"', 'private="a", private', 'private="a',
    'private="a,"',
  ]) t.equal(parseCacheControl(value).private, true, value);
});

t.test('a directive inside quotes is none, but nothing hides behind an open quote', async (t) => {
  t.equal(parseCacheControl('ext="no-store, private", max-age=5').noStore, false);
  t.equal(parseCacheControl('ext="a\\", no-store", max-age=5').noStore, false);
  t.equal(parseCacheControl('ext="oops, no-store').noStore, true);
});

t.test('names of the language are names like others', async (t) => {
  t.equal(parseCacheControl('__proto__=1, constructor=2, max-age=3').maxAgeMs, 3000);
});

t.test('Pragma counts in requests that have no Cache-Control', async (t) => {
  t.ok(pragmaNoCache(['Pragma', 'No-Cache']));
  t.ok(pragmaNoCache(['Pragma', 'x="a,b", no-cache']));
  t.notOk(pragmaNoCache(['Pragma', 'no-cache', 'Cache-Control', 'max-age=9']));
  t.notOk(pragmaNoCache(['Pragma', 'x']));
  t.notOk(pragmaNoCache([]));
});

t.test('a client that asks for nothing takes everything', async (t) => {
  for (const fields of [[], ['Cache-Control', ''], ['Cache-Control', 'no-transform']]) {
    const wants = clientWants(fields);
    t.match(wants, { reload: false, noStore: false, onlyIfCached: false });
    t.ok(wants.acceptable(10_000, 5000));
  }
});

t.test('a client can ask to reload, not to be stored, and for kept answers only', async (t) => {
  t.equal(clientWants(['Cache-Control', 'no-cache']).reload, true);
  t.equal(clientWants(['Pragma', 'no-cache']).reload, true);
  t.equal(clientWants(['Cache-Control', 'max-age=1', 'Pragma', 'no-cache']).reload, false);
  const wants = clientWants(['Cache-Control', 'no-store, only-if-cached']);
  t.match(wants, { noStore: true, onlyIfCached: true });
});

t.test('max-age, min-fresh and max-stale bound what a client takes', async (t) => {
  const takes = (value: string, age: number, fresh: number) =>
    clientWants(['Cache-Control', value]).acceptable(age * 1000, fresh * 1000);
  t.ok(takes('max-age=10', 10, 60));
  t.notOk(takes('max-age=10', 10.001, 60));
  t.notOk(takes('max-age=0', 0.1, 60));
  t.notOk(takes('max-age=10', 5, 5), 'stale without max-stale');
  t.ok(takes('max-age=10, max-stale=2', 5, 4));
  t.notOk(takes('max-age=10, max-stale=2', 7, 4));
  t.ok(takes('min-fresh=10', 50, 60));
  t.notOk(takes('min-fresh=10', 51, 60));
  t.ok(takes('max-stale', 1e6, 1));
  t.ok(takes('max-stale=5', 10, 5));
  t.notOk(takes('max-stale=5', 10.1, 5));
  t.notOk(takes('max-stale=x', 10, 5), 'unreadable is strict');
  t.notOk(takes('min-fresh=x', 0, 60), 'unreadable is strict');
  t.notOk(takes('max-age=x', 1, 60), 'unreadable is strict');
});
