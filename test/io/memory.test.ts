// Memory is bounded by what is really kept, and tiers look near before they look far.
import { createHash } from 'node:crypto';
import t from 'tap';
import type { Entry, Kept, Key } from '../../src/core/entry/entry.ts';
import type { Entries } from '../../src/flow/ports.ts';
import { memoryEntries } from '../../src/io/memory.ts';
import { tieredEntries } from '../../src/io/tiers.ts';
import { entry } from '../entries.ts';

const numbered = (n: number, text = 'x'): Entry =>
  entry({ key: String(n).padEnd(43, 'x') as Key, text });
const text = (kept: Kept | undefined): string | undefined =>
  kept?.kind === 'answer' ? Buffer.from(kept.body).toString() : undefined;
/** A text of that length that no other number has. */
const long = (n: number, length: number): string => `${n} `.padEnd(length, 'x');

void t.test('who was not asked for goes when the bytes are full', (t) => {
  const entries = memoryEntries({ bytes: 1_000_000 });
  for (let n = 0; n < 100; n += 1) {
    entries.put(numbered(n, long(n, 20_000)));
    entries.get(numbered(0).key); // in use all the time
    t.ok(entries.bytes <= 1_000_000);
  }
  t.ok(entries.size > 35 && entries.size < 50, `${entries.size} entries`);
  t.ok(entries.get(numbered(0).key), 'the one in use stays');
  t.ok(entries.get(numbered(99).key), 'the newest stays');
  t.equal(entries.get(numbered(1).key), undefined);
  t.end();
});

void t.test('small entries are not free', (t) => {
  const entries = memoryEntries({ bytes: 100_000 });
  for (let n = 0; n < 1000; n += 1) entries.put(numbered(n, ''));
  t.ok(entries.size > 200 && entries.size < 600, `${entries.size} entries`);
  t.ok(entries.bytes <= 100_000);
  t.end();
});

void t.test('an entry costs at most 300 bytes beside its key, fields and body', (t) => {
  const entries = memoryEntries({ bytes: 48_000_000 });
  let own = 0;
  for (let n = 0; n < 20_000; n += 1) {
    const path = `/users/${n % 100}/posts/${n}`;
    const route = '/users/:user/posts/:post';
    const one = entry({
      key: createHash('sha256').update(String(n)).digest('base64url') as Key,
      text: long(n, 1024), receivedAt: Date.now() + n, fetchMs: n / 7,
      tags: [route, `${route} user=${n % 100}`, `${route} post=${n}`, `${path}?`],
      recipe: { ...entry().recipe, target: path, path, pattern: route },
      fields: ['Content-Type', 'application/json', 'ETag', `"${n}"`, 'Server', 'some'],
    });
    own += one.key.length + one.fields.join('').length + one.body.length;
    entries.put(one);
  }
  t.equal(entries.size, 20_000);
  const over = (entries.bytes - own) / 20_000;
  t.ok(over <= 300, `${over} bytes`);
  t.end();
});

void t.test('one that is larger than half of the room is not kept, nor what it replaces', (t) => {
  const entries = memoryEntries({ bytes: 100_000 });
  entries.put(numbered(1));
  entries.put(numbered(2, 'small'));
  entries.put(numbered(2, 'x'.repeat(60_000)));
  t.equal(entries.get(numbered(2).key), undefined);
  t.ok(entries.get(numbered(1).key), 'and throws nobody out');
  t.equal(entries.size, 1);
  t.end();
});

void t.test('a scan pushes out nothing that was asked for', (t) => {
  const entries = memoryEntries({ bytes: 2_000_000 });
  const used = Array.from({ length: 200 }, (_, n) => numbered(n, long(n, 1000)));
  for (const one of used) entries.put(one);
  for (const one of used) entries.get(one.key);
  for (let n = 1000; n < 50_000; n += 1) entries.put(numbered(n, long(n, 1000)));
  t.equal(used.filter(({ key }) => entries.get(key)).length, used.length);
  t.equal(entries.get(numbered(2000).key), undefined);
  t.end();
});

void t.test('who comes back soon after it went stays longer', (t) => {
  const entries = memoryEntries({ bytes: 1_000_000 });
  const put = (from: number, to: number): void => {
    for (let n = from; n < to; n += 1) entries.put(numbered(n, long(n, 1000)));
  };
  put(0, 1000);
  t.equal(entries.get(numbered(100).key), undefined);
  put(100, 101);
  put(1000, 5000);
  t.ok(entries.get(numbered(100).key));
  t.equal(entries.get(numbered(1001).key), undefined);
  t.end();
});

void t.test('what was replaced pushes out nothing', (t) => {
  const entries = memoryEntries({ bytes: 1_000_000 });
  for (let n = 0; n < 300; n += 1) entries.put(numbered(n, long(n, 1000)));
  for (let i = 0; i < 20_000; i += 1) {
    entries.put(numbered(i % 10, long(i, 1000)));
    if (entries.bytes > 1_000_000) t.fail('over the bound');
  }
  t.equal(entries.size, 300, 'those that nobody asked for are all there');
  t.equal(text(entries.get(numbered(299).key)), long(299, 1000));
  t.equal(text(entries.get(numbered(9).key)), long(19_999, 1000));
  t.end();
});

