// The store is told of a write's steps, or the touch is remembered, and nothing kept is used until
// it has been told.
import t from 'tap';
import type { Epoch, Seq } from '../../src/core/entry/entry.ts';
import type { Control, Known, Said } from '../../src/flow/ports.ts';
import { Remembered } from '../../src/flow/remembered.ts';
import {
  guarded, lastWords, persist, remember, touchOrRemember, watchOutage,
} from '../../src/flow/touching.ts';
import { configOf, type Fake, fakeGateway, RULES } from '../admin/fake-gateway.ts';

const SAID: Said = { kind: 'said', epoch: 'epoch-1' as Epoch, seq: 1 as Seq };
const UNSAID: Said = { kind: 'unsaid', because: 'store-down' };

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** Lets so much time pass, in small steps, each with what follows from it. */
async function pass(fake: Fake, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    fake.clock.advance(10);
    await turns();
  }
}

/** An outage of the store, and the first write that is not said in it. */
async function refused(fake: Fake): Promise<void> {
  const first = persist(fake.gateway, () => Promise.resolve(UNSAID));
  await pass(fake, 2_600);
  await first;
}

t.test('a step is tried again for a little more than one lease, then it is unsaid', async (t) => {
  const fake = fakeGateway(configOf(`lease: 2s\n${RULES}`));
  let tries = 0;
  let said: Said | undefined;
  void persist(fake.gateway, () => {
    tries += 1;
    return Promise.resolve(UNSAID);
  }).then((result) => {
    said = result;
  });
  await pass(fake, 2_400);
  t.equal(said, undefined, 'not within the lease');
  t.ok(tries > 10);
  await pass(fake, 200);
  t.same(said, UNSAID);
});

t.test('in an outage only the first writes wait', async (t) => {
  const fake = fakeGateway(configOf(`lease: 2s\n${RULES}`));
  await refused(fake);
  await pass(fake, 60_000);
  const at = fake.clock.mono();
  t.same(await persist(fake.gateway, () => Promise.resolve(UNSAID)), UNSAID);
  t.equal(fake.clock.mono(), at, 'at once');
  t.same(await persist(fake.gateway, () => Promise.resolve(SAID)), SAID);
});

t.test('an outage that began before the write is not waited for anew', async (t) => {
  const fake = fakeGateway(configOf(`lease: 2s\n${RULES}`));
  watchOutage(fake.gateway);
  await pass(fake, 2_400);
  const at = fake.clock.mono();
  const write = persist(fake.gateway, () => Promise.resolve(UNSAID));
  await pass(fake, 150);
  t.same(await write, UNSAID);
  t.ok(fake.clock.mono() - at <= 150);
  // The store took something: that was the end of it.
  fake.wroteAt = fake.clock.mono();
  await pass(fake, 500);
  let over = false;
  const next = persist(fake.gateway, () => Promise.resolve(UNSAID)).then(() => { over = true; });
  await pass(fake, 2_400);
  t.notOk(over);
  await pass(fake, 200);
  await next;
});

t.test('who was away in an outage begins to wait anew', async (t) => {
  const fake = fakeGateway(configOf(`lease: 2s\n${RULES}`));
  await refused(fake);
  fake.clock.jump(600);
  let said: Said | undefined;
  void persist(fake.gateway, () => Promise.resolve(UNSAID)).then((result) => {
    said = result;
  });
  await pass(fake, 2_400);
  t.equal(said, undefined);
  await pass(fake, 200);
  t.same(said, UNSAID);
});

t.test('a step that took long because nobody ran proves no outage', async (t) => {
  const fake = fakeGateway(configOf(`lease: 2s\n${RULES}`));
  const late = Promise.withResolvers<Said>();
  let said: Said | undefined;
  void persist(fake.gateway, () => late.promise).then((result) => {
    said = result;
  });
  await pass(fake, 5_000);
  late.resolve(UNSAID);
  await pass(fake, 2_400);
  t.equal(said, undefined, 'one failure is no outage');
  await pass(fake, 200);
  t.same(said, UNSAID);
});

t.test('an outage that is over, unnoticed, does not shorten the next one', async (t) => {
  const fake = fakeGateway(configOf(`lease: 2s\n${RULES}`));
  await refused(fake);
  fake.wroteAt = fake.clock.mono();
  await pass(fake, 1000);
  let said: Said | undefined;
  void persist(fake.gateway, () => Promise.resolve(UNSAID)).then((result) => {
    said = result;
  });
  await pass(fake, 2_400);
  t.equal(said, undefined);
  await pass(fake, 200);
  t.same(said, UNSAID);
});

