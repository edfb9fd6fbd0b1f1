// Questions and answers between processes: none stays open for ever, there is a bound on how many
// are, and what has the wrong form is not believed.
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { answerAll, Asking, Failed } from '../../src/io/talk.ts';
import { pipes } from '../pipes.ts';
import { VirtualClock } from '../virtual-clock.ts';

const NEVER = Promise.withResolvers<never>().promise;
const read = (value: unknown): string | undefined =>
  (typeof value === 'string' ? value : undefined);
const how = { deadlineMs: 100, read };

function between(answer: (question: unknown) => Promise<unknown>) {
  const [here, there] = pipes();
  const clock = new VirtualClock();
  const faults: unknown[] = [];
  const asking = new Asking(here, clock);
  answerAll(there, { answer, fault: (error) => void faults.push(error) });
  return { asking, clock, faults, here, there };
}

t.test('each question gets its own answer, in whatever order they come', async (t) => {
  const held = Promise.withResolvers<string>();
  const { asking, clock } = between((question) => (
    (question as { n: number }).n === 1 ? held.promise : Promise.resolve('two')));
  const first = asking.ask({ n: 1 }, how);
  t.same(await asking.ask({ n: 2 }, how), { kind: 'answered', value: 'two' });
  held.resolve('one');
  t.same(await first, { kind: 'answered', value: 'one' });
  t.equal(clock.waiting, 0, 'no deadline is left behind');
});

t.test('a question has a deadline, and an answer after it is dropped', async (t) => {
  const held = Promise.withResolvers<string>();
  const { asking, clock, there } = between(() => held.promise);
  const asked = asking.ask({}, how);
  clock.advance(99);
  await turn();
  clock.advance(1);
  t.same(await asked, { kind: 'unanswered', because: 'late' });
  held.resolve('at last');
  await turn();
  t.equal(there.sent.length, 1, 'it was answered all the same');
});

t.test('whoever has ended answers nothing, now or later', async (t) => {
  const { asking, here } = between(() => NEVER);
  const open = [asking.ask({}, how), asking.ask({}, how)];
  asking.end();
  for (const asked of open) t.same(await asked, { kind: 'unanswered', because: 'gone' });
  t.same(await asking.ask({}, how), { kind: 'unanswered', because: 'gone' });
  t.equal(here.sent.length, 2, 'it is not even asked');
});

t.test('what cannot be sent is not waited for', async (t) => {
  const { asking, here } = between(() => Promise.resolve('yes'));
  here.cut('refuse');
  t.same(await asking.ask({}, how), { kind: 'unanswered', because: 'gone' });
});

t.test('only so many questions are open at once', async (t) => {
  const { asking, here } = between(() => NEVER);
  const open = Array.from({ length: 256 }, () => asking.ask({}, how));
  t.same(await asking.ask({}, how), { kind: 'unanswered', because: 'busy' });
  t.equal(here.sent.length, 256);
  asking.end();
  await Promise.all(open);
});

t.test('the side that answers has a bound of its own', async (t) => {
  const { faults, here, there } = between(() => NEVER);
  for (let id = 0; id < 257; id += 1) await here.send({ id, question: {} });
  await turn();
  t.same(there.sent, [{ id: 256, failed: 'too much is asked at once' }]);
  t.same(faults, []);
});

t.test('a failure is told to who asked, and a fault to this side as well', async (t) => {
  const { asking, faults } = between((question) => Promise.reject(
    (question as { mine: boolean }).mine ? new TypeError('a mistake') : new Failed('not so')));
  const failed = { kind: 'unanswered', because: 'failed' };
  t.same(await asking.ask({ mine: false }, how), { ...failed, message: 'not so' });
  t.same(faults, []);
  t.same(await asking.ask({ mine: true }, how), { ...failed, message: 'a mistake' });
  t.match(faults, [{ message: 'a mistake' }]);
});

t.test('what has no known form is no answer and no question', async (t) => {
  const [here, there] = pipes();
  const asking = new Asking(here, new VirtualClock());
  for (const answer of [7, null, { answer: 1 }]) {
    const asked = asking.ask({}, how);
    const id = (here.sent.at(-1) as { id: number }).id;
    for (const junk of [[], { id: 'x' }, { id: -1, answer: 'no' }, {}]) await there.send(junk);
    await there.send({ id, answer });
    t.same(await asked, { kind: 'unanswered', because: 'nonsense' });
  }
  const asked = asking.ask({}, how);
  await there.send({ id: (here.sent.at(-1) as { id: number }).id });
  t.same(await asked, { kind: 'unanswered', because: 'nonsense' });

  const heard: unknown[] = [];
  const { here: from } = between(async (question) => void heard.push(question));
  for (const junk of [[], {}, { id: 'x', question: 1 }]) await from.send(junk);
  await turn();
  t.same(heard, []);
});
