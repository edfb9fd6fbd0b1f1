// Whose answers are fetched again after a write, and as whom: by the reader's own credential, by
// the operator's in the reader's name, or not at all.
import t, { type Test } from 'tap';
import { Barrier, json, stage, type Stage, until } from '../play.ts';
import { issuer, ISSUER } from '../tokens.ts';
import { VirtualClock } from '../virtual-clock.ts';

interface Seen {
  readonly line: string;
  readonly by: string;
}

interface Play {
  readonly s: Stage;
  readonly clock: VirtualClock;
  readonly seen: Seen[];
  /** The order of a write is done. */
  write(headers?: Record<string, string>): Promise<void>;
  refreshed(): string[];
}

async function play(
  t: Test, rules: string, fields: (by: string) => Record<string, string> = () => ({}),
): Promise<Play> {
  const clock = new VirtualClock(Date.now());
  const seen: Seen[] = [];
  let mark = 0;
  const s = await stage(t, {
    clock, rules,
    script: ({ method, url, headers }, response) => {
      const by = [
        headers.cookie, headers.authorization, headers['x-on-behalf-of'], headers['x-api-key'],
      ].filter((one) => one !== undefined).join(' + ') || 'nobody';
      seen.push({ line: `${method!} ${url!}`, by });
      if (by.includes('refused')) return json(response, {}, { status: 401 });
      json(response, { by }, { headers: fields(by) });
    },
  });
  const { refresher } = s.composed!.gateway;
  return {
    s, clock, seen,
    async write(headers) {
      mark = seen.length + 1;
      await s.send('POST', '/write', 'x', headers);
      await until(() => refresher.backlog.waiting + refresher.backlog.running === 0, 'all is done');
    },
    refreshed: () => seen.slice(mark).map(({ by }) => by).sort(),
  };
}

const routes = (of: string): string => `
routes:
  /a: { GET: { ttl: 1h, ${of} } }
  /b: { GET: { ttl: 1h, ${of} } }
  /write: { POST: { refresh: [/a] } }
`;
const session = (more = ''): string =>
  `identities: { user: { from: { cookie: sid }${more} } }\n${routes('per: user')}`;

t.test('who was not seen within `keep` is not refreshed', async (t) => {
  const p = await play(t, session(', keep: 60s, recheck: 1h'));
  for (const sid of ['ann', 'bob']) await p.s.get('/a', { cookie: `sid=${sid}` });
  p.clock.advance(50_000);
  await p.s.get('/b', { cookie: 'sid=bob' });
  p.clock.advance(20_000);
  await p.write();
  t.same(p.refreshed(), ['sid=bob'], 'who reads something else is seen as well');
});

t.test('with `replay_as: none` nobody is refreshed', async (t) => {
  const p = await play(t, session(', replay_as: none'));
  await p.s.get('/a', { cookie: 'sid=ann' });
  await p.write();
  t.same(p.refreshed(), []);
  const { cache } = await p.s.get('/a', { cookie: 'sid=ann' });
  t.equal(cache, 'everfresh; fwd=stale; stored; detail="touched"');
});

