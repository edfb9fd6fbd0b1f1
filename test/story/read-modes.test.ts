// The gateway's mode, switched while it runs.
import t from 'tap';
import { FORMS, json, stage } from '../play.ts';

const ROUTES = 'routes:\n  /posts:\n    GET:  { ttl: 1h }\n    POST: { refresh: [/posts] }\n';

for (const form of FORMS) {
  for (const [mode, because] of [['observe', 'observe'], ['off', 'mode-off']] as const) {
    t.test(`${form}: in mode ${mode} everything is passed as it is`, async (t) => {
      const s = await stage(t, {
        form,
        rules: `mode: ${mode}\n${ROUTES}`,
        script: ({ headers }, response) => json(response, headers['user-agent'] ?? null),
      });
      for (let turn = 0; turn < 2; turn += 1) {
        const reply = await s.get('/posts?x=1', { 'user-agent': 'me' });
        t.equal(reply.cache, `everfresh; fwd=bypass; detail="${because}"`);
        t.equal(reply.body, '"me"');
      }
      const written = await s.send('POST', '/posts', {});
      t.equal(written.cache, 'everfresh; fwd=method; detail="refreshing=0"');
      t.strictSame(s.seen, ['GET /posts?x=1', 'GET /posts?x=1', 'POST /posts']);
    });
  }
}

for (const mode of ['off', 'observe'] as const) {
  t.test(`what was written in mode ${mode} is seen when the mode is on again`, async (t) => {
    let value = 1;
    const s = await stage(t, {
      rules: ROUTES,
      script(request, response) {
        if (request.method === 'POST') value += 1;
        json(response, value);
      },
    });
    const { gateway } = s.composed!;
    await s.get('/posts');
    t.match((await s.get('/posts')).cache, /hit/);
    gateway.mode = mode;
    t.match((await s.get('/posts')).cache, /bypass/);
    await s.send('POST', '/posts', {});
    gateway.mode = 'on';
    t.equal((await s.get('/posts')).body, '2');
    t.match((await s.get('/posts')).cache, /hit/);
  });
}
