// What the upstream is told of the way a request took, and whose word about it is believed.
import t from 'tap';
import { forwardedFields, type Way } from '../../src/core/key/forwarded.ts';
import { rulesOf } from '../asking.ts';

const one = rulesOf('routes: {}').config;
const several = rulesOf('hosts: [a.example, b.example]\nroutes: {}').config;
const way: Way = {
  id: 'r1', peer: '10.0.0.7', remote: '10.0.0.7', peerTrusted: false, scheme: 'https',
  authority: 'a.example',
  httpVersion: '1.1',
};
const told = [
  'X-Forwarded-For', '10.0.0.7', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'a.example',
];
const claims = [
  'Forwarded', 'for=1.2.3.4', 'X-Forwarded-For', '1.2.3.4', 'X-FORWARDED-PROTO', 'http',
  'X-Forwarded-Host', 'evil.example', 'X-Forwarded-Port', '1',
];
const end = ['X-Request-Id', 'r1', 'Via', '1.1 everfresh'];

t.test('the way is told behind what the client says otherwise', async (t) => {
  const fields = ['Accept', 'a/b', 'Accept', 'c/d'];
  t.strictSame(forwardedFields(fields, way, one), [...fields, ...told, ...end]);
});

t.test('what a client says itself of its way is not believed', async (t) => {
  t.strictSame(forwardedFields([...claims, 'X-A', '1'], way, one), ['X-A', '1', ...told, ...end]);
});

t.test('what a trusted proxy says is passed on, and the proxy is added to it', async (t) => {
  t.strictSame(
    forwardedFields(claims, { ...way, peerTrusted: true }, one),
    [...claims, 'X-Forwarded-For', '10.0.0.7', 'Forwarded',
      'for=10.0.0.7;proto=https;host="a.example"', ...end],
  );
  const six = { ...way, peerTrusted: true, peer: '2001:db8::1', authority: '' };
  t.match(forwardedFields(['Forwarded', 'for=1.2.3.4'], six, one).join('\n'),
    'Forwarded\nfor="[2001:db8::1]";proto=https\n');
  t.strictSame(
    forwardedFields([], { ...way, peerTrusted: true }, one), [...told, ...end],
    'and what it does not say is told',
  );
});

t.test('a request keeps its id, and a name is not mistaken for a value', async (t) => {
  t.strictSame(
    forwardedFields(['x-request-ID', 'mine'], way, one),
    ['x-request-ID', 'mine', ...told, 'Via', '1.1 everfresh'],
  );
  const values = ['X-A', 'x-request-id', 'X-B', 'x-forwarded-proto', 'X-C', 'x-forwarded-host'];
  t.strictSame(forwardedFields(values, way, one), [...values, ...told, ...end]);
});

t.test('a request without a host tells none', async (t) => {
  t.strictSame(forwardedFields([], { ...way, authority: '' }, one), [...told.slice(0, 4), ...end]);
});

t.test('the host is asked for by its name where several are served', async (t) => {
  t.strictSame(forwardedFields([], way, several), [...told, ...end, 'Host', 'a.example']);
});
