// Ten readers, ten lists: each is given its own from the cache, and after one write all ten are
// fetched again, each as its own reader. Of very many only the hottest are; the rest is invalid.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import t from 'tap';
import { FORMS, json, stage, type Stage, until } from '../play.ts';
import { VirtualClock } from '../virtual-clock.ts';

const READERS = Array.from({ length: 10 }, (_, i) => `reader-${i}`);

/** An API with a list for each session, which everybody may add to. */
function lists(): {
  readonly script: Parameters<typeof stage>[1]['script'];
  readonly read: { readonly as: string; readonly again: boolean }[];
} {
  const items: string[] = [];
  const read: { as: string; again: boolean }[] = [];
  return {
    read,
    script({ method, headers }, response, body) {
      if (method === 'POST') {
        items.push(body);
        return json(response, 'ok');
      }
      const as = /sid=([\w-]+)/.exec(headers.cookie ?? '')?.[1] ?? 'nobody';
      read.push({ as, again: headers['everfresh-refresh'] === '1' });
      return json(response, { as, items }, { headers: { 'cache-control': 'private' } });
    },
  };
}

const rules = (keepFresh = ''): string => `
identities:
  user: { from: { cookie: sid } }
routes:
  /unread: { GET: { ttl: 10m, per: user, keep_fresh: { ${keepFresh} } } }
  /posts:  { POST: { refresh: [/unread] } }
  /posts/:id/read: { POST: { refresh: ["/unread @self"] } }
`;

const asReader = (s: Stage, reader: string) => s.get('/unread', { cookie: `sid=${reader}; a=b` });

for (const form of FORMS) {
  t.test(`${form}: ten readers have ten lists, and one write refreshes all of them`, async (t) => {
    const { script, read } = lists();
    const s = await stage(t, { form, rules: rules(), script: script! });
    for (const reader of READERS) {
      t.match(await asReader(s, reader), {
        cache: 'everfresh; fwd=uri-miss; stored', body: JSON.stringify({ as: reader, items: [] }),
      });
    }
    for (const reader of READERS) t.match((await asReader(s, reader)).cache, /; hit; /);
    t.equal(read.length, 10);

    t.equal((await s.send('POST', '/posts', 'one')).cache,
      'everfresh; fwd=method; detail="refreshing=10"');
    await until(() => read.length === 20, 'ten refreshes');
    t.same(read.slice(10).map(({ as }) => as).sort(), READERS, 'each as its own reader');
    t.ok(read.slice(10).every(({ again }) => again), 'and the upstream can tell');
    await Promise.all(READERS.map(async (reader) => {
      const { cache, body, headers } = await asReader(s, reader);
      t.match(cache, /; hit; /);
      t.equal(body, JSON.stringify({ as: reader, items: ['one'] }));
      t.equal(headers['cache-control'], 'private, no-cache');
      t.match(headers.etag, /^"everfresh\./);
      t.equal(headers.vary, 'Cookie');
    }));
    t.equal(read.length, 20);

    const own = await s.send('POST', '/posts/1/read', 'two', { cookie: 'sid=reader-3' });
    t.equal(own.cache, 'everfresh; fwd=method; detail="refreshing=1"');
    await until(() => read.length === 21, 'the writer’s own');
    t.equal(read[20]!.as, 'reader-3');
    t.match((await asReader(s, 'reader-4')).cache, /; hit; /);
  });
}

t.test('of ten thousand readers the hundred hottest are refreshed, without a pause', async (t) => {
  const { script, read } = lists();
  // Heat is hits times what a fetch takes, which is the same for all while this clock stands still.
  const s = await stage(t, {
    clock: new VirtualClock(Date.now()), script: script!,
    rules: `limits: { new_variants_per_minute: 20000 }\n${rules('top: 100, concurrency: 8')}`,
  });
  const { gateway } = s.composed!;
  const all = Array.from({ length: 10_000 }, (_, i) => `r${i}`);
  const hot = new Set(all.filter((_, i) => i % 100 === 7));
  const inTurn = async (readers: readonly string[]): Promise<void> => {
    for (let i = 0; i < readers.length; i += 10) {
      await Promise.all(readers.slice(i, i + 10).map((reader) => asReader(s, reader)));
    }
  };
  await inTurn(all);
  for (let i = 0; i < 5; i += 1) await inTurn([...hot]);
  t.equal(read.length, 10_000);
  t.equal(gateway.ledger.size, 10_000);

  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const told = await s.send('POST', '/posts', 'one');
  await until(() => gateway.refresher.backlog.waiting + gateway.refresher.backlog.running === 0
    && read.length >= 10_100, 'a hundred refreshes');
  delay.disable();
  t.equal(told.cache, 'everfresh; fwd=method; detail="refreshing=100"');
  t.equal(read.length, 10_100);
  t.ok(delay.max < 50e6, `the longest pause was ${Math.round(delay.max / 1e5) / 10} ms`);
  const refreshed = new Set(read.slice(10_000).map(({ as }) => as));
  t.same([...refreshed].sort(), [...hot].sort(), 'the hottest');
  for (const cold of all.filter((reader, i) => i % 500 === 0 && !refreshed.has(reader))) {
    t.equal((await asReader(s, cold)).cache, 'everfresh; fwd=stale; stored; detail="touched"');
  }
});
