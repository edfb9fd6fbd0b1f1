// The models of the protocol: each holds in every state that it can reach, and each broken rule is
// caught, with a trace.
import t from 'tap';
import { checkAll, rowOf } from '../spec/check.ts';
import { runsOf } from '../spec/runs.ts';

t.setTimeout(1_200_000);

void t.test('every model holds, and every broken rule is caught', async (t) => {
  const runs = runsOf(false);
  const all = await checkAll(runs, (ran) => {
    t.equal(ran.because, '', rowOf(ran));
  });
  t.equal(all.length, runs.length);
});
