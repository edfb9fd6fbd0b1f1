// Who a request is from, by whose word.
import t from 'tap';
import { originOf } from '../../src/core/http/way.ts';

const trusts = (address: string): boolean => address.startsWith('10.') || address === '::1';
const proxy = { address: '10.0.0.1', secure: false };
const told = (...fields: string[]) => originOf(fields, proxy, trusts);
const remote = (...fields: string[]): string => told(...fields).remote;

t.test('what an untrusted peer says is not believed', async (t) => {
  const fields = ['X-Forwarded-For', '1.1.1.1', 'X-Forwarded-Proto', 'https', 'Forwarded',
    'for=2.2.2.2;proto=https'];
  const peer = { address: '9.9.9.9', secure: false };
  t.same(originOf(fields, peer, trusts), { remote: '9.9.9.9', scheme: 'http' });
  const secure = { remote: '9.9.9.9', scheme: 'https' };
  t.same(originOf(fields, { ...peer, secure: true }, trusts), secure);
});

t.test('the client is the first from the right that is no proxy of ours', async (t) => {
  t.equal(remote('X-Forwarded-For', '1.1.1.1'), '1.1.1.1');
  t.equal(remote('X-Forwarded-For', '6.6.6.6, 1.1.1.1, 10.0.0.2'), '1.1.1.1');
  t.equal(remote('X-Forwarded-For', '6.6.6.6', 'X-Forwarded-For', '1.1.1.1'), '1.1.1.1');
  t.equal(remote('X-Forwarded-For', '10.0.0.3, 10.0.0.2'), '10.0.0.3', 'or the first of all');
  t.equal(remote('X-Forwarded-For', '1.1.1.1:4711'), '1.1.1.1');
  t.equal(remote('X-Forwarded-For', '[2001:db8::1]:4711'), '2001:db8::1');
  t.equal(remote('X-Forwarded-For', '::ffff:1.1.1.1'), '1.1.1.1');
  const odds = ['', 'unknown', '1.1.1', '1.1.1.256', 'x, 10.0.0.2', '1.1.1.1, ', '[::1', ':::'];
  for (const odd of odds) {
    t.equal(remote('X-Forwarded-For', odd), '10.0.0.1', `"${odd}" says nothing`);
  }
  t.equal(remote(), '10.0.0.1');
});

t.test('Forwarded says the same in its own words', async (t) => {
  t.equal(remote('Forwarded', 'for=1.1.1.1'), '1.1.1.1');
  t.equal(remote('Forwarded', 'For=6.6.6.6, for="1.1.1.1:80";proto=http, for=10.0.0.2'), '1.1.1.1');
  t.equal(remote('Forwarded', 'for="[2001:db8::1]:4711";by=10.0.0.9'), '2001:db8::1');
  t.equal(remote('Forwarded', 'for=1.1.1.1:80'), '1.1.1.1', 'also without its quotes');
  for (const odd of [
    'for=unknown', 'for=_hidden', 'for', '', 'proto=https', 'for="1.1.1.1',
    'for=1.1.1.1;for=2.2.2.2', 'for=1.1.1.1, ;;', 'by=1.1.1.1', 'for=1.1.1.1, for=unknown',
  ]) t.equal(remote('Forwarded', odd), '10.0.0.1', `"${odd}" says nothing`);
});

t.test('the scheme is the one that the nearest proxy saw', async (t) => {
  const scheme = (...fields: string[]): string => told(...fields).scheme;
  t.equal(scheme('X-Forwarded-Proto', 'https'), 'https');
  t.equal(scheme('X-Forwarded-Proto', 'https, http'), 'http');
  t.equal(scheme('X-Forwarded-Proto', 'HTTPS'), 'https');
  t.equal(scheme('Forwarded', 'proto=https;for=1.1.1.1'), 'https');
  t.equal(scheme('Forwarded', 'proto=https, for=10.0.0.2;proto=http'), 'http');
  t.equal(scheme('Forwarded', 'proto=gopher'), 'http');
});

t.test('two accounts that do not agree are believed neither', async (t) => {
  const both = (forwarded: string, address: string, proto = 'https') => told(
    'Forwarded', forwarded, 'X-Forwarded-For', address, 'X-Forwarded-Proto', proto,
  );
  const agreed = { remote: '1.1.1.1', scheme: 'https' };
  t.same(both('for=1.1.1.1;proto=https', '1.1.1.1'), agreed);
  t.same(both('for=1.1.1.1', '1.1.1.1'), agreed, 'where one is silent the other speaks');
  t.equal(both('for=6.6.6.6', '1.1.1.1').remote, '10.0.0.1');
  t.equal(both('for=1.1.1.1;proto=http', '1.1.1.1').scheme, 'http');
});
