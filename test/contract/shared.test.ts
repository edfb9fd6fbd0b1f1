// One suite for what instances share: the scripts on a real Redis, and the simulated server that
// the simulation trusts. Both are told the same random steps, and every answer and every message
// must be equal, but for the ids of epochs, which each makes for itself.
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import t from 'tap';
import type { Heard, Message } from '../../src/flow/fleet/shared.ts';
import { Hearing } from '../../src/io/redis-hearing.ts';
import { RedisLink } from '../../src/io/redis-link.ts';
import { RedisShared } from '../../src/io/redis-shared.ts';
import { readMessage } from '../../src/io/redis-wire.ts';
import { startRedis, realClock, until } from '../redis.ts';
import { chance, type Chance } from '../sim/chance.ts';
import type { Hash } from '../sim/control-hash.ts';
import { ControlServer, type Publish } from '../sim/server.ts';
import { DataServer } from '../sim/server-data.ts';
import { simulated } from './both.ts';
import { drawStep, type Drawn } from './steps.ts';

const LEASE_MS = 2000;
const SEQUENCES = 120;
const STEPS_EACH = 60;

interface Told {
  readonly to: string;
  readonly message: Message;
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Nothing said is nothing, whichever way. */
function inOrder(value: object): object {
  const said = Object.entries(value).filter(([, inner]) => inner !== undefined && inner !== null);
  return Object.fromEntries(said.sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** What was begun, by the order in which it was first seen. */
class Epochs {
  readonly #known: string[] = [];

  plain(value: unknown): string {
    return JSON.stringify(value, (key, inner: unknown) => {
      if (inner instanceof Map) return [...inner];
      if (key === 'young' && inner === undefined) return undefined;
      if (key === 'epoch' || key === 'young') return this.#name(String(inner));
      if (key === 'text') {
        const [epoch, ...rest] = String(inner).split(' ');
        return [this.#name(epoch!), ...rest].join(' ');
      }
      return isObject(inner) ? inOrder(inner) : inner;
    });
  }

  #name(epoch: string): string {
    if (epoch === '') return '';
    if (!this.#known.includes(epoch)) this.#known.push(epoch);
    return `epoch ${this.#known.indexOf(epoch)}`;
  }

  /** The one that is called so, by its own maker's id. */
  id(index: number): string {
    return this.#known[index] ?? 'none';
  }

  get count(): number {
    return this.#known.length;
  }
}

const redis = await startRedis();
t.teardown(() => redis.stop());
const raw = new Redis(redis.url);
const ears = new Redis(redis.url);
t.teardown(() => {
  raw.disconnect();
  ears.disconnect();
});

function realShared(control: string): { shared: RedisShared; link: RedisLink } {
  // A replica's refusal is an answer here, and no reason to connect anew.
  const manner = { reconnectOnError: () => false };
  const connect = (how: object): Redis => new Redis(redis.url, { ...how, ...manner });
  const quiet = { onUp: () => undefined, onDown: () => undefined, tell: () => undefined };
  const link = new RedisLink({
    reach: (how) => ({ redis: connect(how) }), clock: realClock, budgetMs: 10_000, probeMs: 10,
    strict: false, ...quiet,
  });
  const hearing = new Hearing({
    connect: () => Promise.resolve(undefined), sharded: false, clock: realClock, budgetMs: 1000,
    heard: () => undefined, deaf: () => undefined, tell: () => undefined,
  });
  const shared = new RedisShared({
    link, dataLink: link, turnName: (key) => `${control}:l:${key}`, hearing, control,
    sharded: false, leaseMs: LEASE_MS, tell: () => undefined,
  });
  return { shared, link };
}

/** What the real one published; all of it is here when the call ends. */
class Ears {
  #told: Told[] = [];
  #marker = '';
  #marked: () => void = () => undefined;
  readonly #control: string;

  constructor(control: string) {
    this.#control = control;
    ears.on('pmessage', (_pattern: string, channel: string, text: string) => {
      if (channel === `${control}:end`) {
        if (text === this.#marker) this.#marked();
      } else if (channel.startsWith(`${control}:`)) {
        const to = channel === `${control}:t` ? 'touches' : channel.slice(`${control}:m:`.length);
        this.#told.push({ to, message: readMessage(text)! });
      }
    });
  }

  async all(): Promise<Told[]> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#marker = randomUUID();
    this.#marked = resolve;
    await raw.publish(`${this.#control}:end`, this.#marker);
    await promise;
    const told = this.#told;
    this.#told = [];
    return told;
  }
}

const sorted = <T>(items: readonly T[]): T[] =>
  [...items].sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));

/** Pages are cut otherwise by each; together they are the same. */
async function wholeLoad(
  shared: Pick<RedisShared, 'load'>, me: string,
): Promise<Heard> {
  const touched: (readonly [string, number])[] = [];
  const held: unknown[] = [];
  let cursor: string | undefined;
  for (;;) {
    const heard = await shared.load(me, cursor);
    if (heard.kind === 'failed') return heard;
    touched.push(...heard.said.touched);
    held.push(...heard.said.held);
    cursor = heard.said.next;
    if (cursor !== undefined) continue;
    const { floor } = heard.said;
    return { ...heard, said: { floor, touched: sorted(touched), held: sorted(held) } };
  }
}

interface Pair {
  readonly control: string;
  readonly real: RedisShared;
  readonly link: RedisLink;
  readonly server: ControlServer;
  readonly data: DataServer;
  readonly ears: Ears;
  readonly published: Told[];
  readonly saved: { real: Buffer | null; hash: Hash | undefined }[];
  readonly epochs: { readonly real: Epochs; readonly sim: Epochs };
}

/** What happens to a server, to both in the same way. */
async function befall({ control, link, server, saved }: Pair, what: string): Promise<void> {
  switch (what) {
    case 'evict':
      await raw.del(control);
      server.hash = undefined;
      return;
    case 'save':
      saved.push({ real: await raw.dumpBuffer(control), hash: server.snapshot() });
      return;
    case 'roll-back': {
      const last = saved.pop();
      if (last === undefined) return;
      await raw.del(control);
      if (last.real !== null) await raw.restore(control, 0, last.real);
      server.restore(last.hash);
      return;
    }
    case 'later-format':
      if (server.hash === undefined) return;
      await raw.hset(control, 'format', '2');
      server.hash.format = '2';
      return;
    case 'demote':
      await raw.replicaof('127.0.0.1', 1);
      server.role = 'replica';
      return;
    default:
      await raw.replicaof('NO', 'ONE');
      if (server.role === 'replica') server.replid += '+';
      server.role = 'primary';
      await until(() => link.up, { what: 'the link' });
  }
}

async function both(pair: Pair, { run }: Drawn): Promise<{ real: string[]; sim: string[] }> {
  const { real, server, data, ears: heard, published, epochs } = pair;
  const its = async (shared: RedisShared | ReturnType<typeof simulated>, of: Epochs) => {
    const reply = await run(shared, (index) => of.id(index), (me) => wholeLoad(shared, me));
    return of.plain(reply);
  };
  const sim = simulated({ server, data, leaseMs: LEASE_MS, newId: randomUUID });
  const answers = { real: await its(real, epochs.real), sim: await its(sim, epochs.sim) };
  const told = published.splice(0);
  return {
    real: [answers.real, ...(await heard.all()).map((one) => epochs.real.plain(one))],
    sim: [answers.sim, ...told.map((one) => epochs.sim.plain(one))],
  };
}

async function sequence(seed: number): Promise<{ steps: number; differs: unknown }> {
  const draw: Chance = chance(seed);
  const control = `{${randomUUID()}}`;
  const published: Told[] = [];
  const publish: Publish = (to, message) => void published.push({ to, message });
  const { shared, link } = realShared(control);
  const pair: Pair = {
    control, real: shared, link, ears: new Ears(control), published, saved: [],
    server: new ControlServer({ publish, pages: 3 }), data: new DataServer(() => 0),
    epochs: { real: new Epochs(), sim: new Epochs() },
  };
  await until(() => link.up, { what: 'the link' });
  try {
    for (let step = 0; step < STEPS_EACH; step += 1) {
      const drawn = drawStep(draw, pair.server, pair.epochs.sim.count);
      if (drawn.kind === 'befalls') {
        await befall(pair, drawn.what);
        continue;
      }
      const { real, sim } = await both(pair, drawn);
      if (JSON.stringify(real) !== JSON.stringify(sim)) {
        return { steps: step, differs: { seed, step, told: drawn.text, real, sim } };
      }
    }
    return { steps: STEPS_EACH, differs: undefined };
  } finally {
    if (pair.server.role === 'replica') await raw.replicaof('NO', 'ONE');
    ears.removeAllListeners('pmessage');
    shared.close();
  }
}

t.test('the simulated server answers and publishes what the scripts do', async (t) => {
  await ears.psubscribe('*');
  const first = Number(process.env['EVERFRESH_SEED'] ?? '1');
  let steps = 0;
  for (let seed = first; seed < first + SEQUENCES; seed += 1) {
    const { steps: some, differs } = await sequence(seed);
    steps += some;
    t.equal(differs, undefined, `seed ${seed}`);
    if (differs !== undefined) {
      t.comment(JSON.stringify(differs, null, 1));
      break;
    }
  }
  t.ok(steps >= 5000, `${steps} steps`);
});
