// Readers of whom something may be kept, for all instances to know: by their tags, which say
// nothing of who they are. So refusing strangers costs no touches. Where the operator wants it,
// also what they showed, sealed.
import type { Clock, KnownReaders } from '../flow/ports.ts';
import type { RedisLink } from './redis-link.ts';
import { FORMAT } from './redis-lua.ts';
import { FORGET, NOTE } from './redis-scripts.ts';

/** Those that were noted lately need not be noted again. */
const LATELY_MAX = 20_000;

export interface RedisReadersOptions {
  readonly link: Pick<RedisLink, 'run' | 'get'>;
  readonly prefix: string;
  readonly clock: Pick<Clock, 'mono'>;
}

export function redisReaders({ link, prefix, clock }: RedisReadersOptions): KnownReaders {
  const name = (tag: string): string => `${prefix}:${FORMAT}:w:${tag}`;
  const sealedName = (tag: string): string => `${prefix}:${FORMAT}:c:${tag}`;
  const lately = new Map<string, number>();
  const put = async (key: string, text: string, ms: number): Promise<boolean> =>
    (await link.run(NOTE, [key], [text, String(ms)])).kind !== 'failed';
  return {
    async note(tag, { forMs, againMs, sealed }) {
      const mono = clock.mono();
      if (mono - (lately.get(tag) ?? -Infinity) < againMs) return true;
      if (sealed !== undefined) await put(sealedName(tag), sealed.text, sealed.forMs);
      // For so much longer, since it may be left out for so long.
      if (!await put(name(tag), '1', forMs + againMs)) return false;
      lately.delete(tag);
      if (lately.size >= LATELY_MAX) lately.delete(lately.keys().next().value!);
      lately.set(tag, mono);
      return true;
    },
    async known(tag) {
      const reply = await link.get(name(tag));
      return reply.kind === 'failed' ? undefined : Buffer.isBuffer(reply.value);
    },
    async sealed(tag) {
      const reply = await link.get(sealedName(tag));
      const there = reply.kind !== 'failed' && Buffer.isBuffer(reply.value);
      return there ? (reply.value).toString('latin1') : undefined;
    },
    async forget(tag) {
      lately.delete(tag);
      await Promise.all([name(tag), sealedName(tag)].map((key) => link.run(FORGET, [key], [])));
    },
  };
}
