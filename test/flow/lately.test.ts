// A bounded memory of what happened lately.
import t from 'tap';
import { Lately } from '../../src/flow/lately.ts';
import { VirtualClock } from '../virtual-clock.ts';

t.test('counts within a time that begins with the first', (t) => {
  const clock = new VirtualClock();
  const lately = new Lately<string>(clock, { forMs: 100, keysMax: 10 });
  t.equal(lately.count('a'), 0);
  t.equal(lately.add('a'), 1);
  clock.advance(99);
  t.equal(lately.add('a'), 2);
  t.equal(lately.count('b'), 0);
  clock.advance(1);
  t.equal(lately.count('a'), 0, 'the second did not lengthen it');
  t.equal(lately.add('a'), 1);
  t.end();
});

t.test('remembers at most so many, the newest', (t) => {
  const lately = new Lately<number>(new VirtualClock(), { forMs: 100, keysMax: 3 });
  for (let key = 0; key < 5; key += 1) lately.add(key);
  t.strictSame([0, 1, 2, 3, 4].map((key) => lately.count(key)), [0, 0, 1, 1, 1]);
  t.end();
});

t.test('a wall clock that is set changes nothing', (t) => {
  const clock = new VirtualClock();
  const lately = new Lately<string>(clock, { forMs: 100, keysMax: 3 });
  lately.add('a');
  clock.jump(3_600_000);
  t.equal(lately.count('a'), 1);
  t.end();
});
