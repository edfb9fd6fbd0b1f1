// Which routes' entries may have been written to while nobody watched: those of a file of before
// that a reload makes readable again. Their tags are touched as the new rules take over. A restart
// knows no file of before, only its hash.
//
// An entry is read by the rule that kept it, whose hash is in its key; while another rule of the
// same route is in force, it may have been written to under tags that only that rule gives.
import { createHash, createHmac } from 'node:crypto';
import type { Config, Route } from '../rules/config.ts';

/**
 * Route tags to touch when one file follows another. A route that is new, or a rule of its reads,
 * may have been there before, and writes went unseen; one that is taken away gives its paths back
 * to wider routes.
 */
export function unwatched(before: Config, after: Config): string[] {
  const known = new Set(before.routes.map(readsOf));
  const kept = new Set(after.routes.map(({ pattern }) => pattern));
  const narrowed = before.routes.some(({ pattern }) => !kept.has(pattern));
  return after.routes
    .filter(isRead)
    .filter((route) => !known.has(readsOf(route)) || (narrowed && route.params.length > 0))
    .map(({ pattern }) => pattern);
}

/** The same for two files exactly where neither makes readable what the other leaves unwatched. */
export function rulesHash(
  { routes, identities, secret }: Pick<Config, 'routes' | 'identities' | 'secret'>,
): string {
  // Those without reads count too: they take paths, and their writes, away from wider routes.
  const rules = routes.map(readsOf).sort();
  // Who tells readers apart by another secret ends none of those that others keep.
  if (identities.length > 0 && secret !== undefined) {
    rules.push(createHmac('sha256', secret).update('everfresh').digest('base64url'));
  }
  return createHash('sha256').update(rules.join('\n')).digest('base64url');
}

/** A route with the rules of its reads: the same for two that keep the same. */
function readsOf({ pattern, reads }: Route): string {
  const rules = [...reads].map(([method, { hash }]) => `${method} ${hash}`);
  return [pattern, ...rules.sort()].join(' ');
}

function isRead({ reads }: Route): boolean {
  return reads.size > 0;
}
