// When a worker that has ended is started again, and when no more.
import t from 'tap';
import { Restarts } from '../../src/core/restarts.ts';

t.test('a worker that lived long is started again at once', async (t) => {
  const restarts = new Restarts(1);
  const next = restarts.ended(0, { listenedMs: 10_000, others: 0 });
  t.same(next, { kind: 'restart', because: 'lived', afterMs: 0 });
});

t.test('pauses grow with each short life, up to a bound, and a long life ends that', async (t) => {
  const restarts = new Restarts(2);
  const pauses = Array.from({ length: 9 }, () => {
    restarts.listening();
    const next = restarts.ended(0, { listenedMs: 9_999, others: 0 });
    return next.kind === 'restart' ? next.afterMs : next.because;
  });
  t.same(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  t.match(restarts.ended(1, { listenedMs: 0, others: 1 }), { afterMs: 100 }, 'each for itself');
  t.match(restarts.ended(0, { listenedMs: 60_000, others: 1 }), { afterMs: 0 });
  t.match(restarts.ended(0, { listenedMs: 1, others: 1 }), { afterMs: 100 });
});

t.test('three failed starts for each worker, with nobody listening, are the end', async (t) => {
  const restarts = new Restarts(2);
  const fail = (others = 0) => restarts.ended(0, { listenedMs: undefined, others }).kind;
  t.same([fail(), fail(), fail(), fail(), fail()], Array(5).fill('restart'));
  t.equal(fail(1), 'restart', 'somebody listens');
  t.equal(fail(), 'give-up');
  restarts.listening();
  t.equal(fail(), 'restart', 'a start that succeeds begins the count anew');
});
