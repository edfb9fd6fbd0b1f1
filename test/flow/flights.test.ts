// At most one fetch of a key is under way, and whoever waits sees its end after it is over.
import t from 'tap';
import type { Key } from '../../src/core/entry/entry.ts';
import { Flights, type Landing } from '../../src/flow/flights.ts';

const KEY = 'k' as Key;
const LANDED: Landing = { kind: 'failed', because: 'reset' };

t.test('a flight runs until it has landed, and not for those who waited', async (t) => {
  const flights = new Flights();
  t.equal(flights.running(KEY), undefined);
  const { promise: landing, resolve } = Promise.withResolvers<Landing>();
  flights.start(KEY, () => ({ first: Promise.resolve('mine'), landing }));
  t.equal(flights.size, 1);
  t.equal(flights.running('other' as Key), undefined);
  const waiters = [1, 2, 3].map(async () => {
    await flights.running(KEY);
    return flights.running(KEY);
  });
  resolve(LANDED);
  t.strictSame(
    await Promise.all(waiters), [undefined, undefined, undefined], 'each may start the next one',
  );
  t.equal(flights.size, 0);
});

t.test('the next flight is not ended by the one before', async (t) => {
  const flights = new Flights();
  const ends = [Promise.withResolvers<Landing>(), Promise.withResolvers<Landing>()] as const;
  flights.start(KEY, () => ({ first: Promise.resolve(), landing: ends[0].promise }));
  ends[0].resolve(LANDED);
  await flights.running(KEY);
  flights.start(KEY, () => ({ first: Promise.resolve(), landing: ends[1].promise }));
  await new Promise((resolve) => void setImmediate(resolve));
  t.equal(flights.running(KEY), ends[1].promise);
});
