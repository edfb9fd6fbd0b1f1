// The replica, the lease and the acknowledgements, each alone: what is loaded page by page, what is
// heard in the meantime, and what ends all trust.
import t from 'tap';
import type { Epoch, Seq } from '../../src/core/entry/entry.ts';
import { Acks } from '../../src/core/promise/acks.ts';
import { Lease } from '../../src/core/promise/lease.ts';
import { type Page, type Published, Replica } from '../../src/core/promise/replica.ts';

const E = 'e1' as Epoch;
const seq = (n: number): Seq => n as Seq;
const limits = { touched: 100 };

function touch(n: number, tags: Published['tags'], more: Partial<Published> = {}): Published {
  return {
    epoch: E, seq: seq(n), writer: 'w', then: 'done', refreshes: 0, tags, ...more,
  };
}

function page(n: number, more: Partial<Page> = {}): Page {
  return { epoch: E, seq: seq(n), floor: 0, touched: [], held: [], ...more };
}

function live(n = 0): Replica {
  const replica = new Replica(limits);
  replica.loadFirst(page(n));
  if (!replica.loaded()) throw new Error('it is not live');
  return replica;
}

void t.test('each touch that follows the last is applied', (t) => {
  const replica = live(4);
  t.match(replica, { live: true, epoch: E, seq: 4 });
  t.equal(replica.hear(touch(5, ['a'])), true);
  t.equal(replica.hear(touch(6, ['b'])), true);
  t.match(replica.look(['a']), { epoch: E, seq: 6, newest: 5, held: false });
  t.equal(replica.hear(touch(5, ['b'])), true, 'one that is repeated says nothing new');
  t.equal(replica.hear(touch(6, ['a'])), true, 'nor does the last one');
  t.match(replica.look(['a']), { newest: 5 });
  t.match(replica.look(['b']), { newest: 6 });
  t.end();
});

void t.test('its mark is another after each touch and load, and none where it is lost', (t) => {
  const replica = live(4);
  const marks = new Set<object | undefined>([replica.mark]);
  replica.hear(touch(4, ['a']));
  t.equal(marks.has(replica.mark), true, 'what it knows already changes nothing');
  replica.hear(touch(5, ['a']));
  marks.add(replica.mark);
  replica.lose();
  t.equal(replica.mark, undefined);
  replica.loadFirst(page(5));
  t.equal(replica.mark, undefined, 'it is not loaded yet');
  replica.loaded();
  marks.add(replica.mark);
  t.equal(marks.size, 3);
  t.notOk(marks.has(undefined));
  t.end();
});

for (const [what, one] of [
  ['a gap', touch(6, ['a'])],
  ['a touch of another epoch', touch(5, ['a'], { epoch: 'e2' as Epoch })],
  ['one of another epoch that is further behind', touch(3, ['a'], { epoch: 'e2' as Epoch })],
] as const) {
  void t.test(`${what} loses it`, (t) => {
    const replica = live(4);
    t.equal(replica.hear(one), false);
    t.equal(replica.live, false);
    t.equal(replica.epoch, undefined);
    t.equal(replica.seq, undefined);
    t.equal(replica.agrees(E, seq(4)), false);
    t.end();
  });
}

void t.test('what is heard while loading follows what was loaded', (t) => {
  const replica = new Replica(limits);
  replica.hear(touch(3, ['long-known']));
  replica.hear(touch(5, ['a']));
  replica.loadFirst(page(4, { touched: [['a', 2], ['b', 4]] }));
  replica.hear(touch(6, ['c']));
  // The next page is read later, and knows more than has been heard.
  t.equal(replica.loadNext(page(7, { touched: [['d', 7], ['c', 6]], floor: 1 })), true);
  t.equal(replica.live, false, 'not before all is there');
  t.equal(replica.loaded(), true);
  t.match(replica.look(['a']), { seq: 6, newest: 5 });
  t.match(replica.look(['b']), { newest: 4 });
  t.match(replica.look(['never']), { newest: 1 }, 'the floor is the last page’s');
  t.equal(replica.agrees(E, seq(7)), false);
  t.equal(replica.hear(touch(7, ['d'])), true);
  t.equal(replica.agrees(E, seq(7)), true);
  t.end();
});