void t.test('what was replaced takes no room for long, also where there is some', (t) => {
  const entries = memoryEntries({ bytes: 32_000_000 });
  for (let i = 0; i < 40_000; i += 1) entries.put(numbered(i % 10, long(i, 1000)));
  t.equal(entries.size, 10);
  t.ok(entries.bytes < 8_000_000, `${entries.bytes} bytes`);
  t.end();
});

void t.test('equal bodies are kept once', (t) => {
  for (const length of [1000, 100_000]) {
    const entries = memoryEntries({ bytes: 2_000_000 });
    for (let n = 0; n < 1000; n += 1) entries.put(numbered(n, 'x'.repeat(length)));
    t.equal(entries.size, 1000);
    t.ok(entries.bytes < 700_000, `${entries.bytes} bytes`);
    const others = numbered(0, 'y'.repeat(length));
    entries.put(others);
    t.strictSame(entries.get(others.key), others);
    for (let n = 0; n < 999; n += 1) entries.put(numbered(n, long(n, 100)));
    t.equal(text(entries.get(numbered(999).key)), 'x'.repeat(length), 'as long as one needs it');
    for (let n = 0; n < 1000; n += 1) entries.put(numbered(n, long(n, 100)));
    t.ok(entries.bytes < 1_000_000 + length, 'and no longer');
  }
  t.end();
});

void t.test('a slot is the same as long as its entry is', (t) => {
  const entries = memoryEntries({ bytes: 1_000_000 });
  const one = numbered(1);
  t.equal(entries.slot(one.key), undefined);
  entries.put(one);
  const slot = entries.slot(one.key)!;
  t.strictSame(slot.kept, one);
  t.equal(slot.made, undefined);
  slot.made = 'something';
  t.equal(entries.slot(one.key), slot);
  t.equal(entries.get(one.key), slot.kept);
  const newer = { ...one, asOf: 2 as Entry['asOf'] };
  entries.put(newer);
  const held = [slot.kept, slot.made, slot.use()].filter(Boolean);
  t.same(held, [], 'whoever holds the old one is told');
  t.strictSame(entries.slot(one.key)!.use(), newer);
  t.equal(entries.slot(one.key)!.made, undefined);
  entries.slot(one.key)!.made = 'another';
  entries.put(one);
  t.equal(entries.slot(one.key)!.made, 'another', 'what is ignored changes nothing');
  t.end();
});

void t.test('a slot may be held if it says when its entry stands there no more', (t) => {
  const entries = memoryEntries({ bytes: 1_000_000 });
  const large: Entry = { ...numbered(1), tags: [`/${'x'.repeat(80_000)}`] };
  entries.put(large);
  t.strictSame(entries.slot(large.key)!.kept, large);
  t.notOk(entries.slot(large.key)!.lasts, 'too large to be held');
  const first = numbered(2);
  entries.put(first);
  const slot = entries.slot(first.key)!;
  t.ok(slot.lasts);
  for (let n = 3; n < 20_000; n += 1) {
    entries.put(numbered(n));
    entries.get(numbered(n).key);
  }
  t.equal(entries.get(first.key), undefined);
  t.equal(slot.use(), undefined, 'others took its place');
  t.end();
});

void t.test('slots are bounded, and those in use stay', (t) => {
  const entries = memoryEntries({ bytes: 4_000_000 });
  for (let n = 0; n < 1000; n += 1) entries.put(numbered(n, long(n, 1000)));
  const slot = entries.slot(numbered(0).key)!;
  for (let n = 0; n < 20_000; n += 1) {
    entries.slot(numbered(n % 1000).key);
    if (entries.slot(numbered(0).key) !== slot) t.fail(`gone after ${n}`);
  }
  t.ok(entries.bytes < 3_000_000, `${entries.bytes} bytes`);
  t.equal(entries.size, 1000);
  t.end();
});

void t.test('what has many shapes is kept all the same', (t) => {
  const entries = memoryEntries({ bytes: 8_000_000 });
  const shaped = (n: number): Entry => ({ ...numbered(n), fields: [`X-${n}`, String(n)] });
  for (let n = 0; n < 10_000; n += 1) entries.put(shaped(n));
  for (let n = 0; n < 10_000; n += 1) {
    const found = entries.get(shaped(n).key);
    if (found !== undefined && found.kind === 'answer') t.same(found.fields, shaped(n).fields);
  }
  t.ok(entries.size > 7000, `${entries.size} entries`);
  t.ok(entries.bytes <= 8_000_000);
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
  t.equal(tiers.slot?.(two.key), near.slot(two.key), 'a slot is the near one');
  t.notOk('slot' in tieredEntries(slow, slow), 'if there is one');
  const newer = { ...two, asOf: 5 as Entry['asOf'] };
  far.put(newer);
  t.strictSame(tiers.get(two.key), two, 'near first, whatever stands far');
  t.strictSame(await tiers.beyond(two.key), newer);
  t.strictSame(tiers.get(two.key), newer);
});
