// The scripts one by one, asked as an instance asks them, for what no timing of instances can show.
import t, { type Test } from 'tap';
import type { Redis } from 'ioredis';
import type { Script } from '../../src/io/redis-lua.ts';
import { BEAT, INTEND, RELEASE, TOUCH } from '../../src/io/redis-scripts.ts';
import { client, server } from '../redis-store.ts';

const CONTROL = 'test:1:{control}';

async function asked(t: Test): Promise<{
  raw: Redis;
  ask: (script: Script, me: string, ...args: string[]) => Promise<unknown[]>;
}> {
  const raw = client(t, (await server(t)).url);
  const ask = (script: Script, me: string, ...args: string[]): Promise<unknown[]> =>
    raw.eval(script.lua, 1, CONTROL, 'fresh', me, ...args) as Promise<unknown[]>;
  return { raw, ask };
}

void t.test('a beat lists whose each intent is, and not what is in it', async (t) => {
  const { ask } = await asked(t);
  const many = Array.from({ length: 3000 }, (_, i) => `tag-${i}`);
  await ask(INTEND, 'first', 'w1', ...many);
  await ask(INTEND, 'second', 'w2', '"owner":"third"', 'owner');
  const [, , , , list] = await ask(BEAT, 'first', '');
  t.strictSame(list, ['w1', 'first', 'w2', 'second']);
});

void t.test('only its owner releases an intent', async (t) => {
  const { raw, ask } = await asked(t);
  await ask(TOUCH, 'first', 'w1', 'settling', '4000', '0', 'a');
  const before = await raw.hgetall(CONTROL);
  t.strictSame(JSON.parse(before['i:w1']!), {
    owner: 'first', state: 'settling', everything: false, holdMs: 4000, tags: ['a'],
  });
  t.strictSame(await ask(RELEASE, 'second', 'w1'), ['fresh', 1, 0, 0]);
  t.strictSame(await raw.hgetall(CONTROL), before, 'another one changes nothing');
  t.strictSame(await ask(RELEASE, 'first', 'none'), ['fresh', 1, 1, 0]);
  t.strictSame(await ask(RELEASE, 'first', 'w1'), ['fresh', 2, 1, 1]);
  t.match(await raw.hgetall(CONTROL), { 't:a': '2' });
  t.strictSame(await raw.hmget(CONTROL, 'i:w1', 'q:a', 'intents'), [null, null, null]);
});
