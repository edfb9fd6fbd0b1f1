// Whether a valid entry may be given now: by its age, by what the client asks, and to whom.
import t from 'tap';
import { reusableOnError, reuse, sharedWith } from '../../src/core/entry/reusing.ts';
import { clientWants } from '../../src/core/http/client-directives.ts';
import { rulesOf } from '../asking.ts';
import { entry } from '../entries.ts';

const kept = entry({
  receivedAt: 0, initialAgeMs: 5_000, freshMs: 60_000,
  staleWhileRevalidateMs: 10_000, staleIfErrorMs: 20_000,
});
const at = (now: number, ttlMs?: number, asks?: string) => reuse(
  kept,
  ttlMs === undefined ? {} : { ttlMs },
  asks === undefined ? undefined : clientWants(['Cache-Control', asks]),
  now,
);

t.test('an entry is fresh until its age reaches its lifetime', async (t) => {
  t.strictSame(at(0), { kind: 'fresh', ageMs: 5_000, ttlMs: 55_000 });
  t.strictSame(at(54_999), { kind: 'fresh', ageMs: 59_999, ttlMs: 1 });
  t.strictSame(at(55_000), { kind: 'while-revalidating', ageMs: 60_000, ttlMs: 0 });
});

t.test('it is given for a while after that, while it is fetched again', async (t) => {
  t.strictSame(at(64_999), { kind: 'while-revalidating', ageMs: 69_999, ttlMs: -9_999 });
  t.strictSame(at(65_000), { kind: 'no', because: 'expired' });
  t.strictSame(
    reuse({ ...kept, staleWhileRevalidateMs: 0 }, {}, undefined, 55_000),
    { kind: 'no', because: 'expired' },
  );
});

t.test('a ttl that was lowered since counts from the arrival', async (t) => {
  t.strictSame(at(29_999, 30_000), { kind: 'fresh', ageMs: 34_999, ttlMs: 1 });
  t.strictSame(at(30_000, 30_000), { kind: 'while-revalidating', ageMs: 35_000, ttlMs: 0 });
  t.strictSame(
    at(0, 3_600_000), { kind: 'fresh', ageMs: 5_000, ttlMs: 55_000 }, 'one that was raised is none',
  );
});

t.test('a client may ask for more, and is told what stood against it', async (t) => {
  for (const [now, asks, expected] of [
    [0, 'no-cache', { kind: 'no', because: 'request' }],
    [90_000, 'no-cache', { kind: 'no', because: 'request' }],
    [0, 'max-age=4', { kind: 'no', because: 'request' }],
    [0, 'max-age=5', { kind: 'fresh', ageMs: 5_000, ttlMs: 55_000 }],
    [0, 'min-fresh=56', { kind: 'no', because: 'request' }],
    [55_000, 'max-age=100', { kind: 'no', because: 'expired' }],
    [56_000, 'max-age=100', { kind: 'no', because: 'expired' }],
    [56_000, 'max-stale=1', { kind: 'while-revalidating', ageMs: 61_000, ttlMs: -1_000 }],
    [0, 'x', { kind: 'fresh', ageMs: 5_000, ttlMs: 55_000 }],
  ] as const) t.strictSame(at(now, undefined, asks), expected, `${asks} at ${now}`);
});

t.test('an error lets it be given for so long after it became stale', async (t) => {
  for (const [now, given] of [[0, true], [74_999, true], [75_000, false]] as const) {
    t.equal(reusableOnError(kept, undefined, now), given, `at ${now}`);
  }
});

t.test('what is not shared is given to nobody who says who he is', async (t) => {
  const rules = rulesOf(`
routes:
  /own: { GET: {} }
  /all: { GET: { ttl: 1h, per: everyone } }
`);
  const [own, all] = [rules.rule('/own'), rules.rule('/all')];
  for (const [shareable, asking, given] of [
    ['no', 'none', true], ['no', 'authorization', false], ['no', 'other', false],
    ['authorization', 'none', true], ['authorization', 'authorization', true],
    ['authorization', 'other', false],
    ['everyone', 'none', true], ['everyone', 'authorization', true], ['everyone', 'other', true],
  ] as const) {
    t.equal(sharedWith(entry({ shareable }), asking, own), given, `${shareable} to ${asking}`);
    t.equal(sharedWith(entry({ shareable }), asking, all), true, 'unless the rule says everyone');
  }
});
