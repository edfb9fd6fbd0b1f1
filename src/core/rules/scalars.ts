// The plain kinds: durations, sizes, numbers, words. Each says what it expects and, where it can,
// what was probably meant.
import { printDuration, printSize, readDuration, readSize } from '../units.ts';
import { value, wrong } from './formats.ts';
import type { Reading } from './formats.ts';
import { either, scalar } from './kinds.ts';
import type { Kind, Schema } from './kinds.ts';
import { nearest } from './problem.ts';

/** Matches text with a variable in it, which may turn out to be anything. */
const HOLE = { type: 'string', pattern: '\\$\\{' };

function orHole(schema: Schema): Schema {
  return { anyOf: [schema, HOLE] };
}

const TIMERS_MAX_MS = 24 * 86_400_000;

/** Bounds are inclusive, in milliseconds; the upper one is what a timer can wait. */
export function duration({ min = 0, max = TIMERS_MAX_MS } = {}): Kind<number> {
  const says = 'a duration such as `500ms`, `30s`, `5m`, `1h` or `1d`';
  const format = (text: string): Reading<number> => {
    const ms = readDuration(text);
    if (ms === undefined) return wrong(undefined, durationMeant(text));
    if (ms < min) return wrong(`must be at least \`${printDuration(min)}\``);
    if (ms > max) return wrong(`must be at most \`${printDuration(max)}\``);
    return value(ms);
  };
  const pattern = { type: 'string', pattern: '^[0-9]+(ms|s|m|h|d)$' };
  return scalar(says, format, orHole({ anyOf: [pattern, { const: 0 }, { const: '0' }] }));
}

const UNITS = new Map([
  ['s', 's'], ['se', 's'], ['m', 'm'], ['mi', 'm'],
  ['h', 'h'], ['ho', 'h'], ['d', 'd'], ['da', 'd'],
]);

function durationMeant(text: string): string | undefined {
  if (/^[0-9]+$/.test(text)) return `${text}s`;
  const [, amount, unit = ''] = /^([0-9]+) ?([A-Za-z]+)$/.exec(text) ?? [];
  const known = UNITS.get(unit.toLowerCase().slice(0, 2));
  return amount === undefined || known === undefined ? undefined : `${amount}${known}`;
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

const SIZE = 'a size such as `64kb`, `4mb` or `1gb`';
const SIZES = [{ type: 'string', pattern: '^[0-9]+(b|kb|mb|gb)$' }, { const: 0 }, { const: '0' }];

/** In bytes; bounds are inclusive. */
export function size(bounds: Bounds = {}): Kind<number> {
  return scalar(SIZE, (text) => bytesIn(text, bounds), orHole({ anyOf: SIZES }));
}

/** As `size`, and 0 for `off`. */
export function sizeOrOff(bounds: Bounds): Kind<number> {
  return scalar(
    `${SIZE}, or \`off\``, (text) => (text === 'off' ? value(0) : bytesIn(text, bounds)),
    orHole({ anyOf: [...SIZES, { const: 'off' }] }));
}

function bytesIn(text: string, { min = 0, max = 1024 ** 5 }: Bounds): Reading<number> {
  const bytes = readSize(text);
  if (bytes === undefined) return wrong(undefined, sizeMeant(text));
  if (bytes < min) return wrong(`must be at least \`${printSize(min)}\``);
  if (bytes > max) return wrong(`must be at most \`${printSize(max)}\``);
  return value(bytes);
}

function sizeMeant(text: string): string | undefined {
  const [, amount, unit] = /^([0-9]+) ?([kmg]?)i?b?$/i.exec(text) ?? [];
  return amount === undefined ? undefined : `${amount}${unit!.toLowerCase()}b`;
}

export function count({ min = 1, max = 1_000_000_000 } = {}): Kind<number> {
  const format = (text: string): Reading<number> => {
    const amount = /^[0-9]{1,12}$/.test(text) ? Number(text) : NaN;
    return amount >= min && amount <= max ? value(amount) : wrong();
  };
  const schema = orHole({ type: 'integer', minimum: min, maximum: max });
  return scalar(`a whole number from ${min} to ${max}`, format, schema);
}

/** A number from 0 to 1. */
export function share(): Kind<number> {
  const format = (text: string): Reading<number> =>
    /^(?:0|1|0?\.[0-9]+|[01]\.0+|0\.[0-9]+)$/.test(text) ? value(Number(text)) : wrong();
  return scalar('a number from 0 to 1', format, orHole({ type: 'number', minimum: 0, maximum: 1 }));
}

export function flag(): Kind<boolean> {
  const format = (text: string): Reading<boolean> => {
    if (text === 'true' || text === 'false') return value(text === 'true');
    const lower = text.toLowerCase();
    return wrong(undefined, /^(?:yes|on|true)$/.test(lower) ? 'true'
      : /^(?:no|off|false)$/.test(lower) ? 'false' : undefined);
  };
  return scalar('`true` or `false`', format, orHole({ type: 'boolean' }));
}

export function choice<const W extends string>(...words: readonly W[]): Kind<W> {
  const format = (text: string): Reading<W> => {
    const word = words.find((known) => known === text);
    return word === undefined ? wrong(undefined, nearest(text, words)) : value(word);
  };
  return scalar(either(words.map((word) => `\`${word}\``)), format, orHole({ enum: words }));
}

/** `on` or `off`. */
export function onOff(): Kind<boolean> {
  const words = choice('on', 'off');
  return {
    ...words,
    read: (tree, asked) => {
      const word = words.read(tree, asked);
      return word === undefined ? undefined : word === 'on';
    },
  };
}
