// Which routes' entries may have been written to while nobody watched: those of a file of before
// that a reload makes readable again. Their tags are touched as the new rules take over.
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

function isRead({ reads }: Route): boolean {
  return reads.size > 0;
}