t.test('a step that fails while the store takes all others is given up in the end', async (t) => {
  const fake = fakeGateway(configOf(`lease: 2s\n${RULES}`));
  let said: Said | undefined;
  void persist(fake.gateway, () => {
    fake.wroteAt = fake.clock.mono();
    return Promise.resolve(UNSAID);
  }).then((result) => {
    said = result;
  });
  await pass(fake, 10_000);
  t.equal(said, undefined, 'not soon');
  await pass(fake, 10_000);
  t.same(said, UNSAID);
});

t.test('a step that is said at the second try is said', async (t) => {
  const fake = fakeGateway();
  const answers = [UNSAID, SAID];
  const saying = persist(fake.gateway, () => Promise.resolve(answers.shift()!));
  await pass(fake, 100);
  t.same(await saying, SAID);
});

t.test('a touch that cannot be said is remembered until the store is back', async (t) => {
  const fake = fakeGateway(configOf(`lease: 200ms\n${RULES}`));
  fake.touch = () => Promise.resolve(UNSAID);
  const touching = touchOrRemember(fake.gateway, { tags: ['/posts'], then: 'done' });
  await pass(fake, 400);
  t.same(await touching, UNSAID);
  t.same(fake.troubles, ['touch-unconfirmed']);
  t.same(fake.gateway.remembered.all(), ['/posts']);
  await pass(fake, 1000);
  t.ok(fake.gateway.remembered.pending, 'as long as it is away');
  fake.touch = () => Promise.resolve(SAID);
  await pass(fake, 250);
  t.notOk(fake.gateway.remembered.pending);
  t.same(fake.touches.at(-1), { tags: ['/posts'], then: 'done' });
});

t.test('what is remembered while the store is told is told after it', async (t) => {
  const fake = fakeGateway();
  const { promise, resolve } = Promise.withResolvers<Said>();
  fake.touch = () => promise;
  remember(fake.gateway, ['a']);
  await pass(fake, 250);
  remember(fake.gateway, ['a', 'b']);
  resolve(SAID);
  await turns();
  t.ok(fake.gateway.remembered.pending);
  await pass(fake, 250);
  t.notOk(fake.gateway.remembered.pending);
  t.same(fake.touches.map(({ tags }) => tags), [['a'], ['a', 'b']]);
});

t.test('nothing of the store is trusted while anything is remembered', async (t) => {
  const known: Known = {
    kind: 'known', epoch: 'e' as Epoch, seq: 1 as Seq, newest: 0 as Seq, held: false,
  };
  const steps: string[] = [];
  const say = (step: string) => (): Promise<Said> => {
    steps.push(step);
    return Promise.resolve(SAID);
  };
  let said: Known = known;
  const control: Control = {
    look: () => said, mark: () => known, intend: say('intend'), abandon: say('abandon'),
    touch: say('touch'),
  };
  const remembered = new Remembered(10);
  const guard = guarded(control, remembered);
  t.same(guard.look([]), known);
  t.equal(guard.mark?.(), known);
  remembered.add(['a']);
  t.equal(guard.mark?.(), undefined, 'one has to look');
  t.same(guard.look(['b']), { kind: 'unknown', because: 'store-joining' });
  said = { kind: 'unknown', because: 'store-down' };
  t.same(guard.look(['b']), said, 'a store that is down is told as such');
  said = known;
  await guard.intend('1', []);
  await guard.touch({ tags: [], then: 'done' });
  await guard.abandon('1');
  t.same(steps, ['intend', 'touch', 'abandon'], 'but it is told');
  remembered.forget(remembered.recall()!);
  t.same(guard.look(['b']), known);
});

t.test('who leaves still tells what it owes, but does not wait for ever', async (t) => {
  const fake = fakeGateway(configOf(`lease: 2s\n${RULES}`));
  const { clock, gateway } = fake;
  await lastWords(gateway);
  t.equal(clock.mono(), 0, 'nothing is owed');
  remember(gateway, ['a']);
  const told = lastWords(gateway);
  await pass(fake, 400);
  await told;
  t.notOk(gateway.remembered.pending);
  fake.touch = () => Promise.resolve(UNSAID);
  remember(gateway, ['b']);
  const untold = lastWords(gateway);
  await pass(fake, 1_100);
  await untold;
  t.ok(gateway.remembered.pending);
});
