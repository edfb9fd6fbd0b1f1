// Which entry a request means: no two that the upstream may answer differently share one, and what
// could be read in two ways is not answered from the cache.
import t from 'tap';
import { FORMS, json, stage } from '../play.ts';

const RULES = `
routes:
  /all:
    GET: { ttl: 1h }
  /none:
    GET: { ttl: 1h, query: none }
  /listed:
    GET: { ttl: 1h, query: [page, sort] }
  /free:
    GET: { ttl: 1h, order: free }
  /users/:id:
    GET: { ttl: 1h, headers: [x-a, x-b, __proto__] }
  /files/*:
    GET: { ttl: 1h }
`;

for (const form of FORMS) {
  t.test(`${form}: the query is keyed and forwarded alike`, async (t) => {
    const s = await stage(t, {
      form, rules: RULES, script: ({ url }, response) => json(response, url),
    });
    const seen = async (path: string): Promise<string> =>
      JSON.parse((await s.get(path)).body) as string;
    t.equal(await seen('/all?b=2&a=1'), '/all?b=2&a=1');
    t.equal(await seen('/all?a=1&b=2'), '/all?a=1&b=2', 'order counts');
    t.equal(await seen('/none?x=1'), '/none');
    t.equal(await seen('/listed?utm=1&page=2&x=3'), '/listed?page=2');
    t.equal(
      await seen('/listed?page=1;callback=evil'),
      '/listed?page=1;callback=evil',
      'a cloaked parameter is part of the value',
    );
    t.equal(await seen('/listed?page=1'), '/listed?page=1', 'and of that key alone');
    t.equal(await seen('/listed?utm_x=a;page=9'), '/listed');
    t.equal(await seen('/listed?page=1&page=2'), '/listed?page=1&page=2', 'duplicates all count');
    t.equal(await seen('/listed?page=2&page=1'), '/listed?page=2&page=1');
    t.equal(await seen('/listed?page[]=1&%70age=3'), '/listed?%70age=3');
    t.equal(await seen('/free?b=2&a=1'), '/free?a=1&b=2');
    t.match((await s.get('/free?a=1&b=2')).cache, /hit/);
    t.equal(await seen('/free?b=2&b=1'), '/free?b=2&b=1', 'values of one name keep their order');
    t.match((await s.get('/none?y=2')).cache, /hit/);
    t.match((await s.get('/listed?page=2&fbclid=9')).cache, /hit/);
  });

  t.test(`${form}: names that objects have are names like others`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: ({ url, headers }, response) => json(response, [
        url, headers['__proto__' as 'accept'] ?? null,
      ]),
    });
    for (const path of [
      '/all?__proto__=1', '/all?constructor=1', '/users/__proto__', '/users/constructor',
      '/files/__proto__/toString',
    ]) {
      t.equal((JSON.parse((await s.get(path)).body) as [string])[0], path);
      t.match((await s.get(path)).cache, /hit/, path);
    }
    await s.get('/users/1', { ['__proto__']: 'x' });
    t.match((await s.get('/users/2')).cache, /uri-miss; stored/);
    t.equal((await s.get('/__proto__')).cache, 'everfresh; fwd=bypass; detail="no-rule"');
  });

  t.test(`${form}: parts of a key are never joined into another’s`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: ({ url, headers }, response) => json(response, [
        url, headers['x-a'] ?? null, headers['x-b'] ?? null,
      ]),
    });
    const asked: [string, Record<string, string>][] = [
      ['/users/1', { 'x-a': 'a|b', 'x-b': 'c' }], ['/users/1', { 'x-a': 'a', 'x-b': 'b|c' }],
      ['/users/1', { 'x-a': '1:x3:x-b' }], ['/users/1', { 'x-a': '1', 'x-b': 'x3:x-b' }],
      ['/users/1x-a', {}], ['/users/1', { 'x-a': '' }], ['/users/1', {}],
    ];
    const bodies = new Set<string>();
    for (const [path, headers] of asked) bodies.add((await s.get(path, headers)).body);
    t.equal(bodies.size, asked.length);
  });

  t.test(`${form}: a path in another spelling is passed, byte for byte`, async (t) => {
    const s = await stage(t, {
      form, rules: RULES, script: ({ url }, response) => json(response, url),
    });
    for (const path of [
      '/users/%61', '/users/a%2fb', '/users/%7Ea', '/users/a%2Db', '/files/a//b', '/files//',
    ]) {
      for (let turn = 0; turn < 2; turn += 1) {
        const reply = await s.get(path);
        t.equal(reply.body, JSON.stringify(path));
        t.match(
          reply.cache, /^everfresh; fwd=bypass; detail="(path-not-canonical|no-rule)"$/, path,
        );
      }
    }
    for (const path of [
      '/users/a%2Fb', '/users/a%20b', '/users/a;x=1', '/files/a/b.css', '/files/',
    ]) {
      await s.get(path);
      t.match((await s.get(path)).cache, /hit/, `${path} is canonical`);
    }
    t.match((await s.get('/all/x.css')).cache, /no-rule/, 'no ending makes a path cacheable');
    t.match((await s.get('/all;x.js')).cache, /no-rule/);
  });

  t.test(`${form}: a GET with a body is passed with it and never kept`, async (t) => {
    const s = await stage(t, {
      form, rules: RULES, script: (_request, response, body) => json(response, body),
    });
    t.equal(
      (await s.send('GET', '/all', 'fat')).cache, 'everfresh; fwd=bypass; detail="request-body"',
    );
    t.equal(s.requests[0]!.body, 'fat');
    t.equal((await s.get('/all')).body, '""');
    t.equal((await s.send('GET', '/all', 'fat')).body, '"fat"', 'nor answered from the cache');
  });

  t.test(`${form}: with hosts the client’s name is passed on and keyed`, async (t) => {
    const rules = `hosts: [a.example, "b.example:81"]\n${RULES}`;
    const s = await stage(t, {
      form,
      rules,
      script: ({ headers }, response) => json(
        response, headers.host, { headers: { location: `http://${headers.host!}/x` } },
      ),
    });
    for (const host of ['a.example', 'b.example:81']) {
      const first = await s.get('/all', { host });
      t.equal(first.body, JSON.stringify(host));
      t.match(first.cache, /stored/);
      t.equal(first.headers.location, `http://${host}/x`);
      t.match((await s.get('/all', { host: host.toUpperCase() })).cache, /hit/);
    }
    t.equal((await s.get('/all', { host: 'c.example' })).status, 421);
    t.equal(s.seen.length, 2);
  });

  t.test(`${form}: the upstream’s address is mapped back for each client`, async (t) => {
    const s = await stage(t, {
      form,
      rules: RULES,
      script: ({ headers }, response) => json(response, 1, {
        status: 301,
        headers: {
          location: `http://${headers.host!}/new`, 'content-location': 'http://else.example/',
        },
      }),
    });
    t.equal(
      (await s.get('/all', { host: 'one.example' })).headers.location, 'http://one.example/new',
    );
    const hit = await s.get('/all', { host: 'two.example:9' });
    t.match(hit.cache, /hit/);
    t.equal(hit.headers.location, 'http://two.example:9/new');
    t.equal(hit.headers['content-location'], 'http://else.example/');
  });
}
