// The first look at a request: what enters, and what is refused and why.
import t from 'tap';
import { type AtTheDoor, atTheDoor, type DoorRules } from '../../src/core/http/door.ts';

const RULES: DoorRules = {
  limits: { urlBytes: 8192, headerBytes: 16_384, headerCount: 100, queryParameters: 50 },
  hosts: [],
  credentials: ['authorization', 'x-tenant-key'],
};
const HOST = ['Host', 'a.example'];

function knock(request: Partial<AtTheDoor>, rules: Partial<DoorRules> = {}) {
  return atTheDoor(
    { method: 'GET', target: '/', fields: HOST, httpVersion: '1.1', hasBody: false, ...request },
    { ...RULES, ...rules },
  );
}
const answer = (...args: Parameters<typeof knock>) => {
  const decided = knock(...args);
  return decided.kind === 'enter' ? 'enter' : `${decided.status} ${decided.because}`;
};
/** A text with nothing in it that a report could choke on. */
const shown = (text: string) => encodeURIComponent(text);
const fields = (...more: string[]) => ({ fields: [...HOST, ...more] });

t.test('a plain request enters, byte for byte', async (t) => {
  t.same(knock({ target: '/posts/7?a=1&b=%20', fields: ['hOsT', 'A.Example:8080', 'X', 'y'] }), {
    kind: 'enter', path: '/posts/7', query: 'a=1&b=%20', authority: 'a.example:8080',
  });
  t.match(knock({ target: '/x' }), { path: '/x', query: undefined });
  t.match(knock({ target: '/x?' }), { path: '/x', query: '' });
  t.match(knock({ target: '/x?a?b' }), { path: '/x', query: 'a?b' });
});

t.test('targets that servers may read differently are not let in', async (t) => {
  for (const target of [
    '', 'x', '@evil/x', '*', 'evil:80', '//evil/x', '//', '/\\evil', '\\evil', '/a\\..\\b',
    '/a b', '/a\tb',
    '/a\nb', '/a\0b', '/\x7f', '/ä', '/\u{2028}', '/x#y', '#', '/x?y#z', '/%', '/%2', '/%zz',
    '/%2g',
    '/x?%', '/x?a=\\', 'ftp://a.example/', 'http:/a.example/', 'http:///x',
  ]) t.equal(answer({ target }), '400 bad-target', shown(target));
  t.equal(answer({ method: 'OPTIONS', target: '*' }), '400 bad-target');
});

t.test('dot segments are not let in, however they are spelt', async (t) => {
  for (const target of [
    '/.', '/..', '/./', '/a/../b', '/a/..', '/a/.', '/../a', '/a/%2e%2e/b', '/a/%2E./b', '/a/.%2e',
    '/a/%2e%2e%2fb', '/a/..%2Fb', '/a%2f..%2fb', '/a/..%5cb', '/a%5C%2e%2e', '/..?x',
  ]) t.equal(answer({ target }), '400 bad-target', target);
  for (const target of [
    '/a.b', '/...', '/a../b', '/.well-known/x', '/a/..b', '/%2e%2e%2e', '/%252e%252e%252f',
    '/a%2fb',
    '/a%5cb', '/a;b=1', '/x?y=/../z', '/x?..', '/a//b', '/a/b.', '/%2ehidden', '/a|b{c}^`"<>',
  ]) t.equal(answer({ target }), 'enter', target);
});

t.test('long targets and many parameters are too much', async (t) => {
  t.equal(answer({ target: `/${'a'.repeat(8191)}` }), 'enter');
  t.equal(answer({ target: `/${'a'.repeat(8192)}` }), '414 target-too-long');
  const query = (count: number) => `/?${Array.from({ length: count }, () => 'a').join('&')}`;
  t.equal(answer({ target: query(50) }), 'enter');
  t.equal(answer({ target: query(51) }), '414 too-many-parameters');
  t.equal(answer({ target: `/a&${'&'.repeat(60)}?b` }), 'enter', 'a path has no parameters');
});

