// What a scenario gives to the report: sentences, tables, and what is wanted beside what was seen.

export interface Section {
  readonly name: string;
  /** One paragraph, in Markdown. */
  readonly about: string;
  readonly tables: readonly Table[];
  readonly wanted: readonly Wanted[];
  /** Drawn from the figures; stands in a file beside the report. */
  readonly picture?: { readonly file: string; readonly alt: string; readonly svg: string };
  /** All that was measured, for `--json`. */
  readonly data: unknown;
}

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Wanted {
  readonly what: string;
  readonly wanted: string;
  readonly seen: string;
  /** Undefined: it was not measured. */
  readonly reached: boolean | undefined;
}

export function wanted(
  what: string, of: { wanted: string; seen: string | undefined; reached: boolean },
): Wanted {
  const { seen, reached } = of;
  if (seen === undefined) return { what, wanted: of.wanted, seen: '', reached: undefined };
  return { what, wanted: of.wanted, seen, reached };
}
