// Which routes' entries may have been written to while nobody watched: those of a file of before
// that a reload makes readable again. Their tags are touched as the new rules take over. A restart
// knows no file of before, only its hash.
import { createHash } from 'node:crypto';
import type { Config, Route } from '../rules/config.ts';

/**
 * Route tags to touch when one file follows another. A route that is new may have been there
 * before,
 * and writes to it went unseen; one that is taken away gives its paths back to wider routes.
 */
export function unwatched(before: Config, after: Config): string[] {
  const known = new Set(before.routes.filter(isRead).map(({ pattern }) => pattern));
  const kept = new Set(after.routes.map(({ pattern }) => pattern));
  const narrowed = before.routes.some(({ pattern }) => !kept.has(pattern));
  return after.routes
    .filter(isRead)
    .filter(({ pattern, params }) => !known.has(pattern) || (narrowed && params.length > 0))
    .map(({ pattern }) => pattern);
}

/** The same for two files exactly where neither makes readable what the other leaves unwatched. */
export function rulesHash({ routes }: Pick<Config, 'routes'>): string {
  // Those without reads count too: they take paths, and their writes, away from wider routes.
  const known = routes.map((route) => `${isRead(route) ? 'reads' : 'writes'} ${route.pattern}`);
  return createHash('sha256').update(known.sort().join('\n')).digest('base64url');
}

function isRead({ reads }: Route): boolean {
  return reads.size > 0;
}
