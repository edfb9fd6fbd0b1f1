// Whatever is put into memory, within whatever bound: what comes back is what was put last,
// exactly, and there are never more bytes than there may be.
import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { Entry, Epoch, Kept, Key, Seq } from '../../src/core/entry/entry.ts';
import { hashOf, KeyIndex } from '../../src/io/key-index.ts';
import { memoryEntries } from '../../src/io/memory.ts';
import { entry } from '../entries.ts';

const keyOf = (n: number): Key => String(n).padEnd(43, 'k') as Key;

const text = fc.oneof(
  fc.string({ maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', '\n', 'a\nb', '\0', '\u00ff', '\ud800', '/a?b', '/a', '-1'),
);
const pairs = fc.array(fc.tuple(text, text), { maxLength: 5 }).map((lines) => lines.flat());
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.nat({ max: 40_000 }).map((length) => new Uint8Array(length).fill(length)),
);
const number = fc.double({ noNaN: true }).map((value) => value + 0);
const optional = <T>(name: string, value: fc.Arbitrary<T>): fc.Arbitrary<object> =>
  fc.option(value).map((some) => (some === null ? {} : { [name]: some }));

const recipe = fc.tuple(
  fc.record({
    kind: fc.constant('http' as const), method: text, target: text, fields: pairs, pattern: text,
    path: text,
  }),
  optional('host', text), optional('secure', fc.constant(true)), optional('body', bytes),
).map(([known, ...others]) => Object.assign({}, known, ...others) as Entry['recipe']);

const answer = fc.tuple(
  fc.record({
    kind: fc.constant('answer' as const), key: fc.constant(keyOf(1)),
    epoch: text.map((epoch) => epoch as Epoch), asOf: number.map((asOf) => asOf as Seq),
    tags: fc.array(text, { maxLength: 5 }), recipe, status: fc.nat({ max: 999 }), reason: text,
    fields: pairs, body: bytes, receivedAt: number, initialAgeMs: number, freshMs: number,
    staleWhileRevalidateMs: number, staleIfErrorMs: number, fetchMs: number,
    shareable: fc.constantFrom('everyone' as const, 'authorization' as const, 'no' as const),
  }),
  optional('outdated', fc.constant(true)),
).map(([known, outdated]): Entry => ({ ...known, ...outdated }));

const marker = fc.array(text, { maxLength: 5 })
  .map((names): Kept => ({ kind: 'vary', key: keyOf(1), names }));
const kept = fc.oneof({ weight: 5, arbitrary: answer }, { weight: 1, arbitrary: marker });

void t.test('whatever is put is found again, exactly', (t) => {
  fc.assert(fc.property(kept, text, (one, other) => {
    const entries = memoryEntries({ bytes: 1_000_000 });
    entries.put(one);
    deepStrictEqual(entries.get(one.key), one);
    if (one.kind === 'vary') return;
    // Others of the same shape, so that some of it is held in common.
    for (let n = 2; n < 5; n += 1) {
      const next: Entry = { ...one, key: keyOf(n), tags: [...one.tags, other], freshMs: n };
      entries.put(next);
      deepStrictEqual(entries.get(next.key), next);
    }
    deepStrictEqual(entries.get(one.key), one);
  }), { numRuns: 500 });
  t.end();
});

const step = fc.record({
  kind: fc.constantFrom('put', 'put', 'put', 'get', 'slot', 'marker'),
  n: fc.nat({ max: 60 }),
  asOf: fc.nat({ max: 3 }),
  epoch: fc.constantFrom('one', 'one', 'one', 'other'),
  length: fc.oneof(
    { weight: 8, arbitrary: fc.nat({ max: 2000 }) },
    { weight: 1, arbitrary: fc.nat({ max: 30_000 }) },
  ),
  shape: fc.nat({ max: 20 }),
});

void t.test('what is there is what was put last, whatever had to go', (t) => {
  let found = 0;
  let missed = 0;
  const bound = fc.constantFrom(20_000, 60_000, 200_000, 1_000_000);
  const steps = fc.array(step, { minLength: 100, maxLength: 600 });
  fc.assert(fc.property(bound, steps, (most, all) => {
    const entries = memoryEntries({ bytes: most });
    const model = new Map<Key, Kept>();
    for (const { kind, n, asOf, epoch, length, shape } of all) {
      const key = keyOf(n);
      if (kind === 'get' || kind === 'slot') {
        const there = kind === 'get' ? entries.get(key) : entries.slot(key)?.kept;
        if (there === undefined) missed += 1;
        else found += 1;
        if (there !== undefined) deepStrictEqual(there, model.get(key));
      } else {
        const one: Kept = kind === 'marker' ? { kind: 'vary', key, names: ['accept'] } : entry({
          key, asOf: asOf as Seq, epoch: epoch as Epoch, text: 'x'.repeat(length),
          fields: Array.from({ length: shape * 2 }, (_, i) => `${i}`), tags: [`${shape}`],
        });
        // Told apart from what the store may have lost, it is as strict as the store is.
        const before = entries.get(key);
        const ignored = before?.kind === 'answer' && one.kind === 'answer'
          && before.epoch === one.epoch && before.asOf > one.asOf;
        entries.put(one);
        if (!ignored) model.set(key, one);
      }
      if (entries.bytes > most) throw new Error(`${entries.bytes} bytes`);
    }
  }), { numRuns: 150 });
  t.ok(found > 1000 && missed > 1000, `${found} found, ${missed} missed`);
  t.end();
});

void t.test('an index finds what is in it, and nothing else', (t) => {
  const changes = fc.array(fc.tuple(fc.nat({ max: 300 }), fc.boolean()), { maxLength: 2000 });
  fc.assert(fc.property(changes, (all) => {
    const index = new KeyIndex(1);
    const model = new Map<number, number>();
    let places = 0;
    for (const [n, adds] of all) {
      const hash = hashOf(String(n % 30)); // some have the same
      const place = model.get(n);
      if (place === undefined) index.add(hash, (places += 1));
      else if (adds) index.move(hash, place, (places += 1));
      else index.remove(hash, place);
      if (place !== undefined && !adds) model.delete(n);
      else model.set(n, places);
    }
    for (let n = 0; n <= 300; n += 1) {
      const expected = model.get(n) ?? 0;
      const found = index.find(hashOf(String(n % 30)), (place) => place === expected);
      deepStrictEqual(found, expected);
    }
    deepStrictEqual(index.size, model.size);
  }), { numRuns: 100 });
  t.end();
});
