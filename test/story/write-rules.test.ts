// The rules and what happens to them while they are at work: a reload in the middle of a write, a
// `ttl` that is lowered, a target that says more of a query than its route does.
import t from 'tap';
import { parseRules } from '../../src/core/rules/parse.ts';
import { byOperator } from '../../src/flow/purge.ts';
import { Barrier, FORMS, json, stage, type Stage } from '../play.ts';
import { VirtualClock } from '../virtual-clock.ts';

function reload(s: Stage, rules: string): void {
  const yaml = `upstream: ${s.upstreamUrl}\nlog: { level: silent }\n${rules}`;
  const parsed = parseRules(yaml, { file: 'routes.yaml', env: {} });
  if (parsed.kind === 'wrong') throw new Error(JSON.stringify(parsed.problems));
  s.composed!.apply(parsed.config);
}

t.test('a write that a reload overtook touches what the new rules read as well', async (t) => {
  const held = new Barrier();
  let version = 1;
  const s = await stage(t, {
    rules: 'routes: { /other: { GET: { ttl: 1h } } }',
    async script(request, response) {
      if (request.method === 'GET') return json(response, { version });
      await held.pass();
      version = 2;
      return json(response, {});
    },
  });
  const writing = s.send('PUT', '/items/7', {});
  await held.reached;
  reload(s, 'routes: { /items/:id: { GET: { ttl: 1h } } }');
  t.equal((await s.get('/items/7')).body, '{"version":1}');
  t.match((await s.get('/items/7')).cache, /; hit/);
  held.open();
  t.equal((await writing).status, 200);
  t.equal((await s.get('/items/7')).body, '{"version":2}');
});

t.test('a ttl that was lowered holds for what is kept already', async (t) => {
  const clock = new VirtualClock();
  const rules = (ttl: string): string => `routes: { /a: { GET: { ttl: ${ttl} } } }`;
  const s = await stage(t, {
    rules: rules('20m'), clock, script: (_request, response) => json(response, 1),
  });
  await s.get('/a');
  clock.advance(6000);
  t.match((await s.get('/a')).cache, /; hit; ttl=1194/);
  reload(s, rules('5s'));
  t.notMatch((await s.get('/a')).cache, /; hit/);
});

for (const form of FORMS) {
  t.test(`${form}: a target's query means what the route's \`query\` leaves of it`, async (t) => {
    let version = 0;
    const s = await stage(t, {
      form,
      rules: `
routes:
  /items: { GET: { ttl: 1h, query: [page] } }
  /orders: { POST: { refresh: ["/items?page=1&foo=2"] } }
`,
      script(request, response) {
        if (request.method === 'POST') version += 1;
        json(response, { version });
      },
    });
    t.equal((await s.get('/items?page=1&foo=2')).body, '{"version":0}');
    await s.get('/items?page=2');
    await s.send('POST', '/orders', {});
    t.equal((await s.get('/items?page=1&foo=2')).body, '{"version":1}');
    t.match((await s.get('/items?page=2')).cache, /; hit/, 'exactly that variant');
  });
}

t.test('an operator can purge one variant, or everything', async (t) => {
  const s = await stage(t, {
    rules: 'routes: { /a: { GET: { ttl: 1h, query: [page] } }, /b: { GET: { ttl: 1h } } }',
    script: (_request, response) => json(response, 1),
  });
  const paths = ['/a?page=1', '/a?page=2', '/b'];
  const hits = async (): Promise<string[]> => {
    const replies = await Promise.all(paths.map((path) => s.get(path)));
    return paths.filter((_, i) => replies[i]!.cache.includes('; hit'));
  };
  await hits();
  t.same(await hits(), paths);
  const { gateway } = s.composed!;
  await byOperator(gateway, { targets: ['/a?page=2&utm=4'], tags: [] }, 'purge');
  t.same(await hits(), ['/a?page=1', '/b']);
  t.match(await byOperator(gateway, { targets: ['*'], tags: [] }, 'purge'), { touched: ['*'] });
  t.same(await hits(), []);
});
