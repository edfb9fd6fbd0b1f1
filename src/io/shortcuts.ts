// Hits that are answered at once: a bounded memory from the bytes of a request's head to what they
// mean, and answers as the bytes that are sent, made once in a second. A head is learnt only from a
// request that was read whole, with nothing behind its head, and was a hit on the way of all reads.
import type { Fields } from '../core/http/message.ts';
import { plainAddress } from '../core/http/way.ts';
import { PASSING } from '../core/key/shown.ts';
import type { Gateway, Told } from '../flow/gateway.ts';
import type { Incoming } from '../flow/ports.ts';
import {
  again, type Form, isLocated, type Said, type Shortcut, shortcutFor,
} from '../flow/shortcut.ts';
import type { HitCounter, Metrics } from './metrics.ts';
import { asText, dateLine, linesOf, ownText, statusLine } from './wire.ts';

/** Heads that are known: when the younger half is full, the older one is forgotten. */
const HEADS_MAX = 65_536;
/** Their bytes, with what they mean: a share of the memory for entries, within these bounds. */
const BYTES_SHARE = 4;
const [BYTES_LEAST, BYTES_MOST] = [4 * 1024 * 1024, 64 * 1024 * 1024];
const HEAD_BYTES_MAX = 2048;
/** What a head costs beside its own text. */
const SHORTCUT_BYTES = 1200;
/** Field lists that are shared. */
const LISTS_MAX = 4096;

/** What is given more often than that in its second is kept as it is sent. */
const OFTEN = 8;

/** Up to here head and body are one piece. */
const JOINED_BYTES_MAX = 16 * 1024;

/** An answer as it is sent: in one piece, or a head and a body. */
export interface Ready {
  readonly said: Said;
  readonly first: string | Uint8Array;
  readonly body: Uint8Array | undefined;
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
  /** For entries. */
  readonly memoryBytes: number;
}

export class Shortcuts {
  readonly #options: ShortcutsOptions;
  #young = new Map<string, Known>();
  #old = new Map<string, Known>();
  #bytes = 0;
  readonly #bytesMax: number;
  readonly #lists = new Map<string, Fields>();

  constructor(options: ShortcutsOptions) {
    this.#options = options;
    const share = options.memoryBytes / BYTES_SHARE;
    this.#bytesMax = Math.max(BYTES_LEAST, Math.min(BYTES_MOST, share));
  }

  /** Heads that are known. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /**
   * The answer to a request of this head, if it is a hit now: counted, its reader noted, to be sent
   * at once; or that it is drawn for the log; a promise where the store has to be asked for the
   * entry. `head`: latin1, to its empty line. `peer`: who is connected.
   */
  answer(
    head: string, peer: { readonly remoteAddress?: string | undefined },
  ): Ready | 'drawn' | undefined | Promise<Ready | undefined> {
    const known = this.#find(head);
    if (known === undefined) return undefined;
    const { gateway, draining, draw } = this.#options;
    if (known.shortcut.trusted !== gateway.live.trusts(plainAddress(peer.remoteAddress ?? ''))) {
      return undefined;
    }
    // What is drawn for the log takes the way on which things are logged.
    const { sample } = gateway.live.config.log;
    if (draining()) return undefined;
    if (sample > 0 && draw() < sample) return 'drawn';
    const mono = performance.now();
    const said = again(gateway, known.shortcut, mono);
    if (said instanceof Promise) {
      return said.then((one) => (draining() ? undefined : this.#ready(known, one, mono)))
        .catch((error: unknown) => {
          gateway.ear.trouble('assertion', { error });
          return undefined;
        });
    }
    return this.#ready(known, said, mono);
  }

  #ready({ counter }: Known, said: Said | undefined, mono: number): Ready | undefined {
    const ready = said && this.#written(said);
    if (ready !== undefined) counter.count(performance.now() - mono);
    return ready;
  }

  /** What a head means that is known to the last byte. */
  meant(head: string, peerTrusted: boolean): Shortcut | undefined {
    const known = this.#young.get(head) ?? this.#older(head);
    return known?.shortcut.trusted === peerTrusted ? known.shortcut : undefined;
  }

  /** Takes in what the story of all reads has just told of this head. */
  learn(head: string, incoming: Incoming, { answer, verdict, pattern }: Told): void {
    if (verdict.kind !== 'hit' || verdict.because !== 'fresh') return;
    if (head.length > HEAD_BYTES_MAX || isLocated(answer.fields)) return;
    const { gateway, metrics } = this.#options;
    const before = this.#find(head)?.shortcut;
    if (before?.live === gateway.live && before.trusted === incoming.peerTrusted) return;
    const shortcut = shortcutFor(gateway, incoming);
    if (shortcut === undefined) return;
    const key = ownText(shortcut.strips ? plain(head) : head);
    this.#keep(key, { shortcut: this.#shared(shortcut), counter: metrics.hits(pattern) });
  }

  #keep(key: string, known: Known): void {
    this.#bytes += key.length + SHORTCUT_BYTES;
    if (this.#young.size >= HEADS_MAX / 2 || this.#bytes > this.#bytesMax / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#bytes = 0;
      this.#lists.clear();
    }
    this.#young.set(key, known);
  }

