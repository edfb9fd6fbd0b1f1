// Hits of readers that are answered at once, by the bytes of a head that names one: to that reader,
// for as long as the upstream has accepted it lately, and nothing has ended it.
import t, { type Test } from 'tap';
import { type Reading, readers, type Readers } from './readers.ts';

const ann = 'Cookie: sid=ann';
const bob = 'Cookie: sid=bob';

interface Stage extends Readers {
  /** Reads until it is answered at once, or three times. */
  readonly atOnce: (target: string, ...lines: string[]) => Promise<Reading | undefined>;
}

async function stage(t: Test): Promise<Stage> {
  const r = await readers(t);
  const { shortcuts } = r.s.composed;
  let quick = false;
  const answer = shortcuts.answer.bind(shortcuts);
  shortcuts.answer = (head, peer) => {
    const ready = answer(head, peer);
    quick = ready !== undefined && ready !== 'drawn';
    return ready;
  };
  return {
    ...r,
    async atOnce(target, ...lines) {
      for (let i = 0; i < 3; i += 1) {
        quick = false;
        const told = await r.get(target, ...lines);
        if (quick) return told;
      }
      return undefined;
    },
  };
}

t.test('each reader is given its own, at once', async (t) => {
  const s = await stage(t);
  for (const line of [ann, bob, ann, bob]) {
    const told = await s.atOnce('/session', line);
    t.equal(told?.body, `${line.slice('Cookie: '.length)} #GET /session`);
    t.same(told?.values('cache-control'), ['private, no-cache']);
  }
  t.equal(s.upstream.seen.length, 2);
});

t.test('after recheck, and after a logout, nothing is given at once', async (t) => {
  const s = await stage(t);
  t.ok(await s.atOnce('/session', ann));
  await s.pass(60_001);
  t.match((await s.get('/session', ann)).cache, /recheck/);
  t.ok(await s.atOnce('/session', ann));
  await s.send('POST', '/logout', ann);
  t.match((await s.get('/session', ann)).cache, /touched/);
});

t.test('a reader who is given hits at once is one who was seen', async (t) => {
  const s = await stage(t);
  t.ok(await s.atOnce('/session', ann));
  for (let minutes = 0; minutes < 20; minutes += 1) {
    await s.pass(59_000);
    await s.get('/session', ann);
  }
  await s.pass(15 * 60_000 - 59_000);
  t.equal(s.s.composed.gateway.people.count('session'), 1);
});

t.test('a validator is the reader’s own', async (t) => {
  const s = await stage(t);
  const [etag] = (await s.atOnce('/session', ann))!.values('etag');
  const same = `If-None-Match: ${etag!}`;
  t.equal((await s.atOnce('/session', ann, same))?.status, 304);
  t.equal((await s.atOnce('/session', bob, same))?.status, 200);
  t.equal((await s.atOnce('/session', same))?.status, 200, 'nor is it nobody’s');
});

t.test('a token that has ended is not good for a moment longer', async (t) => {
  const s = await stage(t);
  const line = await s.token({ sub: 'ann' }, { expires: 30 });
  t.ok(await s.atOnce('/person', line));
  await s.pass(29_000);
  t.ok(await s.atOnce('/person', line));
  await s.pass(1001);
  t.equal((await s.get('/person', line)).cache, 'fwd=bypass; detail="credentials"');
});

t.test('a head that names a reader by its peer’s word is never answered at once', async (t) => {
  const s = await stage(t);
  for (let i = 0; i < 3; i += 1) await s.behindProxy('/named', 'X-User-Id: ann');
  t.equal(await s.atOnce('/named', 'X-User-Id: ann'), undefined);
  t.ok(await s.atOnce('/named'), 'nobody in particular is');
});

t.test('a reload that changes who a reader is is heard at once', async (t) => {
  const s = await stage(t);
  t.ok(await s.atOnce('/session', ann));
  s.reload((yaml) => yaml.replace('{ cookie: sid }', '{ cookie: other }'));
  t.equal((await s.get('/session', ann)).cache, 'fwd=bypass; detail="credentials"');
});
