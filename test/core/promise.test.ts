// What was touched when, the rule of validity, and who is gone, with nothing around them.
import t from 'tap';
import type { Epoch, Seq } from '../../src/core/entry/entry.ts';
import { Touches } from '../../src/core/promise/touches.ts';
import { valid } from '../../src/core/promise/validity.ts';
import { Watch } from '../../src/core/promise/watch.ts';

const E = 'e1' as Epoch;
const seq = (n: number): Seq => n as Seq;
const state = (touched = 100): Touches => new Touches(E, { touched });
const done = (...tags: string[]) => ({ tags, then: 'done' }) as const;

void t.test('an entry is valid in its epoch while no tag was touched after its asOf', (t) => {
  const one = { epoch: E, asOf: seq(5) };
  const newest = (n: number) => ({ epoch: E, newest: seq(n) });
  t.strictSame(valid(one, newest(4)), { kind: 'valid' });
  t.strictSame(valid(one, newest(5)), { kind: 'valid' }, 'what was known before is in it');
  t.strictSame(valid(one, newest(6)), { kind: 'invalid', because: 'touched' });
  t.strictSame(valid(one, { epoch: 'e2' as Epoch, newest: seq(0) }), {
    kind: 'invalid', because: 'epoch',
  });
  t.end();
});

void t.test('a tag that was never touched counts as touched at the floor', (t) => {
  const control = state();
  control.touch(done('a'));
  control.touch({ tags: 'everything', then: 'done' });
  control.touch(done('b'));
  t.match(control.look(['never']), { seq: 3, newest: 2 });
  t.match(control.look(['a']), { newest: 2 });
  t.match(control.look(['a', 'b']), { newest: 3 });
  t.match(control.look([]), { newest: 2 });
  t.equal(control.sizes.touched, 1);
  t.end();
});

void t.test('the mark is another whenever any look may be answered otherwise', (t) => {
  const control = state();
  const steps = [
    () => control.touch(done('a')),
    () => control.touch({ tags: ['b'], intent: 'w', then: 'unknown' }),
    () => control.touch({ tags: ['b'], intent: 'w', then: 'settling' }),
    () => control.release('w'),
    () => control.touch({ tags: 'everything', intent: 'v', then: 'unknown' }),
    () => control.release('v'),
  ];
  const marks = new Set([control.mark]);
  for (const step of steps) {
    step();
    marks.add(control.mark);
    t.equal(control.mark, control.mark);
  }
  t.equal(marks.size, 1 + steps.length);
  control.look(['a']);
  control.release('nobody');
  t.ok(marks.has(control.mark), 'nothing has changed');
  const known = { seq: 9, floor: 0, touched: new Map<string, number>(), held: [] };
  const later = new Touches(E, { touched: 100 }, known);
  t.notOk(marks.has(later.mark), 'nor is it that of another who knows of the same epoch');
  t.end();
});

void t.test('touches over the bound are forgotten, the oldest half, under a raised floor', (t) => {
  const control = state(4);
  for (const tag of ['a', 'b', 'c', 'd']) control.touch(done(tag));
  control.touch(done('a')); // now the newest
  t.match(control.look(['never']), { newest: 0 }, 'four are not too many');
  control.touch(done('e'));
  t.equal(control.sizes.touched, 2);
  t.match(control.look(['a']), { newest: 5 });
  t.match(control.look(['e']), { newest: 6 });
  t.match(control.look(['never']), { newest: 4 }, 'the newest that was forgotten');
  t.match(control.look(['d']), { newest: 4 });
  t.end();
});

void t.test('one touch of more tags than may be remembered stays within the bound', (t) => {
  const control = state(10);
  control.touch(done(...Array.from({ length: 1000 }, (_, i) => `tag-${i}`)));
  t.equal(control.sizes.touched, 5);
  t.match(control.look(['tag-0']), { newest: 1 });
  t.match(control.look(['tag-999']), { newest: 1 });
  t.end();
});

