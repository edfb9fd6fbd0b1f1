// The store in Redis, shared by several instances, each of which asks it before every use. Needs
// Redis 6.2 or later, or Valkey. Never throws at its callers and never lets them wait beyond their
// budget: when it is down, slow or not yet joined, it says so.
import type { Limits } from '../core/rules/config.ts';
import type { Clock, Store } from '../flow/ports.ts';
import { RedisControl } from './redis-control.ts';
import { redisEntries } from './redis-entries.ts';
import type { Mine } from './redis-heard.ts';
import { RedisLife } from './redis-life.ts';
import { RedisLink, type RedisTrouble, type Tell } from './redis-link.ts';

export type { RedisTrouble } from './redis-link.ts';

export interface RedisStoreOptions {
  /** `redis://` or, with TLS, `rediss://`; user, password and database are in it. */
  readonly url: string;
  /** Before every name in Redis; instances with the same one share a cache. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Stands for the rules in force: what was kept under others is not trusted. */
  readonly rules: string;
  readonly limits: Pick<Limits, 'touched' | 'entryLifeMs' | 'quarantineMs'>;
  /** Bounds every single call. */
  readonly budgetMs: number;
  /** The message never holds a password. The same reason is told at most every ten seconds. */
  readonly onTrouble: (because: RedisTrouble, detail: { readonly message: string }) => void;
}

const TOLD_AGAIN_MS = 10_000;

export function redisStore(options: RedisStoreOptions): Store {
  const { url, prefix, clock, leaseMs, rules, limits, budgetMs } = options;
  const mine: Mine = new Map();
  const swept: ((tags: readonly string[]) => void)[] = [];
  const tell = sparingly(options);
  const probeMs = Math.max(10, Math.min(leaseMs / 10, 200));
  const shared = { url, clock, budgetMs, probeMs, tell };
  const link = new RedisLink({
    ...shared, strict: true, onUp: () => life.nudge(), onDown: () => life.down(),
  });
  const dataLink = new RedisLink({
    ...shared, strict: false, onUp: () => undefined, onDown: () => undefined,
  });
  const life: RedisLife = new RedisLife({
    link, clock, prefix, leaseMs, rules, limits, mine, tell,
    swept: (tags) => swept.forEach((callback) => callback(tags)),
  });
  life.start();
  return {
    control: new RedisControl(life, mine, limits.touched),
    entries: redisEntries({ link: dataLink, prefix, clock, lifeMsMax: limits.entryLifeMs }),
    state() {
      const state = life.state();
      if (state !== 'down') return { kind: 'redis', state };
      return { kind: 'redis', state, because: life.unfit ? 'too-old' : link.because };
    },
    onSwept: (callback) => void swept.push(callback),
    rules: (rules) => life.rules(rules),
    async close({ clean }) {
      await life.close(clean);
      link.close();
      dataLink.close();
    },
  };
}

function sparingly({ clock, onTrouble }: RedisStoreOptions): Tell {
  const told = new Map<RedisTrouble, number>();
  return (because, message) => {
    const last = told.get(because);
    if (last !== undefined && clock.mono() - last < TOLD_AGAIN_MS) return;
    told.set(because, clock.mono());
    onTrouble(because, { message });
  };
}
