// The shape of HTTP messages as everfresh carries them: heads with their field lines in the order,
// case and number in which they arrived. Looks fields up and takes fields away; interprets none.

/** Field lines as Node's `rawHeaders` gives them: name, value, name, value, … */
export type Fields = readonly string[];

/** A request line and its fields. `target` is the origin-form, byte for byte as it was received. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
}

/** A status line and its fields. */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly fields: Fields;
}

/** All values of a field, one for each line; `name` in lower case. */
export function fieldLines(fields: Fields, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (isNamed(fields[i]!, name)) values.push(fields[i + 1]!);
  }
  return values;
}

/** The combined value of a field (RFC 9110 §5.3), or undefined where there is none. */
export function field(fields: Fields, name: string): string | undefined {
  let combined: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    if (!isNamed(fields[i]!, name)) continue;
    combined = combined === undefined ? fields[i + 1]! : `${combined}, ${fields[i + 1]!}`;
  }
  return combined;
}

/** Whether there is a line of this name; `name` in lower case. */
export function hasField(fields: Fields, name: string): boolean {
  for (let i = 0; i < fields.length; i += 2) if (isNamed(fields[i]!, name)) return true;
  return false;
}

/** The lines for which `keep` says yes, asked with the name in lower case. */
export function keepFields(
  fields: Fields,
  keep: (name: string, value: string) => boolean,
): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (keep(fields[i]!.toLowerCase(), fields[i + 1]!)) kept.push(fields[i]!, fields[i + 1]!);
  }
  return kept;
}

/** A name as servers may read it that take `_` for `-`, as CGI and its heirs do. */
export function plainName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

/** The members of a comma-separated list without quotes, trimmed, in lower case, none empty. */
export function tokens(value: string | undefined): string[] {
  if (value === undefined) return [];
  return value
    .split(',')
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== '');
}

function isNamed(name: string, lower: string): boolean {
  return name.length === lower.length && (name === lower || name.toLowerCase() === lower);
}

// RFC 9110 §7.6.1: these describe one connection, not the message.
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
]);

/** The lines that an intermediary passes on (RFC 9110 §7.6.1): end to end, not nominated. */
export function endToEnd(fields: Fields): string[] {
  const connection = field(fields, 'connection');
  if (connection === undefined) return keepFields(fields, (name) => !HOP_BY_HOP.has(name));
  const nominated = tokens(connection);
  return keepFields(fields, (name) => !HOP_BY_HOP.has(name) && !nominated.includes(name));
}
