// What the status of a write's answer says about whether it happened.
import t from 'tap';
import { outcomeOf } from '../../src/core/promise/outcome.ts';

t.test('a success or a redirect was applied', async (t) => {
  for (const status of [
    200, 201, 203, 204, 205, 206, 226, 300, 301, 303, 304, 307, 308,
  ]) t.equal(outcomeOf(status), 'applied', `${status}`);
});

t.test('a refusal was not, but for a time-out', async (t) => {
  for (let status = 400; status < 500; status += 1) {
    t.equal(outcomeOf(status), status === 408 ? 'unknown' : 'not-applied', `${status}`);
  }
});

t.test('a failure, and a promise to do it later, leave it open', async (t) => {
  for (const status of [
    202, 500, 501, 502, 503, 504, 507, 599, 600, 999,
  ]) t.equal(outcomeOf(status), 'unknown', `${status}`);
});