t.test('more field lines than the limit are too much', async (t) => {
  const lines = (count: number) => Array.from({ length: count }, (_, i) => [`x-${i}`, '1']).flat();
  t.equal(answer(fields(...lines(99))), 'enter');
  t.equal(answer(fields(...lines(100))), '431 too-many-fields');
});

t.test('Host is one, and an authority', async (t) => {
  for (const host of [
    'a', 'A.B', 'a_b', '127.0.0.1', '127.0.0.1:0', 'a:65535', '[::1]', '[::1]:80', '[2001:DB8::7]',
    '[::ffff:1.2.3.4]', 'xn--nxasmq6b', 'a.b.',
  ]) t.equal(answer({ fields: ['Host', host] }), 'enter', host);
  for (const host of [
    '', ' ', 'a b', 'a/b', 'a/b@c', 'u@a', 'a:99999', 'a:65536', 'a:', ':80', 'a:b', 'a:8 0', 'a,b',
    'a#b', 'a?b', 'a\\b', '[::1', '::1', '[::1]x', '[1:2]', '[::g]', '[::1%25e]', '[v1.a]', 'a%41',
    'ä', 'a\tb', 'a'.repeat(256), 'http://a',
  ]) t.equal(answer({ fields: ['Host', host] }), '400 bad-host', shown(host));
  t.equal(answer({ fields: ['Host', 'a', 'host', 'a'] }), '400 bad-host', 'two that agree');
  t.equal(answer({ fields: ['Host', 'a', 'HOST', 'b'] }), '400 bad-host', 'two that differ');
  t.equal(answer({ fields: [] }), '400 bad-host');
  t.match(knock({ fields: [], httpVersion: '1.0' }), { kind: 'enter', authority: '' });
});

t.test('in HTTP/2 :authority and Host agree', async (t) => {
  const two = (authority: string | undefined, ...lines: string[]) =>
    answer({ authority, fields: lines, httpVersion: '2.0' });
  t.equal(two('a'), 'enter');
  t.equal(two('A', 'host', 'a'), 'enter');
  t.equal(two(undefined, 'host', 'a'), 'enter');
  t.equal(two('a', 'host', 'b'), '400 bad-host');
  t.equal(two('a', 'host', 'a', 'host', 'a'), '400 bad-host');
  t.equal(two(undefined), '400 bad-host');
  t.equal(two('u@a'), '400 bad-host');
  t.equal(two('a', 'x', 'y'.repeat(16_384)), '431 too-many-fields');
  for (const name of [
    'connection', 'upgrade', 'transfer-encoding', 'keep-alive', 'proxy-connection',
    'http2-settings',
  ]) t.equal(two('a', name, 'x'), '400 bad-framing', name);
  t.equal(answer({ fields: [], authority: 'a' }), '400 bad-host', 'it is of no use in HTTP/1.1');
});

t.test('with a list of hosts, others are misdirected', async (t) => {
  const hosts = ['a.example', 'b.example:8080'];
  t.equal(answer({ fields: ['Host', 'A.example'] }, { hosts }), 'enter');
  t.equal(answer({ fields: ['Host', 'b.example:8080'] }, { hosts }), 'enter');
  for (const host of ['c.example', 'b.example', 'a.example:1', 'a.example.']) {
    t.equal(answer({ fields: ['Host', host] }, { hosts }), '421 unknown-host', host);
  }
  t.equal(answer({ fields: [], httpVersion: '1.0' }, { hosts }), '421 unknown-host');
});

t.test('the absolute-form enters only with an authority that is known as ours', async (t) => {
  const hosts = ['a.example'];
  const at = (target: string) => knock({ target }, { hosts });
  t.match(at('http://a.example/x?y'), { kind: 'enter', path: '/x', query: 'y',
    authority: 'a.example' });
  t.match(at('HTTPS://A.EXAMPLE?y'), { kind: 'enter', path: '/', query: 'y' });
  t.match(at('http://a.example'), { kind: 'enter', path: '/', query: undefined });
  for (const target of [
    'http://169.254.169.254/latest', 'http://b.example/', 'http://u@a.example/',
    'http://a.example:80/',
    'http://a.example//evil/x', 'http://a.example/../x', 'http://a.example\\@evil/',
    'http://a.example#/',
  ]) t.equal(answer({ target }, { hosts }), '400 bad-target', target);
  t.equal(answer({ target: 'http://a.example/' }), '400 bad-target', 'no host is known as ours');
});

