// A body that is gathered for keeping while its first reader already gets it. The upstream is read
// at its own pace up to the bound, whoever listens; past the bound, or when it is to be kept no
// longer, nothing is gathered any more and the one reader sets the pace.
import { Broken, type ByteStream } from './ports.ts';

export type Gathered =
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'too-slow' }
  | { readonly kind: 'broken'; readonly error: unknown };

export class Spool {
  readonly #chunks: Uint8Array[] = [];
  readonly #source: AsyncIterator<Uint8Array>;
  #bytes = 0;
  #state: 'gathering' | Gathered['kind'] = 'gathering';
  #error: unknown;
  #wake: (() => void) | undefined;
  #readerLeft = false;
  #stopped = false;
  readonly #ended = Promise.withResolvers<Gathered>();
  /** How it ended; never rejects. */
  readonly gathered = this.#ended.promise;

  constructor(body: ByteStream, bytesMax: number) {
    const whole = body.whole?.();
    this.#source = body[Symbol.asyncIterator]();
    void this.#gather(bytesMax, whole);
  }

  /** For the one reader that is served while gathering goes on. */
  reader(): ByteStream {
    const chunks = this.#follow();
    // Leaving must work before the first chunk was asked for, and while one is waited for.
    const leave = (): Promise<IteratorResult<Uint8Array, undefined>> => {
      this.leave();
      return Promise.resolve({ done: true, value: undefined });
    };
    return { [Symbol.asyncIterator]: () => ({ next: () => chunks.next(), return: leave }) };
  }

  async *#follow(): AsyncGenerator<Uint8Array, undefined> {
    let at = 0;
    try {
      for (;;) {
        while (at < this.#chunks.length) yield this.#chunks[at++]!;
        if (this.#state === 'whole') return undefined;
        if (this.#state === 'broken') throw this.#error;
        if (this.#state !== 'gathering') break;
        if (this.#readerLeft) throw new Broken('aborted');
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      this.#chunks.length = 0;
      for (;;) {
        const next = await this.#source.next();
        if (next.done) return undefined;
        yield next.value;
      }
    } finally {
      this.leave();
    }
  }

  /** The reader goes: what is gathered for keeping goes on, what only streams is cancelled. */
  leave(): void {
    this.#readerLeft = true;
    if (this.#stopped || this.#state === 'too-large') this.#cancel();
    this.#wake?.();
  }

  /** It took too long to be waited for: from now on it only streams. */
  stopKeeping(): void {
    if (this.#state !== 'gathering') return;
    // The chunk that is asked for already still belongs to the reader.
    this.#stopped = true;
    this.#ended.resolve({ kind: 'too-slow' });
    if (this.#readerLeft) this.#cancel();
  }

  async #gather(bytesMax: number, whole: Uint8Array | undefined): Promise<void> {
    const gathered = await this.#read(bytesMax, whole);
    this.#state = gathered.kind;
    if (gathered.kind === 'broken') this.#error = gathered.error;
    if (gathered.kind === 'too-large' && this.#readerLeft) this.#cancel();
    this.#wake?.();
    this.#ended.resolve(gathered);
  }

  async #read(bytesMax: number, whole: Uint8Array | undefined): Promise<Gathered> {
    if (whole !== undefined) {
      this.#chunks.push(whole);
      return whole.byteLength > bytesMax ? { kind: 'too-large' } : { kind: 'whole', bytes: whole };
    }
    try {
      for (;;) {
        const next = await this.#source.next();
        if (next.done) return { kind: 'whole', bytes: concat(this.#chunks, this.#bytes) };
        this.#chunks.push(next.value);
        if (this.#stopped) return { kind: 'too-slow' };
        this.#bytes += next.value.byteLength;
        if (this.#bytes > bytesMax) return { kind: 'too-large' };
        this.#wake?.();
      }
    } catch (error) {
      return { kind: 'broken', error };
    }
  }

  #cancel(): void {
    this.#chunks.length = 0;
    // The upstream's stream ends itself; how it ends is of no interest to anybody any more.
    void this.#source.return?.().then(undefined, () => undefined);
  }
}

/** One array of bytes from many. */
export function concat(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** Bytes that are all here, for who takes them as they come. */
export async function* streamOf(bytes: Uint8Array): ByteStream {
  yield await Promise.resolve(bytes);
}

/** Ends a stream that nobody will read. */
export function discard(body: ByteStream): void {
  const source = body[Symbol.asyncIterator]();
  void source.return?.().then(undefined, () => undefined);
}
