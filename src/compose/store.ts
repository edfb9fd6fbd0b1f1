// Opens the store that the operator chose: memory, or Redis, with memory in front of it unless that
// is off.
import { rulesHash } from '../core/plan/unwatched.ts';
import type { Config } from '../core/rules/config.ts';
import type { Clock, Ear, Store } from '../flow/ports.ts';
import { memoryEntries, type MemoryEntries, memoryStore } from '../io/memory.ts';
import { tieredEntries } from '../io/tiers.ts';

/** `near`: what stands in this process, for those who count it. */
export async function openStore(
  config: Config,
  { clock, ear }: { clock: Clock; ear: Ear },
): Promise<{ store: Store; near: Pick<MemoryEntries, 'size' | 'bytes'> }> {
  const { store, limits, leaseMs, memoryBytes: bytes } = config;
  if (store.kind === 'memory') {
    const memory = memoryStore({ bytes, limits, clock });
    return { store: memory, near: memory.entries };
  }
  // Only who has a Redis pays for its client, which takes 19 MB.
  const { redisStore } = await import('../io/redis.ts');
  const far = redisStore({
    ...store,
    clock,
    leaseMs,
    rules: rulesHash(config),
    limits,
    budgetMs: limits.storeBudgetMs,
    alone: bytes === 0,
    onTrouble: (because, detail) => ear.trouble('store', { because, ...detail }),
  });
  if (bytes === 0) return { store: far, near: { size: 0, bytes: 0 } };
  const near = memoryEntries({ bytes });
  return { store: { ...far, entries: tieredEntries(near, far.entries) }, near };
}
