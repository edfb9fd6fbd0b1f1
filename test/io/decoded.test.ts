// What was decoded lately is given again only for the very same bytes, and is bounded.
import t from 'tap';
import { encode } from '../../src/core/entry/codec.ts';
import type { Key } from '../../src/core/entry/entry.ts';
import { Decoded } from '../../src/io/decoded.ts';
import { entry } from '../entries.ts';

t.test('the same bytes are decoded once, others anew, and what is no entry is none', (t) => {
  const decoded = new Decoded();
  const one = entry();
  const slot = decoded.slot(one.key, encode(one))!;
  t.strictSame(slot.kept, one);
  t.equal(decoded.slot(one.key, encode(one)), slot);
  t.notOk(slot.lasts, 'its key has to be asked for each time');
  const newer = entry({ text: 'other' });
  t.strictSame(decoded.slot(one.key, encode(newer))!.kept, newer);
  t.equal(decoded.slot(one.key, Buffer.from('nonsense')), undefined);
  t.strictSame(decoded.slot(one.key, encode(one))!.kept, one);
  t.equal(decoded.slot('x'.repeat(43) as Key, encode(one)), undefined, 'it is of another key');
  t.end();
});

t.test('what came is not kept alive, nor changed with it', (t) => {
  const decoded = new Decoded();
  const one = entry();
  const bytes = encode(one);
  const slot = decoded.slot(one.key, bytes)!;
  bytes.fill(0);
  t.strictSame(slot.kept, one);
  t.equal(decoded.slot(one.key, encode(one)), slot);
  t.end();
});

t.test('so many are known and no more, by number and bytes', (t) => {
  const decoded = new Decoded();
  const known = (text: string, count: number): number => {
    const all = Array.from({ length: count }, (_, i) => entry({ key: `${i}` as Key, text }));
    const slots = all.map((one) => decoded.slot(one.key, encode(one)));
    const again = all.map((one) => decoded.slot(one.key, encode(one)));
    // From the youngest on: who asks for another pushes out the oldest.
    return slots.filter((slot, i) => slot === again[i]).length;
  };
  t.equal(known('small', 1024), 1024);
  t.equal(known('small', 1025), 0, 'the oldest goes first');
  t.equal(known('x'.repeat(20_000), 50), 50);
  t.equal(known('x'.repeat(20_000), 200), 0);
  t.equal(known('x'.repeat(40_000), 1), 0, 'a large one is read each time');
  t.end();
});