  /** With one copy of the field lists that many heads have alike. */
  #shared(shortcut: Shortcut): Shortcut {
    const { reader, meaning } = shortcut;
    const one = (fields: Fields): Fields => {
      const id = fields.join('\n');
      const known = this.#lists.get(id) ?? fields;
      if (this.#lists.size < LISTS_MAX) this.#lists.set(id, known);
      return known;
    };
    const recipe = { ...meaning.recipe, fields: one(meaning.recipe.fields) };
    return {
      ...shortcut,
      reader: { ...reader, fields: one(reader.fields) },
      meaning: { ...meaning, recipe, telling: one(meaning.telling) },
    };
  }

  #find(head: string): Known | undefined {
    const found = this.#young.get(head) ?? this.#older(head);
    if (found !== undefined || !SOME_PASSING.test(head)) return found;
    // What is not looked at is bounded here, as it is at the door.
    const { headerCount } = this.#options.gateway.live.config.limits;
    if (head.length > HEAD_BYTES_MAX || head.split('\r\n').length - 3 > headerCount) {
      return undefined;
    }
    const key = plain(head);
    const others = this.#young.get(key) ?? this.#older(key);
    return others?.shortcut.strips === true ? others : undefined;
  }

  #older(key: string): Known | undefined {
    const found = this.#old.get(key);
    if (found === undefined) return undefined;
    this.#old.delete(key);
    this.#keep(key, found);
    return found;
  }

  /** What is asked for only a few times in a second is not kept as bytes. */
  #written(said: Said): Ready | undefined {
    const written = said.written as Ready | undefined;
    if (written !== undefined) return written;
    try {
      const pieces = said.form.written as Pieces | undefined
        ?? (said.form.written = piecesOf(said.form, this.#options.keepAlive));
      const ready = put(said, pieces);
      said.given += 1;
      if (said.given > OFTEN) said.written = ready;
      return ready;
    } catch {
      // What cannot be sent is told by the way of all reads.
      return undefined;
    }
  }
}

/** An answer's head around what changes with time, and its body. */
interface Pieces {
  readonly toAge: string;
  readonly toStatus: string;
  readonly toDate: string;
  readonly end: string;
  readonly body: Uint8Array | undefined;
  /** The body by itself, where it is small. */
  readonly text: string | undefined;
}

/** Throws where it cannot be sent. */
function piecesOf({ told, ageAt, statusAt }: Form, keepAlive: string): Pieces {
  const { status, reason, fields } = told.answer;
  // A hit's body is here, all of it.
  const body = told.answer.body as Uint8Array | undefined;
  // Nothing is sent in chunks, so that no trailer can follow.
  const lines = (from: number, to: number): string => linesOf(fields.slice(from, to), 'trailer');
  return {
    toAge: `${statusLine(status, reason)}${lines(0, ageAt - 1)}Age: `,
    toStatus: `\r\n${lines(ageAt + 1, statusAt - 1)}Cache-Status: `,
    toDate: `\r\n${lines(statusAt + 1, fields.length)}`,
    end: `${keepAlive}\r\n`,
    body,
    text: body && asText(body),
  };
}

function put(said: Said, { toAge, toStatus, toDate, end, body, text }: Pieces): Ready {
  const date = said.form.dated ? '' : dateLine(said.from);
  const head = toAge + said.age + toStatus + said.status + toDate + date + end;
  if (body === undefined) return { said, first: head, body };
  if (text !== undefined) return { said, first: head + text, body: undefined };
  // In one piece once it is sent more often.
  const joins = said.given >= OFTEN && body.byteLength <= JOINED_BYTES_MAX;
  if (!joins) return { said, first: head, body };
  return { said, first: Buffer.concat([Buffer.from(head, 'latin1'), body]), body: undefined };
}

/** A head without what is another in each request. */
function plain(head: string): string {
  return head.replaceAll(ALL_PASSING, '');
}

const NAMES = PASSING.join('|');
const SOME_PASSING = new RegExp(`\\r\\n(?:${NAMES}):`, 'i');
const VALUE = '[\\t\\x20-\\x7e\\x80-\\xff]*';
const ALL_PASSING = new RegExp(`(?<=\\r\\n)(?:${NAMES}):${VALUE}\\r\\n`, 'gi');
