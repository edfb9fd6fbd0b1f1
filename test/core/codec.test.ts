// Entries there and back again as bytes, and everything that must not come back as one.
import t from 'tap';
import { decode, encode } from '../../src/core/entry/codec.ts';
import type { Entry, Kept, Key, VaryMarker } from '../../src/core/entry/entry.ts';
import { entry } from '../entries.ts';

const KEY = entry().key;
const marker: VaryMarker = { kind: 'vary', key: KEY, names: ['accept', 'accept-language'] };

/** The same bytes with a head that was changed by somebody. */
function forged(change: (head: Record<string, unknown>) => void, kept: Kept = entry()): Buffer {
  const { epoch, asOf, body, ...head } = { epoch: '-', asOf: 0, body: new Uint8Array(0), ...kept };
  change(head);
  const json = Buffer.from(JSON.stringify(head));
  const line = `EVF1 ${epoch} ${asOf} ${json.length} ${body.length} 0\n`;
  return Buffer.concat([Buffer.from(line), json, body]);
}

void t.test('what is encoded is decoded as it was', (t) => {
  const all: Kept[] = [
    entry(),
    entry({ body: new Uint8Array(0) }),
    entry({ body: new Uint8Array(256).map((_, i) => i) }),
    entry({ tags: ['é', '__proto__', ''], fields: [], reason: '' }),
    entry({ fields: ['x-latin', 'caf\xe9', 'Set-X', '', 'x', 'a\tb'] }),
    entry({ recipe: { ...entry().recipe, host: 'example.org:8080' } }),
    entry({ recipe: { ...entry().recipe, method: 'QUERY', body: new Uint8Array([0, 255, 7]) } }),
    entry({ shareable: 'authorization', status: 404 }),
    entry({ status: 999 }),
    marker,
  ];
  for (const kept of all) t.strictSame(decode(encode(kept), KEY), kept);
  t.strictSame(decode(forged(() => undefined), KEY), entry(), 'the forge itself is faithful');
  t.end();
});

void t.test('a body that was decoded keeps no larger buffer alive', (t) => {
  const bytes = Buffer.concat([Buffer.alloc(100_000), encode(entry({ text: 'short' }))]);
  const kept = decode(bytes.subarray(100_000), KEY) as Entry;
  t.equal(Buffer.from(kept.body).toString(), 'short');
  t.equal(kept.body.buffer.byteLength, 5);
  t.end();
});

void t.test('another key is no entry', (t) => {
  t.equal(decode(encode(entry()), 'z'.repeat(43) as Key), undefined);
  t.equal(decode(encode(marker), 'z'.repeat(43) as Key), undefined);
  t.end();
});

void t.test('bytes cut short or added to anywhere are no entry', (t) => {
  for (const kept of [entry(), marker]) {
    const bytes = encode(kept);
    for (let length = 0; length < bytes.length; length += 1) {
      if (decode(bytes.subarray(0, length), KEY) !== undefined) t.fail(`cut at ${length}`);
    }
    t.equal(decode(Buffer.concat([bytes, Buffer.from('x')]), KEY), undefined);
  }
  t.end();
});

void t.test('a first line in any other form is no entry', (t) => {
  const bytes = encode(entry()).toString('latin1');
  const line = bytes.slice(0, bytes.indexOf('\n'));
  const others = [
    line.replace('EVF1', 'EVF2'), line.replace('EVF1', 'evf1'), `${line} `, ` ${line}`,
    line.replace(/0$/, '1'), line.replace('epoch-1', 'epoch 1'), line.replace('epoch-1', '-'),
    line.replace('epoch-1', 'é'), line.replace(' 0 ', ' -1 '), line.replace(' 0 ', ' 1e3 '),
    line.replace(' 0 ', ' 9999999999999999 '), line.replace(/ \d+ 0$/, ' 0 0'),
    line.replace('epoch-1', 'e'.repeat(65)), '', 'EVF1',
  ];
  for (const other of others) {
    const changed = Buffer.from(other + bytes.slice(line.length), 'latin1');
    t.equal(decode(changed, KEY), undefined, JSON.stringify(other));
  }
  t.end();
});

