// Which readers are known here: what they showed, when the upstream last accepted it, and when they
// were last seen. In memory only, and bounded: whoever is forgotten is asked about again, and is
// not refreshed. Nothing here is ever written, logged or shown.
import type { Epoch, Seq } from '../core/entry/entry.ts';
import type { Credential, Reader } from '../core/key/reader.ts';
import type { Moment } from '../core/promise/lease.ts';

/** The upstream accepted a credential, by what was known of touches before it was asked. */
export interface Acceptance {
  readonly epoch: Epoch;
  readonly asOf: Seq;
  /** Before it was asked. */
  readonly at: Moment;
}

interface Held {
  readonly credential: Credential;
  readonly part: string;
  seenAt: number;
  acceptance: Acceptance;
}

interface Person {
  readonly reader: Reader;
  /** By their ids, the one seen last at the end. */
  readonly held: Map<string, Held>;
  seenAt: number;
  /** Patterns of routes that have answered with a cookie. */
  readonly cookied: Set<string>;
}

/** Credentials of one reader: sessions of the same person, tokens that follow each other. */
const HELD_MAX = 4;
const BYTES_MAX = 64 * 1024 * 1024;
const HELD_BYTES = 1024;
/** Who was moved to the end so lately stays where it is. */
const MOVED_LATELY_MS = 1000;

export class People {
  /** By their tags, who was seen last at the end. */
  readonly #people = new Map<string, Person>();
  readonly #counts = new Map<string, number>();
  #bytes = 0;

  get size(): number {
    return this.#people.size;
  }

  /** Readers of an identity that are known. */
  count(identity: string): number {
    return this.#counts.get(identity) ?? 0;
  }

  /** It asks for something again. */
  seen({ tag }: Reader, { id }: Credential, mono: number): void {
    const person = this.#people.get(tag);
    const held = person?.held.get(id);
    if (person === undefined || held === undefined) return;
    held.seenAt = mono;
    if (person.held.size > 1) {
      person.held.delete(id);
      person.held.set(id, held);
    }
    this.#moved(person, mono);
  }

  /** `again`: by a fetch that its reader did not ask for, which makes nobody known. */
  accept(
    reader: Reader, credential: Credential, acceptance: Acceptance, again = false,
  ): void {
    const { tag, identity, part } = reader;
    const { mono } = acceptance.at;
    let person = this.#people.get(tag);
    if (again && person?.held.has(credential.id) !== true) return;
    if (person === undefined) {
      if (this.count(identity.name) >= identity.max.identities) this.#forgetOldest(identity.name);
      person = { reader, held: new Map(), seenAt: mono, cookied: new Set() };
      this.#people.set(tag, person);
      this.#counts.set(identity.name, this.count(identity.name) + 1);
    }
    const held = person.held.get(credential.id);
    if (held !== undefined) {
      const older = held.acceptance.epoch === acceptance.epoch
        && held.acceptance.asOf > acceptance.asOf;
      if (!older) held.acceptance = acceptance;
      return;
    }
    if (person.held.size === HELD_MAX) this.#drop(person, person.held.keys().next().value!);
    person.held.set(credential.id, { credential, part, seenAt: mono, acceptance });
    this.#bytes += bytesOf(credential);
    this.#moved(person, mono);
    while (this.#bytes > BYTES_MAX) this.forget(this.#people.keys().next().value!);
  }

  /** When it was last accepted, whatever has been touched since. */
  acceptance({ tag }: Reader, { id }: Credential): Acceptance | undefined {
    return this.#people.get(tag)?.held.get(id)?.acceptance;
  }

  /** What this reader showed, the one seen last first. */
  shown({ tag, part }: Reader): readonly Readonly<Held>[] {
    const held = [...this.#people.get(tag)?.held.values() ?? []];
    return held.filter((one) => one.part === part).reverse();
  }

  /** The upstream answered this reader with a cookie there. */
  cookie({ tag }: Reader, pattern: string): void {
    this.#people.get(tag)?.cookied.add(pattern);
  }

  hasCookie({ tag }: Reader, pattern: string): boolean {
    return this.#people.get(tag)?.cookied.has(pattern) === true;
  }

  forget(tag: string): void {
    const person = this.#people.get(tag);
    if (person === undefined) return;
    for (const id of [...person.held.keys()]) this.#drop(person, id);
    this.#people.delete(tag);
    const { name } = person.reader.identity;
    this.#counts.set(name, this.count(name) - 1);
  }

  /** Forgets what was shown so long ago that it may be used for nothing any more. */
  sweep(mono: number): void {
    for (const [tag, person] of this.#people) {
      const { keepMs, recheckMs } = person.reader.identity;
      const lastsMs = Math.max(keepMs, recheckMs);
      for (const [id, { seenAt }] of person.held) {
        if (mono - seenAt > lastsMs) this.#drop(person, id);
      }
      if (person.held.size === 0) this.forget(tag);
    }
  }

  /** Forgets the readers of identities that are there no more, or are others now. */
  keepOnly(hashes: ReadonlySet<string>): void {
    for (const [tag, { reader }] of this.#people) {
      if (!hashes.has(reader.identity.hash)) this.forget(tag);
    }
  }

  #moved(person: Person, mono: number): void {
    if (mono - person.seenAt < MOVED_LATELY_MS) return;
    person.seenAt = mono;
    this.#people.delete(person.reader.tag);
    this.#people.set(person.reader.tag, person);
  }

  #forgetOldest(identity: string): void {
    for (const [tag, { reader }] of this.#people) {
      if (reader.identity.name !== identity) continue;
      return this.forget(tag);
    }
  }

  #drop(person: Person, id: string): void {
    this.#bytes -= bytesOf(person.held.get(id)!.credential);
    person.held.delete(id);
  }
}

function bytesOf({ fields, named }: Credential): number {
  let bytes = HELD_BYTES;
  for (const text of fields) bytes += text.length;
  for (const [name, value] of named) bytes += name.length + value.length;
  return bytes;
}
