// The clients of a history: they read and write through whichever instance lives, note what they
// are told, and those who know of a write ask at once whether it can be seen.
import type { Checker } from './check.ts';
import { ask, type Told } from './clients.ts';
import type { Instance } from './instance.ts';
import type { Stage } from './stage.ts';
import type { World } from './world.ts';

/** Later than that nobody writes again. */
const LAST_WRITE_MS = 6000;

export interface ClientsOptions {
  readonly world: World;
  readonly stage: Stage;
  readonly check: Checker;
  /** How long after its answer a write is promised. */
  readonly ackMs: number;
  /** What was written through one instance is promised to its own readers only. */
  readonly apart: boolean;
}

export class Clients {
  readonly #o: ClientsOptions;

  constructor(options: ClientsOptions) {
    this.#o = options;
  }

  /** Some path that shows an item. */
  pathOf(item: number): string {
    const { chance } = this.#o.world;
    return chance.of(['/all', item < 2 ? '/some' : '/all', `/items/${item}`, `/items/${item}`]);
  }

  read(path: string): void {
    const instance = this.#o.stage.any();
    if (instance !== undefined) this.readBy(instance, path, () => undefined);
  }

  readEverywhere(item: number): void {
    for (const one of this.#o.stage.living) this.readBy(one, this.pathOf(item), () => undefined);
  }

  readBy(instance: Instance, path: string, end: (told: Told) => void, stays = false): void {
    const { world, check } = this.#o;
    if (!instance.host.alive) return;
    const { chance } = world;
    const { name } = instance.host;
    const due = check.due(name);
    const leaves = !stays && chance.is(0.03) ? new AbortController() : undefined;
    if (leaves !== undefined) world.after(chance.between(0, 30), () => leaves.abort());
    world.note(() => `a client of ${name} reads ${path}`);
    ask(instance, { method: 'GET', path, ...(leaves && { gone: leaves.signal }) }, {
      head: () => undefined,
      end: (told) => {
        const { shown, status, verdict } = told;
        const text = (): string => `${name} answers GET ${path} with ${status} (${verdict}) ${
          shown === undefined ? 'broken' : [...shown].map((one) => one.join(':')).join()}`;
        world.note(text);
        if (verdict.startsWith('hit')) check.hits += 1;
        if (status === 200 && shown !== undefined) check.read(text, due, shown);
        end(told);
      },
    });
  }

  write(item: number): void {
    const instance = this.#o.stage.any();
    if (instance !== undefined) this.writeBy(instance, item);
  }

  /** Some read what others may still write past the store, which is just back. */
  writeAndReadSoon(item: number): void {
    const { world, stage } = this.#o;
    for (const one of stage.living) {
      world.after(world.chance.between(20, 250), () => this.writeBy(one, item));
      for (let ms = 20; ms < 400; ms += 20) {
        world.after(ms, () => this.readBy(one, `/items/${item}`, () => undefined));
      }
    }
  }

  writeBy(instance: Instance, item: number): void {
    const { world, check, ackMs, apart } = this.#o;
    const { chance } = world;
    if (!instance.host.alive) return;
    const { name } = instance.host;
    const path = `/items/${item}`;
    world.note(() => `a client of ${name} writes ${path}`);
    ask(instance, { method: 'PUT', path }, {
      head: (status, fields) => {
        world.note(() => `${name} answers PUT ${path} with ${status}`);
        const version = Number(fields[fields.indexOf('X-Version') + 1]);
        if (status !== 200) return;
        const promised = (): void => {
          check.acknowledged(item, version, apart ? name : undefined);
          this.#readSoon(item);
          if (world.now < LAST_WRITE_MS && chance.is(0.15)) {
            world.after(chance.between(100, 900), () => this.write(item));
          }
        };
        if (ackMs === 0) promised();
        else world.after(ackMs, promised);
      },
      end: () => undefined,
    });
  }

  /** Those who know of the write ask at once. */
  #readSoon(item: number): void {
    const { world } = this.#o;
    const { chance } = world;
    for (let i = 0; i < 3; i += 1) {
      const soon = chance.is(0.7) ? chance.between(0, 20) : chance.between(0, 1500);
      world.after(soon, () => this.read(this.pathOf(item)));
    }
  }
}
