// Durations and sizes as people write them, read and printed. Inside the house a duration is a
// number of milliseconds and a size a number of bytes; nothing here knows what they are for.

type Unit = readonly [name: string, worth: number];

const DURATIONS: readonly Unit[] = [
  ['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1000], ['ms', 1],
];
const SIZES: readonly Unit[] = [['gb', 1024 ** 3], ['mb', 1024 ** 2], ['kb', 1024], ['b', 1]];

/** Milliseconds of `500ms 30s 5m 1h 1d` or `0`; undefined where the text is nothing like that. */
export function readDuration(text: string): number | undefined {
  return read(text, DURATIONS);
}

/** The shortest exact text: `90000` is `90s`, `3600000` is `1h`. */
export function printDuration(ms: number): string {
  return print(ms, DURATIONS);
}

/** Bytes of `512b 64kb 4mb 1gb` or `0`, in powers of 1024; undefined otherwise. */
export function readSize(text: string): number | undefined {
  return read(text, SIZES);
}

/** The shortest exact text: `65536` is `64kb`. */
export function printSize(bytes: number): string {
  return print(bytes, SIZES);
}

function read(text: string, units: readonly Unit[]): number | undefined {
  if (text === '0') return 0;
  const found = /^([0-9]{1,15})([a-z]{1,2})$/.exec(text);
  const unit = units.find(([name]) => name === found?.[2]);
  if (found === null || unit === undefined) return undefined;
  const amount = Number(found[1]) * unit[1];
  return Number.isSafeInteger(amount) ? amount : undefined;
}

function print(amount: number, units: readonly Unit[]): string {
  if (amount === 0) return '0';
  const [name, worth] = units.find(([, size]) => amount % size === 0) ?? units.at(-1)!;
  return `${amount / worth}${name}`;
}
