// Which request fields tell an upstream's answers apart (RFC 9110 §12.5.5), and how two requests'
// values of such a field are compared (RFC 9111 §4.1): equal texts here mean equal wishes.
import { isToken, listMembers, splitOutsideQuotes } from './list.ts';
import { field, fieldLines, type Fields } from './message.ts';

const NAMES_MAX = 16;

export type VaryNames =
  /** Lower-case, sorted, each once. */
  | { readonly kind: 'names'; readonly names: string[] }
  /** Nobody can know: nothing that varies so is kept. */
  | { readonly kind: 'any' };

export function varyNames(fields: Fields): VaryNames {
  const names = new Set<string>();
  for (const line of fieldLines(fields, 'vary')) {
    for (const part of line.split(',')) {
      const name = part.trim().toLowerCase();
      if (name === '') continue;
      // RFC 9111 §4.1: "A stored response with a Vary header field value containing a member "*"
      // always fails to match." So does one that can't be read.
      if (name === '*' || !isToken(name)) return { kind: 'any' };
      names.add(name);
    }
  }
  if (names.size > NAMES_MAX) return { kind: 'any' };
  return { kind: 'names', names: [...names].sort() };
}

/**
 * What a request says in a field, as a text to compare; `name` in lower case. RFC 9111 §4.1: values
 * match if one can be made the other by "adding or removing whitespace", "combining multiple header
 * field lines", and "normalizing both header field values in a way that is known to have identical
 * semantics". "If […] a header field is absent from a request, it can only match another request if
 * it is also absent there": absent is `-`, what is present begins with `=`, or `!`.
 */
export function variantPart(name: string, requestFields: Fields): string {
  const value = field(requestFields, name)?.trim();
  if (value === undefined) return '-';
  if (name === 'accept-encoding') return `=${canonicalAcceptEncoding(value)}`;
  if (name === 'accept') return preferences(value, true);
  if (name === 'accept-language') return preferences(value, false);
  const all = fieldLines(requestFields, name).map((line) => line.trim()).join(', ');
  return `=${TOKENS.test(all) ? all.replaceAll(/[ \t]*,[ \t]*/g, ', ') : all}`;
}

// A list of tokens has white space around its commas or not; of anything else nobody can know.
const TOKENS = /^[\w!#$%&'*+.^`|~-]+(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*$/;

const CODINGS = ['br', 'deflate', 'gzip', 'identity', 'zstd', '*'];

/**
 * Accept-Encoding in a closed list of codings, each wanted or refused. What is fetched to be kept
 * must be asked for in this form too: then a coding that it doesn't name can't come back.
 */
export function canonicalAcceptEncoding(value: string): string {
  const wanted = new Map<string, boolean>();
  let refusesUnknown = false;
  for (const member of value.toLowerCase().split(',')) {
    const [coding = '', weight] = member.split(';', 2).map((part) => part.trim());
    // RFC 9110 §8.4.1.3: "A recipient SHOULD consider "x-gzip" to be equivalent to "gzip"."
    const name = coding === 'x-gzip' ? 'gzip' : coding;
    const q = weight === undefined ? 1000 : thousandths(weight.replace(/^q=/, ''));
    if (q === undefined) continue;
    if (CODINGS.includes(name)) wanted.set(name, q > 0 && wanted.get(name) !== false);
    else if (q === 0) refusesUnknown = true;
  }
  // "Anything but this one" can't be said in a closed list; the codings that are named are enough.
  if (refusesUnknown && wanted.get('*')) wanted.delete('*');
  // RFC 9110 §12.5.3: "If the representation has no content coding, then it is acceptable by
  // default unless specifically excluded by the Accept-Encoding header field".
  if (wanted.get('identity') && wanted.get('*') !== false) wanted.delete('identity');
  return CODINGS.filter((name) => wanted.has(name))
    .map((name) => (wanted.get(name) ? name : `${name};q=0`)).join(', ');
}

// Accept and Accept-Language: by falling weight. RFC 9110 §12.5.4 of the order of languages: "some
// recipients treat the order […] as an indication of descending priority […]. However, this
// behavior cannot be relied upon"; so those of equal weight mean the same in any order. Media types
// stay in theirs. What can't be read is compared as it stands, behind a `!`, so that it equals
// nothing that can.
function preferences(value: string, ordered: boolean): string {
  const members = listMembers(value)?.map(preference);
  if (members === undefined || members.includes(undefined)) return `!${value}`;
  const read = members.filter((member) => member !== undefined);
  const byText = (a: string, b: string): number => (ordered || a === b ? 0 : a < b ? -1 : 1);
  read.sort((a, b) => b.q - a.q || byText(a.text, b.text));
  return `=${read.map(({ text, q }) => (q === 1000 ? text : `${text};q=${q / 1000}`)).join(', ')}`;
}

function preference(member: string): { text: string; q: number } | undefined {
  const [range, ...parameters] = splitOutsideQuotes(member, ';') ?? [];
  if (range === undefined || range === '' || /[\s"]/.test(range)) return undefined;
  let text = range.toLowerCase();
  let [q, weighed] = [1000, false];
  for (const parameter of parameters) {
    const found = /^([^=\s"]+)=(.+)$/s.exec(parameter);
    if (found === null) return undefined;
    const name = found[1]!.toLowerCase();
    const weight = name === 'q' ? thousandths(found[2]!) : undefined;
    if (name !== 'q') text += `;${name}=${found[2]!}`;
    // Of two weights nobody knows which one counts.
    else if (weight === undefined || weighed) return undefined;
    else [q, weighed] = [weight, true];
  }
  return { text, q };
}

// RFC 9110 §12.4.2: weight = 0 to 1 with up to three digits after the point.
function thousandths(text: string): number | undefined {
  if (!/^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(text)) return undefined;
  return Math.round(Number(text) * 1000);
}
