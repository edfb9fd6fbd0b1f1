// When answers to two readers are the same answer.
import t from 'tap';
import { isSame, likeness, type Told } from '../../src/core/entry/comparing.ts';

const told = (value: unknown, type = 'application/json', status = 200): Told => ({
  status, fields: ['Content-Type', type],
  body: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
});

t.test('the same bytes of the same kind are the same', async (t) => {
  t.ok(isSame(told({ a: 1 }), told({ a: 1 }, 'application/json; charset=utf-8')));
  t.notOk(isSame(told({ a: 1 }), told({ a: 2 })));
  t.notOk(isSame(told('a', 'text/plain'), told('a', 'text/html')));
  t.notOk(isSame(told('a'), told('a', 'application/json', 404)));
});

t.test('what differs by reader is told from what differs each time', async (t) => {
  const of = (name: string | null, now: number) => told({ now, list: [1, { name }] });
  t.equal(likeness([of('a', 1), of('a', 3)], [of('b', 2), of('b', 4)]), 'other');
  t.equal(likeness([of('a', 1), of('a', 3)], [of('a', 2), of('a', 4)]), 'unclear');
  t.equal(likeness([of('a', 1), of('a', 1)], [of('b', 1), of('b', 1)]), 'other');
  t.equal(likeness([of('a', 1), of('a', 2)], [of('a', 2), of('a', 2)]), 'same', 'a write came');
});

t.test('a member more, or a longer list, is a difference', async (t) => {
  const stamped = (now: number, more: object) => told({ now, ...more });
  t.equal(likeness(
    [stamped(1, {}), stamped(2, {})], [stamped(3, { me: 'ann' }), stamped(4, { me: 'ann' })],
  ), 'other');
  t.equal(likeness(
    [stamped(1, { l: [] }), stamped(2, { l: [] })],
    [stamped(3, { l: [1] }), stamped(4, { l: [1] })],
  ), 'other');
});

t.test('no JSON that differs each time is unclear, what stays the same is not', async (t) => {
  const text = (value: string) => told(value, 'text/html');
  t.equal(likeness([text('1'), text('2')], [text('3'), text('4')]), 'unclear');
  t.equal(likeness([text('a'), text('a')], [text('b'), text('b')]), 'other');
  t.equal(likeness([told('{'), told('[')], [told('}'), told(']')]), 'unclear');
});
