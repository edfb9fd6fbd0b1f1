// What entries have in common, held once: their shape, and those of their values that were the same
// in all of them so far. A value that differs becomes a hole in the next template of that shape,
// and stands in the records from then on. A template lives as long as a record needs it; when there
// are too many there are no new ones, and a record says everything itself.
import { type Flat, readShape, type Shape } from './packing.ts';

export interface Template {
  readonly id: number;
  readonly name: string;
  readonly shape: Shape;
  /** Undefined where there is a hole. */
  readonly values: readonly (string | undefined)[];
  readonly holes: readonly number[];
  readonly bytes: number;
  refs: number;
}

/** Of a record that has none. */
export const NO_TEMPLATE = 0;

const COUNT_MAX = 4096;
const SHARE = 16;
const TEMPLATE_BYTES = 512;
const TEXT_BYTES = 32;

export class Templates {
  readonly #bytesMax: number;
  readonly #byId: (Template | undefined)[] = [undefined];
  readonly #freeIds: number[] = [];
  readonly #newest = new Map<string, Template>();
  #count = 0;
  bytes = 0;

  constructor(bound: number) {
    this.#bytesMax = bound / SHARE;
  }

  get(id: number): Template {
    return this.#byId[id]!;
  }

  /** The template of an entry, for one more record. */
  take(flat: Flat): Template | undefined {
    // With their number two lists of texts are never one name, whatever the texts are.
    const name = `${flat.shape.length}\n${flat.shape.join('\n')}`;
    const newest = this.#newest.get(name);
    const found = newest !== undefined && fits(newest, flat.values)
      ? newest : this.#create(name, flat, newest);
    if (found !== undefined) found.refs += 1;
    return found;
  }

  #create(name: string, flat: Flat, before: Template | undefined): Template | undefined {
    if (name.split('\n').length !== flat.shape.length + 1) return undefined;
    const bytes = TEMPLATE_BYTES + textBytes(flat.shape) * 2 + textBytes(flat.values);
    if (this.#count >= COUNT_MAX || this.bytes + bytes > this.#bytesMax) return undefined;
    // By way of JSON no text keeps a larger one alive that it was cut from.
    const { shape, values } = JSON.parse(JSON.stringify(flat)) as Flat;
    const holes = values.flatMap((text, i) =>
      i === 0 || (before !== undefined && before.values[i] !== text) ? [i] : []);
    const template: Template = {
      id: this.#freeIds.pop() ?? this.#byId.length, name, shape: readShape(shape),
      values: values.map((text, i) => (holes.includes(i) ? undefined : text)), holes, bytes,
      refs: 0,
    };
    this.#byId[template.id] = template;
    this.#newest.set(name, template);
    this.#count += 1;
    this.bytes += bytes;
    return template;
  }

  /** A record that had it is gone. */
  drop(id: number): void {
    if (id === NO_TEMPLATE) return;
    const template = this.get(id);
    template.refs -= 1;
    if (template.refs > 0) return;
    if (this.#newest.get(template.name) === template) this.#newest.delete(template.name);
    this.#byId[id] = undefined;
    this.#freeIds.push(id);
    this.#count -= 1;
    this.bytes -= template.bytes;
  }
}

/** What a record says itself: the values for the holes, then the tags. */
export function told({ holes }: Template, { values, tags }: Flat): string[] {
  const texts: string[] = [];
  for (const hole of holes) texts.push(values[hole]!);
  for (const tag of tags) texts.push(tag);
  return texts;
}

export function filled({ values, holes }: Template, texts: readonly string[]): string[] {
  const all = values.slice() as string[];
  for (let i = 0; i < holes.length; i += 1) all[holes[i]!] = texts[i]!;
  return all;
}

function fits(template: Template, values: readonly string[]): boolean {
  for (let i = 0; i < values.length; i += 1) {
    const known = template.values[i];
    if (known !== undefined && known !== values[i]) return false;
  }
  return true;
}

function textBytes(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += TEXT_BYTES + text.length;
  return bytes;
}
