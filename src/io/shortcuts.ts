// Hits that are answered at once: a bounded memory from the bytes of a request's head to what they
// mean, and answers as the bytes that are sent, made once in a second. A head is learnt only from a
// request that Node's parser read as a whole and that was a hit on the way of all reads.
import { plainAddress } from '../core/http/way.ts';
import type { Gateway, Told } from '../flow/gateway.ts';
import type { Incoming } from '../flow/ports.ts';
import { again, PASSING, type Said, type Shortcut, shortcutFor } from '../flow/shortcut.ts';
import type { HitCounter, Metrics } from './metrics.ts';
import { asText, headText } from './wire.ts';

/** Heads of a generation: when so many are known, the older half is forgotten. */
const HEADS_MAX = 16_384;
/** Their bytes, with what they mean. */
const BYTES_MAX = 16 * 1024 * 1024;
const HEAD_BYTES_MAX = 2048;
/** What a head costs beside its own text, twice: as bytes and as fields. */
const SHORTCUT_BYTES = 1500;

/** Up to here head and body are one piece. */
const JOINED_BYTES_MAX = 32 * 1024;

/** An answer as it is sent: in one piece, or a head and a body. */
export interface Ready {
  readonly said: Said;
  readonly first: string | Uint8Array;
  readonly body: Uint8Array | undefined;
  /** The body by itself, where it is small. */
  readonly text: string | undefined;
}

interface Known {
  readonly shortcut: Shortcut;
  readonly counter: HitCounter;
}

export interface ShortcutsOptions {
  readonly gateway: Gateway;
  readonly metrics: Pick<Metrics, 'hits'>;
  /** A number from 0 to 1, to draw samples by. */
  readonly draw: () => number;
  /** While draining every answer closes its connection. */
  readonly draining: () => boolean;
  /** Field lines of an answer after which the connection stays. */
  readonly keepAlive: string;
}

export class Shortcuts {
  readonly #options: ShortcutsOptions;
  #young = new Map<string, Known>();
  #old = new Map<string, Known>();
  #bytes = 0;

  constructor(options: ShortcutsOptions) {
    this.#options = options;
  }

  /** Heads that are known. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /**
   * The answer to a request of this head, if it is a hit now: counted, its reader noted, to be sent
   * at once. `head`: latin1, to its empty line. `peer`: who is connected.
   */
  answer(head: string, peer: { readonly remoteAddress?: string | undefined }): Ready | undefined {
    const known = this.#find(head);
    if (known === undefined) return undefined;
    const { gateway, draining, draw } = this.#options;
    if (known.shortcut.trusted !== gateway.live.trusts(plainAddress(peer.remoteAddress ?? ''))) {
      return undefined;
    }
    // What is drawn for the log takes the way on which things are logged.
    const { sample } = gateway.live.config.log;
    if (draining() || (sample > 0 && draw() < sample)) return undefined;
    const mono = performance.now();
    const said = again(gateway, known.shortcut, gateway.clock.now(), mono);
    if (said === undefined) return undefined;
    const ready = this.#written(said);
    if (ready !== undefined) known.counter.count(performance.now() - mono);
    return ready;
  }

  /** What a head means that is known to the last byte. */
  meant(head: string, peerTrusted: boolean): Shortcut | undefined {
    const known = this.#young.get(head) ?? this.#older(head);
    return known?.shortcut.trusted === peerTrusted ? known.shortcut : undefined;
  }

  /** Takes in what the story of all reads has just told of this head. */
  learn(head: string, incoming: Incoming, { verdict, pattern }: Told): void {
    if (verdict.kind !== 'hit' || verdict.because !== 'fresh') return;
    const key = plain(head);
    if (key.length > HEAD_BYTES_MAX) return;
    const { gateway, metrics } = this.#options;
    const before = this.meant(key, incoming.peerTrusted);
    if (before?.live === gateway.live) return;
    const shortcut = shortcutFor(gateway, incoming);
    if (shortcut === undefined) return;
    this.#bytes += 2 * key.length + SHORTCUT_BYTES;
    if (this.#young.size >= HEADS_MAX / 2 || this.#bytes > BYTES_MAX / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#bytes = 0;
    }
    this.#young.set(key, { shortcut, counter: metrics.hits(pattern) });
  }

  #find(head: string): Known | undefined {
    const found = this.#young.get(head) ?? this.#older(head);
    if (found !== undefined || !SOME_PASSING.test(head)) return found;
    const key = plain(head);
    return this.#young.get(key) ?? this.#older(key);
  }

  #older(key: string): Known | undefined {
    const found = this.#old.get(key);
    if (found === undefined) return undefined;
    this.#old.delete(key);
    this.#bytes += 2 * key.length + SHORTCUT_BYTES;
    this.#young.set(key, found);
    return found;
  }

  #written(said: Said): Ready | undefined {
    const written = said.written as Ready | undefined;
    if (written !== undefined) return written;
    const { answer } = said.told;
    // A hit's body is here, all of it.
    const body = answer.body as Uint8Array | undefined;
    try {
      const more = this.#options.keepAlive;
      const head = headText(answer, { more, trailers: false, now: said.from });
      return said.written = { said, ...pieces(head, body) };
    } catch {
      // What cannot be sent is told by the way of all reads.
      return undefined;
    }
  }
}

/** A head without what is another in each request. */
function plain(head: string): string {
  return head.replaceAll(ALL_PASSING, '');
}

const NAMES = PASSING.join('|');
const SOME_PASSING = new RegExp(`\\r\\n(?:${NAMES}):`, 'i');
const ALL_PASSING = new RegExp(`(?<=\\r\\n)(?:${NAMES}):[^\\r\\n]*\\r\\n`, 'gi');

function pieces(head: string, body: Uint8Array | undefined): Omit<Ready, 'said'> {
  if (body === undefined) return { first: head, body, text: undefined };
  const text = asText(body);
  if (text !== undefined) return { first: head + text, body: undefined, text };
  if (body.byteLength > JOINED_BYTES_MAX) return { first: head, body, text };
  const first = Buffer.concat([Buffer.from(head, 'latin1'), body]);
  return { first, body: undefined, text: undefined };
}
