// The life of one instance in a fleet: it listens, joins, loads a replica of the touches, and
// renews its lease, over and over; whatever goes wrong ends the lease first and is mended then.
// Without a lease nothing of the cache is used. Every wait is a full one on its own clock.
import type { Epoch } from '../../core/entry/entry.ts';
import { since } from '../../core/promise/lease.ts';
import type { Looked } from '../../core/promise/touches.ts';
import { momentOf } from '../moment.ts';
import type { Clock, StoreTrouble, Swept } from '../ports.ts';
import { Acknowledging } from './acknowledging.ts';
import { claim, type Mine } from './claim.ts';
import { Entrance } from './entrance.ts';
import { Knowledge } from './knowledge.ts';
import { Membership } from './membership.ts';
import { FleetTurns } from './turns.ts';
import type { Beats, Heard, MemberId, Message, Renewed, Shared } from './shared.ts';
import { Steward } from './steward.ts';

export interface MemberOptions {
  readonly shared: Shared;
  readonly clock: Clock;
  /** Makes an id that nobody else makes; no spaces in it. */
  readonly newId: () => string;
  readonly leaseMs: number;
  /** Stands for the rules in force: what was kept under others is not trusted. */
  readonly rules: string;
  readonly limits: { readonly touched: number; readonly quarantineMs: number };
  /** Others touched these, or it was done for those who are gone: to be fetched again. */
  readonly onTouched: (tags: readonly string[]) => void;
  /** A write was touched for somebody who is gone. */
  readonly onSwept: (swept: Swept) => void;
  /** A live member goes by other rules: its writes may not reach what is kept by these. */
  readonly onOtherRules: () => void;
  readonly onBroken: (error: unknown) => void;
}

/** Even where there is something new to do at once, others get their turn. */
const PAUSE_MS_MIN = 2;

export class Member {
  readonly mine: Mine = new Map();
  /** Called when it has perhaps changed whether the cache may be used. */
  onStanding: () => void = () => undefined;
  readonly turns: FleetTurns;
  readonly #o: MemberOptions;
  readonly #membership: Membership;
  readonly #knowledge: Knowledge;
  readonly #acks: Acknowledging;
  readonly #entrance: Entrance;
  readonly #steward: Steward;
  #listensAs: MemberId | undefined;
  /** The epoch in which `mine` stands, under this id. */
  #claimedIn: Epoch | undefined;
  #rules: string;
  /** Those that the store was told, in this epoch and under this id. */
  #rulesTold: string | undefined;
  #overfull = false;
  #closed = false;
  #nudged = false;
  #wake: () => void = () => undefined;
  readonly #running: Promise<void>;

