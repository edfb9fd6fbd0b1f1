// Touches that the store could not be told of.
import t from 'tap';
import { Remembered } from '../../src/flow/remembered.ts';

t.test('what is remembered is pending until it has been told', async (t) => {
  const remembered = new Remembered(10);
  t.notOk(remembered.pending);
  t.equal(remembered.recall(), undefined);
  remembered.add(['a', 'b']);
  t.ok(remembered.pending);
  const recalled = remembered.recall()!;
  t.same(recalled.tags, ['a', 'b']);
  t.ok(remembered.pending, 'not before it was told');
  remembered.forget(recalled);
  t.notOk(remembered.pending);
});

t.test('what is remembered while others are told is not forgotten with them', async (t) => {
  const remembered = new Remembered(10);
  remembered.add(['a', 'b']);
  const recalled = remembered.recall()!;
  remembered.add(['b', 'c']);
  remembered.forget(recalled);
  t.same(remembered.all(), ['b', 'c'], 'not even the same tag, which was touched again');
});

t.test('over the bound it is everything', async (t) => {
  const remembered = new Remembered(2);
  remembered.add(['a', 'b']);
  t.same(remembered.all(), ['a', 'b']);
  remembered.add(['c']);
  t.equal(remembered.all(), 'everything');
  const recalled = remembered.recall()!;
  remembered.forget(recalled);
  t.notOk(remembered.pending);
});

t.test('everything that is remembered while everything is told stays', async (t) => {
  const remembered = new Remembered(2);
  remembered.add('everything');
  const recalled = remembered.recall()!;
  remembered.add('everything');
  remembered.forget(recalled);
  t.equal(remembered.all(), 'everything');
  const again = remembered.recall()!;
  remembered.add(['a']);
  remembered.forget(again);
  t.same(remembered.all(), ['a']);
});
