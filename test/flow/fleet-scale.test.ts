// What a fleet costs, counted: steps of the store and messages, for a write and at rest, with few
// members and with many. Linear in their number, never more.
import t from 'tap';
import { joinFleet, type Fleet } from '../../src/flow/fleet/fleet.ts';
import type { Listener, MemberId, Message, Shared } from '../../src/flow/fleet/shared.ts';
import { simulated } from '../contract/both.ts';
import { ControlServer } from '../sim/server.ts';
import { DataServer } from '../sim/server-data.ts';
import { VirtualClock } from '../virtual-clock.ts';

const LEASE_MS = 2000;

interface Counts {
  /** Scripts that the store ran. */
  steps: number;
  /** What was sent, to one or to all. */
  sent: number;
  /** What was heard by somebody. */
  heard: number;
  /** Members that answers named, which is what makes them long. */
  named: number;
}

class Hub {
  readonly clock = new VirtualClock();
  readonly counts: Counts = { steps: 0, sent: 0, heard: 0, named: 0 };
  readonly #listening = new Map<MemberId, Listener>();
  readonly #server = new ControlServer({
    pages: 1, publish: (to, message) => this.#send(to, message),
  });
  readonly #data = new DataServer(() => this.clock.now());
  #ids = 0;

  readonly newId = (): string => {
    this.#ids += 1;
    return `id-${this.#ids}`;
  };

  #send(to: MemberId, message: Message): void {
    this.counts.sent += 1;
    const listeners = to === 'touches' ? [...this.#listening.values()] : [this.#listening.get(to)];
    for (const listener of listeners) {
      if (listener === undefined) continue;
      this.counts.heard += 1;
      queueMicrotask(() => listener.message(message));
    }
  }

  shared(): Shared {
    const { server, data } = { server: this.#server, data: this.#data };
    const steps = simulated({ server, data, leaseMs: LEASE_MS, newId: this.newId });
    let listener: Listener | undefined;
    return {
      ...this.#counted(steps),
      up: true,
      attach: (one) => void (listener = one),
      listen: (me) => {
        for (const [id, one] of this.#listening) if (one === listener) this.#listening.delete(id);
        this.#listening.set(me, listener!);
        return Promise.resolve(true);
      },
      tell: (to, letter) => this.#send(to, letter),
      close: () => undefined,
    };
  }

  #counted(steps: ReturnType<typeof simulated>): ReturnType<typeof simulated> {
    const counted = Object.entries(steps).map(([name, step]) => [
      name,
      async (...args: unknown[]) => {
        this.counts.steps += 1;
        const reply = await (step as (...all: unknown[]) => Promise<unknown>)(...args);
        this.counts.named += namedIn(reply);
        return reply;
      },
    ]);
    return Object.fromEntries(counted) as ReturnType<typeof simulated>;
  }

  /** So much time, with what follows from each of its moments. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 20) {
      this.clock.advance(20);
      await new Promise(setImmediate);
    }
  }

  async counted(act: () => Promise<unknown>): Promise<Counts> {
    const before = { ...this.counts };
    await act();
    await new Promise(setImmediate);
    const { steps, sent, heard, named } = this.counts;
    return {
      steps: steps - before.steps, sent: sent - before.sent, heard: heard - before.heard,
      named: named - before.named,
    };
  }
}

function namedIn(reply: unknown): number {
  type Named = Record<'beats' | 'members', Map<string, string> | undefined>;
  const { said } = reply as { said?: Named };
  return said?.beats?.size ?? said?.members?.size ?? 0;
}

async function fleetOf(size: number): Promise<{ hub: Hub; fleets: readonly Fleet[] }> {
  const hub = new Hub();
  const { clock, newId } = hub;
  const fleets = Array.from({ length: size }, () => joinFleet({
    shared: hub.shared(), clock, newId, leaseMs: LEASE_MS, rules: 'rules',
    limits: { touched: 1000, quarantineMs: 60_000 },
    onTouched: () => undefined, onSwept: () => undefined, onNews: () => undefined,
    onOtherRules: () => undefined,
    onBroken: (error) => { throw error; },
  }));
  for (let turn = 0; turn < 50 && fleets.some((one) => one.trouble() !== undefined); turn += 1) {
    await hub.pass(LEASE_MS / 5);
  }
  return { hub, fleets };
}

for (const size of [3, 30, 300]) {
  t.test(`a write among ${size} members costs two steps, one message, and ${size - 1} back`,
    async (t) => {
      const { hub, fleets: [writer, ...others] } = await fleetOf(size);
      t.equal(writer!.trouble(), undefined);
      const cost = await hub.counted(async () => {
        await writer!.control.intend('w', ['a']);
        await writer!.control.touch({ intent: 'w', tags: ['a'], then: 'done' });
      });
      t.strictSame(cost, {
        steps: 2, sent: 1 + (size - 1), heard: size + (size - 1), named: size,
      });
      t.ok(others.every(({ control }) => {
        const known = control.look(['a']);
        return !(known instanceof Promise) && known.kind === 'known' && known.newest > 0;
      }), 'everybody knows when it is over');
    });

  t.test(`${size} members at rest take a step for each, each third of a lease`, async (t) => {
    const { hub } = await fleetOf(size);
    const thirds = 15;
    const cost = await hub.counted(() => hub.pass((thirds * LEASE_MS) / 3));
    const renewals = size * thirds;
    // One of them looks after the others, with one more step.
    t.ok(cost.steps <= renewals + thirds + size, `${cost.steps} steps`);
    t.ok(cost.sent <= renewals + size, `${cost.sent} messages`);
    t.equal(cost.heard, cost.sent, 'each to one member');
    t.ok(cost.named <= 2 * renewals + 2 * size, `${cost.named} members named`);
  });
}
