// The bodies of a write: its own, gathered where it is small, and its answer's, which is held back
// by one chunk so that the last one goes out only after the last touch.
import type { Asked, Gateway } from './gateway.ts';
import type { ByteStream } from './ports.ts';
import { concat, type Gathered, Spool } from './spool.ts';
import type { GatheredRequest } from './write-plan.ts';

/** All of a body up to the bound; a larger one comes back as a stream of all its bytes. */
export async function gatherRequest(asked: Asked, bytesMax: number): Promise<GatheredRequest> {
  if (asked.body === undefined) return undefined;
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

/** An answer that is over soon is taken whole; a slow or large one is streamed. */
const WHOLE_WITHIN_MS = 20;

export type GatheredAnswer = Gathered | { readonly kind: 'streaming'; readonly body: ByteStream };

/** `patient`: a target reads it, so that it is waited for as long as the upstream may take. */
export async function gatherAnswer(
  gateway: Gateway,
  body: ByteStream,
  { bytesMax, patient }: { bytesMax: number; patient: boolean },
): Promise<GatheredAnswer> {
  const spool = new Spool(body, bytesMax);
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const { clock } = gateway;
  const cancel = patient ? undefined : clock.after(WHOLE_WITHIN_MS, () => resolve(undefined));
  const gathered = await (patient ? spool.gathered : Promise.race([spool.gathered, late]));
  cancel?.();
  if (gathered === undefined || gathered.kind === 'too-large') {
    return { kind: 'streaming', body: spool.reader() };
  }
  return gathered;
}

/**
 * The same bytes, but the last of them only after `finish` has been done. A reader that leaves does
 * not end the write: the rest is read without it.
 */
export function finishing(
  body: ByteStream,
  finish: (how: 'whole' | 'broken') => Promise<void>,
): ByteStream {
  const source = body[Symbol.asyncIterator]();
  let held: Uint8Array | undefined;
  let over = false;
  let turn: Promise<unknown> = Promise.resolve();

  const advance = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
    while (!over) {
      const next = await source.next().catch(async (error: unknown) => {
        over = true;
        await finish('broken');
        throw error;
      });
      const ready = held;
      if (next.done) {
        over = true;
        await finish('whole');
      }
      held = next.done ? undefined : next.value;
      if (ready !== undefined) return { done: false, value: ready };
    }
    return { done: true, value: undefined };
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
      next: () => inTurn(advance),
      return: () => {
        void inTurn(drain).catch(() => undefined);
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
}
