// The control part's state machine, the rule of validity and the watch, with nothing around them.
import t from 'tap';
import type { Epoch, Seq } from '../../src/core/entry/entry.ts';
import { ControlState } from '../../src/core/promise/control.ts';
import { valid } from '../../src/core/promise/validity.ts';
import { Watch } from '../../src/core/promise/watch.ts';

const E = 'e1' as Epoch;
const seq = (n: number): Seq => n as Seq;
const state = (touched = 100): ControlState => new ControlState(E, { touched });
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
  control.touch(done('a'), 'me');
  control.touch({ tags: 'everything', then: 'done' }, 'me');
  control.touch(done('b'), 'me');
  t.match(control.look(['never']), { seq: 3, newest: 2 });
  t.match(control.look(['a']), { newest: 2 });
  t.match(control.look(['a', 'b']), { newest: 3 });
  t.match(control.look([]), { newest: 2 });
  t.equal(control.sizes.touched, 1);
  t.end();
});

void t.test('touches over the bound are forgotten, the oldest half, under a raised floor', (t) => {
  const control = state(4);
  for (const tag of ['a', 'b', 'c', 'd']) control.touch(done(tag), 'me');
  control.touch(done('a'), 'me'); // now the newest
  t.match(control.look(['never']), { newest: 0 }, 'four are not too many');
  control.touch(done('e'), 'me');
  t.equal(control.sizes.touched, 2);
  t.match(control.look(['a']), { newest: 5 });
  t.match(control.look(['e']), { newest: 6 });
  t.match(control.look(['never']), { newest: 4 }, 'the newest that was forgotten');
  t.match(control.look(['d']), { newest: 4 });
  t.end();
});

void t.test('one touch of more tags than may be remembered stays within the bound', (t) => {
  const control = state(10);
  control.touch(done(...Array.from({ length: 1000 }, (_, i) => `tag-${i}`)), 'me');
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
    truth.set(tag, control.touch(done(tag), 'me'));
    for (const one of tags) {
      const { newest } = control.look([one]);
      if (newest < (truth.get(one) ?? 0)) t.fail(`${one} counts as older than it is`);
    }
  }
  t.ok(control.sizes.touched <= 6);
  t.end();
});

void t.test('an intent holds from its first touch to its last, by name', (t) => {
  const control = state();
  control.intend('w1', 'me', ['a']);
  t.equal(control.look(['a']).held, false);
  t.equal(control.sizes.intents, 1);
  control.touch({ intent: 'w1', tags: ['a', 'b'], then: 'unknown' }, 'me');
  control.touch({ intent: 'w2', tags: ['b'], then: 'settling' }, 'me');
  t.equal(control.look(['a']).held, true);
  control.intend('w1', 'me', ['a']);
  t.equal(control.look(['a']).held, true, 'a repeated intent takes nothing back');
  control.touch({ intent: 'w1', tags: ['a', 'b'], then: 'done' }, 'me');
  control.touch({ intent: 'w1', tags: ['a', 'b'], then: 'done' }, 'me');
  t.equal(control.look(['a']).held, false);
  t.equal(control.look(['b']).held, true);
  control.abandon('w2');
  t.equal(control.look(['b']).held, false);
  t.equal(control.sizes.intents, 0);
  t.end();
});

void t.test('a tag may be called like a property of every object', (t) => {
  const control = state();
  t.match(control.look(['__proto__', 'constructor', 'toString']), { newest: 0, held: false });
  control.touch({ intent: '__proto__', tags: ['__proto__'], then: 'unknown' }, 'me');
  t.match(control.look(['__proto__']), { newest: 1, held: true });
  t.match(control.look(['constructor']), { newest: 0, held: false });
  t.end();
});

void t.test('a beat that moved twice is a live one, until a full lease without', (t) => {
  const watch = new Watch(100);
  watch.see(new Map([['a', '1']]), 1000);
  t.equal(watch.state('a', 1000), 'unknown', 'once seen says nothing yet');
  t.equal(watch.state('a', 1099), 'unknown');
  t.equal(watch.state('a', 1100), 'gone');
  watch.see(new Map([['a', '2']]), 1100);
  t.equal(watch.state('a', 1199), 'unknown', 'one may have been sent long ago');
  watch.see(new Map([['a', '3']]), 1199);
  t.equal(watch.state('a', 1298), 'live');
  watch.see(new Map([['a', '3']]), 1298);
  t.equal(watch.state('a', 1299), 'gone');
  t.equal(watch.beat('a'), '3');
  watch.see(new Map(), 1200);
  t.equal(watch.state('a', 1300), 'unknown');
  t.equal(watch.beat('a'), '');
  for (const beat of ['4', '5', '6']) watch.see(new Map([['a', beat]]), 1300);
  t.equal(watch.state('a', 1300), 'live');
  watch.forget();
  t.equal(watch.state('a', 1300), 'unknown');
  t.end();
});

void t.test('a joiner enters where nobody is missing, or somebody is there', (t) => {
  const watch = new Watch(100);
  t.strictSame(watch.judge([], 0), { kind: 'enter', because: 'nobody-missing' });
  watch.see(new Map([['a', '1'], ['b', '1']]), 0);
  t.strictSame(watch.judge(['a', 'b'], 50), { kind: 'wait', because: 'watching' });
  watch.see(new Map([['a', '1'], ['b', '2']]), 40);
  watch.see(new Map([['a', '1'], ['b', '3']]), 50);
  t.strictSame(watch.judge(['a', 'b'], 50), { kind: 'enter', because: 'live-member' });
  t.strictSame(watch.judge(['a'], 99), { kind: 'wait', because: 'watching' });
  t.strictSame(watch.judge(['a'], 100), { kind: 'new-epoch', because: 'no-live-member' });
  t.strictSame(watch.judge(['a', 'c'], 100), { kind: 'wait', because: 'watching' });
  t.end();
});
