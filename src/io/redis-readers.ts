// Which readers' credentials some instance trusts, for all instances to know: by their tags, which
// say nothing of who they are. An economy and no more: whoever is refused and stands here is ended
// on all instances, so that refusing strangers costs no touches.
import type { Clock, KnownReaders } from '../flow/ports.ts';
import type { RedisLink } from './redis-link.ts';
import { FORMAT } from './redis-lua.ts';
import { NOTE } from './redis-scripts.ts';

/** Those that were noted lately need not be noted again. */
const LATELY_MAX = 20_000;

/** What stands there where nothing is sealed. */
const PLAIN = '1';
const FORGOTTEN_MS = 600_000;

export interface RedisReadersOptions {
  readonly link: Pick<RedisLink, 'run' | 'get'>;
  readonly prefix: string;
  readonly clock: Pick<Clock, 'mono'>;
}

export function redisReaders({ link, prefix, clock }: RedisReadersOptions): KnownReaders {
  const name = (tag: string): string => `${prefix}:${FORMAT}:w:${tag}`;
  const lately = new Map<string, number>();
  const put = async (tag: string, text: string, ms: number): Promise<boolean> =>
    (await link.run(NOTE, [name(tag)], [text, String(ms)])).kind !== 'failed';
  return {
    async note(tag, { forMs, againMs, sealed = PLAIN }) {
      const mono = clock.mono();
      if (mono - (lately.get(tag) ?? -Infinity) < againMs) return true;
      // For so much longer, since it may be left out for so long.
      if (!await put(tag, sealed, forMs + againMs)) return false;
      lately.delete(tag);
      if (lately.size >= LATELY_MAX) lately.delete(lately.keys().next().value!);
      lately.set(tag, mono);
      return true;
    },
    async find(tag) {
      const reply = await link.get(name(tag));
      if (reply.kind === 'failed') return undefined;
      if (!Buffer.isBuffer(reply.value)) return { known: false };
      const text = reply.value.toString('latin1');
      return { known: true, ...(text === PLAIN ? {} : { sealed: text }) };
    },
    async forget(tag) {
      // Others may trust it still, until they hear of its end.
      await put(tag, PLAIN, FORGOTTEN_MS);
      lately.delete(tag);
    },
  };
}
