// What goes wrong in a history, one kind each: how it begins, and how it heals. What a kind takes
// away decides what may still be asked of a history in which it happens together with others.
import type { Stop } from './host.ts';
import type { Stage } from './stage.ts';
import type { TroubleKind } from './store.ts';
import type { UpstreamTroubles } from './upstream.ts';

export interface Fault {
  readonly name: string;
  /** `one`: some instance may be cut off from a store that others reach. */
  readonly reaches: 'all' | 'one' | 'nobody';
  /** Instances end with what only they know. */
  readonly kills?: true;
  /** The store forgets, or cannot be told. */
  readonly loses?: boolean;
  readonly lags?: true;
  /** Writes are passed by one that is cut off, of which only its own readers can know. */
  readonly passes?: true;
  /** When it is over, some are back sooner than others, who still write past the store. */
  readonly staggers?: true;
  /** Says how it is healed. */
  begin(stage: Stage): () => void;
}

const NOTHING = (): void => undefined;

function inStore(
  name: string, begin: (stage: Stage) => (() => void) | undefined, loses = true,
): Fault {
  return {
    name, reaches: loses ? 'all' : 'nobody', ...(loses ? { loses } : {}),
    begin: (stage) => begin(stage) ?? NOTHING,
  };
}

/** Something between instances and the store, for one of them or for all. */
function between(
  name: TroubleKind, amounts: readonly [least: number, most: number], reaches: Fault['reaches'],
): Fault {
  return {
    name, reaches,
    begin(stage) {
      const { store, world: { chance } } = stage;
      const amount = chance.between(...amounts);
      const victim = chance.is(0.7) ? stage.any()?.host : undefined;
      store.troubles.set(name, { victim, amount });
      return () => void store.troubles.delete(name);
    },
  };
}

function ofUpstream(
  name: string, what: keyof UpstreamTroubles, amounts: readonly [number, number],
  more: Partial<Fault> = {},
): Fault {
  return {
    name, reaches: 'nobody', ...more,
    begin({ world: { chance }, upstream: { troubles } }) {
      troubles[what] = chance.between(...amounts);
      return () => void (troubles[what] = 0);
    },
  };
}

function stopped(name: string, how: Stop): Fault {
  return {
    name, reaches: 'nobody',
    begin(stage) {
      const host = stage.any()?.host;
      host?.stop(how);
      return () => host?.goOn();
    },
  };
}

function killed(name: string, arm: (stage: Stage, kill: Kill) => () => void): Fault {
  return {
    name, reaches: 'nobody', kills: true,
    begin(stage) {
      const { world } = stage;
      let times = 0;
      return arm(stage, (host) => {
        if (times > 0 || world.chance.is(0.3)) return false;
        times += 1;
        stage.kill(host, world.chance.between(200, 4000));
        return true;
      });
    },
  };
}

type Kill = (host: Parameters<Stage['kill']>[0]) => boolean;

/** Ends its connections, and goes on with what it had then, under another history. */
function restarted(
  { store }: Stage, hash: ReturnType<Stage['store']['server']['snapshot']>,
  how: Parameters<Stage['store']['newHistory']>[0] = 'started',
): void {
  store.endConnections();
  store.server.restore(hash);
  store.newHistory(how);
  store.server.role = 'primary';
  store.state = 'up';
}

function inState(name: string, state: 'loading' | 'full'): Fault {
  return inStore(name, ({ store }) => {
    if (store.state !== 'up') return undefined;
    store.state = state;
    return () => {
      if (store.state === state) store.state = 'up';
    };
  });
}

