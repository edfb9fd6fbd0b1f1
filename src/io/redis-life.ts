// The life of one instance in Redis: joins, beats, looks after what others left behind, and
// leaves. Only while it is a member may the cache be used; every
// wait is a full one on its own monotonic clock.
import { randomUUID } from 'node:crypto';
import { Watch } from '../core/promise/watch.ts';
import type { Limits } from '../core/rules/config.ts';
import type { Clock, StoreTrouble } from '../flow/ports.ts';
import { hear, type Call, type Heard, type Mine } from './redis-heard.ts';
import type { RedisLink, Tell } from './redis-link.ts';
import { FORMAT } from './redis-lua.ts';
import { prune } from './redis-prune.ts';
import { parseRoster } from './redis-roster.ts';
import * as scripts from './redis-scripts.ts';
import { Sweeper } from './redis-sweep.ts';
import { serverTroubles } from './redis-server.ts';

export interface LifeOptions {
  readonly link: RedisLink;
  readonly clock: Clock;
  readonly prefix: string;
  readonly leaseMs: number;
  readonly limits: Pick<Limits, 'touched' | 'quarantineMs'>;
  readonly mine: Mine;
  readonly rules: string;
  readonly swept: (tags: readonly string[]) => void;
  readonly tell: Tell;
}

