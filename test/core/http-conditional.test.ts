// Conditional requests: those of clients, and our own.
import t from 'tap';
import {
  evaluateConditional, freshen, notModifiedFields, validatorsFor,
} from '../../src/core/http/conditional.ts';
import { printHttpDate } from '../../src/core/http/dates.ts';

const NOW = Date.UTC(2026, 5, 15, 12);
const MODIFIED = NOW - 3_600_000;
const at = (ms: number) => printHttpDate(ms);
const STORED = ['ETag', '"v2"', 'Last-Modified', at(MODIFIED), 'Date', at(NOW)];

function ask(request: string[], stored = STORED, more: { method?: string; status?: number } = {}) {
  const { method = 'GET', status = 200 } = more;
  return evaluateConditional(request, method, { status, fields: stored }, NOW);
}

t.test('a request without a condition is sent the answer', async (t) => {
  t.equal(ask([]), 'send');
  t.equal(ask(['If-Match', '"v2"', 'If-Unmodified-Since', at(NOW)]), 'send');
});

t.test('entity tags are compared weakly, in lists and over lines', async (t) => {
  for (const value of [
    '"v2"', 'W/"v2"', '"v1", "v2"', '"v1","v2"', ' , "v1" ,, W/"v2" ,', '"a,b", "v2"', '*', ' * ',
  ]) t.equal(ask(['If-None-Match', value]), 'not-modified', value);
  t.equal(ask(['If-None-Match', '"v1"', 'if-none-match', '"v2"']), 'not-modified');
  t.equal(ask(['If-None-Match', '"v2"'], ['ETag', 'W/"v2"']), 'not-modified');
});

t.test('other tags, and what is none, do not match', async (t) => {
  for (const value of [
    '"v1"', 'v2', 'w/"v2"', "'v2'", '"v2', '"V2"', '"v2" "v3"', '', '*, "v1"', '"x y", "v2"',
    'x, "v2"',
  ]) t.equal(ask(['If-None-Match', value]), 'send', value);
  t.equal(ask(['If-None-Match', '"v2"'], ['Date', at(NOW)]), 'send', 'nothing to compare with');
  t.equal(ask(['If-None-Match', 'v2'], ['ETag', 'v2']), 'send', 'a malformed tag is none');
});

t.test('at most 64 tags are looked at', async (t) => {
  const others = (count: number) => Array.from({ length: count }, (_, i) => `"x${i}"`).join(',');
  t.equal(ask(['If-None-Match', `${others(63)},"v2"`]), 'not-modified');
  t.equal(ask(['If-None-Match', `${others(64)},"v2"`]), 'send');
});

t.test('dates count where there is no tag to compare', async (t) => {
  const since = (text: string) => ask(['If-Modified-Since', text]);
  t.equal(since(at(MODIFIED)), 'not-modified');
  t.equal(since(at(MODIFIED + 1000)), 'not-modified');
  t.equal(since(at(MODIFIED - 1000)), 'send');
  t.equal(since('soon'), 'send');
  t.equal(since(''), 'send');
  t.equal(ask(['If-Modified-Since', at(NOW), 'If-None-Match', '"v1"']), 'send', 'the tag decides');
  t.equal(ask(['If-Modified-Since', at(NOW), 'If-Modified-Since', at(NOW)]), 'send', 'two dates');
  t.equal(ask(['If-Modified-Since', at(NOW)], ['Date', at(MODIFIED)]), 'send', 'no Last-Modified');
});

t.test('conditions are evaluated for GET and HEAD and for a 200 only', async (t) => {
  const request = ['If-None-Match', '"v2"'];
  t.equal(ask(request, STORED, { method: 'HEAD' }), 'not-modified');
  t.equal(ask(request, STORED, { method: 'POST' }), 'send');
  for (const status of [203, 204, 301, 404, 500]) t.equal(ask(request, STORED, { status }), 'send');
});

t.test('a 304 carries what guides caches and nothing of the content', async (t) => {
  t.same(notModifiedFields([
    ...STORED, 'Content-Type', 'a/b', 'content-length', '3', 'Content-Encoding', 'gzip',
    'Vary', 'a', 'Cache-Control', 'x', 'Expires', '0', 'Content-Location', '/a',
    'Access-Control-Allow-Origin', '*',
  ]), [
    'ETag', '"v2"', 'Date', at(NOW), 'Vary', 'a', 'Cache-Control', 'x', 'Expires', '0',
    'Content-Location', '/a', 'Access-Control-Allow-Origin', '*',
  ]);
  t.same(notModifiedFields(STORED.slice(2)), STORED.slice(2),
    'the date stays where there is no tag');
});

t.test('our own condition is a tag, or a date that is strong', async (t) => {
  const dated = (ageMs: number) => ['Last-Modified', at(NOW - ageMs), 'Date', at(NOW)];
  t.same(validatorsFor(STORED, 'any'), ['If-None-Match', '"v2"']);
  t.same(validatorsFor(STORED, 'strong'), ['If-None-Match', '"v2"']);
  t.same(validatorsFor(['ETag', 'W/"v2"'], 'any'), ['If-None-Match', 'W/"v2"']);
  t.same(validatorsFor(['ETag', 'W/"v2"', ...dated(90_000)], 'strong'), []);
  t.same(validatorsFor(dated(90_000), 'any'), ['If-Modified-Since', at(NOW - 90_000)]);
  t.same(validatorsFor(dated(90_000), 'strong'), [], 'a date is never asked by after a write');
  t.same(validatorsFor(dated(59_000), 'any'), []);
  t.same(validatorsFor(['Last-Modified', at(MODIFIED)], 'any'), [], 'without Date nobody knows');
  t.same(validatorsFor(['ETag', 'bare'], 'any'), []);
  t.same(validatorsFor([], 'any'), []);
});

t.test('a 304 renews what is kept, but for what its bytes depend on', async (t) => {
  const kept = [
    'ETag', '"v2"', 'Content-Type', 'a/b', 'Content-Length', '3', 'X-Old', '1', 'Age', '9',
    'Date', at(NOW - 5000), 'Cache-Control', 'max-age=1', 'cache-control', 'public',
  ];
  const news = [
    'etag', '"v2"', 'Content-Length', '0', 'Content-Type', 'c/d', 'Content-Encoding', 'br',
    'Content-Range', 'x', 'Transfer-Encoding', 'chunked', 'Connection', 'x-hop', 'X-Hop', '1',
    'Set-Cookie', 'a', 'Cache-Control', 'max-age=60', 'Content-Security-Policy', 'y', 'X-New', '2',
  ];
  t.same(freshen(kept, news), [
    'Content-Length', '3', 'X-Old', '1', 'etag', '"v2"', 'Content-Type', 'c/d',
    'Cache-Control', 'max-age=60', 'Content-Security-Policy', 'y', 'X-New', '2',
  ]);
});

t.test('a 304 of another representation renews nothing', async (t) => {
  t.equal(freshen(['ETag', '"v2"'], ['ETag', '"v3"']), undefined);
  t.equal(freshen(['ETag', 'W/"v2"'], ['ETag', '"v2"']), undefined, 'strong, strongly compared');
  t.same(freshen(['ETag', '"v2"'], ['ETag', 'W/"v2"']), ['ETag', 'W/"v2"']);
  t.equal(freshen(['Last-Modified', at(MODIFIED)], ['ETag', '"v2"']), undefined);
  t.equal(freshen(['Last-Modified', at(MODIFIED)], ['Last-Modified', at(NOW)]), undefined);
  t.same(freshen(['ETag', '"v2"'], ['X', '1']), ['ETag', '"v2"', 'X', '1']);
});
