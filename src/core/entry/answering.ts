// How an answer goes out: what the upstream said, less what was meant for one hop, plus what an
// intermediary adds (RFC 9110 §7.6, RFC 9111 §5.1, RFC 9211).
import { cacheStatus } from '../http/cache-status.ts';
import { endToEnd, field, type Fields, keepFields, tokens } from '../http/message.ts';
import { mapBack } from '../http/origin.ts';
import { identitiesOf } from '../key/reader.ts';
import type { ReadRule } from '../rules/config.ts';
import type { Verdict } from '../verdict.ts';

export interface Client {
  readonly scheme: 'http' | 'https';
  readonly authority: string;
}

export interface Dressing {
  readonly verdict: Verdict;
  readonly client: Client;
  /** Of the upstream, where its addresses are to be mapped back to the client's. */
  readonly origin: string | undefined;
  readonly rule?: ReadRule | undefined;
  /** Given for what comes from the cache. */
  readonly ageMs?: number;
}

/** The fields of an answer to a client, from those of the upstream or of an entry. */
export function dress(fields: Fields, dressing: Dressing): string[] {
  const { verdict, client, origin, rule, ageMs } = dressing;
  let dressed = endToEnd(fields);
  if (origin !== undefined) dressed = [...mapBack(dressed, origin, client)];
  if (ageMs !== undefined) {
    dressed = keepFields(dressed, (name) => name !== 'age');
    dressed.push('Age', String(Math.max(0, Math.floor(ageMs / 1000))));
  }
  if (rule !== undefined && rule.clientCache !== 'pass' && sharable(verdict)) {
    dressed = keepFields(dressed, (name) => name !== 'cache-control' && name !== 'expires');
    dressed.push('Cache-Control', rule.clientCache);
  }
  dressed.push('Via', '1.1 everfresh', 'Cache-Status', cacheStatus(verdict));
  return dressed;
}

/**
 * The fields of an answer that is one reader's, with a validator of its content (none where that
 * is not known), in place of those that may be another reader's as well; and by what it differs.
 */
export function fieldsOfReaders(
  fields: Fields, rule: ReadRule, clientEtag: string | undefined,
): string[] {
  const shown = keepFields(fields, (name) => name !== 'etag' && name !== 'last-modified');
  if (clientEtag !== undefined) shown.push('ETag', clientEtag);
  const varied = tokens(field(fields, 'vary'));
  const missing = identitiesOf(rule).map(({ from }) =>
    (from.kind === 'cookie' ? 'Cookie' : from.kind === 'jwt' ? from.header : from.name))
    .filter((name) => !varied.includes(name.toLowerCase()) && !varied.includes('*'));
  if (missing.length > 0) shown.push('Vary', [...new Set(missing)].join(', '));
  return shown;
}

// What may not be kept here says itself what others may do with it; whatever else kept it from
// being kept is about this moment, not about the answer.
export function sharable(verdict: Verdict): boolean {
  if (verdict.kind === 'hit') return true;
  return verdict.kind === 'miss' && KEEPABLE.has(verdict.kept);
}

const KEEPABLE: ReadonlySet<string> = new Set<Extract<Verdict, { kind: 'miss' }>['kept']>([
  'stored', 'collapsed', 'revalidated', 'held', 'outrun', 'too-large', 'too-slow',
  'too-many-variants', 'too-many-tags', 'tag-not-computable', 'store-down', 'store-joining',
  'store-slow',
]);
