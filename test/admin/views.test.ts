// What the admin listener shows: health, readiness, metrics, explanations, the configuration; and
// what it says where there is nothing to show.
import t from 'tap';
import { call } from './call.ts';
import { configOf, fakeGateway, opened, RULES } from './fake-gateway.ts';

t.test('a gateway that lives is healthy', async (t) => {
  const admin = await opened(t, fakeGateway());
  const { status, json, headers } = await call(admin, 'GET /healthz');
  t.equal(status, 200);
  t.same(json, { status: 'ok' });
  t.equal(headers['cache-control'], 'no-store');
  t.equal((await call(admin, 'HEAD /healthz')).status, 200);
});

t.test('a gateway with all of its parts is ready', async (t) => {
  const admin = await opened(t, fakeGateway());
  const { status, json } = await call(admin, 'GET /readyz');
  t.equal(status, 200);
  t.same(json, {
    status: 'ready',
    config: 'loaded',
    listening: true,
    mode: 'on',
    store: { kind: 'memory', state: 'ready' },
    backlog: { waiting: 0, running: 0 },
    quarantined: [],
  });
});

t.test('without its store a gateway is degraded, and still ready', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake);
  fake.state = { kind: 'redis', state: 'down', because: 'unreachable' };
  const { status, json } = await call(admin, 'GET /readyz');
  t.equal(status, 200);
  t.match(json, { status: 'degraded', store: { state: 'down', because: 'unreachable' } });
});

t.test('with touches that the store has not heard of a gateway is degraded', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake);
  fake.gateway.remembered.add(['/posts']);
  t.match(await call(admin, 'GET /readyz'), { status: 200, json: { status: 'degraded' } });
});

t.test('a refused reload is told, and the gateway stays ready', async (t) => {
  const admin = await opened(t, fakeGateway(), { problems: () => ['routes.yaml:1:1: wrong'] });
  t.match(await call(admin, 'GET /readyz'), {
    status: 200, json: { status: 'ready', config: 'reload-refused' },
  });
});

t.test('a gateway that does not listen, or drains, is not ready', async (t) => {
  const starting = await opened(t, fakeGateway(), { listening: () => false });
  t.match(await call(starting, 'GET /readyz'), {
    status: 503, json: { status: 'starting', listening: false },
  });
  t.equal((await call(starting, 'GET /healthz')).status, 200);
  const draining = await opened(t, fakeGateway(), { draining: () => true });
  t.match(await call(draining, 'GET /readyz'), { status: 503, json: { status: 'draining' } });
});

t.test('metrics come in the form that they name', async (t) => {
  const admin = await opened(t, fakeGateway());
  const { status, headers, text } = await call(admin, 'GET /metrics');
  t.equal(status, 200);
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/);
  t.equal(text, 'up 1\n');
});

t.test('the applied configuration is shown with what was refused', async (t) => {
  const admin = await opened(t, fakeGateway(), { problems: () => ['routes.yaml:1:1: wrong'] });
  t.match(await call(admin, 'GET /config'), {
    status: 200, json: { applied: { secret: '***' }, problems: ['routes.yaml:1:1: wrong'] },
  });
});

t.test('a read is explained with what the cache holds of it', async (t) => {
  const admin = await opened(t, fakeGateway());
  const url = encodeURIComponent('/posts/7?page=2&sort=a');
  t.match(await call(admin, `GET /explain?method=get&url=${url}`), {
    status: 200,
    json: {
      kind: 'read', route: '/posts/:id', fetch: { target: '/posts/7?page=2&sort=a' },
      cached: { standing: 'none' },
    },
  });
});

t.test('request headers count in an explanation, each of several', async (t) => {
  const admin = await opened(t, fakeGateway());
  const headers = 'header=accept:text/html&header=cookie:%20a=1';
  t.match(await call(admin, `GET /explain?url=/posts&${headers}`), {
    json: { because: 'credentials', fetch: { fields: ['accept', 'text/html'] } },
  });
});

t.test('a write is explained with how much of what it reaches is in use', async (t) => {
  const admin = await opened(t, fakeGateway());
  t.match(await call(admin, 'GET /explain?method=PUT&url=/posts/7'), {
    json: { kind: 'write', touches: [{ tag: '/posts/:id id=7', then: 'refresh', inUse: 0 }, {}] },
  });
});

t.test('an explanation is of the configuration that is in force', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake);
  t.match(await call(admin, 'GET /explain?url=/new'), { json: { because: 'no-rule' } });
  const { gateway } = fakeGateway(configOf(RULES.replace('/posts:', '/new:')
    .replace('[/posts]', '[/new]').replace(', /posts]', ', /new]')));
  fake.gateway.live = gateway.live;
  t.match(await call(admin, 'GET /explain?url=/new'), { json: { kind: 'read' } });
});

t.test('all that is wrong with a question is told at once', async (t) => {
  const admin = await opened(t, fakeGateway());
  const asked = 'method=G%20T&url=posts&url=b&sort=a&header=none&header=a%0Ab:c';
  const { status, headers, json } = await call(admin, `GET /explain?${asked}`);
  t.equal(status, 400);
  t.equal(headers['content-type'], 'application/problem+json');
  const { problems } = json as { problems: string[] };
  t.equal(problems.length, 6);
  t.match(problems.join('\n'), /`url` is given more than once[\s\S]*`sort`[\s\S]*`method` is no/);
  t.match((await call(admin, 'GET /explain')).json, { problems: [/`url` must be/] });
  const many = 'header=a:b&'.repeat(101);
  t.match((await call(admin, `GET /explain?${many}url=/posts`)).json, { problems: [/100/] });
});

t.test('an unknown page is not found, whatever the method', async (t) => {
  const admin = await opened(t, fakeGateway());
  for (const line of ['GET /', 'GET /purge/x', 'POST /healthz/', 'PROPFIND /x', 'PURGE /posts']) {
    const { status, headers } = await call(admin, line);
    t.equal(status, 404, line);
    t.equal(headers['content-type'], 'application/problem+json', line);
  }
  t.match(await call(admin, 'GET /%zz'), {
    status: 400, headers: { 'content-type': 'application/problem+json' }, json: { status: 400 },
  });
});

t.test('a wrong method is not allowed, and the right ones are named', async (t) => {
  const admin = await opened(t, fakeGateway());
  t.match(await call(admin, 'GET /purge'), { status: 405, headers: { allow: 'POST' } });
  t.match(await call(admin, 'PURGE /mode'), { status: 405, headers: { allow: 'POST' } });
  const { status, headers } = await call(admin, 'DELETE /config');
  t.equal(status, 405);
  t.same(headers.allow?.split(', ').sort(), ['GET', 'HEAD']);
});

t.test('a fault inside is counted, and its words stay inside', async (t) => {
  const fake = fakeGateway();
  const admin = await opened(t, fake, {
    metrics: () => Promise.reject(new Error('the password is hunter2')),
  });
  const { status, headers, text } = await call(admin, 'GET /metrics');
  t.equal(status, 500);
  t.equal(headers['content-type'], 'application/problem+json');
  t.notMatch(text, /hunter2/);
  t.same(fake.troubles, ['assertion']);
});
