// Which readers' credentials some instance trusts, for all instances to know: by their tags, which
// say nothing of who they are. An economy and no more: whoever is refused and stands here is ended
// on all instances, so that refusing strangers costs no touches.
import type { Clock, KnownReaders } from '../flow/ports.ts';
import type { RedisLink } from './redis-link.ts';
import { FORMAT } from './redis-lua.ts';
import { NOTE } from './redis-scripts.ts';

/** Those that were noted lately need not be noted again. */
const LATELY_MAX = 20_000;

export interface RedisReadersOptions {
  readonly link: Pick<RedisLink, 'run' | 'get'>;
  readonly prefix: string;
  readonly clock: Pick<Clock, 'mono'>;
}

export function redisReaders({ link, prefix, clock }: RedisReadersOptions): KnownReaders {
  const name = (tag: string): string => `${prefix}:${FORMAT}:w:${tag}`;
  const lately = new Map<string, number>();
  return {
    async note(tag, ms) {
      const mono = clock.mono();
      if (mono - (lately.get(tag) ?? -Infinity) < ms / 2) return true;
      // Twice the time, so that it stands whenever it was left out.
      const reply = await link.run(NOTE, [name(tag)], [String(2 * ms)]);
      if (reply.kind === 'failed') return false;
      lately.delete(tag);
      if (lately.size >= LATELY_MAX) lately.delete(lately.keys().next().value!);
      lately.set(tag, mono);
      return true;
    },
    async known(tag) {
      const reply = await link.get(name(tag));
      return reply.kind === 'failed' ? undefined : Buffer.isBuffer(reply.value);
    },
  };
}
