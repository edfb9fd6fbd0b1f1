// The store that all instances of a history share: the server with its data, who listens to it,
// and the troubles that it and the ways to it are in. What it decides is in server.ts; here is
// only when and whether anything arrives.
import type { MemberId, Message } from '../../src/flow/fleet/shared.ts';
import type { Host } from './host.ts';
import { ControlServer } from './server.ts';
import { DataServer } from './server-data.ts';
import type { World } from './world.ts';

/** What may be wrong between instances and the store. */
export type TroubleKind =
  | 'slow' | 'answer-lost' | 'answer-repeated' | 'cut' | 'away'
  | 'bus-lost' | 'bus-delayed' | 'bus-reordered' | 'bus-repeated';

export interface Trouble {
  /** Undefined: everybody's. */
  readonly victim: Host | undefined;
  /** A share of the cases, or milliseconds at most. */
  readonly amount: number;
}

/** What an instance listens with. */
export interface Listening {
  readonly host: Host;
  readonly me: MemberId;
  open: boolean;
  /** When the last message arrives that is on its way. */
  lastAt: number;
  readonly hear: (message: Message) => void;
  readonly closed: () => void;
}

export interface Connected {
  readonly host: Host;
  readonly closed: () => void;
}

export class SimStore {
  readonly server: ControlServer;
  readonly data: DataServer;
  readonly listening = new Set<Listening>();
  readonly connected = new Set<Connected>();
  readonly troubles = new Map<TroubleKind, Trouble>();
  /** Of the server itself. */
  state: 'up' | 'hung' | 'gone' | 'loading' | 'full' = 'up';
  /** How far its clock has been set. */
  clockOff = 0;
  /** Goes up when all connections end. */
  generation = 0;
  onStep: ((name: string, host: Host) => void) | undefined;
  readonly world: World;
  readonly #held: (() => void)[] = [];
  /** To one that is cut off. */
  readonly #underWay: (() => void)[] = [];
  #histories = 0;
  #epochs = 0;

  constructor(world: World) {
    this.world = world;
    this.server = new ControlServer({
      pages: world.chance.of([1, 1, 3]), publish: (to, message) => this.#publish(to, message),
    });
    this.data = new DataServer(() => world.now + this.clockOff);
  }

  freshEpoch(): string {
    this.#epochs += 1;
    return `epoch-${this.#epochs}`;
  }

  /**
   * Its history is another from now on: since it was started again, since another server is the
   * primary now, or since the one of this run is it again.
   */
  newHistory(how: 'started' | 'promoted' | { readonly backTo: string }): void {
    const { server, server: { about } } = this;
    this.#histories += 1;
    about.replid2 = how === 'started' ? '' : server.replid;
    about.runId = typeof how === 'string' ? `run-${this.#histories}` : how.backTo;
    if (how === 'started') about.asked = 0;
    else about.failovers += 1;
    server.replid = `history-${this.#histories}`;
  }

  /** How much of this trouble a host has; 0 for none. */
  trouble(kind: TroubleKind, host: Host): number {
    if (this.troubles.size === 0) return 0;
    const trouble = this.troubles.get(kind);
    if (trouble === undefined) return 0;
    return trouble.victim === undefined || trouble.victim === host ? trouble.amount : 0;
  }

  has(kind: TroubleKind, host: Host): boolean {
    return this.world.chance.is(this.trouble(kind, host));
  }

  /** How long one way takes. */
  latency(host: Host): number {
    const { chance } = this.world;
    const slow = this.trouble('slow', host);
    return chance.between(0.2, 3) + (slow > 0 && chance.is(0.5) ? chance.between(0, slow) : 0);
  }

  /** Runs it now, or when the server goes on; never if its connections ended before. */
  arrive(generation: number, run: () => void, hung: () => void): void {
    if (generation !== this.generation) return;
    if (this.state === 'hung') {
      this.#held.push(() => this.arrive(generation, run, hung));
      hung();
    } else {
      run();
    }
  }

  goOn(): void {
    this.state = 'up';
    for (const run of this.#held.splice(0)) run();
  }

  /** Ends all connections, as a server does that ends itself. */
  endConnections(): void {
    this.generation += 1;
    this.#held.length = 0;
    for (const one of [...this.connected]) one.host.enter(one.closed, 'link');
    for (const one of [...this.listening]) this.endListening(one);
  }

  /** One that was cut off can be reached again: what was sent to it meanwhile comes now. */
  reachesAll(): void {
    this.troubles.delete('away');
    for (const deliver of this.#underWay.splice(0)) deliver();
  }

  endListening(one: Listening): void {
    if (!this.listening.delete(one)) return;
    one.host.enter(() => {
      if (one.open) one.closed();
    }, 'ear');
  }

  tell(to: MemberId, message: Message): void {
    this.#publish(to, message);
  }

  #publish(to: MemberId, message: Message): void {
    for (const one of this.listening) {
      if (to === 'touches' ? message.kind === 'touched' : one.me === to) {
        this.#deliver(one, message);
      }
    }
  }

  #deliver(one: Listening, message: Message): void {
    const { world } = this;
    const { host } = one;
    const delayed = this.trouble('bus-delayed', host);
    const takes = world.chance.between(0.1, 2);
    const later = delayed > 0 ? world.chance.between(0, delayed) : 0;
    const at = Math.max(one.lastAt, world.now + takes + later);
    if (this.troubles.size > 0) {
      if (this.trouble('away', host) > 0) {
        this.#underWay.push(() => this.#deliver(one, message));
        return;
      }
      if (this.has('bus-lost', host)) {
        world.note(() => `bus loses ${describe(message)} for ${host.name}`);
        return;
      }
      const reordered = this.trouble('bus-reordered', host);
      if (reordered > 0 && world.chance.is(0.4)) {
        this.#handOver(one, message, at + world.chance.between(0, reordered));
        return;
      }
      if (this.has('bus-repeated', host)) {
        this.#handOver(one, message, at + world.chance.between(0, 800));
      }
    }
    one.lastAt = at;
    this.#handOver(one, message, at);
  }

  #handOver(one: Listening, message: Message, at: number): void {
    this.world.at(at, () => one.host.enter(() => {
      if (one.open) one.hear(message);
    }, 'ear'));
  }
}

export function describe(message: Message): string {
  switch (message.kind) {
    case 'touched': {
      const { epoch, seq, then, tags, intent } = message.touch;
      return `touch ${epoch}/${seq} ${then} ${intent ?? ''} ${String(tags)}`;
    }
    case 'renewed': return `renewed ${message.epoch}/${message.seq}`;
    case 'acked': return `acked by ${message.by} ${message.epoch}/${message.seq}`;
    default: return message.kind;
  }
}
