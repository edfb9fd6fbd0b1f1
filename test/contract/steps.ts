// Random steps for the contract of what instances share: often such as a real instance would take
// at that moment, sometimes late, repeated, or of somebody who is no member.
import type { Epoch, Key, Seq } from '../../src/core/entry/entry.ts';
import type { Heard, Shared } from '../../src/flow/fleet/shared.ts';
import type { Touch } from '../../src/flow/ports.ts';
import type { Chance } from '../sim/chance.ts';
import { rosterText } from '../sim/control-hash.ts';
import type { ControlServer } from '../sim/server.ts';
import type { Told } from './both.ts';

type Load = (me: string) => Promise<Heard>;

export interface Drawn {
  readonly kind: 'step';
  readonly text: string;
  /** `epoch`: the id that this side has for the epoch that is so many'th. */
  readonly run: (shared: Told, epoch: (index: number) => string, load: Load) => Promise<unknown>;
}

export type DrawnStep = Drawn | { readonly kind: 'befalls'; readonly what: string };

const MEMBERS = ['m1', 'm2', 'm3', 'm4'];
const TAGS = ['/posts', '/posts/1', '/posts/2', 'tag:a', 'tag:\u00fc "quoted"\n', 'tag:z'];
const IDS = ['w1', 'w2', 'w3', 'w4', 'w5'];
const KEYS = ['k1', 'k2'] as Key[];
const BEFALLS = ['evict', 'save', 'save', 'roll-back', 'later-format', 'demote'];

type Make = (draw: Chance, server: ControlServer, epochs: number) => Drawn['run'];
type Known = Told & Pick<Shared, 'load'>;

const some = <T>(draw: Chance, items: readonly T[]): T[] => items.filter(() => draw.is(0.4));

function touchOf(draw: Chance): Touch {
  const tags = draw.is(0.1) ? 'everything' : some(draw, TAGS);
  const then = draw.of(['done', 'done', 'unknown', 'settling'] as const);
  return {
    tags, then,
    ...(draw.is(0.8) ? { intent: draw.of(IDS) } : {}),
    ...(draw.is(0.5) ? { holdMs: draw.below(100_000) } : {}),
    ...(tags !== 'everything' && draw.is(0.5) ? { refreshes: draw.below(tags.length + 1) } : {}),
  };
}

/** The beat that it has, or another. */
function beatOf(draw: Chance, server: ControlServer, id: string): string {
  if (draw.is(0.2)) return draw.of(['', '0', '7']);
  return String(server.hash?.beats.get(id) ?? '');
}

function joinOf(draw: Chance, server: ControlServer, epochs: number): Drawn['run'] {
  const me = draw.of(MEMBERS);
  const rules = draw.of(['r1', 'r1', 'r1', 'r2']);
  const former = draw.is(0.3) ? draw.of(MEMBERS) : undefined;
  const base = { rules, leaseMs: 2000, former };
  const index = draw.is(0.8) ? epochs - 1 : draw.below(epochs + 1);
  const how = draw.of(['ask', 'enter', 'enter', 'new-epoch'] as const);
  const rest = server.hash === undefined || draw.is(0.2)
    ? ' m1=1' : rosterText(server.hash).slice(server.hash.epoch.length);
  return (shared, epoch) => {
    const id = epoch(index) as Epoch;
    if (how === 'ask') return shared.join(me, { ...base, how: { kind: how } });
    if (how === 'enter') return shared.join(me, { ...base, how: { kind: how, epoch: id } });
    return shared.join(me, { ...base, how: { kind: how, roster: id + rest } });
  };
}

function takeOf(draw: Chance, server: ControlServer): Drawn['run'] {
  const me = draw.of(MEMBERS);
  const id = draw.of(IDS);
  const owner = draw.is(0.8) ? server.hash?.intents.get(id)?.owner ?? 'm1' : draw.of(MEMBERS);
  const beat = beatOf(draw, server, owner);
  return (shared) => shared.take(me, { id, owner }, beat);
}

