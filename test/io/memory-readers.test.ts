// Of whom something may be kept, in this process: bounded, and whoever has to go is ended.
import t from 'tap';
import { memoryReaders } from '../../src/io/memory-readers.ts';
import { VirtualClock } from '../virtual-clock.ts';

t.test('a reader is known for its time, and no longer than until it is forgotten', async (t) => {
  const clock = new VirtualClock();
  const readers = memoryReaders({ clock, readersMax: 2, end: () => t.fail('nobody has to go') });
  t.equal(await readers.known('a'), false);
  t.equal(await readers.note('a', { forMs: 1000, againMs: 0 }), true);
  t.equal(await readers.known('a'), true);
  clock.advance(999);
  t.equal(await readers.known('a'), true);
  clock.advance(1);
  t.equal(await readers.known('a'), false);
  await readers.note('a', { forMs: 1000, againMs: 0 });
  await readers.forget('a');
  t.equal(await readers.known('a'), false);
});

t.test('over the bound the longest unseen is ended, unless it was over anyway', async (t) => {
  const clock = new VirtualClock();
  const ended: string[] = [];
  const readers = memoryReaders({ clock, readersMax: 2, end: (tag) => void ended.push(tag) });
  for (const tag of ['a', 'b', 'a', 'c']) await readers.note(tag, { forMs: 1000, againMs: 0 });
  t.same(ended, ['b']);
  t.same(await Promise.all(['a', 'b', 'c'].map((tag) => readers.known(tag))), [true, false, true]);
  clock.advance(1000);
  await readers.note('d', { forMs: 1000, againMs: 0 });
  t.same(ended, ['b']);
});
