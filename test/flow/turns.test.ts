// Whose turn it is across instances: how those who wait are told that it is over.
import t from 'tap';
import type { Epoch, Key, Seq } from '../../src/core/entry/entry.ts';
import type { Shared } from '../../src/flow/fleet/shared.ts';
import { FleetTurns } from '../../src/flow/fleet/turns.ts';
import { VirtualClock } from '../virtual-clock.ts';

const order = { epoch: 'e' as Epoch, asOf: 1 as Seq, newest: 1 as Seq, ms: 1000, anew: false };

function turnsOf(taken: 'mine' | 'theirs' | 'done' | 'unknown'): {
  turns: FleetTurns; clock: VirtualClock;
} {
  const clock = new VirtualClock();
  const shared = { takeTurn: () => Promise.resolve(taken) } as Partial<Shared> as Shared;
  return { turns: new FleetTurns(shared, clock, () => 'me'), clock };
}

t.test('another’s turn is waited for until it is heard of, or for its time', async (t) => {
  const { turns, clock } = turnsOf('theirs');
  const first = await turns.take('k' as Key, order);
  turns.hear({ kind: 'landed', key: 'other' as Key, kept: true });
  turns.hear({ kind: 'landed', key: 'k' as Key, kept: true });
  t.equal(first.kind === 'theirs' && await first.ended, 'kept');
  const second = await turns.take('k' as Key, order);
  clock.advance(1000);
  t.equal(second.kind === 'theirs' && await second.ended, 'unheard');
});

t.test('nobody waits for what they could not hear, or find, any more', async (t) => {
  const { turns } = turnsOf('theirs');
  const all = await Promise.all(['a', 'b', 'c'].map((key) => turns.take(key as Key, order)));
  turns.leave();
  for (const turn of all) t.equal(turn.kind === 'theirs' && await turn.ended, 'unkept');
});
