// What a run is judged by: a read that shows less than was promised before it began is found, and
// no other one is; figures are what they are called.
import t from 'tap';
import { Figures, median, SETTLE_MS } from './figures.ts';
import { History, type Promised, type Read, type Stale } from './history.ts';
import { deck, random, zipf } from './random.ts';
import { FRONT_LIST, ITEMS, itemsOf, LISTS, listOf, sharedPaths } from './things.ts';

const wrote = (version: number, answeredAt: number, holdsFrom = answeredAt): Promised => ({
  item: 7, version, answeredAt, holdsFrom, instance: 'one', cacheStatus: 'everfresh; fwd=method',
});

const read = (beganAt: number, version: number, more: Partial<Read> = {}): Read => ({
  path: '/items/7', beganAt, endedAt: beganAt + 1, instance: 'two',
  cacheStatus: 'everfresh; hit; ttl=1', shown: [{ id: 7, version }], ...more,
});

t.test('a read that began after an answered write and shows less is stale', async (t) => {
  const history = new History();
  t.same(history.read(read(1, 1)), []);
  history.promise(wrote(2, 10));
  const [found, ...more] = history.read(read(11, 1)) as [Stale, ...Stale[]];
  t.same(more, []);
  t.match(found, { item: 7, version: 1, write: { version: 2 }, read: { beganAt: 11 } });
  t.match(found.before.join('\n'), 'one answered a write of version 2');
});

t.test('a read may show what it likes of a write that it overlaps', async (t) => {
  const history = new History();
  history.promise(wrote(2, 10));
  t.same(history.read(read(10, 1)), []);
  t.same(history.read(read(9, 1, { endedAt: 99 })), []);
  t.same(history.read(read(11, 2)), []);
  t.same(history.read(read(11, 3)), [], 'a newer one than was answered is new');
});

t.test('a write that was answered late but applied before does not lower a promise', async (t) => {
  const history = new History();
  history.promise(wrote(3, 10));
  history.promise(wrote(2, 20));
  t.equal(history.read(read(21, 2)).length, 1);
});

t.test('answers are put in order, whenever they are told', async (t) => {
  const history = new History();
  history.promise(wrote(3, 20));
  history.promise(wrote(2, 10));
  t.equal(history.read(read(15, 1)).length, 1);
  t.same(history.read(read(15, 2)), []);
  t.equal(history.read(read(25, 2)).length, 1);
});

t.test('each item of a list is judged by itself', async (t) => {
  const history = new History();
  history.promise(wrote(2, 10));
  const shown = [{ id: 6, version: 1 }, { id: 7, version: 1 }];
  t.same(history.read(read(11, 0, { shown })).map(({ item }) => item), [7]);
});

t.test('what can be relied on only later is counted apart until then', async (t) => {
  const history = new History();
  history.promise(wrote(2, 10, 50));
  t.same(history.read(read(11, 1)), []);
  t.equal(history.unpromised, 1);
  t.same(history.read(read(12, 2)), []);
  t.equal(history.unpromised, 1);
  t.equal(history.read(read(51, 1)).length, 1);
});

t.test('very many writes are forgotten, and the newest promise is not', async (t) => {
  const history = new History();
  for (let i = 1; i <= 5000; i += 1) history.promise(wrote(i, i));
  t.equal(history.read(read(5001, 4999)).length, 1);
  t.equal(history.read(read(4990, 4900)).length, 1);
  t.same(history.read(read(5001, 5000)), []);
});

t.test('hit ratios are taken before a fault and well after it was healed', async (t) => {
  const figures = new Figures();
  for (const [at, hit] of [[900, true], [950, true], [2500, false]] as const) {
    figures.shared(at, hit);
  }
  figures.shared(3000 + SETTLE_MS + 100, true);
  figures.shared(3000 + SETTLE_MS + 200, false);
  t.same(figures.fault({ beganAt: 1000, healedAt: 3000 }), { before: 1, after: 0.5 });
  t.equal(figures.fault({ beganAt: 90_000, healedAt: 95_000 }), undefined, 'nobody read');
  t.same(figures.hitRatio(), { before: 1, after: 0.5, faults: 1 });
  figures.answered(undefined);
  figures.answered('502 internal');
  t.equal(figures.availability, 0.5);
  t.same([...figures.unserved], [['502 internal', 1]]);
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([1, 2]), 1.5);
  t.equal(median([]), 0);
});

t.test('chance is the same for the same seed, and deals every card', async (t) => {
  const [one, other] = [random(7), random(7)];
  const numbers = Array.from({ length: 1000 }, () => one.next());
  t.same(numbers, Array.from({ length: 1000 }, () => other.next()));
  t.ok(numbers.every((number) => number >= 0 && number < 1));
  const draw = deck(['a', 'b', 'c'], random(1));
  t.same([draw(), draw(), draw()].sort(), ['a', 'b', 'c']);
  const ranks = zipf(10, random(1));
  const counts = Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i += 1) counts[ranks()]! += 1;
  t.ok(counts[0]! > 2 * counts[4]!, String(counts));
  t.ok(counts.every((count) => count > 0), String(counts));
});

t.test('every item is in a list of its own, and every list can be asked for', async (t) => {
  for (let id = 0; id < ITEMS; id += 1) t.ok(itemsOf(listOf(id)).includes(id));
  t.equal(itemsOf(FRONT_LIST).length, 10);
  const paths = sharedPaths();
  t.equal(new Set(paths).size, ITEMS + LISTS);
  for (let list = 0; list < LISTS; list += 1) t.ok(paths.includes(`/lists/${list}`));
});