void t.test('something that was missed while loading is found out', (t) => {
  const replica = new Replica(limits);
  replica.loadFirst(page(4));
  replica.hear(touch(6, ['a']));
  t.equal(replica.loaded(), false);
  t.equal(replica.live, false);
  t.end();
});

void t.test('what was heard of another epoch while loading is not missed', (t) => {
  const replica = new Replica(limits);
  replica.hear(touch(9, ['a'], { epoch: 'e0' as Epoch }));
  replica.loadFirst(page(4));
  replica.hear(touch(5, ['b']));
  t.equal(replica.loaded(), true);
  t.match(replica.look(['a']), { seq: 5, newest: 0 });
  t.equal(replica.loadNext(page(9)), false, 'what is loaded takes no more pages');
  t.equal(replica.loaded(), false, 'and is loaded once');
  t.equal(replica.live, true);
  t.end();
});

void t.test('pages of two epochs are not one', (t) => {
  const replica = new Replica(limits);
  replica.loadFirst(page(4));
  t.equal(replica.loadNext(page(0, { epoch: 'e2' as Epoch })), false);
  replica.lose();
  t.equal(replica.loadNext(page(4)), false, 'nor is one that came after all was lost');
  t.equal(replica.loaded(), false);
  t.end();
});

void t.test('too much that is heard while loading begins it again, each time', (t) => {
  const replica = new Replica(limits);
  for (const time of ['first', 'second']) {
    replica.loadFirst(page(0));
    let kept = 0;
    while (replica.hear(touch(kept + 1, ['a'])) && kept < 20_000) kept += 1;
    t.equal(kept, 10_000, time);
    t.equal(replica.loaded(), false);
  }
  t.end();
});

void t.test('holds are loaded, heard, and ended', (t) => {
  const replica = new Replica(limits);
  replica.loadFirst(page(4, { held: [{ id: 'w1', tags: ['a'] }, { id: 'w2', tags: ['b'] }] }));
  replica.hear(touch(5, [], { intent: 'w2' }));
  t.equal(replica.loaded(), true);
  t.equal(replica.look(['a']).held, true);
  t.equal(replica.look(['b']).held, false, 'it ended while loading');
  replica.hear(touch(6, 'everything', { intent: 'w3', then: 'unknown' }));
  t.match(replica.look(['x']), { held: true, newest: 6 });
  replica.hear(touch(7, 'everything', { intent: 'w3' }));
  t.match(replica.look(['x']), { held: false, newest: 7 });
  t.equal(replica.look(['a']).held, true);
  t.end();
});

void t.test('a lease runs from before its renewal was sent, when confirmed and heard', (t) => {
  const lease = new Lease(1000);
  const at = (mono: number, wall = mono) => ({ mono, wall });
  t.equal(lease.holds(at(0)), false);
  lease.ask('n1', at(100));
  lease.hear('n1', 'agreed');
  t.equal(lease.holds(at(110)), false);
  lease.confirm('n1');
  t.equal(lease.holds(at(1049)), true);
  t.equal(lease.holds(at(1050)), false, 'a little less than those count who wait for its end');
  t.equal(lease.holds(at(200, 1100)), false, 'the wall clock went further: the machine slept');
  t.equal(lease.holds(at(200, -5000)), true, 'a wall clock that is set back changes nothing');
  lease.ask('n2', at(500));
  lease.confirm('n2');
  t.strictSame(lease.unheardSince, at(500));
  lease.hear('n1', 'agreed');
  t.equal(lease.holds(at(1100)), false, 'another one’s echo renews nothing');
  lease.hear('n2', 'in-vain');
  t.equal(lease.unheardSince, undefined);
  t.equal(lease.holds(at(1100)), false);
  t.end();
});

void t.test('a lease that ended is not begun again by what was under way', (t) => {
  const lease = new Lease(1000);
  const now = { mono: 0, wall: 0 };
  lease.ask('n1', now);
  lease.hear('n1', 'agreed');
  lease.end();
  lease.confirm('n1');
  t.equal(lease.holds(now), false);
  t.end();
});