void t.test('a head with anything amiss is no entry', (t) => {
  const bad: [string, unknown][] = [
    ['kind', 'vary'], ['kind', 'other'], ['kind', undefined], ['key', undefined],
    ['status', 199], ['status', 1000], ['status', '200'], ['status', 200.5], ['status', null],
    ['reason', 'OK\r\nX: y'], ['reason', 1], ['tags', 'a'], ['tags', [1]], ['tags', undefined],
    ['fields', ['a']], ['fields', ['a b', 'c']], ['fields', ['', 'c']], ['fields', ['a:', 'c']],
    ['fields', ['x', 'a\r\nSet-Cookie: y']], ['fields', ['x', 'a\0']], ['fields', ['x', 'a\nb']],
    ['fields', ['x\r\ny', 'a']], ['fields', ['x', '\u20ac']], ['fields', [['x', 'y']]],
    ['fields', { 0: 'x', 1: 'y', length: 2 }],
    ['receivedAt', -1], ['initialAgeMs', null], ['freshMs', '1'], ['freshMs', undefined],
    ['staleIfErrorMs', true], ['staleWhileRevalidateMs', []], ['fetchMs', {}],
    ['shareable', 'all'], ['shareable', undefined], ['recipe', undefined], ['recipe', []],
    ['recipe', { ...entry().recipe, kind: 'graphql' }],
    ['recipe', { ...entry().recipe, method: 'GET /' }],
    ['recipe', { ...entry().recipe, target: '/a b' }],
    ['recipe', { ...entry().recipe, target: '/a\r\nb' }],
    ['recipe', { ...entry().recipe, path: '' }],
    ['recipe', { ...entry().recipe, pattern: 7 }],
    ['recipe', { ...entry().recipe, host: 'a\r\nb' }],
    ['recipe', { ...entry().recipe, host: null }],
    ['recipe', { ...entry().recipe, body: 'no base64' }],
    ['recipe', { ...entry().recipe, body: 7 }],
    ['recipe', { ...entry().recipe, fields: ['a', 'b\r\n'] }],
  ];
  for (const [name, value] of bad) {
    const bytes = forged((head) => void (head[name] = value));
    t.equal(decode(bytes, KEY), undefined, `${name}: ${JSON.stringify(value)}`);
  }
  for (const names of [undefined, 'accept', [1], ['a b'], ['']]) {
    const bytes = forged((head) => void (head['names'] = names), marker);
    t.equal(decode(bytes, KEY), undefined, `names: ${JSON.stringify(names)}`);
  }
  t.end();
});

void t.test('numbers that JSON cannot hold do not come back as times', (t) => {
  t.equal(decode(encode(entry({ freshMs: Number.POSITIVE_INFINITY })), KEY), undefined);
  t.equal(decode(encode(entry({ receivedAt: Number.NaN })), KEY), undefined);
  t.end();
});

void t.test('a head that is not JSON, or no object, is no entry', (t) => {
  for (const text of ['', '{', 'null', '[]', '"x"', '7', '{"__proto__":{"kind":"answer"}}']) {
    const bytes = Buffer.from(`EVF1 e 0 ${text.length} 0 0\n${text}`);
    t.equal(decode(bytes, KEY), undefined, text);
  }
  t.end();
});

void t.test('noise never throws and is never an entry', (t) => {
  let random = 7;
  const good = encode(entry());
  for (let round = 0; round < 5000; round += 1) {
    const bytes = Buffer.from(good);
    for (let i = 0; i < 3; i += 1) {
      random = (random * 48271) % 2147483647;
      bytes[random % (good.indexOf(10) + 1)] = random & 0xff;
    }
    const kept = decode(bytes, KEY);
    if (kept?.kind === 'vary') t.fail('an answer came back as a marker');
    if (kept !== undefined && kept.key !== KEY) t.fail('with another key');
  }
  t.pass('five thousand of them');
  t.end();
});
