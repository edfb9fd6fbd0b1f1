// Freshness lifetimes and ages: RFC 9111 §4.2 in tables.
import t from 'tap';
import { printHttpDate } from '../../src/core/http/dates.ts';
import { currentAge, freshness, initialAge } from '../../src/core/http/freshness.ts';

const NOW = Date.UTC(2026, 5, 15, 12);
const at = (seconds: number) => printHttpDate(NOW + seconds * 1000);
const HOUR = 3600;

function lifetime(fields: string[], status = 200) {
  const { lifetimeMs, explicit, because } = freshness({ status, reason: '', fields }, NOW);
  return [lifetimeMs / 1000, explicit, because];
}

t.test('s-maxage wins over max-age, and max-age over Expires', async (t) => {
  const all = ['Cache-Control', 'max-age=60, s-maxage=30', 'Expires', at(10), 'Date', at(0)];
  t.same(lifetime(all), [30, true, 's-maxage']);
  t.same(lifetime(['Cache-Control', 'max-age=60', 'Expires', at(10)]), [60, true, 'max-age']);
  t.same(lifetime(['Cache-Control', 's-maxage=x, max-age=60']), [0, true, 's-maxage']);
});

t.test('Expires counts from Date, or from the arrival', async (t) => {
  t.same(lifetime(['Expires', at(100), 'Date', at(-20)]), [120, true, 'expires']);
  t.same(lifetime(['Expires', at(100)]), [100, true, 'expires']);
  t.same(lifetime(['Expires', at(100), 'Date', 'yesterday']), [100, true, 'expires']);
  t.same(lifetime(['Expires', at(-100)]), [0, true, 'expires']);
  for (const bad of ['0', '-1', '', 'never', '2099-01-01']) {
    t.same(lifetime(['Expires', bad, 'Last-Modified', at(-HOUR)]), [0, true, 'expires'], bad);
  }
  t.same(lifetime(['Expires', at(100), 'Expires', at(200)]), [0, true, 'expires'],
    'two that differ');
  t.same(lifetime(['Expires', at(100), 'Expires', at(100)]), [100, true, 'expires'],
    'two that agree');
});

t.test('a tenth of the time since the last change is assumed, at most a day', async (t) => {
  const changed = (seconds: number) => ['Last-Modified', at(-seconds), 'Date', at(0)];
  t.same(lifetime(changed(1000)), [100, false, 'heuristic']);
  t.same(lifetime(changed(100 * 24 * HOUR)), [24 * HOUR, false, 'heuristic']);
  t.same(lifetime(changed(-50)), [0, false, 'heuristic'], 'changed in the future');
  t.same(lifetime(['Date', at(0)]), [0, false, 'nothing-said']);
  for (const status of [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]) {
    t.equal(lifetime(changed(1000), status)[0], 100, String(status));
  }
  for (const status of [201, 202, 302, 303, 307, 400, 401, 403, 500, 502, 503, 599]) {
    t.same(lifetime(changed(1000), status), [0, false, 'nothing-said'], String(status));
    const marked = ['Cache-Control', 'public', ...changed(1000)];
    t.same(lifetime(marked, status), [100, false, 'heuristic'], `${status}, marked as cacheable`);
  }
});

t.test('an answer arrives as old as its Date, its Age or the exchange make it', async (t) => {
  const age = (fields: string[], delay = 0) =>
    initialAge({ status: 200, reason: '', fields }, NOW - delay * 1000, NOW) / 1000;
  t.equal(age([]), 0);
  t.equal(age([], 3), 3);
  t.equal(age([], -3), 0, 'a clock that was set back');
  t.equal(age(['Date', at(-10)]), 10);
  t.equal(age(['Date', at(10)]), 0);
  t.equal(age(['Date', 'x']), 0);
  t.equal(age(['Age', '7'], 2), 9);
  t.equal(age(['Age', '7', 'Date', at(-20)], 2), 20);
  t.equal(age(['Age', '7, 100']), 7, 'the first member');
  t.equal(age(['Age', ' 7 , 100']), 7, 'without what is blank');
  t.equal(age(['Age', '7', 'Age', '100']), 7, 'the first line');
  for (const bad of ['-7', '7.5', '"7"', 'x', '', ',7', '7 8', '0x7']) {
    t.equal(age(['Age', bad]), 0, `"${bad}" is ignored`);
  }
  t.equal(age(['Age', '9'.repeat(400)]), 2 ** 31, 'bounded');
});

t.test('what is kept grows older by the time it is kept', async (t) => {
  const kept = { receivedAt: NOW, initialAgeMs: 5000 };
  t.equal(currentAge(kept, NOW + 1500), 6500);
  t.equal(currentAge(kept, NOW - 60_000), 5000);
});
