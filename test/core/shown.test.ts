// What the upstream is shown of a request on a shared fill, who asks, and what may go along with a
// request that is passed for its credentials.
import t from 'tap';
import {
  askingWith, shownFields, shownWithCredentials, traceFields,
} from '../../src/core/key/shown.ts';
import { rulesOf } from '../asking.ts';

const rules = rulesOf(`
credentials: { headers: [x-who] }
routes:
  /listed: { GET: { ttl: 1h, headers: [X-Tenant, CF-Connecting-IP, Host] } }
  /ttl:    { GET: { ttl: 1h } }
  /http:   { GET: {} }
  /tagged: { GET: { ttl: 1h, tags: ["author:{response.body.author}"] } }
`);
const { credentials } = rules.config;
const shown = (pattern: string, ...fields: string[]): string[] =>
  shownFields(fields, rules.rule(pattern), credentials);

t.test('each rule shows its own', (t) => {
  const given = [
    'Accept', 'a/b', 'X-Tenant', '1', 'X-Other', '2', 'User-Agent', 'u', 'Origin', 'o', 'Host', 'h',
  ];
  t.strictSame(shown('/listed', ...given), ['Accept', 'a/b', 'X-Tenant', '1', 'Origin', 'o']);
  t.strictSame(
    shown('/ttl', ...given), ['Accept', 'a/b', 'X-Tenant', '1', 'X-Other', '2', 'Origin', 'o'],
  );
  t.strictSame(shown('/http', ...given), given.slice(0, -2));
  t.end();
});

t.test('credentials and what bends a request are withheld, unless they are listed', (t) => {
  for (const name of [
    'Cookie', 'Authorization', 'X-Who', 'X-Forwarded-Host', 'X-Forwarded-Anything', 'Forwarded',
    'CF-Connecting-IP', 'X-Original-URL', 'Range', 'If-None-Match', 'Cache-Control',
    'Proxy-Authorization', 'TE',
  ]) {
    for (const pattern of ['/ttl', '/http']) t.strictSame(shown(pattern, name, 'x'), [], name);
  }
  t.strictSame(shown('/listed', 'CF-Connecting-IP', '1'), ['CF-Connecting-IP', '1'], 'knowingly');
  t.strictSame(
    shown('/http', 'Connection', 'x-a', 'X-A', '1', 'X-B', '2'),
    ['X-B', '2'],
    'what is nominated is for one hop',
  );
  t.end();
});

t.test('codings are asked for in a closed list, and not where a tag needs the body', (t) => {
  t.strictSame(
    shown('/ttl', 'Accept-Encoding', 'GZIP;q=0.5, foo, br'), ['Accept-Encoding', 'br, gzip'],
  );
  t.strictSame(shown('/tagged', 'Accept-Encoding', 'gzip'), []);
  t.end();
});

t.test('who asks is said by credentials and by the cookies that count', (t) => {
  const all = { headers: ['authorization', 'x-who'], cookies: 'all' } as const;
  const some = { headers: ['authorization'], cookies: ['sid'] } as const;
  t.equal(askingWith(['Accept', 'x'], all), 'none');
  t.equal(askingWith(['AUTHORIZATION', 'x'], all), 'authorization');
  t.equal(askingWith(['Authorization', 'x', 'X-Who', 'y'], all), 'other');
  t.equal(askingWith(['X-Who', 'y', 'Authorization', 'x'], all), 'other');
  t.equal(askingWith(['Cookie', '_ga=1'], all), 'other');
  for (const cookie of [
    '_ga=1', 'xsid=1', 'sidx=1', '_ga=sid=1', 'SID=1',
  ]) t.equal(askingWith(['Cookie', cookie], some), 'none', cookie);
  for (const cookie of [
    'sid=1', '_ga=1; sid=2', '_ga=1;sid', ' sid =1',
  ]) t.equal(askingWith(['Cookie', cookie], some), 'other', cookie);
  t.end();
});

t.test('only a well-formed trace goes along', (t) => {
  const good = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  t.strictSame(traceFields(['Traceparent', good, 'tracestate', 'x=1']), ['Traceparent', good]);
  t.strictSame(traceFields(['traceparent', `${good}x`]), []);
  t.end();
});

t.test('under ttl even what is harmless says more than a fill would', (t) => {
  const fields = ['Authorization', 'a', 'User-Agent', 'u'];
  t.equal(shownWithCredentials(fields, [], { ttlMs: 1 }, credentials), undefined);
  t.end();
});

t.test('a request that says more than its key holds is not shared', (t) => {
  const also = (...fields: string[]): string[] | undefined =>
    shownWithCredentials(fields, shown('/listed', ...fields), {}, credentials);
  t.strictSame(also('X-Tenant', '1', 'Authorization', 'a', 'User-Agent', 'u', 'Range', 'r'),
    ['X-Tenant', '1', 'Authorization', 'a', 'User-Agent', 'u', 'Range', 'r']);
  for (const name of [
    'X-Other', 'X-Original-URL', 'X-Forwarded-Prefix', 'X-HTTP-Method-Override', 'Content-Type',
  ]) {
    t.equal(also('Authorization', 'a', name, 'x'), undefined, name);
  }
  t.end();
});
