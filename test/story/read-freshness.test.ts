// How long an answer may be used, and who has the last word on it: the operator over the upstream's
// freshness, the upstream over what is private.
import t from 'tap';
import { FORMS, json, stage } from '../play.ts';
import { VirtualClock } from '../virtual-clock.ts';

const RULES = `
routes:
  /hour:
    GET: { ttl: 1h }
  /knowing:
    GET: { ttl: 1h, override: [no-store, private, set-cookie] }
  /short:
    GET: { ttl: 1h, negative_ttl: 2s }
  /http:
    GET: {}
`;

for (const form of FORMS) {
  t.test(`${form}: a ttl wins over the upstream’s freshness, not over its privacy`, async (t) => {
    let fields: Record<string, string> = {};
    const s = await stage(t, {
      form, rules: RULES, script: (_request, response) => json(response, 1, { headers: fields }),
    });
    for (const said of ['no-cache', 'max-age=0', 'must-revalidate']) {
      fields = { 'cache-control': said, expires: '0' };
      t.match((await s.get(`/hour?${said}`)).cache, /stored/, said);
      t.match((await s.get(`/hour?${said}`)).cache, /hit/, said);
    }
    const refused: [Record<string, string>, string][] = [
      [{ 'cache-control': 'no-store' }, 'upstream-no-store'],
      [{ 'cache-control': 'private' }, 'upstream-private'],
      [{ 'set-cookie': 'sid=1' }, 'upstream-set-cookie'],
      [{ vary: '*' }, 'upstream-vary'],
    ];
    for (const [given, because] of refused) {
      fields = given;
      t.equal(
        (await s.get(`/hour?${because}`)).cache, `everfresh; fwd=bypass; detail="${because}"`,
      );
      t.equal(
        (await s.get(`/hour?${because}`)).cache,
        `everfresh; fwd=bypass; detail="${because}"`,
        'and says so again',
      );
      t.equal(s.count(`GET /hour?${because}`), 2, because);
    }
  });

  t.test(`${form}: an override ignores it knowingly, and a cookie is taken off`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: (_request, response) => json(response, 1, {
        headers: { 'cache-control': 'private, no-store', 'set-cookie': 'sid=1' },
      }),
    });
    t.match((await s.get('/knowing')).cache, /stored/);
    const hit = await s.get('/knowing');
    t.match(hit.cache, /hit/);
    t.equal(hit.headers['set-cookie'], undefined);
  });

  t.test(`${form}: with no routes at all every GET is cached as HTTP allows`, async (t) => {
    let said = 'max-age=60';
    const s = await stage(t, {
      form,
      script: (_request, response) => json(response, 1, {
        headers: said === '' ? {} : { 'cache-control': said },
      }),
    });
    t.match((await s.get('/any/where?x=1')).cache, /stored/);
    t.match((await s.get('/any/where?x=1')).cache, /hit/);
    said = '';
    t.equal((await s.get('/silent')).cache, 'everfresh; fwd=bypass; detail="upstream-not-fresh"');
    said = 's-maxage=60, max-age=0';
    await s.get('/shared');
    t.match((await s.get('/shared')).cache, /hit/);
    said = 'no-cache';
    t.equal((await s.get('/asks')).cache, 'everfresh; fwd=bypass; detail="upstream-no-cache"');
  });
}

t.test('what is not there is kept for at most negative_ttl, and an error not at all', async (t) => {
  const clock = new VirtualClock();
  let status = 404;
  const s = await stage(t, {
    clock, rules: RULES, script: (_request, response) => json(response, 1, { status }),
  });
  await s.get('/short');
  t.equal((await s.get('/short')).cache, 'everfresh; hit; ttl=2');
  clock.advance(2000);
  t.match((await s.get('/short')).cache, /fwd=stale/);
  await s.get('/hour');
  t.equal((await s.get('/hour')).cache, 'everfresh; hit; ttl=10', 'ten seconds by default');
  for (status of [400, 403, 431, 500, 302]) {
    await s.get(`/hour?${status}`);
    t.notMatch((await s.get(`/hour?${status}`)).cache, /hit|stored/, `${status}`);
  }
  status = 410;
  await s.get('/short?gone');
  t.match((await s.get('/short?gone')).cache, /hit; ttl=2/);
});

t.test('without a ttl an answer is used for as long as the upstream says', async (t) => {
  const clock = new VirtualClock();
  const s = await stage(t, {
    clock,
    rules: RULES,
    script: (_request, response) => json(response, 1, {
      headers: { 'cache-control': 'max-age=10', age: '4' },
    }),
  });
  await s.get('/http');
  t.equal((await s.get('/http')).cache, 'everfresh; hit; ttl=6');
  clock.advance(6000);
  t.equal((await s.get('/http')).cache, 'everfresh; fwd=stale; stored');
});

t.test('an error is its odd request’s own: others are not made to go around', async (t) => {
  const s = await stage(t, {
    rules: RULES,
    script: (request, response) => json(response, 1, {
      status: request.headers.accept === 'odd' ? 406 : 200,
    }),
  });
  t.equal((await s.get('/hour', { accept: 'odd' })).status, 406);
  t.equal((await s.get('/hour', { accept: '*/*' })).cache, 'everfresh; fwd=uri-miss; stored');
});
