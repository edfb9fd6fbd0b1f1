// What a member has to know of its own standing: when the store last took something of it.
import t from 'tap';
import type { Epoch, Seq } from '../../src/core/entry/entry.ts';
import { Membership } from '../../src/flow/fleet/membership.ts';
import { momentOf } from '../../src/flow/moment.ts';
import { VirtualClock } from '../virtual-clock.ts';

t.test('a store that only answers takes nothing: a read-only one is out of reach', async (t) => {
  const clock = new VirtualClock();
  const membership = new Membership({
    clock, newId: () => 'me', leaseMs: 2000, changed: () => undefined,
  });
  const head = {
    epoch: 'e' as Epoch, seq: 1 as Seq, member: false, young: undefined, leaseMs: 2000,
  };
  clock.advance(100);
  await membership.ask(() => Promise.resolve({ kind: 'heard', head, said: undefined }));
  t.equal(membership.wroteAt, -Infinity, 'it was asked only');
  membership.entered(momentOf(clock));
  t.equal(membership.wroteAt, 100);
  clock.advance(100);
  membership.renewed(momentOf(clock));
  t.equal(membership.wroteAt, 200);
  clock.advance(100);
  membership.wrote();
  t.equal(membership.wroteAt, 300);
});
