// The upstreams' pools: how long a request waits for its turn and for the head, what is said where
// no connection can be opened at all, and which pools are let go.
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseRules } from '../../src/core/rules/parse.ts';
import type { UpstreamConfig } from '../../src/core/rules/config.ts';
import type { Clock, Ear, Fetch, Fetched } from '../../src/flow/ports.ts';
import { realClock } from '../../src/io/clock.ts';
import { undiciUpstream, type Upstreams } from '../../src/io/upstream.ts';
import { until } from '../play.ts';
import { ok, rawUpstream } from '../raw.ts';
import { VirtualClock } from '../virtual-clock.ts';

function upstreamConfig(options: string): UpstreamConfig {
  const parsed = parseRules(`upstream: { ${options} }`, { file: 'routes.yaml' });
  if (parsed.kind === 'wrong') throw new Error(JSON.stringify(parsed.problems));
  return parsed.config.upstream;
}

function open(
  t: Test, options: string, clock: Clock = realClock,
): { upstream: Upstreams; troubles: string[]; config: UpstreamConfig } {
  const troubles: string[] = [];
  const ear = {
    upstreamRequest: () => undefined,
    trouble: (what: string) => void troubles.push(what),
  } as Partial<Ear> as Ear;
  const config = upstreamConfig(options);
  const upstream = undiciUpstream(() => config, { clock, ear });
  t.teardown(() => upstream.close());
  return { upstream, troubles, config };
}

const get = (target: string, change: Partial<Fetch> = {}): Fetch => ({
  method: 'GET', target, fields: [], body: undefined, route: undefined, safe: true, cause: 'pass',
  ...change,
});

async function drained(fetched: Fetched): Promise<number> {
  if (fetched.kind === 'failed') throw new Error(fetched.because);
  for await (const piece of fetched.body) if (piece.length === 0) throw new Error('an empty piece');
  return fetched.status;
}

t.test('a request that waits for its turn, or for its head, waits so long at most', async (t) => {
  const held: (() => void)[] = [];
  const server = await rawUpstream(t, ({ write }) => void held.push(() => write(ok('x'))));
  const clock = new VirtualClock();
  const { upstream } = open(
    t, `url: "${server.url}", connections: 1, connect_timeout: 2s, headers_timeout: 30s`, clock);
  const first = upstream.fetch(get('/first'));
  await until(() => held.length === 1, 'the one connection is taken');
  clock.advance(1000);
  const queued = upstream.fetch(get('/queued', { method: 'POST', safe: false }));
  clock.advance(31_999);
  clock.advance(1);
  t.same(await first, {
    kind: 'failed', because: 'timeout', sent: true, untouched: true,
  }, 'after 33 seconds');
  clock.advance(999);
  const last = await Promise.race([queued, Promise.resolve('waits')]);
  t.equal(last, 'waits');
  clock.advance(1);
  t.match(await queued, { kind: 'failed', because: 'timeout' });
  t.equal(clock.waiting, 0);
});

t.test('who never had its turn was not sent', async (t) => {
  const held: (() => void)[] = [];
  const server = await rawUpstream(t, ({ write }) => void held.push(() =>
    write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab')));
  const clock = new VirtualClock();
  const { upstream } = open(t, `url: "${server.url}", connections: 1`, clock);
  const first = upstream.fetch(get('/first'));
  await until(() => held.length === 1, 'the one connection is taken');
  held[0]!();
  const answer = await first;
  t.equal(answer.kind, 'answer', 'and stays so by a body that does not end');
  const queued = upstream.fetch(get('/queued', { method: 'POST', safe: false }));
  clock.advance(33_000);
  t.match(await queued, { kind: 'failed', because: 'timeout', sent: false });
  t.same(server.seen, ['GET /first']);
  t.equal(clock.waiting, 0);
});

t.test('while a body is still being sent, its head is not late', async (t) => {
  const server = await rawUpstream(t, ({ write }) => write(ok('x')));
  const clock = new VirtualClock();
  const { upstream } = open(t, `url: "${server.url}"`, clock);
  let sent = 0;
  async function* slow(): AsyncGenerator<Uint8Array> {
    for (; sent < 5; sent += 1) {
      clock.advance(30_000);
      yield Buffer.from('x');
    }
    await Promise.resolve();
  }
  const write = get('/', {
    method: 'POST', safe: false, body: slow(), fields: ['Content-Length', '5'],
  });
  t.equal(await drained(await upstream.fetch(write)), 200);
  t.equal(sent, 5);
  t.equal(clock.waiting, 0);
});

t.test('a PEM file that cannot be read refuses the request, and is told', async (t) => {
  const folder = t.testdir({ 'garbage.pem': 'no certificate' });
  for (const [name, told] of [['none.pem', ['config']], ['garbage.pem', []]] as const) {
    const { upstream, troubles } = open(
      t, `url: "https://127.0.0.1:1", ca: "${join(folder, name)}"`);
    t.match(await upstream.fetch(get('/')), { kind: 'failed', because: 'refused', sent: false });
    t.same(troubles, told, name);
  }
});

t.test('a pool that no configuration names is let go when its last answer is over', async (t) => {
  const held: (() => void)[] = [];
  const server = await rawUpstream(t, ({ write }) => void held.push(() => write(ok('whole'))));
  const { upstream, config } = open(t, `url: "${server.url}"`);
  const first = upstream.fetch(get('/a'));
  await until(() => held.length === 1, 'it is under way');
  upstream.keepOnly([config]);
  upstream.keepOnly([]);
  held[0]!();
  t.equal(await drained(await first), 200);
  await until(() => server.open === 0, 'its connection is closed');
  const second = upstream.fetch(get('/b'));
  await until(() => held.length === 2, 'a request that began before has a pool all the same');
  held[1]!();
  t.equal(await drained(await second), 200);
});
