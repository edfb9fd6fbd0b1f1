// The control part that instances share, in Redis: each step one script, the messages over its
// channels. Decides nothing; an outage, a refusal and an answer in an unknown form come back as
// failures.
import { randomUUID } from 'node:crypto';
import assert from 'node:assert';
import type {
  Heard, Intent, Joining, Letter, Listener, MemberId, Renewed, Roster, Shared, Watched,
} from '../flow/fleet/shared.ts';
import type { Key } from '../core/entry/entry.ts';
import type { Touch, TurnOrder } from '../flow/ports.ts';
import type { Hearing } from './redis-hearing.ts';
import type { RedisLink } from './redis-link.ts';
import type { Script } from './redis-lua.ts';
import {
  type ControlScripts, controlScripts, END_TURN, EXTEND_TURN, TAKE_TURN,
} from './redis-scripts.ts';
import type { Tell } from './redis-troubles.ts';
import {
  printLetter, readAnswer, readBeats, readHeld, readIntent, readListed, readMessage, readRoster,
  readTouched,
} from './redis-wire.ts';

export interface RedisSharedOptions {
  readonly link: RedisLink;
  /** Where the entries are. */
  readonly dataLink: RedisLink;
  readonly turnName: (key: Key) => string;
  readonly hearing: Hearing;
  /** The control part's key; its channels are named after it, and in the same slot. */
  readonly control: string;
  readonly sharded: boolean;
  readonly leaseMs: number;
  readonly tell: Tell;
}

export class RedisShared implements Shared {
  readonly #o: RedisSharedOptions;
  readonly #scripts: ControlScripts;
  readonly #publish: 'publish' | 'spublish';
  #listener: Listener | undefined;

  constructor(options: RedisSharedOptions) {
    this.#o = options;
    this.#publish = options.sharded ? 'spublish' : 'publish';
    this.#scripts = controlScripts(this.#publish);
  }

  get up(): boolean {
    return this.#o.link.up;
  }

  attach(listener: Listener): void {
    this.#listener = listener;
  }

  get listener(): Listener | undefined {
    return this.#listener;
  }

  heard(text: string): void {
    const message = readMessage(text);
    // What cannot be read may have been a touch.
    if (message === undefined) this.#listener?.deaf();
    else this.#listener?.message(message);
  }

  listen(me: MemberId): Promise<boolean> {
    const { control, hearing } = this.#o;
    return hearing.listen([`${control}:t`, this.#own(me)]);
  }

  tell(to: MemberId, letter: Letter): void {
    this.#o.link.publish(this.#publish, this.#own(to), printLetter(letter));
  }

  close(): void {
    this.#o.hearing.close();
    this.#o.link.close();
  }

  join(me: MemberId, { rules, former, how }: Joining): Promise<Heard<Roster>> {
    const by = how.kind === 'ask' ? '' : how.kind === 'enter' ? how.epoch : how.roster;
    const args = [rules, former ?? '', how.kind, by];
    return this.#run(me, this.#scripts.join, args, ([text]) => readRoster(text));
  }

  async renew(
    me: MemberId, nonce: string, rules: string | undefined,
  ): Promise<Heard<Renewed>> {
    let replicas = 0;
    const heard = await this.#run(me, this.#scripts.renew, [nonce, rules ?? ''], (rest) => {
      const [count, steward, beat, writes, told] = rest;
      replicas = Number(count);
      const beats = new Map(steward === '' ? [] : [[String(steward), String(beat)]]);
      const intents = readListed(writes);
      const known = steward === '' ? undefined : String(steward);
      return { steward: known, beats, intents, rules: String(told) };
    });
    if (heard.kind === 'failed' || replicas === 0) return heard;
    const waited = await this.#o.link.wait();
    if (waited.kind === 'reply' && Number(waited.value) > 0) return heard;
    if (waited.kind === 'reply') this.#o.tell('not-replicated', 'no replica has the renewal');
    return { kind: 'failed', because: 'store-slow' };
  }

  settle(me: MemberId, young: string): Promise<Heard> {
    return this.#run(me, this.#scripts.settle, [young], () => null);
  }

  leave(me: MemberId, rules: string): Promise<Heard> {
    return this.#run(me, this.#scripts.leave, [rules], () => null);
  }