t.test('CONNECT and TRACE are not forwarded; others are', async (t) => {
  for (const method of ['CONNECT', 'TRACE']) t.equal(answer({ method }), '405 method-not-allowed');
  for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'QUERY', 'PURGE', 'connect']) {
    t.equal(answer({ method }), 'enter', method);
  }
  t.equal(answer({ method: 'GE T' }), '400 bad-framing');
});

t.test('framing that is in doubt is refused', async (t) => {
  const framed = (httpVersion: string, ...more: string[]) =>
    answer({ ...fields(...more), httpVersion, hasBody: true });
  t.equal(framed('1.1', 'Content-Length', '3'), 'enter');
  t.equal(framed('1.1', 'Transfer-Encoding', 'Chunked'), 'enter');
  for (const more of [
    ['Content-Length', '3', 'Transfer-Encoding', 'chunked'],
    ['Transfer-Encoding', 'xchunked'], ['Transfer-Encoding', 'chunked, identity'],
    ['Transfer-Encoding', 'chunked', 'transfer-encoding', 'chunked'], ['Transfer-Encoding', ''],
    ['Content-Length', '3', 'content-length', '3'], ['Content-Length', '+1'], ['Content-Length',
    '1,1'],
    ['Content-Length', '0x1'], ['Content-Length', ''], ['Content-Length', '-1'],
  ]) t.equal(framed('1.1', ...more), '400 bad-framing', more.join(' '));
  t.equal(framed('1.0', 'Transfer-Encoding', 'chunked'), '400 bad-framing');
  t.equal(framed('1.0', 'Content-Length', '3'), 'enter');
  for (const version of ['0.9', '1.2', '3.0', '']) t.equal(framed(version), '400 bad-framing',
    version);
});

t.test('Connection names only what is about the connection', async (t) => {
  for (const value of [
    'close', 'keep-alive', 'Keep-Alive, Upgrade', 'x-secret', 'TE, close', '', ',',
    'proxy-connection',
  ]) t.equal(answer(fields('Connection', value)), 'enter', value);
  for (const value of [
    'close, authorization', 'Cookie', 'HOST', 'content-length', 'content-type', 'x-forwarded-for',
    'X-Forwarded-Host', 'forwarded', 'cache-control', 'accept', 'accept-encoding', 'if-none-match',
    'range', 'expect', 'x-api-key', 'x-auth-token', 'x-tenant-key', 'transfer-encoding', 'origin',
    ':authority', 'a b', 'a;b',
  ]) t.equal(answer(fields('Connection', value)), '400 bad-connection-field', value);
  t.equal(answer(fields('Connection', 'close', 'connection', 'cookie')),
    '400 bad-connection-field');
});

t.test('an upgrade enters, unless it is to WebSocket and has a body', async (t) => {
  t.equal(answer(fields('Upgrade', 'WebSocket', 'Connection', 'Upgrade')), 'enter');
  for (const more of [['Upgrade', 'TLS/1.2'], ['Upgrade', 'h2c', 'HTTP2-Settings', 'AAMAAABk']]) {
    t.equal(answer(fields(...more)), 'enter', 'it is ignored');
  }
  t.equal(answer({ ...fields('Upgrade', 'websocket'), hasBody: true }), '400 bad-upgrade');
  t.equal(answer({ ...fields('Upgrade', 'h2c, WebSocket'), hasBody: true }), '400 bad-upgrade');
});

t.test('100-continue is the one expectation that is met', async (t) => {
  t.equal(answer(fields('Expect', '100-Continue')), 'enter');
  for (const value of ['weird', '100-continue, weird', '', '200-ok']) {
    t.equal(answer(fields('Expect', value)), '417 expectation', value);
  }
  t.equal(answer(fields('Expect', '100-continue', 'expect', 'weird')), '417 expectation');
});
