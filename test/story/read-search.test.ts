// Readers whose queries differ in what makes no difference share one answer, and a write that names
// one of these queries ends it for whoever asks with that.
import t from 'tap';
import { FORMS, json, stage } from '../play.ts';

const RULES = `
routes:
  /s: { GET: { ttl: 1h } }
  /one:   { POST: { refresh: ["/s?q=1"] } }
  /other: { POST: { refresh: ["/s?q=1&utm=x"] } }
`;

for (const form of FORMS) {
  t.test(`${form}: what an answer says of its query counts for the next reader`, async (t) => {
    let [serial, said] = [0, 'params=("utm"), key-order'];
    const s = await stage(t, {
      form, rules: RULES,
      script: (request, response) => json(response, request.method === 'GET' ? serial += 1 : {}, {
        headers: said === '' ? {} : { 'no-vary-search': said },
      }),
    });
    const read = async (query: string): Promise<string> => (await s.get(`/s${query}`)).body;
    t.equal(await read('?q=1&utm=a'), '1');
    t.equal(await read('?utm=b&q=1'), '1');
    t.equal(await read('?q=1'), '1');
    t.equal(await read('?q=2'), '2', 'what makes a difference does');
    t.equal(await read('?q=1&x=1'), '3');
    t.equal(await read('?x=1&utm=z&q=1'), '3');

    await s.send('POST', '/one');
    const renewed = await read('?q=1');
    t.not(renewed, '1', 'a write that names one of its queries ends it for who asks with that');
    t.equal(await read('?q=1&utm=a'), renewed, 'and then the others get it as well');
    await s.send('POST', '/other');
    t.not(await read('?q=1&utm=x'), renewed, 'and for whoever asks with the one that it names');

    said = '';
    const plain = await read('?q=9&utm=a');
    t.not(await read('?q=9&utm=b'), plain, 'without the field every difference counts again');
  });
}

t.test('a crowd that asks in different ways is one after the first answer', async (t) => {
  const s = await stage(t, {
    rules: RULES,
    script: (_request, response) =>
      json(response, 1, { headers: { 'no-vary-search': 'params=("utm")' } }),
  });
  await s.get('/s?q=1&utm=0');
  await Promise.all(Array.from({ length: 20 }, (_, i) => s.get(`/s?q=7&utm=${i}`)));
  t.equal(s.seen.length, 2);
});

t.test('what another query brought while a write settles is not for who asks as it', async (t) => {
  let serial = 0;
  const s = await stage(t, {
    rules: RULES.replace('["/s?q=1"]', '["/s?q=1"], settle: 1m'),
    script: (request, response) => json(response, request.method === 'GET' ? serial += 1 : {}, {
      headers: { 'no-vary-search': 'params=("utm")' },
    }),
  });
  await s.get('/s?q=1&utm=a');
  t.match((await s.get('/s?q=1')).cache, /; hit/);
  await s.send('POST', '/one');
  await s.get('/s?q=1&utm=a', { 'cache-control': 'no-cache' });
  t.match((await s.get('/s?q=1&utm=a')).cache, /; hit/, 'for its own readers it is kept');
  for (let i = 0; i < 2; i += 1) t.notMatch((await s.get('/s?q=1')).cache, /; hit/, 'held');
});