  load(me: MemberId, cursor: string | undefined): ReturnType<Shared['load']> {
    return this.#run(me, this.#scripts.load, [cursor ?? '0'], (rest) => {
      const [floor, next, touched, held, begun] = rest;
      return {
        floor: Number(floor),
        next: next === '0' ? undefined : String(next),
        touched: readTouched(touched),
        held: readHeld(held),
        begun: String(begun),
      };
    });
  }

  intend(me: MemberId, id: string, tags: readonly string[]): Promise<Heard> {
    checkId(id);
    return this.#run(me, this.#scripts.intend, [id, ...tags.map(wellFormed)], () => null);
  }

  abandon(me: MemberId, id: string): Promise<Heard> {
    checkId(id);
    return this.#run(me, this.#scripts.abandon, [id], () => null);
  }

  touch(me: MemberId, touch: Touch): ReturnType<Shared['touch']> {
    const { intent = '', tags, then, holdMs = '', refreshes = 0 } = touch;
    if (intent !== '') checkId(intent);
    const reached = tags === 'everything' ? ['1'] : ['0', ...tags.map(wellFormed)];
    const args = [intent, then, String(holdMs), String(refreshes), ...reached];
    return this.#run(me, this.#scripts.touch, args, ([remembered, text]) =>
      ({ remembered: Number(remembered), members: readBeats(text) }));
  }

  roster(me: MemberId): Promise<Heard<Watched>> {
    return this.#run(me, this.#scripts.roster, [], ([text, writes]) =>
      ({ beats: readBeats(text), intents: readListed(writes) }));
  }

  async take(
    me: MemberId, { id, owner }: { id: string; owner: string }, beat: string,
  ): Promise<Heard<Intent | undefined>> {
    return this.#run(me, this.#scripts.take, [id, owner, beat], ([json]) => ({
      intent: readIntent(json),
    })).then((heard) =>
      heard.kind === 'failed' ? heard : { ...heard, said: heard.said.intent });
  }

  release(me: MemberId, id: string): Promise<Heard> {
    return this.#run(me, this.#scripts.release, [id], () => null);
  }

  expel(me: MemberId, id: MemberId, beat: string): Promise<Heard> {
    return this.#run(me, this.#scripts.expel, [id, beat], () => null);
  }

  /** A few fields at a time, so that the server isn't held up. */
  async prune(me: MemberId, touchedMax: number): Promise<Heard> {
    let heard: Heard = await this.#run(me, this.#scripts.raise, [String(touchedMax)], () => null);
    let cursor = '0';
    do {
      if (heard.kind === 'failed') return heard;
      heard = await this.#run(me, this.#scripts.drop, [cursor], ([next]) => String(next));
      cursor = heard.kind === 'heard' ? String(heard.said) : '0';
    } while (cursor !== '0');
    return heard;
  }

  bump(me: MemberId): Promise<Heard> {
    return this.#run(me, this.#scripts.bump, [], () => null);
  }

  async takeTurn(
    me: MemberId, key: Key, { epoch, asOf, newest, ms, anew }: TurnOrder,
  ): Promise<'mine' | 'theirs' | 'done' | 'unknown'> {
    const numbers = [asOf, newest, Math.ceil(ms), anew ? 1 : 0].map(String);
    const reply = await this.#o.dataLink.run(
      TAKE_TURN, [this.#o.turnName(key)], [me, epoch, ...numbers],
    );
    if (reply.kind === 'failed') return 'unknown';
    return reply.value === 'mine' || reply.value === 'done' ? reply.value : 'theirs';
  }

  async extendTurn(me: MemberId, key: Key, ms: number): Promise<void> {
    const args = [me, String(Math.ceil(ms))];
    await this.#o.dataLink.run(EXTEND_TURN, [this.#o.turnName(key)], args);
  }

  async endTurn(
    me: MemberId, key: Key, kept: boolean, ms: number,
  ): Promise<readonly MemberId[]> {
    const args = [me, kept ? '1' : '0', String(Math.ceil(ms))];
    const reply = await this.#o.dataLink.run(END_TURN, [this.#o.turnName(key)], args);
    const waiters = reply.kind === 'reply' ? String(reply.value) : '';
    return waiters.split(' ').filter((id) => id !== '');
  }

  #own(id: MemberId): string {
    return `${this.#o.control}:m:${id}`;
  }

  async #run<Said>(
    me: MemberId,
    script: Script,
    args: readonly string[],
    read: (rest: readonly unknown[]) => Said | undefined,
  ): Promise<Heard<Said>> {
    const { control, leaseMs, link, tell } = this.#o;
    const reply = await link.run(script, [control], [randomUUID(), me, String(leaseMs), ...args]);
    if (reply.kind === 'failed') return reply;
    const answered = readAnswer(reply.value);
    const said = answered && read(answered.rest);
    if (answered !== undefined && said !== undefined) {
      return { kind: 'heard', head: answered.head, said };
    }
    tell('internal', `${script.name} answered in an unknown form`);
    return { kind: 'failed', because: 'store-down' };
  }
}

/** A lone surrogate has no bytes of its own; it is touched and looked up as what it is sent as. */
function wellFormed(tag: string): string {
  return tag.toWellFormed();
}

function checkId(id: string): void {
  assert(/^[\x21-\x7e]{1,128}$/.test(id), 'an intent has an id of visible ASCII');
}
