// The upstream: items with versions, lists that show several of them, and writes that raise one. A
// write is applied at a moment of its own, apart from its answer, and what is read is what stood
// there at one moment. Here is what may go wrong with it, too.
import type { Fetch, Fetched, FetchFailure, Upstream, ByteStream } from '../../src/flow/ports.ts';
import { NEVER } from './clients.ts';
import type { Host } from './host.ts';
import type { World } from './world.ts';

/** Each a share of the requests, or milliseconds at most. */
export interface UpstreamTroubles {
  slowMs: number;
  /** Writes that time out, and are applied after that. */
  late: number;
  /** Answers that break off. */
  broken: number;
  /** Writes that are applied, and answered with a 5xx. */
  failing: number;
  /** Reads that show what was so long ago, at most. */
  lagMs: number;
}

export interface UpstreamOptions {
  readonly world: World;
  readonly items: number;
  readonly lateMsMax: number;
}

interface Commit {
  readonly at: number;
  readonly version: number;
}

const EPOCH_START = Date.UTC(2026, 0, 1);

export class SimUpstream {
  readonly troubles: UpstreamTroubles = {
    slowMs: 0, late: 0, broken: 0, failing: 0, lagMs: 0,
  };
  /** Called before a write is sent; false: it isn't. */
  onForward: ((host: Host) => boolean) | undefined;
  onCommit: ((host: Host) => void) | undefined;
  /** Each item's commits, the newest last. */
  readonly commits: Commit[][];
  /** Writes that are still to be applied. */
  pending = 0;
  /** Whether its answers have strong validators, or only a date. */
  readonly #etags: boolean;
  readonly #o: UpstreamOptions;

  constructor(options: UpstreamOptions) {
    this.#o = options;
    this.#etags = options.world.chance.is(0.6);
    this.commits = Array.from({ length: options.items }, () => [{ at: -1, version: 0 }]);
  }

  version(item: number): number {
    return this.commits[item]!.at(-1)!.version;
  }

  /** Which items a path shows. */
  itemsOf(path: string): number[] {
    const found = /^\/items\/(\d+)$/.exec(path);
    if (found !== null) return [Number(found[1])];
    const all = this.commits.map((_, item) => item);
    return path.startsWith('/some') ? all.slice(0, 2) : all;
  }

  /** As one instance reaches it. */
  port(host: Host): Upstream {
    return {
      fetch: (request) =>
        request.method === 'GET' ? this.#read(host, request) : this.#write(host, request),
    };
  }

  #latency(): number {
    const { chance } = this.#o.world;
    const { slowMs } = this.troubles;
    const usual = chance.is(0.1) ? chance.between(5, 120) : chance.between(0.5, 8);
    return usual + (slowMs > 0 && chance.is(0.5) ? chance.between(0, slowMs) : 0);
  }

  #read(host: Host, { target, fields, signal }: Fetch): Promise<Fetched> {
    const { world } = this.#o;
    const { promise, resolve } = Promise.withResolvers<Fetched>();
    if (signal !== undefined && signal !== NEVER) {
      signal.addEventListener('abort', () => resolve(failed('aborted')));
    }
    world.after(this.#latency(), () => {
      const items = this.itemsOf(target);
      const lag = world.chance.between(0, this.troubles.lagMs);
      const shown = items.map((item) => this.#at(item, world.now - lag));
      const text = items.map((item, i) => `${item}:${shown[i]!.version}`).join();
      const etag = `"${text}"`;
      const modified = EPOCH_START + Math.max(...shown.map(({ at }) => at));
      const same = this.#same(fields, etag, modified);
      world.after(this.#latency(), () => host.enter(() => {
        world.note(() => `upstream answers ${host.name} GET ${target}: ${same ? 304 : text}`);
        const validators = this.#etags
          ? ['ETag', etag] : ['Last-Modified', new Date(modified).toUTCString()];
        resolve(answer(same ? 304 : 200, validators, this.#body(host, same ? '' : text)));
      }));
    });
    return promise;
  }

  #same(fields: readonly string[], etag: string, modified: number): boolean {
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i]!.toLowerCase();
      if (name === 'if-none-match') return fields[i + 1] === etag;
    }
    for (let i = 0; i < fields.length; i += 2) {
      const since = fields[i]!.toLowerCase() === 'if-modified-since' ? fields[i + 1] : undefined;
      if (since !== undefined) return Math.floor(modified / 1000) * 1000 <= Date.parse(since);
    }
    return false;
  }

  #at(item: number, time: number): Commit {
    const commits = this.commits[item]!;
    for (let i = commits.length - 1; i > 0; i -= 1) if (commits[i]!.at <= time) return commits[i]!;
    return commits[0]!;
  }

  #write(host: Host, request: Fetch): Promise<Fetched> {
    const { world, lateMsMax } = this.#o;
    const { chance } = world;
    if (this.onForward?.(host) === false) return Promise.withResolvers<Fetched>().promise;
    const { promise, resolve } = Promise.withResolvers<Fetched>();
    const { deadlineMs = 30_000, target } = request;
    const answered = (fetched: Fetched): void => host.enter(() => resolve(fetched));
    const cancel = host.clock.after(deadlineMs, () => answered(failed('timeout')));
    const item = Number(target.split('/')[2]);
    const late = chance.is(this.troubles.late);
    const arrives = late ? chance.between(0, lateMsMax) + deadlineMs : this.#latency();
    this.pending += 1;
    world.after(arrives, () => {
      this.pending -= 1;
      if (!late && chance.is(0.05)) {
        cancel();
        world.after(this.#latency(), () => answered(answer(409, [], this.#body(host, ''))));
        return;
      }
      const version = this.version(item) + 1;
      this.commits[item]!.push({ at: world.now, version });
      world.note(() => `upstream applies ${item}:${version} for ${host.name}`);
      this.onCommit?.(host);
      if (late) return;
      const failing = chance.is(this.troubles.failing);
      world.after(this.#latency(), () => {
        cancel();
        const status = failing ? 503 : 200;
        const shown = ['X-Version', String(version)];
        answered(answer(status, shown, this.#body(host, `${item}:${version}`)));
      });
    });
    return promise;
  }

  #body(host: Host, text: string): ByteStream {
    const { world } = this.#o;
    const { chance } = world;
    const breaks = chance.is(this.troubles.broken);
    const slowly = chance.is(0.1) ? chance.between(1, 60) : 0;
    const chunks = breaks ? [text.slice(0, 1)] : [text];
    const next = (): Promise<IteratorResult<Uint8Array, undefined>> => {
      const chunk = chunks.shift();
      if (chunk === undefined && breaks) {
        return Promise.reject(new Error('the upstream broke off'));
      }
      const result = chunk === undefined || chunk === ''
        ? { done: true, value: undefined } as const
        : { done: false, value: Buffer.from(chunk) } as const;
      if (slowly === 0) return Promise.resolve(result);
      const { promise, resolve } = Promise.withResolvers<typeof result>();
      world.after(slowly, () => host.enter(() => resolve(result)));
      return promise;
    };
    return { [Symbol.asyncIterator]: () => ({
      next, return: () => Promise.resolve({ done: true, value: undefined }),
    }) };
  }
}

function answer(status: number, fields: string[], body: ByteStream): Fetched {
  return { kind: 'answer', status, reason: '', fields, body, trailers: () => [] };
}

function failed(because: FetchFailure): Fetched {
  return { kind: 'failed', because, sent: true };
}
