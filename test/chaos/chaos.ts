// One run: real gateways on a real store, clients that never rest, and faults one after the other
// (under `refuse` sometimes two at once), by a seed. What must hold: no read that began after a
// write was answered shows less than it, no reader gets another's bytes, nobody crashes, and after
// five seconds the cache is of use again.
//
// An instance that is cut off from a store that others still reach is not promised for under
// `when_down: pass`. So single instances are cut off and killed under `refuse` only, and runs under
// `pass` draw faults that hit all at once. Of those the end is still not the same moment for all: a
// write that is answered while connections come back can be relied on when all are back; older
// answers that are seen until then are counted apart, as unpromised.
import { setTimeout as pause } from 'node:timers/promises';
import { Crowd } from './clients.ts';
import { kindsFor, prepare, type Drawn, type Fault } from './faults.ts';
import { Figures, SETTLE_MS, WINDOW_MS, type Written } from './figures.ts';
import { History, ms, type Stale } from './history.ts';
import { deck, random, type Random } from './random.ts';
import { openStage, type Stage, type Topology, type WhenDown } from './stage.ts';

export interface ChaosOptions extends Drawn {
  readonly seconds: number;
  readonly seed: number;
  readonly instances: number;
  readonly clients: number;
  /** How long a client rests between two requests, on average. */
  readonly thinkMs: number;
  /** Faults last no shorter and no longer than this. */
  readonly holdMsMin: number;
  readonly holdMsMax: number;
  /** Faults follow one another so fast that hit ratios are not taken. */
  readonly dense: boolean;
  /** Told as it happens. */
  readonly tell: (line: string) => void;
}

export interface Report {
  readonly seed: number;
  readonly topology: Topology;
  readonly whenDown: WhenDown;
  readonly seconds: number;
  readonly reads: number;
  readonly writes: Readonly<Record<Written, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly stale: number;
  /** Older than a write that was answered while an outage of all was ending, under `pass`. */
  readonly unpromised: number;
  readonly foreign: number;
  readonly wrong: number;
  readonly crashed: number;
  readonly availability: number;
  readonly unserved: Readonly<Record<string, number>>;
  readonly worstWriteMs: number;
  readonly hitRatio: { readonly before: number; readonly after: number; readonly faults: number };
  /** What the violations were, with what was around each. */
  readonly violations: readonly string[];
  /** In short what did not hold; empty: all did. */
  readonly broken: readonly string[];
}

const WARM_UP_MS = 4000;
/** All connections to a store that is there again are back by then, and owe it nothing. */
const ALL_BACK_MS = 3000;
const SHARE_OF_DOUBLES = 0.3;
const SHOWN_BEFORE_MS = 15_000;
const VIOLATIONS_TOLD = 20;
/** After five seconds the hit ratio is at least this share of what it was. */
const HIT_SHARE = 0.9;

type Violation = 'stale' | 'foreign' | 'wrong' | 'crashed';

interface Struck {
  readonly name: string;
  readonly beganAt: number;
  healedAt: number;
}

