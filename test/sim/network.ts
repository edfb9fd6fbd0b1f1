// What one instance shares with others, over a simulated network: one connection for steps, with a
// budget for each and a breaker, and one that listens. Everything takes time, and
// whatever the store is in trouble with shows here as it would with a real client.
import type { Key } from '../../src/core/entry/entry.ts';
import type {
  Heard, Letter, Listener, LoadedPage, MemberId, Message, Shared,
} from '../../src/flow/fleet/shared.ts';
import type { TurnOrder } from '../../src/flow/ports.ts';
import type { DataLink } from './data-link.ts';
import type { Host } from './host.ts';
import type { Caller, Reply } from './server.ts';
import { type Connected, describe, type Listening, type SimStore } from './store.ts';

export interface NetworkOptions {
  readonly store: SimStore;
  readonly data: DataLink;
  readonly host: Host;
  readonly leaseMs: number;
  readonly budgetMs: number;
}

interface Call {
  readonly name: string;
  readonly sentAt: number;
  readonly sentMono: number;
  readonly fail: (because: 'store-down' | 'store-slow') => void;
  cancel: (() => void) | undefined;
}

const PROBE_MS = 200;
const LISTENING_MS = 1000;
/** Steps that a full server still carries out. */
const WITHOUT_MEMORY = new Set(['load', 'roster', 'settle']);

export class Network implements Shared {
  up = false;
  readonly #o: NetworkOptions;
  #listener: Listener | undefined;
  #generation = -1;
  readonly #pending = new Set<Call>();
  readonly #connected: Connected;
  #listening: Listening | undefined;
  #arriveAt = 0;
  #returnAt = 0;
  #probing = false;

