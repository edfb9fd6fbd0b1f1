// What is sealed is read by who has the key, under the name that it was sealed for, and is whole.
import t from 'tap';
import { keyOf } from '../../src/core/rules/check.ts';
import { sealingBy } from '../../src/io/sealing.ts';

const key = Buffer.alloc(32, 1);

t.test('what is sealed is read back, and says nothing to others', async (t) => {
  const { seal, open } = sealingBy(key);
  const sealed = seal('who', 'a secret text');
  t.equal(open('who', sealed), 'a secret text');
  t.not(seal('who', 'a secret text'), sealed, 'each time under another nonce');
  t.notMatch(Buffer.from(sealed, 'base64').toString('latin1'), /secret/);
  t.equal(open('other', sealed), undefined);
  t.equal(sealingBy(Buffer.alloc(32, 2)).open('who', sealed), undefined);
});

t.test('what was changed, or is not whole, is nothing', async (t) => {
  const { seal, open } = sealingBy(key);
  const bytes = Buffer.from(seal('who', 'a secret text'), 'base64');
  for (let at = 0; at < bytes.length; at += 1) {
    const other = Buffer.from(bytes);
    other[at]! ^= 1;
    t.equal(open('who', other.toString('base64')), undefined, String(at));
    t.equal(open('who', bytes.subarray(0, at).toString('base64')), undefined);
  }
  t.equal(open('who', ''), undefined);
});

t.test('a key is 32 bytes in hex or base64, and nothing else', async (t) => {
  t.same(keyOf(key.toString('hex')), key);
  t.same(keyOf(key.toString('base64')), key);
  for (const wrong of [undefined, '', 'short', 'x'.repeat(32), key.toString('hex').slice(1)]) {
    t.equal(keyOf(wrong), undefined, String(wrong));
  }
});