export async function chaos(options: ChaosOptions): Promise<Report> {
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const stage = await openStage(options, ends);
    return await new Run(options, stage).play(ends);
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

class Run {
  readonly #options: ChaosOptions;
  readonly #stage: Stage;
  readonly #chance: Random;
  readonly #draw: () => Fault;
  readonly #history = new History();
  readonly #figures = new Figures();
  readonly #struck: Struck[] = [];
  readonly #violations: string[] = [];
  readonly #counts: Record<Violation, number> = { stale: 0, foreign: 0, wrong: 0, crashed: 0 };
  readonly #faults = new Map<string, number>();
  #backAt = -Infinity;

  constructor(options: ChaosOptions, stage: Stage) {
    const { seed, holdMsMin, holdMsMax } = options;
    this.#options = options;
    this.#stage = stage;
    this.#chance = random(seed);
    const kinds = deck(kindsFor(options), this.#chance.fork());
    const chance = this.#chance.fork();
    this.#draw = () => prepare(kinds(), { stage, chance, holdMsMin, holdMsMax });
  }

  async play(ends: (() => Promise<unknown>)[]): Promise<Report> {
    const { clients, thinkMs, seconds } = this.#options;
    const { gateways } = this.#stage;
    const crowd = new Crowd({
      clients, thinkMs, gateways, chance: this.#chance.fork(), history: this.#history,
      figures: this.#figures, upstream: () => this.#stage.strain(),
      holdsFrom: (answeredAt) => Math.max(answeredAt, this.#allBackAt(answeredAt)),
      stale: (found) => this.#staleRead(found),
      wrong: (kind, text) => this.#violation(kind, `${ms(performance.now())} ${kind}: ${text}`),
    });
    const began = performance.now();
    crowd.start();
    ends.push(() => crowd.end());
    await pause(WARM_UP_MS);
    await this.#faultsUntil(began + seconds * 1000);
    await crowd.end();
    return this.#report((performance.now() - began) / 1000);
  }

  async #faultsUntil(end: number): Promise<void> {
    if (this.#options.dense) return this.#faultsWithoutRest(end);
    let fault: Struck | undefined;
    for (;;) {
      await pause(WINDOW_MS + this.#chance.between(0, 500));
      const ratio = fault === undefined ? undefined : this.#figures.fault(fault);
      if (ratio !== undefined) {
        const [before, after] = [ratio.before, ratio.after].map((one) => (one * 100).toFixed(1));
        this.#options.tell(`  hit ratio ${before} % before, ${after} % after`);
      }
      this.#lookAfterGateways();
      if (performance.now() + SETTLE_MS + WINDOW_MS > end) return;
      fault = await this.#strike(this.#drawn());
      await pause(SETTLE_MS);
    }
  }

  async #faultsWithoutRest(end: number): Promise<void> {
    const restMs = this.#options.whenDown === 'pass' ? ALL_BACK_MS : 0;
    do {
      await this.#strike(this.#drawn());
      await pause(restMs + this.#chance.between(200, 2500));
      this.#lookAfterGateways();
    } while (performance.now() < end);
  }

  #drawn(): Fault[] {
    const first = this.#draw();
    const alone = this.#options.whenDown === 'pass' || this.#chance.next() >= SHARE_OF_DOUBLES;
    if (alone) return [first];
    const second = this.#draw();
    return second.hits === first.hits ? [first] : [first, second];
  }

  async #strike(faults: readonly Fault[]): Promise<Struck> {
    const holdMs = Math.max(...faults.map(({ holdMs }) => holdMs));
    const name = faults.map(({ name }) => name).join(' + ');
    const struck: Struck = { name, beganAt: performance.now(), healedAt: Infinity };
    this.#struck.push(struck);
    for (const { name } of faults) this.#faults.set(name, (this.#faults.get(name) ?? 0) + 1);
    this.#options.tell(`${ms(struck.beganAt)} ${name}, for ${Math.round(holdMs)} ms`);
    for (const fault of faults) await fault.begin();
    await pause(holdMs);
    if (faults.some(({ hits }) => hits === 'store')) this.#backAt = performance.now();
    for (const fault of faults) await fault.heal();
    struck.healedAt = performance.now();
    return struck;
  }

  /** When everybody is back, for a write that is answered while they come back. */
  #allBackAt(answeredAt: number): number {
    const backAt = this.#backAt + ALL_BACK_MS;
    return this.#options.whenDown === 'pass' && answeredAt < backAt ? backAt : -Infinity;
  }

  #lookAfterGateways(): void {
    for (const gateway of this.#stage.gateways) {
      if (!gateway.crashed) continue;
      gateway.takeOut();
      this.#violation('crashed', `${gateway.name} ended by itself: ${gateway.told()}`);
    }
  }

  #staleRead({ item, version, read, write, before }: Stale): void {
    const lately = this.#struck.filter(({ healedAt }) => healedAt > read.beganAt - SHOWN_BEFORE_MS);
    this.#violation('stale', [
      `stale, seed ${this.#options.seed}: ${read.instance} GET ${read.path}, begun `
        + `${ms(read.beganAt)}, ended ${ms(read.endedAt)}: item ${item} version ${version} `
        + `(${read.cacheStatus})`,
      `  but ${write.instance} had answered a write of version ${write.version} at `
        + `${ms(write.answeredAt)} (${write.cacheStatus})`,
      ...lately.map(({ name, beganAt, healedAt }) =>
        `  fault ${ms(beganAt)}-${healedAt === Infinity ? '' : ms(healedAt)} ${name}`),
      ...before.map((line) => `  item ${item}: ${line}`),
    ].join('\n'));
  }

  #violation(kind: Violation, text: string): void {
    this.#counts[kind] += 1;
    if (this.#violations.length < VIOLATIONS_TOLD) this.#violations.push(text);
  }

  #report(seconds: number): Report {
    const { seed, topology, whenDown } = this.#options;
    const figures = this.#figures;
    const hitRatio = figures.hitRatio();
    const broken = Object.entries(this.#counts)
      .flatMap(([kind, count]) => (count > 0 ? [`${kind}: ${count}`] : []));
    if (hitRatio.after < HIT_SHARE * hitRatio.before) broken.push('the cache does not recover');
    if (hitRatio.faults === 0 && !this.#options.dense) broken.push('no fault was measured');
    return {
      seed, topology, whenDown, seconds,
      reads: figures.reads,
      writes: { ...figures.writes },
      faults: Object.fromEntries(this.#faults),
      ...this.#counts,
      unpromised: this.#history.unpromised,
      availability: figures.availability,
      unserved: Object.fromEntries(figures.unserved),
      worstWriteMs: figures.worstWriteMs,
      hitRatio,
      violations: this.#violations,
      broken,
    };
  }
}
