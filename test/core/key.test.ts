// Keys: equal for requests that mean the same entry, different for all others.
import { createHash } from 'node:crypto';
import t from 'tap';
import { variantKey } from '../../src/core/key/meaning.ts';
import { rulesOf } from '../asking.ts';

const ROUTES = `
routes:
  /x:      { GET: { ttl: 1h, headers: [x-a, x-b] } }
  /x/:id:  { GET: { ttl: 1h } }
  /y:      { GET: {} }
`;
const rules = rulesOf(ROUTES);
const key = (target: string, ...fields: string[]): string => rules.reads(target, fields).key;

t.test('no two different requests have one key', (t) => {
  const keys = [
    key('/x'), key('/x?'), key('/x?a'), key('/x?a='), key('/x', 'x-a', ''), key(
      '/x', 'x-a', '1',
    ), key('/x', 'x-b', '1'),
    key('/x', 'x-a', 'a|b', 'x-b', 'c'), key('/x', 'x-a', 'a', 'x-b', 'b|c'),
    key(
      '/x', 'x-a', '1:1', 'x-b', '',
    ), key('/x', 'x-a', '1', 'x-b', ':1'), key('/x', 'x-a', '13:x-b1:11:1'),
    key('/x/1'), key('/x/1', 'x-n', '1'), key(
      '/x/1', '__proto__', '1',
    ), key('/x/__proto__'), key('/y'),
  ];
  t.equal(new Set(keys).size, keys.length);
  for (const each of keys) t.match(each, /^[\w-]{43}$/);
  t.end();
});

t.test('case and order of field names and lines make no difference', (t) => {
  t.equal(key('/x', 'X-A', '1', 'X-B', '2'), key('/x', 'x-b', '2', 'x-a', '1'));
  t.equal(key('/x', 'x-a', '1', 'x-a', '2'), key('/x', 'x-a', '1, 2'));
  t.equal(key('/x/1', 'x-m', '1', 'x-n', '2'), key('/x/1', 'X-N', '2', 'X-M', '1'));
  t.equal(key('/y', 'User-Agent', 'a'), key('/y', 'User-Agent', 'b'), 'Vary decides');
  t.end();
});

t.test('the host is in the key only where several are served', (t) => {
  const several = rulesOf(`hosts: [a.example, b.example]\n${ROUTES}`);
  const at = (authority: string) => several.reads('/x', [], { authority });
  t.not(at('a.example').key, at('b.example').key);
  t.equal(at('a.example').recipe.host, 'a.example');
  t.equal(
    rules.reads('/x', [], { authority: 'a' }).key, rules.reads('/x', [], { authority: 'b' }).key,
  );
  t.end();
});

t.test('what came by TLS has a key of its own', (t) => {
  t.not(rules.reads('/x', [], { scheme: 'https' }).key, key('/x'));
  t.end();
});

t.test('a changed rule starts afresh', (t) => {
  const other = rulesOf(ROUTES.replace('[x-a, x-b]', '[x-a]'));
  t.not(other.reads('/x').key, key('/x'));
  t.equal(
    rulesOf(ROUTES.replace('ttl: 1h, headers', 'ttl: 2h, headers')).reads('/x').key, key('/x'),
  );
  t.end();
});

t.test('variants are told apart by the fields that Vary named', (t) => {
  const { key: primary } = rules.reads('/y');
  t.equal(variantKey(primary, [], ['Accept', 'a/b']), primary);
  const of = (...fields: string[]): string => variantKey(primary, ['accept', 'x-a'], fields);
  t.equal(of('Accept', 'a/b;q=0.5, c/d'), of('accept', 'c/d,A/B;q=0.500'));
  const keys = [
    of(), of('accept', ''), of('accept', 'a/b'), of('x-a', 'a/b'), of('accept', 'a/b', 'x-a', ''),
    primary,
  ];
  t.equal(new Set(keys).size, keys.length);
  t.end();
});

// A store outlives its instances, and those of two versions may share one.
t.test('a key is the hash of these parts, each with its length', (t) => {
  const of = (...parts: string[]): string => createHash('sha256')
    .update(parts.map((part) => `${part.length}:${part}`).join('')).digest('base64url');
  const common = (pattern: string, scheme = 'http', host = ''): string[] => [
    'everfresh-key-1', rules.config.upstream.url, 'GET', rules.rule(pattern).hash, scheme, host,
  ];
  t.equal(key('/x', 'X-A', ''), of(...common('/x'), '/x', 'x-a', '1', '', 'x-b', '0', ''));
  t.equal(key('/x/1'), of(...common('/x/:id'), '/x/1'));
  t.equal(key('/x/1?b', 'X-N', '2'), of(...common('/x/:id'), '/x/1?b', 'x-n', '1', '2'));
  t.equal(
    rules.reads('/y', [], { scheme: 'https' }).key, of(...common('/y', 'https'), '/y'),
  );
  const { key: primary } = rules.reads('/y');
  t.equal(
    variantKey(primary, ['x-a'], ['X-A', '1']),
    of('everfresh-key-1', 'variant', primary, 'x-a', '=1'),
  );
  t.end();
});
