// Hits whose entry is in Redis only, and which are answered as soon as it has come from there: what
// comes meanwhile, a write, another mode, the client's end, is not passed by.
import t, { type Test } from 'tap';
import {
  dial, front, type Front, ok, type RawAnswer, type RawClient, rawUpstream,
} from '../raw.ts';
import { startRedis, until } from '../redis.ts';
import { ask } from '../topologies.ts';

t.setTimeout(120_000);

const GET = 'GET /posts HTTP/1.1\r\nHost: a\r\n\r\n';
const PUT = 'PUT /posts HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n';

interface Stage {
  readonly s: Front;
  readonly client: RawClient;
  readonly read: (client?: RawClient) => Promise<RawAnswer>;
  /** How many were answered so, and how many found nothing that could be given. */
  readonly counts: { answered: number; inVain: number };
  /** How often Redis was asked for an entry. */
  readonly gets: () => Promise<number>;
  /** What the next entry that has come waits for. */
  readonly hold: () => { readonly came: Promise<void>; readonly release: () => void };
}

async function stage(t: Test, more: string): Promise<Stage> {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  let version = 1;
  const upstream = await rawUpstream(t, ({ line, write }) => {
    if (line.startsWith('PUT')) version += 1;
    write(ok(`v${version}`));
  });
  const s = await front(t, upstream.url, { rules: `${more}memory: off
lease: 500ms
store: ${redis.url}
routes:
  "/posts": { GET: { ttl: 10m }, PUT: { purge: [/posts] } }
` });
  const { gateway, shortcuts } = s.composed;
  await until(() => gateway.store.state().state === 'ready', { what: 'the store' });
  const counts = { answered: 0, inVain: 0 };
  const answer = shortcuts.answer.bind(shortcuts);
  shortcuts.answer = (...about) => {
    const coming = answer(...about);
    if (!(coming instanceof Promise)) return coming;
    return coming.then((ready) => {
      if (ready === undefined) counts.inVain += 1;
      else counts.answered += 1;
      return ready;
    });
  };
  const { entries } = gateway.store;
  const slot = entries.slot!.bind(entries);
  let [noteCame, held] = [(): void => undefined, Promise.resolve()];
  entries.slot = async (key) => {
    const found = await slot(key);
    noteCame();
    await held;
    return found;
  };
  const client = await dial(t, s.url);
  const read = async (by = client): Promise<RawAnswer> => (await by.write(GET).answer())!;
  for (let i = 0; i < 2; i += 1) await read();
  return {
    s, client, read, counts,
    gets: () => ask(redis.port, async (asked) =>
      Number(/cmdstat_get:calls=(\d+)/.exec(await asked.info('commandstats'))?.[1] ?? 0)),
    hold() {
      const came = Promise.withResolvers<void>();
      const over = Promise.withResolvers<void>();
      [noteCame, held] = [came.resolve, over.promise];
      return { came: came.promise, release: over.resolve };
    },
  };
}

for (const more of ['', 'fast_path: off\n']) {
  const name = more === '' ? 'on' : 'off';
  t.test(`fast_path ${name}: a hit is answered when its entry has come, by one GET`, async (t) => {
    const { read, client, counts, gets } = await stage(t, more);
    const before = await gets();
    for (let i = 0; i < 20; i += 1) t.equal((await read()).body, 'v1');
    t.equal(await gets() - before, 20);
    t.same(counts, { answered: 20, inVain: 0 });
    client.write(GET.repeat(3));
    for (let i = 0; i < 3; i += 1) t.equal((await client.answer())!.body, 'v1', 'pipelined');
    await client.write(PUT).answer();
    t.equal((await read()).body, 'v2');
    t.match([await read(), await read()], [{ body: 'v2' }, { body: 'v2' }]);
    t.ok(counts.answered > 20);
  });

  t.test(`fast_path ${name}: many may wait behind the first that is asked for`, async (t) => {
    const { s, client, counts, hold } = await stage(t, more);
    const long = GET.replace('\r\n\r\n', `\r\nUser-Agent: ${'x'.repeat(1900)}\r\n\r\n`);
    const many = 200;
    for (let i = 0; i < 2; i += 1) await client.write(long).answer();
    const { came, release } = hold();
    client.write(long.repeat(many));
    await came;
    await until(() => client.socket.writableLength === 0, { what: 'all to be sent' });
    // Whoever is answered by the upstream meanwhile shows that they have been read as well.
    for (let i = 0; i < 5; i += 1) {
      await (await dial(t, s.url)).write('GET /other HTTP/1.1\r\nHost: a\r\n\r\n').answer();
    }
    release();
    for (let i = 0; i < many; i += 1) {
      const answer = await client.answer();
      if (answer?.body !== 'v1') return t.fail(`answer ${i}: ${answer?.head ?? 'none'}`);
    }
    t.ok(counts.answered > 0);
  });

  t.test(`fast_path ${name}: a write that comes before its answer ends it`, async (t) => {
    const { s, read, counts, hold } = await stage(t, more);
    const { came, release } = hold();
    const reading = read();
    await came;
    await (await dial(t, s.url)).write(PUT).answer();
    release();
    t.equal((await reading).body, 'v2');
    t.same(counts, { answered: 0, inVain: 1 });
  });

  t.test(`fast_path ${name}: another mode asks Redis for nothing`, async (t) => {
    const { s, read, counts, gets, hold } = await stage(t, more);
    const { came, release } = hold();
    const reading = read();
    await came;
    s.composed.gateway.mode = 'off';
    release();
    t.match((await reading).values('cache-status')[0], /mode-off/);
    const before = await gets();
    t.match((await read()).values('cache-status')[0], /mode-off/);
    t.equal(await gets(), before);
    t.same(counts, { answered: 0, inVain: 1 });
  });

  t.test(`fast_path ${name}: a client that goes meanwhile leaves nothing behind`, async (t) => {
    const { s, read, client, hold } = await stage(t, more);
    const { handler, gateway } = s.composed;
    const { came, release } = hold();
    client.write(GET, 'POST /posts HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\na');
    await came;
    client.socket.end();
    await client.closed;
    const other = await dial(t, s.url);
    other.write(GET);
    await until(() => handler.active() > 0, { what: 'another that asks' });
    other.reset();
    release();
    await until(() => handler.active() === 0, { what: 'nobody' });
    t.equal(gateway.writers.all, 0);
    t.equal((await read(await dial(t, s.url))).body, 'v1');
  });

  t.test(`fast_path ${name}: who drains waits for it, and it is the last`, async (t) => {
    const { s, read, client, hold } = await stage(t, more);
    const { came, release } = hold();
    const reading = read();
    await came;
    const closed = s.close();
    release();
    const answer = await reading;
    t.match([answer.body, answer.values('connection')], ['v1', ['close']]);
    await Promise.all([closed, client.closed]);
    t.equal(s.composed.handler.active(), 0);
  });
}