export class RedisLife {
  readonly #o: LifeOptions;
  readonly #control: string;
  readonly #watch: Watch;
  readonly #sweeper: Sweeper;
  #me: string = randomUUID();
  #member = false;
  #ready = false;
  /** When the last beat that was answered had been sent. */
  #beatAt = 0;
  #epoch: string | undefined;
  /** The epoch in which `mine` stands, under this id. */
  #claimedIn: string | undefined;
  #rules: string;
  /** Those that the store was told, in this epoch and under this id. */
  #rulesTold: string | undefined;
  #checkedAt = -1;
  #unfit = false;
  #overfull = false;
  #closed = false;
  #nudged = false;
  #wake: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: LifeOptions) {
    this.#o = options;
    this.#control = `${options.prefix}${FORMAT}:{control}`;
    this.#rules = options.rules;
    this.#watch = new Watch(options.leaseMs);
    this.#sweeper = new Sweeper({
      ...options, call: this.call, watch: this.#watch, quarantineMs: options.limits.quarantineMs,
    });
  }

  start(): void {
    this.#running = this.#run();
  }

  state(): 'ready' | 'joining' | 'down' {
    if (!this.#o.link.up || this.#unfit) return 'down';
    return this.#usable() ? 'ready' : 'joining';
  }

  /** Why the cache may not be used now; undefined if it may. */
  trouble(): StoreTrouble | undefined {
    if (this.#usable()) return undefined;
    return this.#o.link.up && !this.#unfit ? 'store-joining' : 'store-down';
  }

  /** Whether the server is one that cannot be used. */
  get unfit(): boolean {
    return this.#unfit;
  }

  #usable(): boolean {
    if (!this.#ready || !this.#o.link.up) return false;
    if (!this.#lapsed()) return true;
    this.#ready = false;
    this.nudge();
    return false;
  }

  /** After a lease without a beat that was answered, others may think that it is gone. */
  #lapsed(): boolean {
    return this.#o.clock.mono() - this.#beatAt > this.#o.leaseMs;
  }

  nudge(): void {
    this.#nudged = true;
    this.#wake();
  }

  /** The link broke: not used again before it is a member and owes nothing. */
  down(): void {
    this.#ready = false;
    this.nudge();
  }

  /** Runs a script on the control key. */
  readonly call: Call = async (script, ...args) => {
    const me = this.#me;
    const reply = await this.#o.link.run(script, [this.#control], [randomUUID(), me, ...args]);
    if (reply.kind === 'failed') return reply;
    const heard = hear(reply.value);
    if (heard.kind === 'failed') {
      this.#o.tell('internal', `${script.name} answered in an unknown form`);
      this.#ready = false;
    } else if (me === this.#me) {
      this.#note(heard);
    }
    return heard;
  };

  /** The rules in force changed, and what they make readable has been touched. */
  rules(rules: string): void {
    if (rules === this.#rules) return;
    this.#rules = rules;
    this.nudge();
  }

  /** The number of touches that are remembered grew over its bound. */
  tooMany(): void {
    if (this.#overfull) return;
    this.#overfull = true;
    this.nudge();
  }

  #note({ epoch, member }: Heard & { kind: 'heard' }): void {
    if (this.#epoch !== epoch) {
      this.#epoch = epoch;
      this.#rulesTold = undefined;
      // Nobody there knows what its own writes hold, before they are claimed again.
      this.#ready = false;
      this.nudge();
    }
    if (this.#member && !member) {
      this.#member = false;
      this.#ready = false;
      this.#me = randomUUID();
      this.nudge();
    }
  }

  /** `clean`: what was kept may be trusted by whoever comes next. */
  async close(clean: boolean): Promise<void> {
    this.#closed = true;
    this.#wake();
    await this.#running;
    if (clean && this.#usable()) await this.call(scripts.LEAVE, this.#rules);
    this.#ready = false;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      this.#nudged = false;
      let waitMs = this.#o.leaseMs / 3;
      try {
        waitMs = await this.#step();
      } catch (error) {
        this.#ready = false;
        this.#o.tell('internal', error instanceof Error ? error.message : 'unknown error');
      }
      if (!this.#closed && !this.#nudged) await this.#pause(waitMs);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#o.clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  /** One round; says how long to wait before the next. */
  async #step(): Promise<number> {
    const { link, leaseMs } = this.#o;
    const soon = leaseMs / 3;
    if (!link.up) return leaseMs;
    const trips = link.trips;
    if (!(await this.#fit(trips))) return leaseMs;
    const member = this.#member && !this.#lapsed() ? await this.#beat() : await this.#join();
    if (!member || !(await this.#claim())) return soon;
    if (!link.up || link.trips !== trips || this.#claimedIn !== this.#epoch) return soon;
    this.#ready = true;
    if (this.#overfull) {
      this.#overfull = !(await prune(this.call, this.#o.limits.touched));
    }
    return soon;
  }

  async #fit(trips: number): Promise<boolean> {
    if (this.#checkedAt === trips && !this.#unfit) return true;
    const reply = await this.#o.link.info();
    if (reply.kind === 'failed') return false;
    const { tooOld, evicts } = serverTroubles(String(reply.value));
    if (evicts !== undefined) this.#o.tell('evicts', evicts);
    if (tooOld !== undefined) this.#o.tell('too-old', tooOld);
    this.#unfit = tooOld !== undefined;
    this.#checkedAt = trips;
    return !this.#unfit;
  }

  async #join(): Promise<boolean> {
    const { clock } = this.#o;
    if (this.#member) {
      this.#member = false; // lapsed: what others think of the old id is theirs to find out
      this.#me = randomUUID();
      this.#watch.forget();
    }
    this.#ready = false;
    let how: readonly string[] = ['ask'];
    for (;;) {
      const sentAt = clock.mono();
      const rules = this.#rules;
      const heard = await this.call(scripts.JOIN, rules, ...how);
      const roster = heard.kind === 'heard' ? parseRoster(heard.rest[0]) : undefined;
      if (heard.kind === 'failed' || roster === undefined) return false;
      if (heard.member) {
        this.#member = true;
        this.#beatAt = sentAt;
        this.#claimedIn = undefined;
        this.#rulesTold = rules;
        return true;
      }
      this.#watch.see(roster.beats, clock.mono());
      const joining = this.#watch.judge(roster.beats.keys(), clock.mono());
      if (joining.kind === 'wait') return false;
      how = joining.kind === 'enter' ? ['enter', roster.epoch] : ['new-epoch', roster.text];
    }
  }

  async #beat(): Promise<boolean> {
    const sentAt = this.#o.clock.mono();
    const news = this.#rules === this.#rulesTold ? '' : this.#rules;
    const heard = await this.call(scripts.BEAT, news);
    if (heard.kind === 'failed' || !heard.member) return false;
    this.#beatAt = sentAt;
    if (news !== '') this.#rulesTold = news;
    const roster = parseRoster(heard.rest[0], heard.rest[1]);
    if (roster === undefined) return false;
    await this.#sweeper.sweep(roster, this.#me);
    return true;
  }

  /** In a new epoch, or under a new id, the writes under way are recorded again. */
  async #claim(): Promise<boolean> {
    const epoch = this.#epoch;
    if (this.#claimedIn === epoch) return true;
    for (const [id, write] of [...this.#o.mine]) {
      if (this.#o.mine.get(id) !== write) continue; // it went on meanwhile
      const heard = write.state === 'open'
        ? await this.call(scripts.INTEND, id, ...write.tags)
        : await this.call(scripts.TOUCH, id, ...scripts.touching({ ...write, then: write.state }));
      if (heard.kind === 'failed') return false;
    }
    this.#claimedIn = epoch;
    return true;
  }
}
