// Cache groups (RFC 9875): which groups an answer is in, and which ones a write's answer ends. A
// group is of its origin, which here is the upstream; who may end it is decided elsewhere.
import { field, type Fields } from './message.ts';
import { listOfStrings } from './structured.ts';

/** The groups that an answer is in (§2), each once; none where the field can't be read. */
export function cacheGroups(fields: Fields): string[] {
  return groupsIn(fields, 'cache-groups');
}

/**
 * The groups that the answer to a write ends (§3): "The Cache-Group-Invalidation header field MUST
 * be ignored on responses to requests that have a safe method".
 */
export function invalidatedGroups(fields: Fields): string[] {
  return groupsIn(fields, 'cache-group-invalidation');
}

function groupsIn(fields: Fields, name: string): string[] {
  const value = field(fields, name);
  const groups = value === undefined ? undefined : listOfStrings(value);
  return [...new Set(groups)].filter((group) => group !== '');
}
