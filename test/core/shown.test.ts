// What the upstream is shown of a request on a shared fill, who asks, and what may go along with a
// request that is passed for its credentials.
import t from 'tap';
import {
  askingWith, governedByVary, isCredential, keyedAlways, neverShown, shownFields,
  shownWithCredentials, traceFields,
} from '../../src/core/key/shown.ts';
import { rulesOf } from '../asking.ts';

const rules = rulesOf(`
credentials: { headers: [x-who] }
routes:
  /listed: { GET: { ttl: 1h, headers: [X-Tenant, CF-Connecting-IP, Host, Content-Length] } }
  /ttl:    { GET: { ttl: 1h } }
  /http:   { GET: {} }
  /tagged: { GET: { ttl: 1h, tags: ["author:{response.body.author}"] } }
  /asked:  { GET: { ttl: 1h, tags: ["plain", "q:{query.q}"] } }
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

t.test('no fill says anything of the way, of one exchange or of another target', (t) => {
  for (const name of [
    'host', 'via', 'forwarded', 'max-forwards', 'expect', 'content-length', 'content-type',
    'trailer', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range',
    'range', 'cache-control', 'pragma', 'age', 'cache-status', 'x-cache', 'date', 'connection',
    'x-real-ip', 'x-client-ip', 'x-cluster-client-ip', 'true-client-ip', 'client-ip', 'x-host',
    'x-original-url', 'x-original-uri', 'x-original-host', 'x-rewrite-url', 'x-override-url',
    'x-http-method', 'x-http-method-override', 'x-method-override', 'x-http-host-override',
    'everfresh-refresh', 'x-forwarded-for', 'x-forwarded-x', 'cf-ray',
  ]) {
    t.ok(neverShown(name), name);
    for (const pattern of ['/ttl', '/http']) t.strictSame(shown(pattern, name, 'x'), [], name);
  }
  for (const name of ['accept', 'x-a', 'my-x-forwarded-', 'my-cf-', 'user-agent']) {
    t.notOk(neverShown(name), name);
  }
  t.strictSame(shown('/listed', 'Content-Length', '7'), [], 'nor where it is listed');
  t.end();
});

t.test('what decides nothing is shown only where Vary may say otherwise', (t) => {
  for (const name of [
    'user-agent', 'traceparent', 'tracestate', 'baggage', 'x-request-id', 'x-correlation-id',
    'request-id', 'correlation-id', 'x-amzn-trace-id', 'x-cloud-trace-context', 'uber-trace-id',
    'sentry-trace', 'x-datadog-trace-id', 'x-datadog-parent-id', 'x-datadog-sampling-priority',
    'newrelic', 'dnt', 'upgrade-insecure-requests', 'priority', 'referer', 'from', 'purpose',
    'x-requested-with', 'x-purpose', 'sec-gpc', 'sec-fetch-mode', 'sec-ch-ua', 'x-b3-traceid',
  ]) {
    t.strictSame(shown('/ttl', name, 'x'), [], name);
    t.strictSame(shown('/http', name, 'x'), [name, 'x'], name);
  }
  t.end();
});

t.test('what Vary governs is shown by every rule', (t) => {
  for (const name of [
    'accept', 'accept-encoding', 'accept-language', 'accept-charset', 'accept-datetime',
    'accept-profile', 'accept-crs', 'origin',
  ]) {
    t.ok(governedByVary(name), name);
    for (const pattern of ['/listed', '/ttl', '/http']) {
      t.strictSame(shown(pattern, name, 'gzip'), [name, 'gzip'], name);
    }
  }
  t.notOk(governedByVary('x-a'));
  t.end();
});

t.test('a field is in the key by the rule, or by Vary', (t) => {
  for (const [pattern, name, always] of [
    ['/listed', 'x-tenant', true], ['/listed', 'x-other', false], ['/listed', 'accept', false],
    ['/ttl', 'x-other', true], ['/ttl', 'accept', false],
    ['/http', 'x-other', false], ['/http', 'accept', false],
  ] as const) t.equal(keyedAlways(name, rules.rule(pattern)), always, `${name} of ${pattern}`);
  t.end();
});

t.test('a cookie and an authorization are credentials, whatever else is', (t) => {
  const none = { headers: [], cookies: [], identityCookies: [] };
  for (const name of ['cookie', 'authorization']) t.ok(isCredential(name, none), name);
  t.notOk(isCredential('x-who', none));
  t.ok(isCredential('x-who', credentials));
  t.end();
});

t.test('codings are asked for in a closed list, and not where a tag needs the body', (t) => {
  t.strictSame(
    shown('/ttl', 'Accept-Encoding', 'GZIP;q=0.5, foo, br'), ['Accept-Encoding', 'br, gzip'],
  );
  t.strictSame(shown('/tagged', 'Accept-Encoding', 'gzip', 'Accept', 'a/b'), ['Accept', 'a/b']);
  t.strictSame(shown('/asked', 'Accept-Encoding', 'gzip'), ['Accept-Encoding', 'gzip']);
  t.end();
});

t.test('who asks is said by credentials and by the cookies that count', (t) => {
  const all = { headers: ['authorization', 'x-who'], cookies: 'all', identityCookies: [] } as const;
  const some = { headers: ['authorization'], cookies: ['sid'], identityCookies: [] } as const;
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
  t.strictSame(traceFields(['traceparent', `x${good}`]), []);
  t.strictSame(traceFields(['x-trace', good]), []);
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
  t.strictSame(
    also('X-Tenant', 'Authorization', 'CF-Connecting-IP', '1', 'Authorization', 'a'),
    ['X-Tenant', 'Authorization', 'CF-Connecting-IP', '1', 'Authorization', 'a'],
    'no value is taken for a name',
  );
  for (const name of [
    'Via', 'Max-Forwards', 'Expect', 'Content-Length', 'Host', 'If-Match', 'If-None-Match',
    'If-Modified-Since', 'If-Unmodified-Since', 'If-Range', 'Range', 'Cache-Control', 'Pragma',
    'Age', 'Cache-Status', 'X-Cache', 'Date', 'Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto',
    'X-Forwarded-Host', 'X-Forwarded-Port',
  ]) {
    t.strictSame(also('Authorization', 'a', name, 'x'), ['Authorization', 'a', name, 'x'], name);
  }
  for (const name of [
    'X-Other', 'X-Original-URL', 'X-Forwarded-Prefix', 'X-HTTP-Method-Override', 'Content-Type',
  ]) {
    t.equal(also('Authorization', 'a', name, 'x'), undefined, name);
  }
  t.end();
});
