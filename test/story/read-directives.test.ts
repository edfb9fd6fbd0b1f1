// What a client's Cache-Control asks for, where the operator lets it.
import t from 'tap';
import { Barrier, FORMS, json, stage, until } from '../play.ts';
import { VirtualClock } from '../virtual-clock.ts';

const ROUTES = 'routes:\n  /posts:\n    GET: { ttl: 1h }\n';

for (const form of FORMS) {
  t.test(`${form}: only-if-cached never asks the upstream`, async (t) => {
    const s = await stage(t, {
      form, rules: ROUTES, script: (_request, response) => json(response, 1),
    });
    const asked = { 'cache-control': 'only-if-cached' };
    const cold = await s.get('/posts', asked);
    t.equal(cold.status, 504);
    t.equal(cold.cache, 'everfresh; detail="only-if-cached"');
    t.equal(s.seen.length, 0);
    await s.get('/posts');
    t.equal((await s.get('/posts', asked)).status, 200);
  });

  t.test(`${form}: no-cache fetches and keeps, no-store keeps nothing`, async (t) => {
    let turn = 0;
    const s = await stage(t, {
      form, rules: ROUTES, script: (_request, response) => json(response, turn += 1),
    });
    await s.get('/posts');
    const reloaded = await s.get('/posts', { 'cache-control': 'no-cache' });
    t.equal(reloaded.body, '2');
    t.equal(reloaded.cache, 'everfresh; fwd=request; stored');
    t.equal((await s.get('/posts')).body, '2', 'and everybody has it');
    t.equal((await s.get('/posts', { pragma: 'no-cache' })).body, '3');
    t.equal(s.requests.at(-1)!.headers['pragma'], undefined, 'the words were for us');
    const unstored = await s.get('/posts?cold', { 'cache-control': 'no-store' });
    t.equal(unstored.cache, 'everfresh; fwd=bypass; detail="request-no-store"');
    t.match((await s.get('/posts?cold')).cache, /uri-miss; stored/);
  });

  t.test(`${form}: ignored where the operator says so`, async (t) => {
    const s = await stage(t, {
      form,
      rules: `client_directives: ignore\n${ROUTES}`,
      script: (_request, response) => json(response, 1),
    });
    t.match((await s.get('/posts', { 'cache-control': 'no-store' })).cache, /stored/);
    for (const asked of ['no-cache', 'no-store', 'max-age=0', 'only-if-cached']) {
      t.match((await s.get('/posts', { 'cache-control': asked })).cache, /hit/, asked);
    }
    t.equal((await s.get('/posts?cold', { 'cache-control': 'only-if-cached' })).status, 200);
  });
}

t.test('readers who all want it anew share one fetch that began after they asked', async (t) => {
  const doors = [new Barrier(), new Barrier()];
  let turn = 0;
  const s = await stage(t, {
    rules: ROUTES,
    async script(_request, response) {
      turn += 1;
      const mine = turn;
      await doors[mine - 2]?.pass();
      json(response, mine);
    },
  });
  await s.get('/posts');
  const reload = { 'cache-control': 'no-cache' };
  const first = s.get('/posts', reload);
  await doors[0]!.reached;
  const others = Array.from({ length: 20 }, () => s.get('/posts', reload));
  await until(() => s.composed!.handler.active() === 21, 'all came in');
  doors[0]!.open();
  await doors[1]!.reached;
  t.equal(s.seen.length, 3, 'one at a time');
  doors[1]!.open();
  t.equal((await first).body, '2');
  t.ok((await Promise.all(others)).every(({ body }) => body === '3'));
  t.equal(s.seen.length, 3);
});

t.test('a client may want it younger, or fresh for longer', async (t) => {
  const clock = new VirtualClock();
  let turn = 0;
  const s = await stage(t, {
    clock,
    rules: 'routes:\n  /posts:\n    GET: { ttl: 1m }\n',
    script: (_request, response) => json(response, turn += 1),
  });
  const asking = async (said: string): Promise<string> =>
    (await s.get('/posts', { 'cache-control': said })).body;
  await s.get('/posts');
  clock.advance(30_000);
  t.equal(await asking('max-age=30'), '1');
  t.equal(await asking('min-fresh=30'), '1');
  t.equal(await asking('max-age=29'), '2');
  clock.advance(30_000);
  t.equal(await asking('min-fresh=31'), '3');
  clock.advance(61_000);
  t.equal(await asking('max-stale=3600'), '4', 'what the operator doesn’t allow no client gets');
});
