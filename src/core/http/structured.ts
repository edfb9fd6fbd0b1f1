// Structured fields (RFC 9651) as everfresh reads them: what can't be parsed is as if absent.
import { parseDictionary, parseList, ParseError } from 'structured-headers';

/** What an Item or an Inner List is, and its parameters. */
type Member = readonly [bare: unknown, parameters: unknown];

/** The members of a Dictionary; undefined where the text is none. */
export function dictionary(text: string): ReadonlyMap<string, Member> | undefined {
  return readable(() => parseDictionary(text) as ReadonlyMap<string, Member>);
}

/** The Strings of a List, undefined where the text is none; members of other types are left out. */
export function listOfStrings(text: string): string[] | undefined {
  return readable(() => stringsOf(parseList(text) as readonly Member[]));
}

/** Those of an Inner List. */
export function stringsOf(members: readonly Member[]): string[] {
  return members.map(([bare]) => bare).filter((bare) => typeof bare === 'string');
}

function readable<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}
