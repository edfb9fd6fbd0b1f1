// A gateway for tests of the admin listener: its stories' own parts, over ports that are fakes. The
// store says what a test wants it to say, and remembers what it was told to touch.
import type { Epoch, Key, Seq } from '../../src/core/entry/entry.ts';
import { Ledger } from '../../src/core/plan/ledger.ts';
import { Outage } from '../../src/core/promise/outage.ts';
import type { Config } from '../../src/core/rules/config.ts';
import { liveOf } from '../../src/compose/live.ts';
import { Quarantine } from '../../src/flow/quarantine.ts';
import { People } from '../../src/flow/people.ts';
import { noTokens } from '../sim/no-tokens.ts';
import { parseRules } from '../../src/core/rules/parse.ts';
import { type Admin, openAdmin } from '../../src/admin/api.ts';
import { instance, type InstanceParts } from '../../src/admin/instance.ts';
import { Flights } from '../../src/flow/flights.ts';
import type { Gateway } from '../../src/flow/gateway.ts';
import { Lately } from '../../src/flow/lately.ts';
import type { Said, Store, StoreState, Touch, Trouble } from '../../src/flow/ports.ts';
import { Refresher } from '../../src/flow/refresher.ts';
import { Remembered } from '../../src/flow/remembered.ts';
import { Searches } from '../../src/flow/searches.ts';
import { VirtualClock } from '../virtual-clock.ts';

export const RULES = `
upstream: http://127.0.0.1:9
routes:
  /posts:
    GET: { ttl: 1h }
    POST: { refresh: [/posts] }
  /posts/:id:
    GET: { ttl: 1h }
    PUT: { refresh: [/posts/:id, /posts] }
`;

export function configOf(text: string): Config {
  const parsed = parseRules(text, { file: 'routes.yaml' });
  if (parsed.kind === 'wrong') throw new Error(parsed.problems.map((p) => p.message).join());
  return parsed.config;
}

export interface Fake {
  readonly gateway: Gateway;
  readonly clock: VirtualClock;
  /** What the store was told to touch. */
  readonly touches: Touch[];
  readonly refreshed: string[];
  readonly troubles: Trouble[];
  /** What the store says of itself. */
  state: StoreState;
  wroteAt: number;
  /** What the store answers to a touch. */
  touch: (touch: Touch) => Promise<Said>;
}

export function fakeGateway(config: Config = configOf(RULES)): Fake {
  const clock = new VirtualClock();
  const said: Said = { kind: 'said', epoch: 'epoch-1' as Epoch, seq: 1 as Seq };
  const store: Store = {
    control: {
      look: () => ({
        kind: 'known', epoch: 'epoch-1' as Epoch, seq: 0 as Seq, newest: 0 as Seq, held: false,
      }),
      intend: () => Promise.resolve(said),
      abandon: () => Promise.resolve(said),
      touch(touch) {
        fake.touches.push(touch);
        return fake.touch(touch);
      },
    },
    entries: { get: () => undefined, put: () => undefined },
    state: () => fake.state,
    onSwept: () => undefined,
    onNews: () => undefined,
    onTouched: () => undefined,
    leaseMsMax: () => 0,
    wroteAt: () => fake.wroteAt,
    close: () => Promise.resolve(),
  };
  const gateway: Gateway = {
    live: liveOf(config, 'a secret of the test', noTokens),
    mode: config.mode,
    clock,
    upstream: { fetch: () => Promise.resolve({ kind: 'failed', because: 'refused', sent: false }) },
    store,
    ear: {
      upstreamRequest: () => undefined,
      touched: () => undefined,
      readerEnded: () => undefined,
      guarded: () => undefined,
      refreshed: () => undefined,
      backlog: () => undefined,
      kept: () => undefined,
      store: () => undefined,
      trouble: (what) => void fake.troubles.push(what),
    },
    people: new People(),
    tokens: noTokens,
    sealing: undefined,
    sweeping: false,
    quarantine: new Quarantine(),
    ledger: new Ledger(100),
    flights: new Flights(),
    searches: new Searches(),
    refresher: new Refresher({
      run: (use) => Promise.resolve(void fake.refreshed.push(use.meaning.recipe.target)),
      backlog: () => undefined,
      runningMax: 8,
      soon: (callback) => callback(),
    }),
    uncacheable: new Lately<Key>(clock, { forMs: 1000, keysMax: 10 }),
    newVariants: new Lately<string>(clock, { forMs: 1000, keysMax: 10 }),
    remembered: new Remembered(100),
    outage: new Outage(),
    writers: { all: 0, held: 0, byClient: new Map() },
    newId: () => 'id',
  };
  const fake: Fake = {
    gateway,
    clock,
    touches: [],
    refreshed: [],
    troubles: [],
    state: { kind: 'memory', state: 'ready' },
    wroteAt: -Infinity,
    touch: () => Promise.resolve(said),
  };
  return fake;
}

/** The store can't be told of anything, and virtual time passes, a little with each turn. */
export function away(t: { teardown(end: () => void): void }, fake: Fake): void {
  fake.touch = () => Promise.resolve({ kind: 'unsaid', because: 'store-down' });
  let over = false;
  t.teardown(() => void (over = true));
  const pass = (): void => {
    fake.clock.advance(50);
    if (!over) setImmediate(pass);
  };
  pass();
}

/** The listener on a free port of this machine, closed when the test ends. */
export async function opened(
  test: { teardown(end: () => Promise<void>): void },
  fake: Fake,
  { token, ...change }: Partial<InstanceParts> & { readonly token?: string } = {},
): Promise<Admin> {
  const { ear, clock } = fake.gateway;
  const running = instance({
    gateway: fake.gateway,
    masked: () => ({ secret: '***' }),
    problems: () => [],
    metrics: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
    listening: () => true,
    draining: () => false,
    ...change,
  });
  const admin = await openAdmin({ running, ear, clock, token }, { host: '127.0.0.1', port: 0 });
  test.teardown(() => admin.close());
  return admin;
}
