// The control part as the stories ask for it, answered by Redis: one round trip for each question.
// Decides nothing itself; an outage comes back as an answer.
import assert from 'node:assert';
import type { Seq } from '../core/entry/entry.ts';
import type { Control, Known, Said, Touch } from '../flow/ports.ts';
import type { Heard, Mine } from './redis-heard.ts';
import type { RedisLife } from './redis-life.ts';
import { ABANDON, INTEND, LOOK, TOUCH, touching } from './redis-scripts.ts';

export class RedisControl implements Control {
  readonly #life: RedisLife;
  readonly #mine: Mine;
  readonly #touchedMax: number;

  constructor(life: RedisLife, mine: Mine, touchedMax: number) {
    this.#life = life;
    this.#mine = mine;
    this.#touchedMax = touchedMax;
  }

  async look(tags: readonly string[]): Promise<Known> {
    const before = this.#life.trouble();
    if (before !== undefined) return { kind: 'unknown', because: before };
    const heard = await this.#life.call(LOOK, ...tags.map(wellFormed));
    if (heard.kind === 'failed') return { kind: 'unknown', because: heard.because };
    // It may have been put out, or may have broken, while the answer was on its way.
    const after = this.#life.trouble();
    if (after !== undefined) return { kind: 'unknown', because: after };
    const newest = Number(heard.rest[0]) as Seq;
    return {
      kind: 'known', epoch: heard.epoch, seq: heard.seq, newest, held: heard.rest[1] === 1,
    };
  }

  async intend(id: string, tags: readonly string[]): Promise<Said> {
    checkId(id);
    const named = tags.map(wellFormed);
    this.#mine.set(id, { tags: named, state: 'open' });
    const heard = await this.#life.call(INTEND, id, ...named);
    // It may still be recorded, late: then it is one that nobody knows, and is swept.
    if (heard.kind === 'failed') this.#mine.delete(id);
    return said(heard);
  }

  async abandon(id: string): Promise<Said> {
    checkId(id);
    this.#mine.delete(id);
    return said(await this.#life.call(ABANDON, id));
  }

  async touch(touch: Touch): Promise<Said> {
    const { intent, then, holdMs } = touch;
    const tags = touch.tags === 'everything' ? touch.tags : touch.tags.map(wellFormed);
    if (intent !== undefined) {
      checkId(intent);
      if (then === 'done') this.#mine.delete(intent);
      else this.#mine.set(intent, { tags, state: then, holdMs });
    }
    const heard = await this.#life.call(TOUCH, intent ?? '', ...touching({ tags, then, holdMs }));
    if (heard.kind === 'failed') {
      if (intent !== undefined) this.#mine.delete(intent);
    } else if (tags === 'everything' || Number(heard.rest[0]) > this.#touchedMax) {
      this.#life.tooMany();
    }
    return said(heard);
  }
}

function said(heard: Heard): Said {
  if (heard.kind === 'failed') return { kind: 'unsaid', because: heard.because };
  return { kind: 'said', epoch: heard.epoch, seq: heard.seq };
}

/** A lone surrogate has no bytes of its own; it is touched and looked up as what it is sent as. */
function wellFormed(tag: string): string {
  return tag.toWellFormed();
}

function checkId(id: string): void {
  assert(/^[\x21-\x7e]{1,128}$/.test(id), 'an intent has an id of visible ASCII');
}
