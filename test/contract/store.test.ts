// One suite for every store: whatever stands behind `Store` keeps these promises.
import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import type { Entry, Epoch, Key, Seq, VaryMarker } from '../../src/core/entry/entry.ts';
import { valid } from '../../src/core/promise/validity.ts';
import type { Known, Said, Store } from '../../src/flow/ports.ts';
import { memoryStore } from '../../src/io/memory.ts';
import { redisStore } from '../../src/io/redis.ts';
import { entry } from '../entries.ts';
import { anyRedis, realClock, until } from '../redis.ts';

const TOUCHED_MAX = 8;
const limits = { touched: TOUCHED_MAX, entryLifeMs: 3_600_000, quarantineMs: 60_000 };
type Make = () => Promise<Store>;

const redis = await anyRedis();
t.teardown(() => redis.stop());

const kinds: Record<string, Make> = {
  memory: () => Promise.resolve(memoryStore({ bytes: 1_000_000, limits, clock: realClock })),
  redis: async () => {
    const store = redisStore({
      url: redis.url, prefix: randomUUID(), clock: realClock, leaseMs: 600, limits,
      budgetMs: 5000, rules: 'rules', onTrouble: () => undefined,
    });
    await until(() => store.state().state === 'ready', { what: 'the store to be ready' });
    return store;
  },
};

type Sure = Extract<Known, { kind: 'known' }>;

/** Waited for, since a busy machine may cost an instance its lease. */
async function look(store: Store, ...tags: string[]): Promise<Sure> {
  let known: Known | undefined;
  await until(async () => {
    known = await store.control.look(tags);
    return known.kind === 'known';
  }, { what: 'the store to know' });
  return known as Sure;
}

async function sure(said: Promise<Said>): Promise<Extract<Said, { kind: 'said' }>> {
  const answer = await said;
  if (answer.kind !== 'said') throw new Error(answer.because);
  return answer;
}

const touch = (store: Store, ...tags: string[]): ReturnType<typeof sure> =>
  sure(store.control.touch({ tags, then: 'done' }));

/** An entry as a fill makes it that begins now. */
async function filled(store: Store, tags: string[], text = 'hello'): Promise<Entry> {
  const { epoch, seq } = await look(store, ...tags);
  return entry({ epoch, asOf: seq, tags, text, key: randomUUID().padEnd(43, 'x') as Key });
}

async function verdict(store: Store, one: Entry): Promise<string> {
  const judged = valid(one, await look(store, ...one.tags));
  return judged.kind === 'valid' ? 'valid' : judged.because;
}

