// All that stands in one history: the store, the upstream, and the instances, each with its host;
// killed ones come back as others. Faults act on this.
import { lastWords } from '../../src/flow/touching.ts';
import { Host } from './host.ts';
import { type Instance, openInstance } from './instance.ts';
import { DEADLINE_MS, QUARANTINE_MS, type Setting } from './settings.ts';
import { SimStore } from './store.ts';
import { SimUpstream } from './upstream.ts';
import type { World } from './world.ts';

const DRAIN_LOOK_MS = 50;

export class Stage {
  readonly world: World;
  readonly store: SimStore;
  readonly upstream: SimUpstream;
  readonly instances: Instance[] = [];
  /** Of those that are gone as well. */
  readonly mistakes: string[] = [];
  readonly setting: Setting;
  /** Somebody left while writes were held: from then on only the store knows them. */
  leftToStore = false;
  readonly #touchedMax: number;
  #hosts = 0;

  constructor(
    world: World,
    { items, instances, setting }: { items: number; instances: number; setting: Setting },
  ) {
    this.world = world;
    this.setting = setting;
    this.store = new SimStore(world);
    // Applied before its quarantine is over, or nothing is promised.
    this.upstream = new SimUpstream({ world, items, lateMsMax: QUARANTINE_MS - DEADLINE_MS });
    this.#touchedMax = world.chance.of([3, 100]);
    for (let place = 0; place < instances; place += 1) {
      world.after(world.chance.between(0, 300), () => this.#open(place));
    }
  }

  get living(): Instance[] {
    return this.instances.filter((one) => one !== undefined && one.host.alive && !one.leaving);
  }

  any(): Instance | undefined {
    const { living } = this;
    return living.length === 0 ? undefined : this.world.chance.of(living);
  }

  /** Ends it at once; another comes in its place after a while. */
  kill(host: Host, backAfterMs: number): void {
    const place = this.instances.findIndex((one) => one?.host === host);
    if (place < 0 || !host.alive) return;
    this.world.note(() => `${host.name} is killed`);
    this.mistakes.push(...this.instances[place]!.mistakes);
    this.instances[place]!.kill();
    this.world.after(backAfterMs, () => this.#open(place));
  }

  /** Leaves as at the end of a deployment: what is under way is ended first. Another comes. */
  leave(instance: Instance): void {
    const place = this.instances.indexOf(instance);
    const { gateway, host } = instance;
    instance.leaving = true;
    this.world.note(() => `${host.name} leaves`);
    const gone = (): void => {
      this.mistakes.push(...instance.mistakes);
      instance.kill();
      this.#open(place);
    };
    const close = (): void => {
      // Who is cut off and never comes back takes with it what it has promised alone.
      const promised = gateway.remembered.pending && this.store.troubles.has('away');
      if (gateway.writers.all > 0 || promised) {
        this.world.after(DRAIN_LOOK_MS, close);
        return;
      }
      if (gateway.writers.held > 0) this.leftToStore = true;
      void lastWords(gateway)
        .then(() => instance.store.close({ clean: !gateway.remembered.pending }))
        .then(() => void this.world.after(50, gone));
    };
    close();
  }

  #open(place: number): void {
    this.#hosts += 1;
    const host = new Host(this.world, `i${this.#hosts}`);
    const { store, setting } = this;
    const upstream = this.upstream.port(host);
    const touchedMax = this.#touchedMax;
    this.world.note(() => `${host.name} starts`);
    this.instances[place] = openInstance({ host, store, upstream, setting, touchedMax });
  }
}