const STEPS: readonly (readonly [name: string, weight: number, make: Make])[] = [
  ['join', 5, joinOf],
  ['renew', 5, (draw) => {
    const [me, rules] = [draw.of(MEMBERS), draw.of(['r1', 'r2', undefined, undefined])];
    return (shared) => shared.renew(me, 'nonce', rules);
  }],
  ['settle', 1, (draw, _server, epochs) => {
    const [me, index] = [draw.of(MEMBERS), draw.is(0.7) ? epochs - 1 : draw.below(epochs + 1)];
    return (shared, epoch) => shared.settle(me, epoch(index));
  }],
  ['leave', 1, (draw) => {
    const [me, rules] = [draw.of(MEMBERS), draw.of(['r1', 'r1', 'r2'])];
    return (shared) => shared.leave(me, rules);
  }],
  ['load', 3, (draw) => {
    const me = draw.of(MEMBERS);
    return (_shared, _epoch, load) => load(me);
  }],
  ['intend', 4, (draw) => {
    const [me, id, tags] = [draw.of(MEMBERS), draw.of(IDS), some(draw, TAGS)];
    return (shared) => shared.intend(me, id, tags);
  }],
  ['abandon', 2, (draw) => {
    const [me, id] = [draw.of(MEMBERS), draw.of(IDS)];
    return (shared) => shared.abandon(me, id);
  }],
  ['touch', 6, (draw) => {
    const [me, touch] = [draw.of(MEMBERS), touchOf(draw)];
    return (shared) => shared.touch(me, touch);
  }],
  ['roster', 2, (draw) => {
    const me = draw.of(MEMBERS);
    return (shared) => shared.roster(me);
  }],
  ['take', 4, takeOf],
  ['release', 3, (draw, server) => {
    const id = draw.of(IDS);
    const me = draw.is(0.7) ? server.hash?.intents.get(id)?.owner ?? 'm1' : draw.of(MEMBERS);
    return (shared) => shared.release(me, id);
  }],
  ['expel', 2, (draw, server) => {
    const [me, id] = [draw.of(MEMBERS), draw.of(MEMBERS)];
    const beat = beatOf(draw, server, id);
    return (shared) => shared.expel(me, id, beat);
  }],
  ['prune', 1, (draw) => {
    const [me, most] = [draw.of(MEMBERS), draw.below(5)];
    // What else it says is nobody's business.
    return async (shared) => ({ ...await shared.prune(me, most), said: null });
  }],
  ['bump', 1, (draw) => {
    const me = draw.of(MEMBERS);
    return (shared) => shared.bump(me);
  }],
  ['takeTurn', 2, (draw) => {
    const [me, key] = [draw.of(MEMBERS), draw.of(KEYS)];
    const [epoch, asOf] = [draw.of(['e1', 'e1', 'e2']) as Epoch, draw.below(5) as Seq];
    const order = { epoch, asOf, newest: draw.below(5) as Seq, ms: 100_000, anew: draw.is(0.3) };
    return (shared) => shared.takeTurn(me, key, order);
  }],
  ['extendTurn', 1, (draw) => {
    const [me, key] = [draw.of(MEMBERS), draw.of(KEYS)];
    return (shared) => shared.extendTurn(me, key, 100_000);
  }],
  ['endTurn', 1, (draw) => {
    const [me, key, kept] = [draw.of(MEMBERS), draw.of(KEYS), draw.is(0.5)];
    return (shared: Known) => shared.endTurn(me, key, kept, 100_000);
  }],
];
const DECK = STEPS.flatMap((step) => Array.from({ length: step[1] }, () => step));

export function drawStep(draw: Chance, server: ControlServer, epochs: number): DrawnStep {
  // Somebody soon makes it a primary again, and brings a form that is known.
  const away = server.role === 'replica';
  if (away && draw.is(0.4)) return { kind: 'befalls', what: 'promote' };
  const later = !away && server.hash?.format === '2';
  if (later && draw.is(0.2)) return { kind: 'befalls', what: 'evict' };
  if (!away && draw.is(0.04)) return { kind: 'befalls', what: draw.of(BEFALLS) };
  const [text, , make] = draw.of(DECK);
  return { kind: 'step', text, run: make(draw, server, epochs) };
}
