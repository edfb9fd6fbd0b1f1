// How options are described: a kind reads a tree, says what it expects and gives its JSON Schema;
// an option is a kind with a default and a sentence. Which there are stands in grammar.ts.
import { value, wrong } from './formats.ts';
import type { Reading } from './formats.ts';
import { nearest } from './problem.ts';
import type { Notes, Place } from './problem.ts';
import { describe, scalarOf, tableOf } from './tree.ts';
import type { Table, Tree } from './tree.ts';

export type Schema = { readonly [key: string]: unknown };

/** Who is told what is wrong, and the option's name for the message. */
export interface Asked {
  readonly notes: Notes;
  readonly name: string;
}

export interface Kind<out T> {
  /** Completes "must be …". */
  readonly says: string;
  readonly schema: Schema;
  /** The options of a map. */
  readonly fields?: Fields;
  /** Undefined when it was wrong, which `notes` then says. */
  readonly read: (tree: Tree, asked: Asked) => T | undefined;
}

export interface Option<out T> {
  readonly doc: string;
  /** The default, as the file would say it or in words. */
  readonly shown: string;
  /** Without it the map is wrong; says what to write. */
  readonly required?: string;
  readonly kind: Kind<unknown>;
  /** Gives the default where there is no tree, or a wrong one. */
  readonly read: (tree: Tree | undefined, asked: Asked) => T;
}

export type Fields = Readonly<Record<string, Option<unknown>>>;
export type Values<F extends Fields> = { [K in keyof F]: F[K] extends Option<infer T> ? T : never };

/** A text that knows where it stands, for what can only be judged later. */
export interface Placed {
  readonly text: string;
  readonly at: Place;
}

/** One of a map, with the place of its name. */
export interface Named<out T> {
  readonly name: string;
  readonly at: Place;
  readonly value: T;
}

/** A scalar that is read from its text. */
export function scalar<T>(
  says: string, format: (text: string) => Reading<T>, schema: Schema = { type: 'string' },
): Kind<T> {
  const read = (tree: Tree, { notes, name }: Asked): T | undefined => {
    const known = tree.is === 'scalar' && tree.value !== null;
    const reading = known ? format(tree.text) : wrong();
    if (reading.kind === 'value') return reading.value;
    const { because, suggestion } = reading;
    notes.wrong(
      tree.at, `\`${name}\` ${because ?? `must be ${says}, not ${describe(tree)}`}`, suggestion);
    return undefined;
  };
  return { says, schema, read };
}

/** A text that never stands in a message. */
export function secretText(says: string): Kind<string> {
  return scalar(
    says, (text) => (text === '' ? wrong(`must be ${says}`) : value(text)), { type: 'string' });
}

/** A text with its place; whatever else must hold of it is judged where it is compiled. */
export function placed(says: string): Kind<Placed> {
  const text = scalar(says, (given) => (given === '' ? wrong() : value(given)));
  return {
    ...text,
    read: (tree, asked) => {
      const given = text.read(tree, asked);
      return given === undefined ? undefined : { text: given, at: tree.at };
    },
  };
}

/** A list, or one item alone. */
export function list<T>(item: Kind<T>): Kind<readonly T[]> {
  return {
    says: `a list, each ${item.says}`,
    schema: { anyOf: [item.schema, { type: 'array', items: item.schema }] },
    read: (tree, asked) => {
      const trees = tree.is === 'list' ? tree.items : [tree];
      const items = trees.map((one) => item.read(one, asked));
      return items.some((one) => one === undefined) ? undefined : items as readonly T[];
    },
  };
}

/** A map with these options and no others. */
export function object<F extends Fields>(fields: F): Kind<Values<F>> {
  return {
    says: `a map with ${either(Object.keys(fields).map((name) => `\`${name}\``))}`,
    schema: objectSchema(fields),
    fields,
    read: (tree, asked) => {
      if (tree.is === 'table') return readFields(fields, tree, asked.notes);
      const names = Object.keys(fields).map((name) => `\`${name}\``).join(', ');
      asked.notes.wrong(
        tree.at, `\`${asked.name}\` must be a map of ${names}, not ${describe(tree)}`);
      return undefined;
    },
  };
}

/** One kind for a scalar, another for a map. */
export function scalarOrMap<A, B>(plain: Kind<A>, map: Kind<B>): Kind<A | B> {
  return {
    says: `${plain.says}, or ${map.says}`,
    schema: { anyOf: [plain.schema, map.schema] },
    ...(map.fields === undefined ? {} : { fields: map.fields }),
    read: (tree, asked) => (tree.is === 'table' ? map.read(tree, asked) : plain.read(tree, asked)),
  };
}