void t.test('a lease begins in whichever order its renewal is confirmed and heard', (t) => {
  const lease = new Lease(1000);
  const now = { mono: 0, wall: 0 };
  lease.ask('n1', now);
  t.equal(lease.unheardSince, undefined, 'the store has not answered yet');
  lease.confirm('n1');
  t.equal(lease.holds(now), false);
  lease.hear('n1', 'agreed');
  t.equal(lease.holds(now), true);
  t.end();
});

void t.test('an answer to another renewal confirms nothing', (t) => {
  const lease = new Lease(1000);
  const now = { mono: 0, wall: 0 };
  lease.ask('n1', now);
  lease.ask('n2', now);
  lease.hear('n2', 'agreed');
  lease.confirm('n1');
  t.equal(lease.holds(now), false);
  lease.confirm('n2');
  t.equal(lease.holds(now), true);
  t.end();
});

void t.test('where no renewal is under way nothing is confirmed, heard or waited for', (t) => {
  const now = { mono: 0, wall: 0 };
  const never = new Lease(1000);
  const forgotten = new Lease(1000);
  forgotten.ask('n1', now);
  forgotten.confirm('n1');
  forgotten.hear('n1', 'agreed');
  forgotten.forget();
  for (const lease of [never, forgotten]) {
    t.equal(lease.holds(now), false);
    lease.confirm('n1');
    lease.hear('n1', 'agreed');
    lease.end();
    t.equal(lease.holds(now), false);
    t.equal(lease.unheardSince, undefined);
  }
  t.end();
});

void t.test('a lease that ends while its renewal is unheard still waits to hear of it', (t) => {
  const lease = new Lease(1000);
  const now = { mono: 0, wall: 0 };
  lease.ask('n1', now);
  lease.confirm('n1');
  lease.end();
  t.strictSame(lease.unheardSince, now);
  t.end();
});

void t.test('all have acknowledged when the last one has, also beforehand', (t) => {
  const acks = new Acks();
  let all = 0;
  const count = (): void => void (all += 1);
  acks.hear('early', E, seq(7));
  const awaited = acks.await({ epoch: E, seq: seq(5) }, ['early', 'a', 'b'], count);
  t.strictSame([...awaited.missing], ['a', 'b']);
  acks.hear('a', E, seq(4));
  acks.hear('b', 'e2' as Epoch, seq(9));
  t.strictSame([...awaited.missing], ['a', 'b'], 'an older one, or of another epoch, says nothing');
  acks.hear('a', E, seq(9));
  acks.hear('c', E, seq(9));
  t.equal(all, 0, 'one is missing');
  acks.hear('b', E, seq(5));
  t.equal(all, 1);
  acks.hear('b', E, seq(6));
  t.equal(all, 1, 'once');
  acks.await({ epoch: E, seq: seq(6) }, ['a', 'b'], count);
  t.equal(all, 2, 'at once, where all have');
  acks.await({ epoch: E, seq: seq(6) }, [], count);
  t.equal(all, 3);
  const given = acks.await({ epoch: E, seq: seq(8) }, ['b'], count);
  acks.forget(given);
  acks.hear('b', E, seq(8));
  t.equal(all, 3, 'nobody waits any more');
  t.end();
});

void t.test('an acknowledgement stands for all before it, and is not taken back', (t) => {
  const acks = new Acks();
  let all = 0;
  acks.hear('a', E, seq(9));
  acks.hear('a', E, seq(4));
  acks.await({ epoch: E, seq: seq(9) }, ['a'], () => void (all += 1));
  t.equal(all, 1);
  t.end();
});

void t.test('of ten thousand members the newest acknowledgements are known', (t) => {
  const acks = new Acks();
  const missing = (...members: string[]): string[] =>
    [...acks.await({ epoch: E, seq: seq(1) }, members, () => undefined).missing];
  for (let i = 0; i < 10_000; i += 1) acks.hear(`m${i}`, E, seq(1));
  t.strictSame(missing('m0', 'm1'), []);
  acks.hear('m1', E, seq(2));
  t.strictSame(missing('m0', 'm1'), [], 'one that is known takes nobody’s place');
  acks.hear('m0', E, seq(2));
  acks.hear('late', E, seq(1));
  t.strictSame(
    missing('m0', 'm1', 'm2', 'm3', 'late'), ['m2'], 'whoever was silent longest is forgotten',
  );
  t.end();
});