t.test('a reload that turns replaying off is heeded for those who are known', async (t) => {
  const p = await play(t, session());
  await p.s.get('/a', { cookie: 'sid=ann' });
  const { composed } = p.s;
  const { config } = composed!.gateway.live;
  const identities = config.identities.map((one) => ({ ...one, replayAs: 'none' as const }));
  const routes = config.routes.map((route) => ({ ...route, reads: new Map([...route.reads].map(
    ([method, rule]) => [method, { ...rule, per: identities }])) }));
  composed!.apply({ ...config, identities, routes });
  const { cache } = await p.s.send('POST', '/write', 'x');
  t.match(cache, /refreshing=[01]"/);
  const { refresher } = composed!.gateway;
  await until(() => refresher.backlog.waiting + refresher.backlog.running === 0, 'all is done');
  t.equal(p.seen.filter(({ by }) => by === 'sid=ann').length, 1);
});

t.test('a reader who was given a cookie there is not refreshed', async (t) => {
  const p = await play(t, `identities: { user: { from: { cookie: sid } } }
${routes('per: user, override: [set-cookie]')}`,
  (by): Record<string, string> => (by === 'sid=ann' ? { 'set-cookie': 'seen=1' } : {}));
  for (const sid of ['ann', 'bob']) {
    const told = await p.s.get('/a', { cookie: `sid=${sid}` });
    t.match(told.cache, /stored/);
  }
  await p.write();
  t.same(p.refreshed(), ['sid=bob']);
});

t.test('a token that is about to expire is not sent by anybody but its holder', async (t) => {
  const clock = { now: Date.now };
  const { jwks, sign } = await issuer(t, clock);
  const p = await play(t, `identities:
  user: { from: { jwt: { jwks: "${jwks}", issuer: "${ISSUER}", audience: shop } } }
${routes('per: user')}`);
  const [soon, later] = [
    await sign({ sub: 'ann' }, { expires: 40 }), await sign({ sub: 'bob' }, { expires: 600 }),
  ];
  for (const token of [soon, later]) await p.s.get('/a', { authorization: `Bearer ${token}` });
  p.clock.advance(15_000);
  await p.write();
  t.same(p.refreshed(), [`Bearer ${later}`]);
});

/** Ann's answers are refreshed by this credential of the operator's, in her name. */
async function byService(
  t: Test, service: string,
): Promise<{ p: Play; ann: { authorization: string } }> {
  const { jwks, sign } = await issuer(t, { now: Date.now });
  const p = await play(t, `identities:
  user:
    from: { jwt: { jwks: "${jwks}", issuer: "${ISSUER}", audience: shop } }
    replay_as: service
    service: { authorization: Bearer ${service}, x-on-behalf-of: "{sub}" }
${routes('per: user')}`);
  return { p, ann: { authorization: `Bearer ${await sign({ sub: 'ann' })}` } };
}

t.test('a service is asked in the reader’s name', async (t) => {
  const { p, ann } = await byService(t, 'service');
  t.equal((await p.s.get('/a', ann)).body, JSON.stringify({ by: ann.authorization }));
  await p.write();
  t.same(p.refreshed(), ['Bearer service + ann']);
  const told = await p.s.get('/a', ann);
  t.match(told.cache, /; hit; /);
  t.equal(told.body, '{"by":"Bearer service + ann"}');

  // A client that names another is passed as it is, and nothing of that is sent again.
  for (const name of ['x-on-behalf-of', 'x_on_behalf_of']) {
    await p.s.get('/a', { ...ann, [name]: 'bob' });
  }
  await p.write();
  t.same(new Set(p.refreshed()), new Set(['Bearer service + ann']));
  const heads = p.s.requests.slice(-p.refreshed().length).map(({ headers }) => headers);
  for (const head of heads) t.equal(head['x_on_behalf_of'], undefined);
});

t.test('a service that is refused ends nobody, and is told of', async (t) => {
  const { p, ann } = await byService(t, 'refused');
  for (const path of ['/a', '/b']) await p.s.get(path, ann);
  await p.write();
  t.equal(p.s.composed!.gateway.people.count('user'), 1);
  t.match((await p.s.get('/b', ann)).cache, /; hit; /);
  t.match((await p.s.get('/a', ann)).cache, /detail="touched"/);
  const { text } = await p.s.composed!.metrics.text();
  t.match(text, /everfresh_troubles_total\{what="service-refused"\} 1/);
});

t.test('what nobody can be asked for is not counted as being refreshed', async (t) => {
  const p = await play(t, session(', replay_as: none'));
  await p.s.get('/a', { cookie: 'sid=ann' });
  await p.s.get('/a');
  const { cache } = await p.s.send('POST', '/write', 'x');
  t.equal(cache, 'everfresh; fwd=method; detail="refreshing=1"', 'nobody’s own is');
});

t.test('the leak guard sees past the operator’s own credential', async (t) => {
  const p = await play(t, routes('per: everyone, service: { authorization: Bearer shared }'));
  const ann = { authorization: 'Bearer ann' };
  t.equal((await p.s.get('/a', ann)).body, '{"by":"Bearer shared"}');
  const { quarantine } = p.s.composed!.gateway;
  await until(() => quarantine.patterns.length === 1, 'a quarantine');
  t.equal((await p.s.get('/a', ann)).body, '{"by":"Bearer ann"}');
});

t.test('what all share is fetched with the operator’s credential, and no reader’s', async (t) => {
  const p = await play(t, routes('per: everyone, service: { x-api-key: shared }'));
  await p.s.get('/a');
  t.equal((await p.s.get('/a', { cookie: 'sid=ann' })).body, '{"by":"shared"}');
  await p.write({ cookie: 'sid=ann' });
  // The leak guard asks as the reader as well, and keeps nothing of it.
  const others = p.refreshed().filter((by) => !by.includes('sid'));
  t.ok(others.length > 0 && others.every((by) => by === 'shared'), others.join());
});

t.test('a refresh that has to wait is not sent with a credential that has ended', async (t) => {
  const barrier = new Barrier();
  const seen: string[] = [];
  const s = await stage(t, {
    rules: `identities: { user: { from: { cookie: sid }, forget_on: POST /out } }
${routes('per: user, keep_fresh: { concurrency: 1 }')}`,
    script: async ({ method, url, headers }, response) => {
      if (method === 'GET') seen.push(`${url!} ${String(headers['everfresh-refresh'] ?? '')}`);
      if (seen.length === 2 && method === 'GET') await barrier.pass();
      json(response, 1);
    },
  });
  const ann = { cookie: 'sid=ann' };
  await s.get('/a', ann);
  const reading = s.get('/a', { ...ann, 'cache-control': 'no-cache' });
  await barrier.reached;
  await s.send('POST', '/write', 'x');
  await s.send('POST', '/out', 'x', ann);
  barrier.open();
  await reading;
  const { refresher } = s.composed!.gateway;
  await until(() => refresher.backlog.waiting + refresher.backlog.running === 0, 'all is done');
  t.same(seen, ['/a ', '/a '], 'the reader alone has asked');
});

t.test('a logout while a refresh is under way leaves nothing that could be given', async (t) => {
  const p = await play(t, `identities: { user: { from: { cookie: sid }, forget_on: POST /out } }
${routes('per: user')}`);
  await p.s.get('/a', { cookie: 'sid=ann' });
  await Promise.all([
    p.s.send('POST', '/write', 'x'), p.s.send('POST', '/out', 'x', { cookie: 'sid=ann' }),
  ]);
  const { refresher, people } = p.s.composed!.gateway;
  await until(() => refresher.backlog.waiting + refresher.backlog.running === 0, 'all is done');
  const { cache } = await p.s.get('/a', { cookie: 'sid=ann' });
  t.notMatch(cache, /; hit; /);
  t.ok(people.size <= 1);
});
