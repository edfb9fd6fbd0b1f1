// Memory is bounded by what is really kept, and tiers look near before they look far.
import t from 'tap';
import type { Entry, Key } from '../../src/core/entry/entry.ts';
import type { Entries } from '../../src/flow/ports.ts';
import { memoryEntries } from '../../src/io/memory.ts';
import { tieredEntries } from '../../src/io/tiers.ts';
import { entry } from '../entries.ts';

const numbered = (n: number, text = 'x'): Entry =>
  entry({ key: String(n).padEnd(43, 'x') as Key, text });

void t.test('the least recently used go when the bytes are full', (t) => {
  const entries = memoryEntries({ bytes: 1_000_000 });
  for (let n = 0; n < 100; n += 1) {
    entries.put(numbered(n, 'x'.repeat(20_000)));
    entries.get(numbered(0).key); // in use all the time
  }
  t.ok(entries.bytes <= 1_000_000);
  t.ok(entries.size > 40 && entries.size < 50, `${entries.size} entries`);
  t.ok(entries.get(numbered(0).key), 'the one in use stays');
  t.ok(entries.get(numbered(99).key), 'the newest stays');
  t.equal(entries.get(numbered(1).key), undefined);
  t.end();
});

void t.test('small entries are not free', (t) => {
  const entries = memoryEntries({ bytes: 100_000 });
  for (let n = 0; n < 1000; n += 1) entries.put(numbered(n, ''));
  t.ok(entries.size < 100, `${entries.size} entries`);
  t.end();
});

void t.test('one that is larger than all the room is not kept', (t) => {
  const entries = memoryEntries({ bytes: 10_000 });
  entries.put(numbered(1));
  entries.put(numbered(2, 'x'.repeat(20_000)));
  t.equal(entries.get(numbered(2).key), undefined);
  t.ok(entries.get(numbered(1).key), 'and throws nobody out');
  t.end();
});

void t.test('a body is kept without the larger buffer it was cut from', (t) => {
  const entries = memoryEntries({ bytes: 100_000 });
  const body = new Uint8Array(new ArrayBuffer(50_000), 10, 5).fill(65);
  entries.put({ ...numbered(1), body });
  const found = entries.get(numbered(1).key) as Entry;
  t.equal(found.body.buffer.byteLength, 5);
  t.equal(Buffer.from(found.body).toString(), 'AAAAA');
  t.end();
});

void t.test('tiers look near, then far, and remember near what was far', async (t) => {
  const near = memoryEntries({ bytes: 100_000 });
  const far = memoryEntries({ bytes: 100_000 });
  const asked: string[] = [];
  const slow: Entries = {
    async get(key) {
      asked.push('get');
      await Promise.resolve();
      return far.get(key);
    },
    put: (kept) => far.put(kept),
  };
  const tiers = tieredEntries(near, slow);
  const one = numbered(1);
  t.equal(await tiers.get(one.key), undefined);
  await tiers.put(one);
  t.ok(near.get(one.key));
  t.ok(far.get(one.key));
  t.strictSame(tiers.get(one.key), one, 'a near one is there at once');
  t.equal(asked.length, 1);
  const two = numbered(2);
  far.put(two);
  t.strictSame(await tiers.get(two.key), two);
  t.strictSame(near.get(two.key), two);
  const newer = { ...two, asOf: 5 as Entry['asOf'] };
  far.put(newer);
  t.strictSame(tiers.get(two.key), two, 'near first, whatever stands far');
  t.strictSame(await tiers.beyond(two.key), newer);
  t.strictSame(tiers.get(two.key), newer);
});
