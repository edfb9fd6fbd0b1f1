// Fields that speak to caches of one kind (RFC 9213), and groups of answers (RFC 9875).
import t from 'tap';
import { responseDirectives } from '../../src/core/http/cache-control.ts';
import { freshness } from '../../src/core/http/freshness.ts';
import { cacheGroups, invalidatedGroups } from '../../src/core/http/groups.ts';
import type { Fields } from '../../src/core/http/message.ts';

/** Seconds; `-` where it says nothing. */
function lifetime(fields: Fields): number | '-' {
  const { lifetimeMs, explicit } = freshness({ status: 200, reason: '', fields }, 0);
  return explicit ? lifetimeMs / 1000 : '-';
}

const CDN = 'CDN-Cache-Control';
const OURS = 'Everfresh-Cache-Control';
const EXPIRES = [
  'Date', 'Thu, 01 Jan 2026 00:00:00 GMT', 'Expires', 'Thu, 01 Jan 2026 00:01:00 GMT',
];

t.test('the nearest targeted field that can be read speaks alone', async (t) => {
  for (const [what, fields, seconds] of [
    ['before Cache-Control', [CDN, 'max-age=10', 'Cache-Control', 'max-age=1'], 10],
    ['also if that forbids', [CDN, 'max-age=10', 'Cache-Control', 'no-store'], 10],
    ['ours first', [CDN, 'max-age=10', OURS, 'max-age=20'], 20],
    ['over Expires', [CDN, 'must-revalidate', ...EXPIRES], '-'],
    ['several lines', [CDN, 'max-age=10', CDN, 'public'], 10],
    ['the last of a name', [CDN, 'max-age=10, max-age=20'], 20],
    ['unknown members aside', [CDN, 'foo, bar=?0, max-age=10;x=1, a=(1 2)'], 10],
    ['an empty one is none', [CDN, '', 'Cache-Control', 'max-age=1'], 1],
    ['an invalid one is none', [CDN, 'max-age=10,', 'Cache-Control', 'max-age=1'], 1],
    ['upper case is invalid', [CDN, 'Max-Age=10', 'Cache-Control', 'max-age=1'], 1],
    ['a space is invalid', [CDN, 'max-age = 10', 'Cache-Control', 'max-age=1'], 1],
    ['the next one speaks', [OURS, '&', CDN, 'max-age=10', 'Cache-Control', 'max-age=1'], 10],
    ['a fraction is no duration', [CDN, 'max-age=10.5', 'Cache-Control', 'max-age=1'], 0],
    ['nor is a negative number', [CDN, 'max-age=-10', 'Cache-Control', 'max-age=1'], 0],
    ['nor a token', [CDN, 'max-age=a', 'Cache-Control', 'max-age=1'], 0],
    ['nor nothing', [CDN, 'max-age', 'Cache-Control', 'max-age=1'], 0],
  ] as const) t.equal(lifetime(fields), seconds, what);
});

t.test('what it says means what it means in Cache-Control', async (t) => {
  const said = (value: string) => responseDirectives([CDN, value]).said;
  t.equal(said('no-store').noStore, true);
  t.equal(said('no-store=?0, max-age=1').noStore, false);
  t.equal(said('private').private, true);
  t.same(said('private="set-cookie, x"').private, ['set-cookie', 'x']);
  t.match(said('s-maxage=5, stale-if-error=6, must-understand'),
    { sMaxageMs: 5000, staleIfErrorMs: 6000, mustUnderstand: true });
  t.equal(responseDirectives([]).targeted, false);
});

t.test('groups are Strings of a List, each once', async (t) => {
  const groups = (value: string) => cacheGroups(['Cache-Groups', value]);
  t.same(groups('"a", "b c", "a", "q\\"", ""'), ['a', 'b c', 'q"']);
  t.same(groups('"a";x=1, token, 5, ("in" "ner")'), ['a'], 'only Strings count');
  t.same(cacheGroups(['Cache-Groups', '"a"', 'cache-groups', '"b"']), ['a', 'b']);
  for (const invalid of ['"a', '"a",', '"a" "b"', '"é"', 'a"b"']) {
    t.same(groups(invalid), [], invalid);
  }
  t.equal(groups(Array.from({ length: 40 }, (_, i) => `"g${i}"`).join(', ')).length, 40);
  t.same(invalidatedGroups(['Cache-Group-Invalidation', '"a", "b"']), ['a', 'b']);
  t.same(invalidatedGroups(['Cache-Groups', '"a"']), []);
});
