// Addresses in answers: which of them are here, and how clients are told of them.
import t from 'tap';
import { alsoInvalidated } from '../../src/core/http/invalidation.ts';
import { httpOrigin, mapBack } from '../../src/core/http/origin.ts';

const UPSTREAM = 'http://localhost:3000';
const CLIENT = { scheme: 'https', authority: 'api.example' } as const;

const mapped = (location: string, client: Parameters<typeof mapBack>[2] = CLIENT,
  upstream = UPSTREAM) =>
  mapBack(['X', UPSTREAM, 'LOCATION', location], upstream, client)[3];

t.test("the upstream's address becomes the client's, and the rest stays as it is", async (t) => {
  t.equal(mapped('http://localhost:3000/posts/101?a=%2f#b'),
    'https://api.example/posts/101?a=%2f#b');
  t.equal(mapped('HTTP://LOCALHOST:3000'), 'https://api.example');
  t.equal(mapped('http://localhost:3000?x'), 'https://api.example?x');
  t.equal(mapped('//localhost:3000/x'), 'https://api.example/x');
  t.equal(mapped('http://u.example:80/x', CLIENT, 'http://u.example'), 'https://api.example/x');
  t.equal(mapped('http://localhost:3000/x', { scheme: 'http', authority: '' }), '/x');
  t.equal(mapped('http://localhost:3000?x', { scheme: 'http', authority: '' }), '/?x');
  t.equal(mapBack(['Content-Location', `${UPSTREAM}/x`], UPSTREAM, CLIENT)[1],
    'https://api.example/x');
});

t.test('other addresses, and other fields, stay as they are', async (t) => {
  for (const location of [
    '/posts/101', 'posts/101', '', 'http://localhost:3001/x', 'https://localhost:3000/x',
    'http://localhost:3000.evil/x', 'http://localhost:3000@evil/x', 'http://u@localhost:3000/x',
    'http://localhost/x', 'mailto:a@b', 'http://[/x', 'http:///x',
  ]) t.equal(mapped(location), location, location);
  t.equal(mapBack(['X', UPSTREAM, 'Location', '/'], UPSTREAM, CLIENT)[1], UPSTREAM);
  t.equal(mapped('http://localhost/x', CLIENT, 'unix:/run/app.sock'), 'http://localhost/x');
  const untouched = ['X', 'y'];
  t.equal(mapBack(untouched, UPSTREAM, CLIENT), untouched, 'nothing is copied for nothing');
});

t.test('only http and https have an origin here', async (t) => {
  t.equal(httpOrigin('http://A.example:80/x'), 'http://a.example');
  for (const url of ['unix:/x', 'data:,x', 'x', '', 'ftp://a']) t.equal(httpOrigin(url),
    undefined, url);
});

const REQUEST = { ...CLIENT, target: '/posts/7?x=1', upstreamOrigin: UPSTREAM };

t.test('a write ends what Location and Content-Location name, where that is here', async (t) => {
  t.same(alsoInvalidated(REQUEST, ['Location', '/a?b=1#c', 'Content-Location',
    'https://api.example/b']), [
    '/a?b=1', '/b',
  ]);
  t.same(alsoInvalidated(REQUEST, ['location', 'http://localhost:3000/posts/101']), ['/posts/101']);
  t.same(alsoInvalidated(REQUEST, ['Location', '8']), ['/posts/8'], 'relative to the target');
  t.same(alsoInvalidated(REQUEST, ['Location', '?y=2']), ['/posts/7?y=2']);
  t.same(alsoInvalidated(REQUEST, ['Location', '//api.example/c']), ['/c']);
  t.same(alsoInvalidated(REQUEST, ['Location', '/a', 'Content-Location', '/a']), ['/a'],
    'each once');
  t.same(alsoInvalidated(REQUEST, ['Content-Location', '/posts/7?x=1']), [], 'not its own target');
});

t.test('a write ends nothing of another origin', async (t) => {
  for (const location of [
    'https://evil.example/a', 'http://api.example/a', '//evil.example/a', '/\\evil.example/a',
    'https://api.example:444/a', 'http://localhost:3001/a', 'data:,x', 'javascript:x', 'http://[',
    'https://api.example@evil.example/a',
  ]) t.same(alsoInvalidated(REQUEST, ['Location', location]), [], location);
  const unix = { ...REQUEST, upstreamOrigin: 'unix:/run/app.sock' };
  t.same(alsoInvalidated(unix, ['Location', 'unix:/run/app.sock']), []);
  t.same(alsoInvalidated({ ...REQUEST, authority: '' }, ['Location', '/a']), ['/a']);
  t.same(alsoInvalidated(REQUEST, []), []);
});
