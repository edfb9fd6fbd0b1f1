// An outage lasts as long as it was seen on end: nothing was heard, and nobody looked away.
import t from 'tap';
import { Outage } from '../../src/core/promise/outage.ts';

const GAP_MS = 500;

type Look = readonly [mono: number, wall: number, wroteAt: number];

/** Looks at it at these moments; says how long it was seen to last. */
function seen(...looks: readonly Look[]): number {
  const outage = new Outage();
  let lasted = -1;
  for (const [mono, wall, wroteAt] of looks) {
    lasted = outage.seen({ now: { mono, wall }, wroteAt, gapMsMax: GAP_MS });
  }
  return lasted;
}

t.test('it lasts from when it was first seen, by the monotonic clock', async (t) => {
  t.equal(seen([1000, 0, -1]), 0);
  t.equal(seen([1000, 0, -1], [1500, 500, -1], [2000, 1000, -1]), 1000);
  t.equal(seen([1000, 0, 999], [1400, 400, 999]), 400, 'what was heard before is over');
});

t.test('it begins anew where the store took anything since', async (t) => {
  t.equal(seen([1000, 0, -1], [1400, 400, -1], [1500, 500, 1450]), 0);
  t.equal(seen([1000, 0, -1], [1400, 400, 1000]), 0, 'perhaps right after');
  t.equal(seen([1000, 0, -1], [1400, 400, 1200], [1700, 700, 1200]), 300);
});

t.test('it begins anew where nobody looked for too long, by either clock', async (t) => {
  t.equal(seen([1000, 0, -1], [1501, 501, -1]), 0);
  t.equal(seen([1000, 0, -1], [1010, 501, -1]), 0, 'the machine slept');
  t.equal(seen([1000, 0, -1], [1501, 0, -1]), 0, 'the wall clock was set back');
});

t.test('it goes on only if it was seen, and nothing speaks against it', async (t) => {
  const outage = new Outage();
  const at = (mono: number, wroteAt = -1): Parameters<Outage['seen']>[0] =>
    ({ now: { mono, wall: mono }, wroteAt, gapMsMax: GAP_MS });
  t.notOk(outage.goesOn(at(0)));
  outage.seen(at(0));
  t.ok(outage.goesOn(at(500)));
  t.notOk(outage.goesOn(at(501)));
  t.notOk(outage.goesOn(at(100, 50)));
});
