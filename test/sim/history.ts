// One history: a few instances, items and lists, clients that read and write, and what goes wrong
// meanwhile, all drawn from one seed. Then everything heals, time passes, and at rest everybody
// must show what the upstream has.
import { Checker, type Violation } from './check.ts';
import { Clients } from './crowd.ts';
import { type Fault, FAULTS } from './faults.ts';
import { atRest } from './rest.ts';
import { SETTLE_MS, settingOf } from './settings.ts';
import { Stage } from './stage.ts';
import { World } from './world.ts';

export interface HistoryOptions {
  readonly seed: number;
  /** Of these only; all where none is given. */
  readonly faults?: readonly Fault[];
  readonly traced?: boolean;
}

export interface History {
  readonly seed: number;
  readonly faults: readonly string[];
  readonly violations: readonly Violation[];
  readonly reads: number;
  readonly hits: number;
  readonly writes: number;
  readonly events: number;
  readonly trace: readonly string[];
}

const BEGIN_MS = 1000;
const NOTICED_MS = 1000;
const CALM_AT_MS = 7000;
export async function history(
  { seed, faults = FAULTS, traced = false }: HistoryOptions,
): Promise<History> {
  const world = new World(seed, { traced });
  const play = new Play(world, faults);
  await play.run();
  return play.told(seed);
}

class Play {
  readonly #world: World;
  readonly #stage: Stage;
  readonly #check: Checker;
  readonly #clients: Clients;
  readonly #faults: readonly Fault[];
  readonly #items: number;
  readonly #healed: (() => void)[] = [];
  #outages = 0;
  #outageEndedAt = -Infinity;

  constructor(world: World, among: readonly Fault[]) {
    const { chance } = world;
    this.#world = world;
    this.#faults = profile(world, among);
    this.#items = 2 + chance.below(3);
    const some = (is: (fault: Fault) => boolean | undefined): boolean => this.#faults.some(is);
    const alone = some((one) => one.reaches === 'one');
    const lags = some((one) => one.lags);
    const setting = settingOf({
      whenDown: alone || (chance.is(0.3) && !some((one) => one.passes)) ? 'refuse' : 'pass',
      settles: lags || chance.is(0.1),
      waits: chance.is(0.1),
    });
    this.#check = new Checker(this.#items, () => world.now);
    const instances = chance.is(0.7) ? 2 : 3;
    this.#stage = new Stage(world, { items: this.#items, instances, setting });
    this.#clients = new Clients({
      world, stage: this.#stage, check: this.#check,
      // Where reads lag, a write is promised once that is over.
      ackMs: lags ? SETTLE_MS + 1000 : 0,
      apart: some((one) => one.passes),
    });
    world.note(() => `faults: ${this.#faults.map(({ name }) => name).join()}; `
      + `${setting.whenDown}, settle ${setting.settleMs}`);
    this.#plan();
  }

  async run(): Promise<void> {
    await this.#world.run(CALM_AT_MS);
    this.#world.note(() => 'everything heals');
    for (const heal of this.#healed.splice(0)) heal();
    const gone = this.#faults.some((one) => one.kills) || this.#stage.leftToStore;
    const forgets = this.#faults.some((one) => one.loses || one.passes);
    await atRest(this.#world, {
      stage: this.#stage, check: this.#check, clients: this.#clients, strict: !(gone && forgets),
    });
  }

  told(seed: number): History {
    const { reads, writes, hits, violations } = this.#check;
    return {
      seed, reads, writes, hits, violations,
      faults: this.#faults.map(({ name }) => name),
      events: this.#world.events, trace: this.#world.trace ?? [],
    };
  }

  #plan(): void {
    const { chance } = this.#world;
    const clients = this.#clients;
    const count = 6 + chance.below(16);
    for (let i = 0; i < count; i += 1) {
      const at = chance.between(300, CALM_AT_MS);
      if (chance.is(0.3)) this.#world.at(at, () => clients.write(this.#anyItem()));
      else this.#world.at(at, () => clients.read(clients.pathOf(this.#anyItem())));
    }
    if (chance.is(0.1)) {
      this.#world.at(chance.between(2000, CALM_AT_MS), () => {
        const { living } = this.#stage;
        if (living.length > 1) this.#stage.leave(chance.of(living));
      });
    }
    for (const fault of this.#faults) {
      const times = 1 + chance.below(2);
      for (let i = 0; i < times; i += 1) {
        this.#befallsAt(fault, chance.between(BEGIN_MS, CALM_AT_MS - 1000));
      }
    }
  }

  /** Where something goes wrong, there is something to be lost by it. */
  #befallsAt(fault: Fault, at: number): void {
    const world = this.#world;
    const { chance } = world;
    const item = this.#anyItem();
    const lastsMs = chance.is(0.5) ? chance.between(50, 800) : chance.between(800, 4500);
    world.at(at - 100, () => this.#clients.readEverywhere(item));
    if (chance.is(0.7)) {
      const soon = chance.is(0.5) ? chance.between(-10, 100) : chance.between(0, lastsMs);
      world.at(Math.min(at + soon, CALM_AT_MS), () => this.#clients.write(item));
    }
    world.at(at, () => this.#befall(fault, lastsMs, item));
  }

  #befall(fault: Fault, lastsMs: number, item: number): void {
    const world = this.#world;
    // An outage that ends and begins again sooner than everybody can notice is, to who doesn't, one
    // in which others reach the store and it doesn't: that is not promised under `pass`.
    const ofAll = fault.reaches === 'all';
    if (ofAll && (this.#outages > 0 || world.now < this.#outageEndedAt + NOTICED_MS)) return;
    if (ofAll) this.#outages += 1;
    world.note(() => `${fault.name} begins`);
    const staggers = fault.staggers === true && world.chance.is(0.4);
    if (staggers) for (const one of this.#stage.living) this.#clients.writeBy(one, item);
    const healed = fault.begin(this.#stage);
    let over = false;
    const heal = (): void => {
      if (over) return;
      over = true;
      world.note(() => `${fault.name} ends`);
      healed();
      if (ofAll) {
        this.#outages -= 1;
        this.#outageEndedAt = world.now;
      }
      if (staggers) this.#clients.writeAndReadSoon(item);
      for (let i = 0; i < 3; i += 1) {
        world.after(world.chance.between(0, 600), () => {
          this.#clients.read(this.#clients.pathOf(item));
        });
      }
    };
    this.#healed.push(heal);
    world.after(staggers ? Math.max(lastsMs, 2800) : lastsMs, heal);
  }

  #anyItem(): number {
    return this.#world.chance.below(this.#items);
  }
}

/** Who sleeps and then has the clock set back knows nothing of the time: not promised. */
function apart(faults: Fault[]): Fault[] {
  const sleeps = faults.some(({ name }) => name === 'paused');
  return sleeps ? faults.filter(({ name }) => name !== 'wall-clock') : faults;
}

/** One to three kinds, such as may happen together. */
function profile(world: World, among: readonly Fault[]): readonly Fault[] {
  const { chance } = world;
  if (among.length === 0) return [];
  const count = Math.min(among.length, 1 + chance.below(3));
  const drawn = new Set<Fault>();
  while (drawn.size < count) drawn.add(chance.of(among));
  const all = apart([...drawn]);
  const hard = all.some((one) => one.kills) && all.some((one) => one.loses);
  return hard ? all.filter((one) => one.lags !== true) : all;
}