  constructor(options: MemberOptions) {
    const { clock, leaseMs, limits, newId, shared, onSwept: swept } = options;
    this.#o = options;
    this.#rules = options.rules;
    this.#membership = new Membership({
      clock, newId, leaseMs, changed: (what) => this.#changed(what),
    });
    const { ask } = this.#membership;
    const { quarantineMs } = limits;
    this.#knowledge = new Knowledge({ leaseMs, limits, lost: () => this.#lost() });
    this.#acks = new Acknowledging(shared, clock);
    this.#entrance = new Entrance({ shared, clock, newId, ask: (step) => this.write(step) });
    this.#steward = new Steward({ shared, clock, ask, mine: this.mine, quarantineMs, swept });
    this.turns = new FleetTurns(shared, clock, () => this.#membership.me);
    shared.attach({
      message: (message) => this.#hear(message),
      up: () => this.#nudge(),
      down: () => this.#lost(),
      deaf: () => this.#deaf(),
    });
    this.#running = this.#run();
  }

  get ask(): Membership['ask'] {
    return this.#membership.ask;
  }

  /** The longest lease that anybody may hold, as far as is known. */
  get leaseMsMax(): number {
    return this.#membership.leaseMsMax;
  }

  /** The epoch in which it holds its lease, and why that was begun. */
  get epoch(): { readonly epoch: Epoch | undefined; readonly begun: string } {
    return this.#knowledge;
  }

  /** When the store last took something of this instance's, in monotonic milliseconds. */
  get wroteAt(): number {
    return this.#membership.wroteAt;
  }

  /** A step that changes something; where it is heard, the store takes what it is told. */
  async write<Said>(step: (me: MemberId) => Promise<Heard<Said>>): Promise<Heard<Said>> {
    const heard = await this.ask(step);
    if (heard.kind === 'heard') this.#membership.wrote();
    return heard;
  }

  /** Why the cache may not be used now; undefined if it may. */
  trouble(): StoreTrouble | undefined {
    if (this.#knowledge.holds(momentOf(this.#o.clock))) return undefined;
    return this.#o.shared.up ? 'store-joining' : 'store-down';
  }

  /** Only where there is no trouble. */
  get mark(): object | undefined {
    return this.#knowledge.mark;
  }

  /** Only where there is no trouble. */
  look(tags: readonly string[]): Looked {
    return this.#knowledge.look(tags);
  }

  /** Ends when nobody can use any more what this touch has ended. */
  async everybodyKnows(
    { head, said }: Extract<Heard<{ members: Beats }>, { kind: 'heard' }>,
  ): Promise<void> {
    const { clock, shared } = this.#o;
    const missing = await this.#acks.everybody(head, said.members, this.leaseMsMax);
    const holdMs = this.#membership.youngForMs(head.young);
    if (holdMs > 0) await new Promise<void>((resolve) => void clock.after(holdMs, resolve));
    // Who renewed since has compared what it knows; it stays, so that later touches wait for it.
    for (const [id, beat] of missing) void this.ask((me) => shared.expel(me, id, beat));
  }

  /** The rules in force changed, and what they make readable has been touched. */
  rules(rules: string): void {
    this.#rules = rules;
    this.#nudge();
  }

  /** More touches are remembered than should be. */
  tooMany(): void {
    this.#overfull = true;
    this.#nudge();
  }

  /** `clean`: what was kept may be trusted by whoever comes next. */
  async close(clean: boolean): Promise<void> {
    this.#closed = true;
    this.onStanding = () => undefined;
    this.#wake();
    await this.#running;
    // Whoever was a member all the while missed no outage, with or without a lease.
    if (clean && this.#membership.joined && !this.#membership.lapses()) {
      await this.ask((me) => this.#o.shared.leave(me, this.#rules));
    }
    this.#knowledge.lose();
    this.#o.shared.close();
  }

  #hear(message: Message): void {
    switch (message.kind) {
      case 'touched': {
        const { touch } = message;
        const { me } = this.#membership;
        this.#knowledge.hear(touch);
        this.#acks.heard(me, touch);
        const { tags, then, refreshes, writer } = touch;
        if (writer === me || then !== 'done' || tags === 'everything' || refreshes === 0) return;
        this.#o.onTouched(tags.slice(0, refreshes));
        return;
      }
      case 'renewed': {
        const old = this.#membership.young === undefined;
        this.#knowledge.renewed(message, old && this.#claimedIn === message.epoch);
        this.onStanding();
        return;
      }
      case 'acked':
        this.#acks.acked(message.by, message.epoch, message.seq);
        return;
      case 'call': {
        const { epoch } = this.#knowledge;
        if (epoch === undefined || this.trouble() !== undefined) return;
        this.#o.shared.tell(message.from, { kind: 'answer', nonce: message.nonce, epoch });
        return;
      }
      case 'answer':
        this.#entrance.hear(message);
        return;
      case 'landed':
        this.turns.hear(message);
        return;
    }
  }

  #changed(what: 'epoch' | 'id'): void {
    this.#claimedIn = undefined;
    this.#rulesTold = undefined;
    if (what === 'id') {
      this.#entrance.forget();
      this.#steward.forget();
      this.#deaf();
    } else {
      this.#knowledge.lose();
    }
  }

  #deaf(): void {
    this.#listensAs = undefined;
    this.#knowledge.lose();
    this.#knowledge.lease.forget();
  }

  /** Of another's turn nobody may hear any more, and nothing is found without a lease. */
  #lost(): void {
    this.turns.leave();
    this.onStanding();
    this.#nudge();
  }

  #nudge(): void {
    this.#nudged = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      this.#nudged = false;
      let waitMs = this.#o.leaseMs / 3;
      try {
        waitMs = await this.#round();
      } catch (error) {
        this.#knowledge.lose();
        this.#nudged = false;
        this.#o.onBroken(error);
      }
      if (!this.#closed) await this.#pause(this.#nudged ? PAUSE_MS_MIN : waitMs);
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

  /** Says how long to wait before the next. */
  async #round(): Promise<number> {
    const { leaseMs, shared } = this.#o;
    const soon = leaseMs / 10;
    if (!shared.up) return leaseMs;
    const membership = this.#membership;
    membership.lapses();
    if (!(await this.#listening())) return soon;
    if (!membership.joined && !(await this.#join())) return soon;
    const between = (): Promise<void> => this.#renewIfDue();
    if (!(await this.#knowledge.load(this.ask, shared, between))) return soon;
    if (this.#listensAs !== membership.me || !(await this.#claim())) return soon;
    const renewed = await this.#renew();
    if (renewed === undefined) return soon;
    await this.#lookAfterOthers(renewed);
    await this.#settle();
    return Math.min(leaseMs / 3, membership.youngForMs() || Infinity);
  }

  async #listening(): Promise<boolean> {
    const { me } = this.#membership;
    if (this.#listensAs === me) return true;
    if (!(await this.#o.shared.listen(me)) || me !== this.#membership.me) return false;
    this.#listensAs = me;
    this.#knowledge.lose(); // what came before was not all
    return true;
  }

  async #join(): Promise<boolean> {
    const { me, former } = this.#membership;
    const rules = this.#rules;
    const as = { rules, leaseMs: this.#o.leaseMs, former };
    const entered = await this.#entrance.attempt(me, as, this.leaseMsMax);
    if (me !== this.#membership.me) return false;
    if (entered.kind === 'late') this.#membership.rename();
    if (entered.kind !== 'in') return false;
    this.#membership.entered(entered.at);
    this.#rulesTold = rules;
    return true;
  }

  /** In a new epoch, or under a new id, the writes under way are recorded again. */
  async #claim(): Promise<boolean> {
    const { epoch } = this.#knowledge;
    if (epoch === undefined || this.#claimedIn === epoch) return epoch !== undefined;
    const { me } = this.#membership;
    const between = (): Promise<void> => this.#renewIfDue();
    if (!(await claim(this.mine, this.ask, this.#o.shared, between))) return false;
    if (this.#knowledge.epoch !== epoch || this.#membership.me !== me) return false;
    this.#claimedIn = epoch;
    return true;
  }

  async #renewIfDue(): Promise<void> {
    if (this.#membership.sinceBeatMs >= this.#o.leaseMs / 3) await this.#renew();
  }

  async #renew(): Promise<Renewed | undefined> {
    const { clock, leaseMs, newId, shared } = this.#o;
    if (this.#membership.lapses()) return undefined;
    const at = momentOf(clock);
    const { lease } = this.#knowledge;
    const unheard = lease.unheardSince;
    if (unheard !== undefined) {
      // Still on its way, or never to come: then it listens anew.
      if (since(unheard, at) >= leaseMs / 4) this.#deaf();
      return undefined;
    }
    const nonce = newId();
    lease.ask(nonce, at);
    const news = this.#rules === this.#rulesTold ? undefined : this.#rules;
    const { me } = this.#membership;
    const heard = await this.ask((self) => shared.renew(self, nonce, news));
    if (heard.kind === 'failed' || me !== this.#membership.me) return undefined;
    if (!this.#membership.renewed(at)) return undefined;
    const { rules } = heard.said;
    if (news === undefined && rules !== '' && rules !== this.#rules) this.#o.onOtherRules();
    // Told nothing, in an epoch that may have begun with this very step, it stays as it is.
    if (news !== undefined) this.#rulesTold = news;
    lease.confirm(nonce);
    this.onStanding();
    return heard.said;
  }

  /** Nobody uses the cache while the store is young. */
  async #settle(): Promise<void> {
    const { young } = this.#membership;
    if (young === undefined || this.#membership.youngForMs() > 0) return;
    const heard = await this.ask((me) => this.#o.shared.settle(me, young));
    if (heard.kind === 'heard') this.#nudge();
  }

  async #lookAfterOthers({ steward, ...watched }: Renewed): Promise<void> {
    const { limits, shared } = this.#o;
    const { me } = this.#membership;
    if (steward === me) {
      const heard = await this.ask((self) => shared.roster(self));
      if (heard.kind === 'heard') await this.#steward.look(me, heard.said, this.leaseMsMax);
    } else {
      await this.#steward.look(me, watched, this.leaseMsMax);
    }
    if (!this.#overfull) return;
    const pruned = await this.ask((self) => shared.prune(self, limits.touched));
    this.#overfull = pruned.kind === 'failed';
  }
}
