// Every kind of fault that a run can draw: what it does, for how long, and how it is healed. Each
// says which topologies have it, and whether it hits all instances alike, which is all that a run
// under `when_down: pass` may draw.
import { setTimeout as pause } from 'node:timers/promises';
import type { Lane, Proxy } from './proxy.ts';
import type { Random } from './random.ts';
import type { Stage, Topology, WhenDown } from './stage.ts';

export interface Fault {
  readonly name: string;
  readonly hits: 'store' | 'gateway' | 'upstream';
  readonly holdMs: number;
  begin(): Promise<void> | void;
  heal(): Promise<void> | void;
}

type Make = (stage: Stage, chance: Random) => {
  /** The longest and the shortest that it lasts. */
  readonly ms: readonly [number, number];
  readonly begin: Fault['begin'];
  readonly heal?: Fault['heal'];
};

export interface Kind {
  readonly name: string;
  readonly hits: Fault['hits'];
  /** All instances are hit alike and at once. */
  readonly all: boolean;
  readonly topologies: readonly Topology[];
  readonly make: Make;
}

/** How long a balancer needs to notice that an instance is away. */
const NOTICED_MS = 300;
const EVERYWHERE: readonly Topology[] = ['single', 'sentinel', 'cluster'];
const SHORT = [200, 1500] as const;
const LONG = [500, 5000] as const;
const AT_ONCE = [0, 200] as const;

function store(name: string, topologies: readonly Topology[], make: Make): Kind {
  return { name, hits: 'store', all: true, topologies, make };
}

function upstream(name: string, make: Make): Kind {
  return { name, hits: 'upstream', all: true, topologies: EVERYWHERE, make };
}

function gateway(name: string, make: Make): Kind {
  return { name, hits: 'gateway', all: false, topologies: EVERYWHERE, make };
}

function single(stage: Stage): Extract<Stage['servers'], { kind: 'single' }>['single'] {
  if (stage.servers.kind !== 'single') throw new Error('there is no single server');
  return stage.servers.single;
}

function sentinels(stage: Stage): Extract<Stage['servers'], { kind: 'sentinel' }>['sentinels'] {
  if (stage.servers.kind !== 'sentinel') throw new Error('there are no sentinels');
  return stage.servers.sentinels;
}

function cluster(stage: Stage): Extract<Stage['servers'], { kind: 'cluster' }>['cluster'] {
  if (stage.servers.kind !== 'cluster') throw new Error('there is no cluster');
  return stage.servers.cluster;
}

function one<T>(items: readonly T[], chance: Random): T {
  const item = items[Math.floor(chance.next() * items.length)];
  if (item === undefined) throw new Error('there is none of them');
  return item;
}

const servers: readonly Kind[] = [
  store('redis stops for a while', ['single'], (stage) => ({
    ms: [500, 10_000],
    begin: () => single(stage).redis.pause(),
    heal: () => single(stage).redis.resume(),
  })),
  store('redis is killed and comes back empty', ['single'], (stage) => ({
    ms: [0, 4000],
    begin: () => single(stage).redis.kill(),
    heal: () => single(stage).restartEmpty(),
  })),
  store('redis restarts with its data', ['single'], (stage) => ({
    ms: AT_ONCE, begin: () => single(stage).restartWithData(),
  })),
  store('redis rolls back to an older snapshot', ['single'], (stage) => ({
    ms: [1000, 4000],
    begin: () => single(stage).snapshot(),
    heal: () => single(stage).rollBack(),
  })),
  store('everything is flushed', EVERYWHERE, (stage) => ({
    ms: AT_ONCE, begin: () => stage.flush(),
  })),
  store('the control key is deleted', EVERYWHERE, (stage) => ({
    ms: AT_ONCE, begin: () => stage.forgetControl(),
  })),
  store('the sentinels fail over by command', ['sentinel'], (stage) => ({
    ms: AT_ONCE, begin: () => sentinels(stage).failOver(),
  })),
  store('the primary is killed', ['sentinel'], (stage) => ({
    ms: SHORT,
    begin: () => sentinels(stage).killPrimary(),
    heal: () => sentinels(stage).revive(),
  })),
  store('a master of the cluster is killed', ['cluster'], (stage, chance) => ({
    ms: SHORT,
    begin: async () => cluster(stage).kill(one(await cluster(stage).masters(), chance)),
    heal: () => cluster(stage).revive(),
  })),
  store('the master of the control slot is killed', ['cluster'], (stage) => ({
    ms: SHORT,
    begin: async () => cluster(stage).kill(await cluster(stage).ownerOf('{chaos}:control')),
    heal: () => cluster(stage).revive(),
  })),
  store('the control slot moves', ['cluster'], (stage) => ({
    ms: AT_ONCE, begin: () => cluster(stage).reshard('{chaos}:control'),
  })),
  store('another slot moves', ['cluster'], (stage, chance) => ({
    ms: AT_ONCE, begin: () => cluster(stage).reshard(`{${Math.floor(chance.between(0, 1e6))}}`),
  })),
];

type Spoil = (proxy: Proxy, chance: Random) => void;

const lane = (direction: 'up' | 'down', make: (chance: Random) => Lane): Spoil =>
  (proxy, chance) => proxy.spoil(direction, make(chance));