  constructor(options: NetworkOptions) {
    this.#o = options;
    this.#connected = { host: options.host, closed: () => this.#trip('store-down') };
    options.store.connected.add(this.#connected);
    this.#probe();
  }

  attach(listener: Listener): void {
    this.#listener = listener;
  }

  join = (me: MemberId, joining: Parameters<Shared['join']>[1]): ReturnType<Shared['join']> =>
    this.#call('join', me, (by) => this.#server.join(by, joining));

  renew = (
    me: MemberId, nonce: string, rules: string | undefined,
  ): ReturnType<Shared['renew']> =>
    this.#call('renew', me, (by) => this.#server.renew(by, nonce, rules));

  settle = (me: MemberId, epoch: Parameters<Shared['settle']>[1]): Promise<Heard> =>
    this.#call('settle', me, (by) => this.#server.settle(by, epoch));

  leave = (me: MemberId, rules: string): Promise<Heard> =>
    this.#call('leave', me, (by) => this.#server.leave(by, rules));

  load = (me: MemberId, cursor: string | undefined): Promise<Heard<LoadedPage>> =>
    this.#call('load', me, (by) => this.#server.load(by, cursor));

  intend = (me: MemberId, id: string, tags: readonly string[]): Promise<Heard> =>
    this.#call('intend', me, (by) => this.#server.intend(by, id, tags));

  abandon = (me: MemberId, id: string): Promise<Heard> =>
    this.#call('abandon', me, (by) => this.#server.abandon(by, id));

  touch = (me: MemberId, touch: Parameters<Shared['touch']>[1]): ReturnType<Shared['touch']> =>
    this.#call('touch', me, (by) => this.#server.touch(by, touch));

  roster = (me: MemberId): ReturnType<Shared['roster']> =>
    this.#call('roster', me, (by) => this.#server.roster(by));

  take = (
    me: MemberId, intent: Parameters<Shared['take']>[1], beat: string,
  ): ReturnType<Shared['take']> =>
    this.#call('take', me, (by) => this.#server.take(by, intent, beat));

  release = (me: MemberId, id: string): Promise<Heard> =>
    this.#call('release', me, (by) => this.#server.release(by, id));

  expel = (me: MemberId, id: MemberId, beat: string): Promise<Heard> =>
    this.#call('expel', me, (by) => this.#server.expel(by, id, beat));

  bump = (me: MemberId): Promise<Heard> => this.#call('bump', me, (by) => this.#server.bump(by));

  async prune(me: MemberId, touchedMax: number): Promise<Heard> {
    let heard: Heard = await this.#call('raise', me, (by) => this.#server.raise(by, touchedMax));
    let cursor: string | undefined = '0';
    while (heard.kind === 'heard' && cursor !== undefined) {
      const at: string = cursor;
      const page: Heard<string | undefined> =
        await this.#call('drop', me, (by) => this.#server.drop(by, at));
      cursor = page.kind === 'heard' ? page.said : undefined;
      heard = page;
    }
    return heard;
  }

  takeTurn(me: MemberId, key: Key, order: TurnOrder): ReturnType<Shared['takeTurn']> {
    return this.#o.data.takeTurn(me, key, order);
  }

  extendTurn(me: MemberId, key: Key, ms: number): Promise<void> {
    return this.#o.data.extendTurn(me, key, ms);
  }

  endTurn(
    me: MemberId, key: Key, kept: boolean, ms: number,
  ): Promise<readonly MemberId[]> {
    return this.#o.data.endTurn(me, key, kept, ms);
  }

  listen(me: MemberId): Promise<boolean> {
    const { store, host } = this.#o;
    const { world } = store;
    this.#hangUp();
    const one: Listening = {
      host, me, open: true, lastAt: 0,
      hear: (message) => this.#hear(message),
      closed: () => {
        one.open = false;
        this.#listener?.deaf();
      },
    };
    this.#listening = one;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const cancel = host.clock.after(LISTENING_MS, () => {
      if (this.#listening === one) this.#hangUp();
      resolve(false);
    });
    const { generation } = store;
    world.after(store.latency(host) * 3, () => store.arrive(generation, () => {
      if (store.state === 'gone' || this.#away || !one.open || !host.alive) return;
      store.listening.add(one);
      world.after(store.latency(host), () => host.enter(() => {
        cancel();
        resolve(one.open);
      }, 'ear'));
    }, () => undefined));
    return promise;
  }

  tell(to: MemberId, letter: Letter): void {
    if (!this.up) return;
    const { store } = this.#o;
    this.#send(() => {
      if (store.state !== 'gone' && store.state !== 'loading') store.tell(to, letter);
    }, () => undefined);
  }

  close(): void {
    this.up = false;
    this.#hangUp();
    this.#o.store.connected.delete(this.#connected);
  }

  /** Nothing goes to the store or comes from it. */
  get #away(): boolean {
    const { store, host } = this.#o;
    return store.trouble('away', host) > 0;
  }

  get #server(): SimStore['server'] {
    return this.#o.store.server;
  }

  #hear(message: Message): void {
    const { store, host } = this.#o;
    store.world.note(() => `${host.name} hears ${describe(message)}`);
    this.#listener?.message(message);
  }

  #hangUp(): void {
    const one = this.#listening;
    if (one === undefined) return;
    this.#listening = undefined;
    one.open = false;
    this.#o.store.listening.delete(one);
  }

  /** In the order of sending; says how long it takes to the server. */
  #send(run: () => void, hung: () => void): number {
    const { store, host } = this.#o;
    const { world } = store;
    this.#arriveAt = Math.max(this.#arriveAt, world.now + store.latency(host));
    const generation = this.#generation;
    if (!this.#away) world.at(this.#arriveAt, () => store.arrive(generation, run, hung));
    return this.#arriveAt - world.now;
  }

  #call<Said>(
    name: string, me: MemberId, act: (by: Caller) => Reply<Said>,
  ): Promise<Heard<Said>> {
    if (!this.up) return Promise.resolve({ kind: 'failed', because: 'store-down' });
    const { store, host, budgetMs } = this.#o;
    const { promise, resolve } = Promise.withResolvers<Heard<Said>>();
    const done = (heard: Heard<Said>): void => {
      call.cancel?.();
      this.#pending.delete(call);
      store.world.note(() => `${host.name} ${name}: ${told(heard)}`);
      resolve(heard);
    };
    const call: Call = {
      name, sentAt: store.world.now, sentMono: host.clock.mono(), cancel: undefined,
      fail: (because) => done({ kind: 'failed', because }),
    };
    this.#pending.add(call);
    const takes = this.#send(() => this.#carriedOut(call, me, act, done), () => this.#late(call));
    if (takes > budgetMs || this.#away) this.#late(call);
    return promise;
  }

  #carriedOut<Said>(
    call: Call, me: MemberId, act: (by: Caller) => Reply<Said>, done: (heard: Heard<Said>) => void,
  ): void {
    const { store, host, leaseMs } = this.#o;
    const { name } = call;
    const by = { me, leaseMs, fresh: store.freshEpoch() };
    const refused = store.state === 'gone' || store.state === 'loading'
      || (store.state === 'full' && !WITHOUT_MEMORY.has(name));
    let reply: Reply<Said> = refused ? { kind: 'error', error: 'READONLY' } : act(by);
    if (!refused) {
      store.world.note(() => `  store: ${name} of ${me}`);
      if (store.has('answer-repeated', host)) reply = act({ ...by, fresh: store.freshEpoch() });
      store.onStep?.(name, host);
      if (this.#away || store.has('answer-lost', host)) {
        this.#late(call);
        return;
      }
      if (store.has('cut', host)) {
        this.#cut();
        return;
      }
    }
    this.#returned(call, () => {
      if (reply.kind === 'reply') {
        done({ ...reply, kind: 'heard' });
      } else if (reply.error === 'NEWER') {
        done({ kind: 'failed', because: 'store-newer' });
      } else {
        call.fail('store-down');
        this.#trip('store-down');
      }
    });
  }

  #returned(call: Call, run: () => void): void {
    const { store, host, budgetMs } = this.#o;
    const { world } = store;
    this.#returnAt = Math.max(this.#returnAt, world.now + store.latency(host));
    if (this.#returnAt - call.sentAt > budgetMs) this.#late(call);
    world.at(this.#returnAt, () => host.enter(() => {
      if (!this.#pending.has(call)) return;
      if (host.clock.mono() - call.sentMono > budgetMs) this.#timedOut(call);
      else run();
    }, 'link'));
  }

  /** Its answer won't be here in time. */
  #late(call: Call): void {
    const { host, budgetMs } = this.#o;
    const left = budgetMs - (host.clock.mono() - call.sentMono);
    call.cancel ??= host.clock.after(left, () => this.#timedOut(call));
  }

  #timedOut(call: Call): void {
    if (!this.#pending.has(call)) return;
    call.fail('store-slow');
    this.#trip('store-slow');
  }

  /** Both connections end, in the middle of what is under way. */
  #cut(): void {
    const { store, host } = this.#o;
    this.#generation = -1;
    host.enter(() => this.#trip('store-down'), 'link');
    if (this.#listening !== undefined) store.endListening(this.#listening);
  }

  #trip(because: 'store-down' | 'store-slow'): void {
    for (const call of [...this.#pending]) if (because === 'store-down') call.fail(because);
    if (this.up) {
      this.up = false;
      this.#listener?.down();
    }
    this.#probeLater();
  }

  #probeLater(): void {
    if (this.#probing) return;
    this.#probing = true;
    this.#o.host.clock.after(PROBE_MS, () => this.#probe());
  }

  #probe(): void {
    const { store, host } = this.#o;
    if (!store.connected.has(this.#connected)) return;
    this.#probing = true;
    store.world.after(store.latency(host) * 2, () => host.enter(() => {
      this.#probing = false;
      const { state } = store;
      if (this.#away || state === 'gone' || state === 'hung' || state === 'loading') {
        this.#probeLater();
        return;
      }
      this.#generation = store.generation;
      this.up = true;
      this.#listener?.up();
    }));
  }
}

function told(heard: Heard): string {
  if (heard.kind === 'failed') return `failed, ${heard.because}`;
  const { epoch, seq, member, young } = heard.head;
  return `${epoch}/${seq}${member ? '' : ' (no member)'}${young ? ' (young)' : ''}`;
}