const promises: Record<string, (t: Test, store: Store, kind: string) => Promise<void>> = {
  'a reader of whom something may be kept is known until it is forgotten': async (t, store) => {
    const readers = store.readers!;
    const who = 'who:user:somebody';
    const note = { forMs: 60_000, againMs: 0 };
    await until(async () => await readers.known(who) === false, { what: 'the store to know' });
    t.equal(await readers.note(who, note), true);
    t.equal(await readers.known(who), true);
    t.equal(await readers.known('who:user:other'), false);
    await readers.forget(who);
    t.equal(await readers.known(who), false);
    t.equal(await readers.note(who, { ...note, againMs: 60_000 }), true, 'and may come again');
    t.equal(await readers.known(who), true);
  },
  'an entry is valid until one of its tags is touched': async (t, store) => {
    const one = await filled(store, ['a', 'b']);
    t.equal(await verdict(store, one), 'valid');
    await touch(store, 'c');
    t.equal(await verdict(store, one), 'valid', 'another tag is nothing to it');
    await touch(store, 'c', 'b');
    t.equal(await verdict(store, one), 'touched');
    t.equal(await verdict(store, await filled(store, ['a', 'b'])), 'valid', 'the next one is');
  },

  'an entry of another epoch is invalid': async (t, store) => {
    const one = await filled(store, ['a']);
    t.equal(await verdict(store, { ...one, epoch: 'another' as Epoch }), 'epoch');
  },

  'a fill outrun by a touch is born invalid, and stays so': async (t, store) => {
    const late = await filled(store, ['a'], 'old');
    await touch(store, 'a');
    await store.entries.put(late);
    const found = await store.entries.get(late.key);
    if (found?.kind !== 'answer') throw new Error('it is kept, though nobody may use it');
    t.equal(await verdict(store, found), 'touched');
    await touch(store, 'z');
    t.equal(await verdict(store, found), 'touched');
  },

  'each touch has its own seq, one above the last': async (t, store) => {
    const { epoch, seq } = await look(store, 'a');
    t.equal(seq, 0);
    t.strictSame(await touch(store, 'a'), { kind: 'said', epoch, seq: 1 });
    t.strictSame(await touch(store, 'b'), { kind: 'said', epoch, seq: 2 });
    t.match(await look(store, 'a'), { seq: 2, newest: 1 });
    t.match(await look(store, 'a', 'b'), { seq: 2, newest: 2 });
    t.match(await look(store), { seq: 2, newest: 0 });
  },

  'touching everything reaches what was never touched': async (t, store) => {
    const one = await filled(store, ['never', 'named']);
    await touch(store, 'other');
    await sure(store.control.touch({ tags: 'everything', then: 'done' }));
    t.equal(await verdict(store, one), 'touched');
    const next = await filled(store, ['never', 'named']);
    t.equal(await verdict(store, next), 'valid');
    await touch(store, 'other');
    t.equal(await verdict(store, next), 'valid');
  },

  'forgetting old touches never makes an old entry valid': async (t, store) => {
    const old = await filled(store, ['tag-0']);
    const untouched = await filled(store, ['quiet']);
    for (let i = 0; i < TOUCHED_MAX * 3; i += 1) {
      await touch(store, `tag-${i}`);
      t.equal(await verdict(store, old), 'touched');
    }
    await until(async () => (await look(store)).newest > 0, { what: 'the floor to rise' });
    t.equal(await verdict(store, old), 'touched');
    t.equal(await verdict(store, untouched), 'touched', 'the floor stands for what is forgotten');
    const { seq, newest } = await look(store);
    t.ok(newest < seq, 'the newest touches are remembered one by one');
    t.equal(await verdict(store, await filled(store, ['quiet'])), 'valid');
  },

  'a write of unknown outcome holds its tags until it is touched again': async (t, store) => {
    await sure(store.control.intend('w1', ['a', 'b']));
    t.equal((await look(store, 'a')).held, false, 'a write that is only open holds nothing');
    await sure(store.control.touch({ intent: 'w1', tags: ['a', 'b'], then: 'unknown' }));
    t.match(await look(store, 'a'), { held: true, newest: 1 });
    t.equal((await look(store, 'x', 'b')).held, true);
    t.equal((await look(store, 'x')).held, false);
    await sure(store.control.touch({ intent: 'w1', tags: ['a', 'b'], then: 'done' }));
    t.match(await look(store, 'a', 'b'), { held: false, newest: 2 });
  },

  'holds are named, so that repeating a step changes nothing': async (t, store) => {
    const step = (intent: string, then: 'unknown' | 'settling' | 'done'): Promise<unknown> =>
      sure(store.control.touch({ intent, tags: ['a'], then }));
    await step('w1', 'unknown');
    await step('w1', 'unknown');
    await step('w2', 'settling');
    await step('w1', 'done');
    await step('w1', 'done');
    t.equal((await look(store, 'a')).held, true, 'the other one still holds it');
    await step('w2', 'done');
    t.equal((await look(store, 'a')).held, false);
  },

  'a write that was not applied touches nothing and holds nothing': async (t, store) => {
    await sure(store.control.intend('w1', ['a']));
    await sure(store.control.abandon('w1'));
    await sure(store.control.abandon('w1'));
    t.match(await look(store, 'a'), { seq: 0, newest: 0, held: false });
  },

  'a touch applies also if its intent is gone': async (t, store) => {
    await sure(store.control.touch({ intent: 'never-seen', tags: ['a'], then: 'done' }));
    t.match(await look(store, 'a'), { newest: 1, held: false });
    await sure(store.control.touch({ intent: 'never-seen', tags: ['a'], then: 'settling' }));
    t.match(await look(store, 'a'), { newest: 2, held: true });
  },

  'a write that reached everything holds everything': async (t, store) => {
    await sure(store.control.touch({ intent: 'w', tags: 'everything', then: 'unknown' }));
    t.equal((await look(store, 'whatever')).held, true);
    await sure(store.control.touch({ intent: 'w', tags: 'everything', then: 'done' }));
    t.equal((await look(store, 'whatever')).held, false);
  },

  'a tag is any well-formed text, and only itself': async (t, store) => {
    const strange = [
      '', ' ', '__proto__', 'constructor', '{a}', 'a\r\nDEL x', 'a\0b', 'é', '\u{1F600}',
      'epoch', 't:a', '*', '"', '\\',
    ];
    // A write has an id of its own: another's would be taken for one that came late, and be swept.
    for (const [i, tag] of strange.entries()) {
      const intent = `w${i}`;
      const seen = await look(store, tag);
      t.equal(seen.newest <= (await look(store)).newest, true, `${JSON.stringify(tag)} is new`);
      const { seq } = await sure(store.control.touch({ intent, tags: [tag], then: 'unknown' }));
      t.match(await look(store, tag), { newest: seq, held: true });
      await sure(store.control.touch({ intent, tags: [tag], then: 'done' }));
      t.equal((await look(store, tag)).held, false);
    }
  },

  'a step may have thousands of tags': async (t, store) => {
    const many = Array.from({ length: 3000 }, (_, i) => `tag-${i}`);
    await sure(store.control.touch({ intent: 'w', tags: many, then: 'unknown' }));
    t.match(await look(store, ...many), { newest: 1, held: true });
    t.match(await look(store, 'tag-2999'), { newest: 1, held: true });
    await sure(store.control.touch({ intent: 'w', tags: many, then: 'done' }));
    t.equal((await look(store, ...many)).held, false);
  },

  'what is put is found again, whole': async (t, store) => {
    const one = await filled(store, ['a', 'é'], 'text \0 \xff');
    t.equal(await store.entries.get(one.key), undefined);
    await store.entries.put(one);
    t.strictSame(await store.entries.get(one.key), one);
    const marker: VaryMarker = { kind: 'vary', key: 'v'.repeat(43) as Key, names: ['accept'] };
    await store.entries.put(marker);
    t.strictSame(await store.entries.get(marker.key), marker);
    t.equal(await store.entries.get('x'.repeat(43) as Key), undefined);
  },

  'an older asOf never replaces a newer one of its epoch': async (t, store) => {
    const { key } = entry();
    const put = async (text: string, epoch: string, asOf: number): Promise<string> => {
      await store.entries.put(entry({ text, epoch: epoch as Epoch, asOf: asOf as Seq }));
      const found = await store.entries.get(key);
      return found?.kind === 'answer' ? Buffer.from(found.body).toString() : 'nothing';
    };
    t.equal(await put('first', 'e1', 9), 'first');
    t.equal(await put('older', 'e1', 8), 'first');
    t.equal(await put('equal', 'e1', 9), 'equal');
    t.equal(await put('newer', 'e1', 10), 'newer', 'compared as a number, not as text');
    t.equal(await put('other', 'e2', 1), 'other', 'seqs of two epochs are not compared');
  },

  'it says that it is ready': async (t, store, kind) => {
    await look(store);
    t.match(store.state(), { kind, state: 'ready' });
  },
};

for (const [kind, make] of Object.entries(kinds)) {
  void t.test(`a store in ${kind}`, async (t) => {
    for (const [name, check] of Object.entries(promises)) {
      await t.test(name, async (t) => {
        const store = await make();
        t.teardown(() => store.close({ clean: true }));
        await check(t, store, kind);
      });
    }
  });
}
