// The simulated server in the shape of what it stands for, with nothing between: no network, no
// time.
import type { Heard, Shared } from '../../src/flow/fleet/shared.ts';
import type { Caller, ControlServer, Reply } from '../sim/server.ts';
import type { DataServer } from '../sim/server-data.ts';

export type Told = Omit<Shared, 'up' | 'attach' | 'listen' | 'tell' | 'close'>;

export function simulated({ server, data, leaseMs, newId }: {
  readonly server: ControlServer;
  readonly data: DataServer;
  readonly leaseMs: number;
  readonly newId: () => string;
}): Told {
  const by = (me: string): Caller => ({ me, leaseMs, fresh: newId() });
  const writable = (): boolean => server.role === 'primary';
  return {
    join: (me, joining) => heard(server.join(by(me), joining)),
    renew: (me, nonce, rules) => heard(server.renew(by(me), nonce, rules)),
    settle: (me, young) => heard(server.settle(by(me), young)),
    leave: (me, rules) => heard(server.leave(by(me), rules)),
    load: (me, cursor) => heard(server.load(by(me), cursor)),
    intend: (me, id, tags) => heard(server.intend(by(me), id, tags)),
    abandon: (me, id) => heard(server.abandon(by(me), id)),
    touch: (me, touch) => heard(server.touch(by(me), touch)),
    roster: (me) => heard(server.roster(by(me))),
    take: (me, intent, beat) => heard(server.take(by(me), intent, beat)),
    release: (me, id) => heard(server.release(by(me), id)),
    expel: (me, id, beat) => heard(server.expel(by(me), id, beat)),
    async prune(me, touchedMax) {
      const raised = server.raise(by(me), touchedMax);
      if (raised.kind === 'error') return heard(raised);
      for (let cursor: string | undefined = '0'; ;) {
        const dropped: Reply<string | undefined> = server.drop(by(me), cursor);
        if (dropped.kind === 'error' || dropped.said === undefined) return heard(dropped);
        cursor = dropped.said;
      }
    },
    bump: (me) => heard(server.bump(by(me))),
    takeTurn: (me, key, order) =>
      Promise.resolve(writable() ? data.takeTurn(me, key, order) : 'unknown'),
    extendTurn: (me, key, ms) =>
      Promise.resolve(writable() ? data.extendTurn(me, key, ms) : undefined),
    endTurn: (me, key, kept, ms) =>
      Promise.resolve(writable() ? data.endTurn(me, key, kept, ms) : []),
  };
}

function heard<Said>(reply: Reply<Said>): Promise<Heard<Said>> {
  if (reply.kind === 'reply') return Promise.resolve({ ...reply, kind: 'heard' });
  const because = reply.error === 'NEWER' ? 'store-newer' : 'store-down';
  return Promise.resolve({ kind: 'failed', because });
}