/** Certain words alone, or a list of items. */
export function wordOrList<const W extends string, T>(
  words: readonly W[], items: Kind<readonly T[]>,
): Kind<W | readonly T[]> {
  return {
    says: `${either(words.map((word) => `\`${word}\``))}, or ${items.says}`,
    schema: { anyOf: [{ enum: words }, items.schema] },
    read: (tree, asked) => {
      const word = tree.is === 'scalar' ? words.find((known) => known === tree.text) : undefined;
      return word ?? items.read(tree, asked);
    },
  };
}

/** A map that is read elsewhere. */
export function table(says: string, schema: Schema): Kind<Table> {
  return {
    says,
    schema,
    read: (tree, { notes, name }) => {
      if (tree.is === 'table') return tree;
      notes.wrong(tree.at, `\`${name}\` must be ${says}, not ${describe(tree)}`);
      return undefined;
    },
  };
}

/** A map of names, each with a value of the same kind; `name` says what is wrong with a name. */
export function mapOf<T>(
  says: string, item: Kind<T>, name: (text: string) => string | undefined,
): Kind<readonly Named<T>[]> {
  return {
    says,
    schema: { type: 'object', additionalProperties: item.schema },
    ...(item.fields === undefined ? {} : { fields: item.fields }),
    read: (tree, { notes, name: option }) => {
      if (tree.is !== 'table') {
        notes.wrong(tree.at, `\`${option}\` must be ${says}, not ${describe(tree)}`);
        return undefined;
      }
      const items: Named<T>[] = [];
      for (const { key, at, value: given } of tree.entries) {
        const because = name(key);
        if (because !== undefined) notes.wrong(at, because);
        const read = item.read(given, { notes, name: key });
        if (read !== undefined) items.push({ name: key, at, value: read });
      }
      return items;
    },
  };
}

/** Known, and not there yet: a use of it is refused. */
export function notYet(what?: string): Kind<never> {
  return {
    says: 'absent',
    schema: { not: {} },
    read: (tree, { notes, name }) => {
      notes.wrong(tree.at, `${what ?? `\`${name}\``} is not in this version`);
      return undefined;
    },
  };
}

/** An option that may be absent. */
export function maybe<T>(kind: Kind<T>, doc: string, shown = 'none'): Option<T | undefined> {
  return { doc, shown, kind, read: (tree, asked) => (tree ? kind.read(tree, asked) : undefined) };
}

/** An option that must be given; undefined only where that has been told. */
export function must<T>(kind: Kind<T>, doc: string, required: string): Option<T | undefined> {
  return { ...maybe(kind, doc, 'required'), required };
}

/** An option with a default, said as the file would say it. */
export function usually<T>(kind: Kind<T>, usual: string, doc: string, shown = usual): Option<T> {
  const nowhere = { file: '', line: 0, column: 0 };
  const given = scalarOf(usual, nowhere);
  const read = (tree: Tree | undefined, asked: Asked): T => {
    const read = tree === undefined ? undefined : kind.read(tree, asked);
    return read ?? kind.read(given, asked)!;
  };
  return { doc, shown: `\`${shown}\``, kind, read };
}

/** A map of options of which each has its own default. */
export function group<T>(kind: Kind<T>, doc: string): Option<T> {
  const empty = tableOf([], { file: '', line: 0, column: 0 });
  const read = (tree: Tree | undefined, asked: Asked): T =>
    (tree === undefined ? undefined : kind.read(tree, asked)) ?? kind.read(empty, asked)!;
  return { doc, shown: 'see below', kind, read };
}

/** All options of a map; unknown keys and missing values are told. */
export function readFields<F extends Fields>(fields: F, tree: Table, notes: Notes): Values<F> {
  const given = new Map<string, Tree>();
  for (const { key, at, value: found } of tree.entries) {
    if (!Object.hasOwn(fields, key)) {
      notes.wrong(at, `unknown option \`${key}\``, nearest(key, Object.keys(fields)));
    } else if (found.is === 'scalar' && found.value === null) {
      notes.wrong(at, `\`${key}\` has no value`);
    } else {
      given.set(key, found);
    }
  }
  const entries = Object.entries(fields).map(([name, option]) => {
    const absent = !tree.entries.some(({ key }) => key === name);
    if (absent && option.required !== undefined) {
      notes.wrong(tree.at, `\`${name}\` is missing: ${option.required}`);
    }
    return [name, option.read(given.get(name), { notes, name })];
  });
  return Object.fromEntries(entries) as Values<F>;
}

export function objectSchema(fields: Fields): Schema {
  const properties = Object.entries(fields).map(([name, option]) => [name, optionSchema(option)]);
  const required = Object.keys(fields).filter((name) => fields[name]!.required !== undefined);
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(properties) as Schema,
    ...(required.length === 0 ? {} : { required }),
  };
}

function optionSchema({ doc, shown, kind }: Option<unknown>): Schema {
  const description = shown === 'none' || shown === 'see below' ? doc : `${doc} Default: ${shown}.`;
  return { description: description.replaceAll('`', ''), ...kind.schema };
}

export function either(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)!}`;
}
