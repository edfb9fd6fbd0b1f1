// The bodies of a write: its own, gathered where it is small, and its answer's, which is held back
// by one chunk so that the last one goes out only after the last touch. No reader can put that off
// beyond the write's deadline.
import type { Asked, Gateway } from './gateway.ts';
import { Broken, type ByteStream } from './ports.ts';
import { concat, type Gathered, Spool } from './spool.ts';
import { SOON_MS, within } from './within.ts';
import type { GatheredRequest } from './write-plan.ts';

/** All of a body up to the bound; a larger one comes back as a stream of all its bytes. */
export async function gatherRequest(
  asked: Pick<Asked, 'body'>, bytesMax: number,
): Promise<GatheredRequest> {
  if (asked.body === undefined || asked.body instanceof Uint8Array) return asked.body;
  const source = asked.body[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  while (bytes <= bytesMax) {
    const next = await source.next();
    if (next.done) return concat(chunks, bytes);
    chunks.push(next.value);
    bytes += next.value.byteLength;
  }
  return followed(chunks, source);
}

async function* followed(chunks: Uint8Array[], source: AsyncIterator<Uint8Array>): ByteStream {
  try {
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) yield chunk;
    for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
  } finally {
    await source.return?.();
  }
}

export type GatheredAnswer =
  | Extract<Gathered, { kind: 'whole' | 'broken' }>
  | { readonly kind: 'streaming'; readonly body: ByteStream };

/**
 * An answer that is over soon is taken whole; a slow or large one is streamed. `patient`: a target
 * reads it, so that it is waited for as long as the upstream may take.
 */
export async function gatherAnswer(
  gateway: Gateway,
  body: ByteStream,
  { bytesMax, patient }: { bytesMax: number; patient: boolean },
): Promise<GatheredAnswer> {
  const spool = new Spool(body, bytesMax);
  const gathered = await (patient
    ? spool.gathered
    : within(gateway.clock, SOON_MS, spool.gathered));
  if (gathered?.kind === 'whole' || gathered?.kind === 'broken') return gathered;
  return { kind: 'streaming', body: spool.reader() };
}

/**
 * The same bytes, but the last of them only after `finish` has been done, once. A reader that
 * leaves does not end the write: the rest is read without it. What is not over in `ms`, whoever
 * reads, is finished as broken, and breaks for its reader.
 */
export function finishing(
  { clock, ear }: Gateway,
  body: ByteStream,
  { ms, finish }: { ms: number; finish: (how: 'whole' | 'broken') => Promise<void> },
): ByteStream {
  const source = body[Symbol.asyncIterator]();
  let held: Uint8Array | undefined;
  let over = false;
  let late: Broken | undefined;
  let finished: Promise<void> | undefined;
  let breakOff: ((error: Broken) => void) | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  const end = (how: 'whole' | 'broken'): Promise<void> => {
    over = true;
    cancel();
    return finished ??= finish(how);
  };
  const cancel = clock.after(ms, () => {
    const error = late = new Broken('timeout');
    held = undefined;
    void source.return?.().then(undefined, () => undefined);
    end('broken')
      .catch((error: unknown) => ear.trouble('assertion', { error }))
      .finally(() => breakOff?.(error));
  });
  const ended = async (): Promise<{ done: true; value: undefined }> => {
    await finished;
    if (late !== undefined) throw late;
    return { done: true, value: undefined };
  };
  const advance = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
    for (;;) {
      if (over) return ended();
      const next = await source.next().catch(async (error: unknown) => {
        await end('broken');
        throw error;
      });
      if (over) return ended();
      const ready = held;
      if (next.done) await end('whole');
      held = next.done ? undefined : next.value;
      if (ready !== undefined) return { done: false, value: ready };
    }
  };
  const inTurn = <T>(step: () => Promise<T>): Promise<T> => {
    const result = turn.then(step, step);
    turn = result.catch(() => undefined);
    return result;
  };
  const drain = async (): Promise<void> => {
    while (!(await advance()).done);
  };
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise((resolve, reject) => {
        breakOff = reject;
        inTurn(advance).then(resolve, reject);
      }),
      return: () => {
        void inTurn(drain).catch(() => undefined);
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
}