export const FAULTS: readonly Fault[] = [
  inStore('stop', (stage) => {
    const { store, world } = stage;
    let healed = false;
    const hang = (): void => {
      if (!healed && store.state === 'up') store.state = 'hung';
    };
    // In the middle of somebody's joining, or at any moment.
    const joiner = world.chance.is(0.4) ? stage.any() : undefined;
    if (joiner === undefined) {
      hang();
    } else {
      store.onStep = (name) => {
        if (name === 'join') world.after(world.chance.between(0, 12), hang);
      };
      stage.kill(joiner.host, 1);
    }
    return () => {
      healed = true;
      if (joiner !== undefined) store.onStep = undefined;
      if (store.state === 'hung') store.goOn();
    };
  }),
  { ...inStore('kill', (stage) => {
    const { store } = stage;
    const kept = stage.world.chance.is(0.5) ? store.server.snapshot() : undefined;
    store.state = 'gone';
    store.endConnections();
    if (kept === undefined) store.data.flush();
    return () => restarted(stage, kept);
  }), staggers: true },
  inStore('roll-back', (stage) => {
    const before = stage.store.server.snapshot();
    return () => restarted(stage, before);
  }),
  inStore('promote', (stage) => {
    const { world, store } = stage;
    // What the replica had not heard of yet is lost.
    const replica = store.server.snapshot();
    world.after(world.chance.between(0, 300), () => restarted(stage, replica, 'promoted'));
    return undefined;
  }),
  inStore('demote', ({ store }) => {
    store.server.role = 'replica';
    return () => {
      const { role, about } = store.server;
      if (role === 'replica') store.newHistory({ backTo: about.runId });
      store.server.role = 'primary';
    };
  }),
  inStore('promote-again', (stage) => {
    const { world, store } = stage;
    const { runId } = store.server.about;
    // The other one had heard all; what is lost is what was written there.
    const first = store.server.snapshot();
    restarted(stage, first, 'promoted');
    let back = false;
    const goBack = (): void => {
      if (back) return;
      back = true;
      const its = world.chance.is(0.5) ? first : store.server.snapshot();
      restarted(stage, its, { backTo: runId });
    };
    world.after(world.chance.between(300, 2500), () => {
      if (back) return;
      store.server.role = 'replica';
      world.after(world.chance.between(0, 800), goBack);
    });
    return goBack;
  }),
  inStore('flush', ({ store }) => {
    store.server.hash = undefined;
    store.data.flush();
    return undefined;
  }),
  inStore('evict-control', ({ store }) => {
    store.server.hash = undefined;
    return undefined;
  }),
  inStore('evict-entry', ({ store, world }) => {
    const { entries } = store.data;
    for (const key of [...entries.keys()]) if (world.chance.is(0.6)) entries.delete(key);
    // There is no room: what is put there does not stay for long.
    store.data.onPut = (key) => {
      if (world.chance.is(0.6)) world.after(world.chance.between(0, 30), () => entries.delete(key));
    };
    return () => void (store.data.onPut = undefined);
  }, false),
  inState('out-of-memory', 'full'),
  inState('loading', 'loading'),
  inStore('store-clock', ({ store, world }) => {
    store.clockOff = world.chance.of([-1, 1]) * world.chance.between(1000, 1e7);
    return () => void (store.clockOff = 0);
  }, false),
  between('slow', [50, 700], 'one'),
  between('answer-lost', [0.2, 1], 'one'),
  between('answer-repeated', [0.3, 1], 'nobody'),
  between('cut', [0.1, 0.6], 'one'),
  {
    name: 'cut-off', reaches: 'nobody', passes: true,
    begin(stage) {
      const { store } = stage;
      // Nothing arrives any more, and nobody says so. What is sent over a connection that stands
      // arrives once it can.
      store.troubles.set('away', { victim: stage.any()?.host, amount: 1 });
      return () => store.reachesAll();
    },
  },
  between('bus-lost', [0.1, 1], 'nobody'),
  between('bus-delayed', [100, 3000], 'nobody'),
  between('bus-reordered', [20, 1500], 'nobody'),
  between('bus-repeated', [0.2, 1], 'nobody'),
  killed('killed-before-forward', ({ upstream }, kill) => {
    upstream.onForward = (host) => !kill(host);
    return () => void (upstream.onForward = undefined);
  }),
  killed('killed-after-commit', ({ upstream }, kill) => {
    upstream.onCommit = (host) => void kill(host);
    return () => void (upstream.onCommit = undefined);
  }),
  killed('killed-after-touch', ({ store }, kill) => {
    store.onStep = (name, host) => name === 'touch' && void kill(host);
    return () => void (store.onStep = undefined);
  }),
  stopped('paused', 'asleep'),
  stopped('blocked', 'blocked'),
  {
    name: 'wall-clock', reaches: 'nobody',
    begin(stage) {
      const { chance } = stage.world;
      stage.any()?.host.setWall(chance.of([-1, 1]) * chance.between(100, 1e6));
      return NOTHING;
    },
  },
  ofUpstream('upstream-slow', 'slowMs', [200, 1800]),
  ofUpstream('upstream-late', 'late', [0.3, 1]),
  ofUpstream('upstream-broken', 'broken', [0.2, 0.8]),
  ofUpstream('upstream-failing', 'failing', [0.2, 0.9]),
  ofUpstream('upstream-lagging', 'lagMs', [300, 2000], { lags: true }),
];

export function faultNamed(name: string): Fault {
  const fault = FAULTS.find((one) => one.name === name);
  if (fault === undefined) throw new Error(`there is no fault ${name}`);
  return fault;
}
