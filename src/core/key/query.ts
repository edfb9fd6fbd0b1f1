// What a query string means for the key and for the upstream: raw bytes as they came, or the listed
// parameters only, in the order given or a canonical one.
import type { ReadRule } from '../rules/config.ts';

/** What stands behind the first `?` of a target; others are part of it (RFC 3986 §3.4). */
export function queryOf(target: string): string | undefined {
  const at = target.indexOf('?');
  return at < 0 ? undefined : target.slice(at + 1);
}

/** Pairs with percent-escapes and `+` decoded; what cannot be decoded stays as it is. */
export function decodeQuery(query: string | undefined): [name: string, value: string][] {
  return pieces(query).map((piece) => {
    const at = piece.indexOf('=');
    const name = at < 0 ? piece : piece.slice(0, at);
    return [decode(name), at < 0 ? '' : decode(piece.slice(at + 1))];
  });
}

/**
 * The query that is both keyed and forwarded on a fill (never one without the other); undefined
 * where nothing remains. Bytes of the pieces that stay are not changed.
 */
export function shownQuery(
  query: string | undefined,
  rule: Pick<ReadRule, 'query' | 'order'>,
): string | undefined {
  if (rule.query === 'none') return undefined;
  if (rule.query === 'all' && rule.order === 'given') return query;
  let shown = pieces(query);
  const { query: listed } = rule;
  if (listed !== 'all') shown = shown.filter((piece) => listed.includes(nameOf(piece)));
  if (rule.order === 'free') shown = byName(shown);
  return shown.length === 0 ? undefined : shown.join('&');
}

function pieces(query: string | undefined): string[] {
  return query === undefined ? [] : query.split('&').filter((piece) => piece !== '');
}

function nameOf(piece: string): string {
  const at = piece.indexOf('=');
  return decode(at < 0 ? piece : piece.slice(0, at));
}

// The order among values of one name may carry meaning, so only names are sorted (stably).
function byName(shown: string[]): string[] {
  return shown
    .map((piece) => ({ piece, name: nameOf(piece) }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ piece }) => piece);
}

function decode(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