const cut: Spoil = (proxy) => proxy.cut();
const hang: Spoil = (proxy) => proxy.hang();
const unheard = lane('down', () => ({ kind: 'hang' }));
const refused: Spoil = (proxy) => {
  proxy.refuse();
  proxy.cut();
};
const late = lane('down', (chance) => ({ kind: 'delay', ms: chance.between(50, 900) }));
const slow = lane('down', (chance) => ({
  kind: 'slow', bytesPerSecond: chance.between(2000, 50_000),
}));
const cutInside = lane('down', (chance) => ({
  kind: 'cut-after', bytes: Math.floor(chance.between(1, 2000)),
}));

function network(name: string, ms: readonly [number, number], spoil: Spoil): Kind[] {
  const kind = (who: string, of: (stage: Stage, chance: Random) => readonly Proxy[]): Kind => ({
    name: `${who}: ${name}`,
    hits: 'store',
    all: false,
    topologies: ['single'],
    make: (stage, chance) => {
      const proxies = of(stage, chance);
      return {
        ms,
        begin: () => proxies.forEach((proxy) => spoil(proxy, chance)),
        heal: () => proxies.forEach((proxy) => proxy.heal()),
      };
    },
  });
  return [
    kind('all', ({ proxies }) => proxies),
    kind('one instance', ({ proxies }, chance) => [one(proxies, chance)]),
  ];
}

/** Outages of these kinds begin and end for all alike; the others spare one and hit the next. */
const ALIKE: ReadonlySet<string> = new Set([
  'all: connections are cut', 'all: connections are refused', 'all: connections hang',
  'all: answers are lost', 'all: requests are lost',
]);

const networks: readonly Kind[] = [
  ...network('connections are cut', AT_ONCE, cut),
  ...network('connections are refused', LONG, refused),
  ...network('connections hang', LONG, hang),
  ...network('answers are lost', LONG, unheard),
  ...network('requests are lost', LONG, lane('up', () => ({ kind: 'hang' }))),
  ...network('answers are late', LONG, late),
  ...network('answers are slow', LONG, slow),
  ...network('connections are cut inside answers', LONG, cutInside),
].map((kind) => ({ ...kind, all: ALIKE.has(kind.name) }));

const gateways: readonly Kind[] = [
  gateway('an instance is killed and started', ({ gateways }, chance) => {
    const chosen = one(gateways, chance);
    return {
      ms: SHORT,
      async begin() {
        chosen.away();
        await chosen.end('SIGKILL');
        await pause(NOTICED_MS);
        chosen.takeOut();
      },
      async heal() {
        await chosen.start();
        chosen.takeIn();
      },
    };
  }),
  gateway('an instance stops for a while', ({ gateways }, chance) => {
    const chosen = one(gateways, chance);
    return {
      ms: [500, 6000],
      async begin() {
        chosen.away();
        chosen.signal('SIGSTOP');
        await pause(NOTICED_MS);
        chosen.takeOut();
      },
      heal() {
        chosen.signal('SIGCONT');
        chosen.takeIn();
      },
    };
  }),
  gateway('an instance ends in good order and is started', ({ gateways }, chance) => {
    const chosen = one(gateways, chance);
    return {
      ms: SHORT,
      async begin() {
        chosen.takeOut();
        await chosen.end('SIGTERM');
      },
      async heal() {
        await chosen.start();
        chosen.takeIn();
      },
    };
  }),
];

const LATE_MS = 2500;
const SLOW_MS = 500;

function upstreamKind(name: string, orders: Parameters<Stage['strainUpstream']>): Kind {
  return upstream(name, (stage) => ({
    ms: [1000, 3000],
    begin: () => stage.strainUpstream(...orders),
    heal: () => stage.healUpstream(),
  }));
}

const upstreams: readonly Kind[] = [
  upstreamKind('the upstream applies and says 500', [{ failAfterApplying: 0.5 }]),
  upstreamKind('the upstream applies after a time-out', [{ applyLate: 0.3, lateMs: LATE_MS }]),
  upstreamKind('the upstream breaks off inside a body', [{ resetInBody: 0.2 }, { breaks: true }]),
  upstreamKind('the upstream is slow',
    [{ latencyMs: [100, SLOW_MS] }, { msMax: 2 * SLOW_MS }]),
];

export const KINDS: readonly Kind[] = [...servers, ...networks, ...gateways, ...upstreams];

export interface Drawn {
  readonly topology: Topology;
  readonly whenDown: WhenDown;
  /** Only kinds whose name has this in it. */
  readonly only: string;
  /** Under `pass` too, faults that spare some: the promise is then known not to hold. */
  readonly unfair: boolean;
}

export function kindsFor({ topology, whenDown, only, unfair }: Drawn): [Kind, ...Kind[]] {
  const [first, ...rest] = KINDS.filter(({ name, topologies, all }) =>
    topologies.includes(topology) && name.includes(only)
    && (all || unfair || whenDown === 'refuse'));
  if (first === undefined) throw new Error(`no fault with "${only}" in its name is drawn here`);
  return [first, ...rest];
}

/** A fault of this kind on this stage, held for as long as is usual for it, within bounds. */
export function prepare(
  { name, hits, make }: Kind,
  { stage, chance, holdMsMin, holdMsMax }: {
    stage: Stage; chance: Random; holdMsMin: number; holdMsMax: number;
  },
): Fault {
  const { ms, begin, heal = () => undefined } = make(stage, chance);
  const usualMs = chance.between(Math.min(ms[0], holdMsMax), Math.min(ms[1], holdMsMax));
  const holdMs = Math.max(usualMs, holdMsMin);
  return { name, hits, holdMs, begin, heal };
}