void t.test('whatever is forgotten, no entry that was invalid becomes valid', (t) => {
  const control = state(6);
  const tags = Array.from({ length: 12 }, (_, i) => `tag-${i}`);
  const truth = new Map<string, number>();
  let random = 1;
  for (let step = 0; step < 3000; step += 1) {
    random = (random * 48271) % 2147483647;
    const tag = tags[random % tags.length]!;
    truth.set(tag, control.touch(done(tag)));
    for (const one of tags) {
      const { newest } = control.look([one]);
      if (newest < (truth.get(one) ?? 0)) t.fail(`${one} counts as older than it is`);
    }
  }
  t.ok(control.sizes.touched <= 6);
  t.end();
});

void t.test('a write that is held holds from its first touch to its last, by name', (t) => {
  const control = state();
  control.touch({ intent: 'w1', tags: ['a', 'b'], then: 'unknown' });
  control.touch({ intent: 'w2', tags: ['b'], then: 'settling' });
  t.equal(control.look(['a']).held, true);
  control.touch({ intent: 'w1', tags: ['a', 'b'], then: 'done' });
  control.touch({ intent: 'w1', tags: ['a', 'b'], then: 'done' });
  t.equal(control.look(['a']).held, false);
  t.equal(control.look(['b']).held, true);
  control.release('w2');
  control.release('w2');
  t.equal(control.look(['b']).held, false);
  t.equal(control.sizes.held, 0);
  t.end();
});

void t.test('of two that hold a tag either may end first', (t) => {
  for (const [first, second] of [['w1', 'w2'], ['w2', 'w1']] as const) {
    const control = state();
    control.touch({ intent: 'w1', tags: ['a'], then: 'unknown' });
    control.touch({ intent: 'w2', tags: ['a', 'a'], then: 'unknown' });
    control.release(first);
    t.equal(control.look(['a']).held, true);
    control.release(second);
    t.equal(control.look(['a']).held, false);
  }
  t.end();
});

void t.test('a touch of no recorded write holds nothing, since nobody could end it', (t) => {
  const control = state();
  control.touch({ tags: ['a'], then: 'unknown' });
  t.equal(control.sizes.held, 0);
  t.equal(control.look(['a']).held, false);
  t.end();
});

void t.test('what is gone on from is bounded too, and its oldest touches are forgotten', (t) => {
  const touched = new Map([['new', 9], ['old', 3], ['middle', 5]]);
  const control = new Touches(E, { touched: 2 }, { seq: 9, floor: 1, touched, held: [] });
  t.equal(control.sizes.touched, 1);
  t.match(control.look(['new']), { seq: 9, newest: 9 });
  t.match(control.look(['never']), { newest: 5 }, 'the newest that was forgotten');
  t.end();
});

void t.test('a tag may be called like a property of every object', (t) => {
  const control = state();
  t.match(control.look(['__proto__', 'constructor', 'toString']), { newest: 0, held: false });
  control.touch({ intent: '__proto__', tags: ['__proto__'], then: 'unknown' });
  t.match(control.look(['__proto__']), { newest: 1, held: true });
  t.match(control.look(['constructor']), { newest: 0, held: false });
  t.end();
});

void t.test('who has not been seen to move for a full lease is gone', (t) => {
  const watch = new Watch();
  const gone = (id: string, mono: number): boolean => watch.gone(id, mono, 100);
  watch.see(new Map([['a', '1']]), 1000);
  t.equal(gone('a', 1099), false);
  t.equal(gone('a', 1100), true);
  t.equal(gone('b', 1100), false, 'of one that was never seen nothing is known');
  watch.see(new Map([['a', '2']]), 1100);
  t.equal(gone('a', 1199), false);
  watch.see(new Map([['a', '2']]), 1199);
  t.equal(gone('a', 1200), true, 'seen again, and it stood still');
  t.equal(watch.beat('a'), '2');
  watch.see(new Map(), 1200);
  t.equal(gone('a', 1300), false);
  t.equal(watch.beat('a'), '');
  watch.see(new Map([['a', '2']]), 1300);
  watch.forget();
  t.equal(gone('a', 1500), false);
  t.end();
});
