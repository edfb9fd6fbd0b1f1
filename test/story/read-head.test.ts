// A HEAD for what is kept and past its time, or ended by a write: passed as a HEAD, and its answer
// renews what is kept where it proves the same, and outdates it where it says otherwise.
import t from 'tap';
import { byOperator } from '../../src/flow/purge.ts';
import { Barrier, json, type Script, stage, type Stage } from '../play.ts';
import { VirtualClock } from '../virtual-clock.ts';

const rules = (options = ''): string => `
routes:
  /posts:
    GET:  { ttl: 10s${options} }
`;

async function setting(
  t: Parameters<typeof stage>[0], options = '',
): Promise<{ s: Stage; clock: VirtualClock; now: (headers: object, status?: number) => void }> {
  const clock = new VirtualClock();
  let [headers, status] = [{ etag: '"1"', 'x-turn': 'first' } as object, 200];
  const script: Script = (request, response) => {
    if (request.headers['if-none-match'] !== undefined) {
      response.writeHead(304, { etag: request.headers['if-none-match'] }).end();
      return;
    }
    json(response, 'body', { status, headers: headers as Record<string, string> });
  };
  const s = await stage(t, { clock, rules: rules(options), script });
  await s.get('/posts');
  const now = (next: object, code = 200): void => {
    [headers, status] = [next, code];
  };
  return { s, clock, now };
}
/** As by a write whose refresh has not come yet. */
const touched = (s: Stage) =>
  byOperator(s.composed!.gateway, { targets: ['/posts'], tags: [] }, 'purge');
const head = (s: Stage, headers = {}) => s.send('HEAD', '/posts', undefined, headers);

t.test('one that proves the same content renews it', async (t) => {
  const { s, clock, now } = await setting(t);
  clock.advance(11_000);
  now({ 'etag': '"1"', 'x-turn': 'again' });
  const told = await head(s);
  t.equal(told.cache, 'everfresh; fwd=method; detail="safe-method"');
  t.equal(told.headers['x-turn'], 'again');
  const hit = await s.get('/posts');
  t.match(hit, { cache: 'everfresh; hit; ttl=10', body: '"body"' });
  t.equal(hit.headers['x-turn'], 'again');
  t.same(s.seen, ['GET /posts', 'HEAD /posts']);
  await touched(s);
  await head(s);
  t.match((await s.get('/posts')).cache, /; hit/, 'after a write by a strong validator');
  t.equal(s.count('GET /posts'), 1);
});

t.test('one that says otherwise ends its freshness', async (t) => {
  for (const [fields, status] of [
    [{ etag: '"2"' }, 200],
    [{ 'etag': '"1"', 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT' }, 200],
    [{ 'etag': '"1"', 'content-length': '77' }, 200], [{}, 404], [{}, 410],
  ] as [object, number][]) {
    const { s, now } = await setting(t, ', stale_while_revalidate: 1m, stale_if_error: 1m');
    t.match((await s.get('/posts')).cache, /; hit/);
    now(fields, status);
    t.equal((await head(s, { 'cache-control': 'no-cache' })).status, status);
    t.notMatch((await s.get('/posts')).cache, /; hit/, JSON.stringify(fields));
  }
});

t.test('one that proves nothing changes nothing', async (t) => {
  const { s, clock, now } = await setting(t);
  now({}, 500);
  await head(s, { 'cache-control': 'no-cache' });
  now({});
  await head(s, { 'cache-control': 'no-cache' });
  t.match((await s.get('/posts')).cache, 'everfresh; hit; ttl=10', 'which is fresh still');
  clock.advance(11_000);
  await head(s);
  t.match((await s.get('/posts')).cache, /fwd=stale/, 'and not anew');
  await touched(s);
  now({ etag: 'W/"1"' });
  await head(s);
  t.match((await s.get('/posts')).cache, /fwd=/, 'a weak validator proves nothing after a write');
});

t.test('what its client alone says does not reach the upstream, nor what is kept', async (t) => {
  const { s, clock } = await setting(t);
  clock.advance(11_000);
  await head(s, { 'x-forwarded-host': 'evil', 'x-original-url': '/evil', 'range': 'bytes=0-0' });
  const { headers } = s.requests.at(-1)!;
  t.equal(s.seen.at(-1), 'HEAD /posts');
  for (const name of ['x-forwarded-host', 'x-original-url', 'range']) t.notOk(headers[name], name);
  clock.advance(11_000);
  const own = await head(s, { 'if-none-match': '"1"' });
  t.equal(own.status, 304, 'its own condition is judged here');
  clock.advance(11_000);
  await head(s, { 'cache-control': 'no-store' });
  t.match((await s.get('/posts')).cache, /fwd=stale/, 'nothing is kept of what must not be');
});

t.test('it is answered from what is kept while the upstream fails', async (t) => {
  const { s, clock, now } = await setting(t, ', stale_if_error: 1m');
  clock.advance(11_000);
  now({}, 503);
  t.match(await head(s), { status: 200, headers: { etag: '"1"' } });
});

t.test('what was asked before something newer came does not take its place', async (t) => {
  for (const slow of [
    ['HEAD', {}], ['GET', { range: 'bytes=0-1' }], ['GET', { authorization: 'x' }],
  ] as [string, Record<string, string>][]) {
    const clock = new VirtualClock();
    const held = new Barrier();
    let version = 1;
    const s = await stage(t, {
      clock,
      async script(request, response) {
        const then = version;
        const beside = request.method === 'HEAD' || request.headers.range !== undefined
          || request.headers.authorization !== undefined;
        if (beside && version === 1) await held.pass();
        json(response, then, { headers: {
          'cache-control': 'public, max-age=10', 'etag': `"${then}"`,
        } });
      },
    });
    await s.get('/x');
    clock.advance(11_000);
    const late = s.send(slow[0], '/x', undefined, slow[1]);
    await held.reached;
    clock.advance(1000);
    version = 2;
    t.equal((await s.get('/x')).body, '2');
    clock.advance(1000);
    held.open();
    await late;
    t.equal((await s.get('/x')).body, '2', JSON.stringify(slow));
  }
});
