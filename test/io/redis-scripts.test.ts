// The scripts one by one, asked as an instance asks them, for what no timing of instances can show.
import type { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { FORMAT, type Script } from '../../src/io/redis-lua.ts';
import { controlScripts } from '../../src/io/redis-scripts.ts';
import { until } from '../redis.ts';
import { client, CONTROL, server } from '../redis-store.ts';

const S = controlScripts('publish');
/** What every answer begins with: epoch, seq, member, young, lease. */
const head = (seq: number, member = 1) => ['fresh', seq, member, 'fresh', 2000] as const;

async function asked(t: Test): Promise<{
  raw: Redis;
  ask: (script: Script, me: string, ...args: string[]) => Promise<unknown[]>;
  heard: string[];
}> {
  const { url } = await server(t);
  const raw = client(t, url);
  const ear = client(t, url);
  const heard: string[] = [];
  ear.on('message', (_channel: string, text: string) => heard.push(text));
  await ear.subscribe(`${CONTROL}:t`, `${CONTROL}:m:first`);
  const ask = (script: Script, me: string, ...args: string[]): Promise<unknown[]> =>
    raw.eval(script.lua, 1, CONTROL, 'fresh', me, '2000', ...args) as Promise<unknown[]>;
  return { raw, ask, heard };
}

void t.test('a roster lists whose each write is, and not what is in it', async (t) => {
  const { ask } = await asked(t);
  const many = Array.from({ length: 3000 }, (_, i) => `tag-${i}`);
  await ask(S.intend, 'first', 'w1', ...many);
  await ask(S.intend, 'second', 'w2', '"owner":"third"', 'owner');
  t.strictSame(await ask(S.roster, 'first'), [
    ...head(0), 'fresh first=1', ['w1', 'first', 'w2', 'second'],
  ]);
  t.strictSame(await ask(S.renew, 'second', 'n', ''), [
    ...head(0, 0), 0, 'first', '1', ['w2', 'second'], '',
  ], 'a renewal tells of one’s own, and whom to watch');
  await ask(S.intend, 'second', 'w1', 'ignored');
  t.strictSame((await ask(S.roster, 'first'))[6], ['w2', 'second', 'w1', 'second']);
});

void t.test('only its owner releases a write', async (t) => {
  const { raw, ask, heard } = await asked(t);
  await ask(S.touch, 'first', 'w1', 'settling', '4000', '1', '0', 'a');
  const before = await raw.hgetall(CONTROL);
  t.strictSame(JSON.parse(before['i:w1']!), {
    owner: 'first', state: 'settling', everything: false, holdMs: 4000, tags: ['a'],
  });
  t.strictSame(await ask(S.release, 'second', 'w1'), [...head(1, 0)]);
  t.strictSame(await raw.hgetall(CONTROL), before, 'another one changes nothing');
  t.strictSame(await ask(S.release, 'first', 'none'), [...head(1)]);
  t.strictSame(await ask(S.release, 'first', 'w1'), [...head(2)]);
  t.match(await raw.hgetall(CONTROL), { 't:a': '2' });
  t.strictSame(await raw.hmget(CONTROL, 'i:w1', 'w:first', 'owners'), [null, null, null]);
  await until(() => heard.length === 2);
  t.strictSame(heard, [
    'T fresh 1 first settling 1 0 w1\n["a"]', 'T fresh 2 - done 1 0 w1\n["a"]',
  ]);
});

void t.test('every change of seq is published, and nothing else', async (t) => {
  const { ask, heard } = await asked(t);
  await ask(S.join, 'first', 'rules', '', 'ask', '');
  await ask(S.join, 'second', 'others', '', 'enter', 'fresh');
  await ask(S.intend, 'first', 'w1', 'a');
  await ask(S.abandon, 'first', 'w1');
  await until(() => heard.length > 0);
  t.strictSame(heard, ['T fresh 1 - done 0 1 \n[]'], 'the rules were others');
  heard.length = 0;
  await ask(S.touch, 'first', 'w2', 'unknown', '', '0', '1');
  await ask(S.take, 'first', 'w2', 'first', '');
  await ask(S.abandon, 'first', 'w2');
  await ask(S.renew, 'first', 'n1', '');
  const [, seq] = await ask(S.leave, 'first', 'rules');
  await until(() => heard.length === 5);
  t.strictSame(heard, [
    'T fresh 2 first unknown 0 1 w2\n[]', 'T fresh 3 - unknown 0 1 w2\n[]',
    'T fresh 4 - done 0 0 w2\n[]', 'R n1 fresh 4', 'T fresh 5 - done 0 1 \n[]',
  ]);
  t.equal(seq, 5);
});

void t.test('nobody removes a member whose beat moved, or itself', async (t) => {
  const { raw, ask } = await asked(t);
  await ask(S.join, 'first', 'rules', '', 'ask', '');
  await ask(S.join, 'second', 'rules', '', 'enter', 'fresh');
  const members = (): Promise<string | null> => raw.hget(CONTROL, 'members');
  await ask(S.renew, 'second', 'n', '');
  await ask(S.expel, 'first', 'second', '1');
  await ask(S.expel, 'second', 'second', '2');
  t.equal(await members(), ' first second ');
  await ask(S.expel, 'first', 'second', '2');
  t.equal(await members(), ' first ');
  t.strictSame((await ask(S.renew, 'second', 'n', '')).slice(0, 5), [...head(0, 0)]);
});

void t.test('a key that somebody else has spoilt is begun anew, and told why', async (t) => {
  const { raw, ask } = await asked(t);
  const begun = async (): Promise<unknown[]> => {
    const page = await ask(S.load, 'first', '0');
    return [page[9], (await raw.hmget(CONTROL, 'seq', 'floor', 'count')).join()];
  };
  const spoil: readonly (readonly [what: string, () => Promise<unknown>, begun: string])[] = [
    ['nothing', () => raw.del(CONTROL), 'empty'],
    ['another history', () => raw.hset(CONTROL, 'replid', 'ab'), 'other-history'],
    ['a text', () => raw.set(CONTROL, 'text'), 'damaged'],
    ...['seq', 'floor', 'count', 'lease'].flatMap((field) =>
      ['1.5', '-1', '1e3', 'many', '1'.repeat(16)].map((value) =>
        [`${field} ${value}`, () => raw.hset(CONTROL, field, value), 'damaged'] as const)),
    ['no seq', () => raw.hdel(CONTROL, 'seq'), 'damaged'],
  ];
  for (const [what, act, why] of spoil) {
    await ask(S.touch, 'first', '', 'done', '', '0', '0', 'a');
    await act();
    t.strictSame(await begun(), [why, '0,0,0'], what);
  }
});

void t.test('whoever asks to join has had the store take something', async (t) => {
  const { raw, ask } = await asked(t);
  await ask(S.join, 'first', 'rules', '', 'ask', '');
  const [, , member] = await ask(S.join, 'second', 'rules', '', 'ask', '');
  t.equal(member, 0);
  await raw.config('SET', 'maxmemory', '1');
  await t.rejects(ask(S.join, 'second', 'rules', '', 'ask', ''), /OOM/);
});

void t.test('a hash of a later format is not read; everything in it can be ended', async (t) => {
  const { raw, ask } = await asked(t);
  await ask(S.touch, 'first', '', 'done', '', '0', '0', 'a');
  const later = String(Number(FORMAT) + 1);
  await raw.hset(CONTROL, 'format', later, 'lease', 7000);
  await t.rejects(ask(S.touch, 'first', '', 'done', '', '0', '0', 'a'), /^NEWER/);
  t.strictSame(await ask(S.bump, 'first'), ['fresh', 2, 0, '', 7000]);
  t.match(await raw.hgetall(CONTROL), { format: later, floor: '2', seq: '2' });
  await raw.hset(CONTROL, 'replid', 'of another history');
  const [epoch, seq] = await ask(S.touch, 'first', '', 'done', '', '0', '0', 'a');
  t.strictSame([epoch, seq], ['fresh', 1], 'of another history it is worth nothing');
  t.equal(await raw.hget(CONTROL, 'format'), FORMAT);
});

void t.test('a page holds touches and held writes, however many there are', async (t) => {
  const { ask } = await asked(t);
  const many = Array.from({ length: 3000 }, (_, i) => `tag-${i}`);
  await ask(S.touch, 'first', 'w1', 'unknown', '', '0', '0', ...many);
  await ask(S.intend, 'first', 'w2', 'open');
  const seen = new Map<string, number>();
  let held: unknown[] = [];
  let [cursor, pages] = ['0', 0];
  do {
    const page = await ask(S.load, 'first', cursor);
    const touched = page[7] as string[];
    for (let i = 0; i < touched.length; i += 2) seen.set(touched[i]!, Number(touched[i + 1]));
    held = [...held, ...page[8] as unknown[]];
    cursor = String(page[6]);
    pages += 1;
  } while (cursor !== '0');
  t.ok(pages > 1);
  t.equal(seen.size, 3000);
  t.equal(seen.get('tag-2999'), 1);
  t.strictSame([held[0], held[1]], ['w1', 0]);
  t.equal((JSON.parse(String(held[2])) as string[]).length, 3000);
});
