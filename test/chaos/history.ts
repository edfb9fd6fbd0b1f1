// What was read and what was promised, on one monotonic clock: finds each read that began after a
// write was answered with success and yet got an older version of its item. Pure; times are given.

export interface Promised {
  readonly item: number;
  readonly version: number;
  /** When the head of its success was here. */
  readonly answeredAt: number;
  /** Reads that begin later than this must show it; usually the same. */
  readonly holdsFrom: number;
  readonly instance: string;
  readonly cacheStatus: string;
}

export interface Read {
  readonly path: string;
  readonly beganAt: number;
  readonly endedAt: number;
  readonly instance: string;
  readonly cacheStatus: string;
  /** Every item that was shown. */
  readonly shown: readonly { readonly id: number; readonly version: number }[];
}

export interface Stale {
  readonly item: number;
  readonly version: number;
  readonly read: Read;
  /** The promise that it breaks. */
  readonly write: Promised;
  /** What happened to this item shortly before. */
  readonly before: readonly string[];
}

const REMEMBERED = 30;
/** No read is so long that it began before all of these. */
const STEPS_MAX = 500;

interface Step {
  readonly from: number;
  /** The newest of all that were promised until then. */
  readonly best: Promised;
}

export class History {
  readonly #steps = new Map<number, Step[]>();
  readonly #lately = new Map<number, string[]>();
  #unpromised = 0;

  /** Reads that were older than a write that had been answered, and was not promised yet. */
  get unpromised(): number {
    return this.#unpromised;
  }

  promise(write: Promised): void {
    const steps = entry(this.#steps, write.item);
    const at = steps.findLastIndex(({ from }) => from <= write.holdsFrom) + 1;
    steps.splice(at, 0, { from: write.holdsFrom, best: newer(steps[at - 1]?.best, write) });
    for (let i = at + 1; i < steps.length; i += 1) {
      const step = steps[i]!;
      steps[i] = { from: step.from, best: newer(step.best, write) };
    }
    if (steps.length > STEPS_MAX) steps.splice(0, STEPS_MAX / 2);
    this.#note(write.item, `${ms(write.answeredAt)} ${write.instance} answered a write of `
      + `version ${write.version} (${write.cacheStatus})`);
  }

  /** Of each item that was shown too old, the promise that it breaks. */
  read(read: Read): Stale[] {
    const found: Stale[] = [];
    for (const { id, version } of read.shown) {
      const steps = this.#steps.get(id) ?? [];
      const best = steps.findLast(({ from }) => from < read.beganAt)?.best;
      if (best !== undefined && version < best.version) {
        const before = [...entry(this.#lately, id)];
        found.push({ item: id, version, read, write: best, before });
      } else if (isUnpromised(steps, version, read.beganAt)) {
        this.#unpromised += 1;
      }
      if (!/; hit/.test(read.cacheStatus) || found.length > 0) {
        this.#note(id, `${ms(read.beganAt)}-${ms(read.endedAt)} ${read.instance} read `
          + `${read.path}: version ${version} (${read.cacheStatus})`);
      }
    }
    return found;
  }

  /** Something about an item that promises nothing, such as a write of unknown outcome. */
  note(item: number, at: number, text: string): void {
    this.#note(item, `${ms(at)} ${text}`);
  }

  #note(item: number, text: string): void {
    const lately = entry(this.#lately, item);
    lately.push(text);
    if (lately.length > REMEMBERED) lately.shift();
  }
}

/** Whether a write had been answered, but was not to be relied on yet, that this is older than. */
function isUnpromised(steps: readonly Step[], version: number, beganAt: number): boolean {
  for (let i = steps.length - 1; i >= 0; i -= 1) {
    const { from, best } = steps[i]!;
    if (from < beganAt) return false;
    if (best.answeredAt < beganAt && version < best.version) return true;
  }
  return false;
}

export const ms = (at: number): string => `${(at / 1000).toFixed(3)}s`;

function newer(one: Promised | undefined, other: Promised): Promised {
  return one !== undefined && one.version >= other.version ? one : other;
}

function entry<T>(map: Map<number, T[]>, key: number): T[] {
  const there = map.get(key);
  if (there !== undefined) return there;
  const list: T[] = [];
  map.set(key, list);
  return list;
}
