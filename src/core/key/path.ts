// The canonical spelling of a path. A path in another spelling may mean the same to the upstream,
// so it is never answered from the cache.

const UNRESERVED = /[A-Za-z0-9\-._~]/;

/**
 * Whether a path is spelt in the one way under which it may be kept (RFC 3986 §6.2.2): escapes in
 * upper case, none of an unreserved character, no doubled slash.
 */
export function isCanonicalPath(path: string): boolean {
  if (path.includes('//')) return false;
  for (let at = path.indexOf('%'); at >= 0; at = path.indexOf('%', at + 3)) {
    const hex = path.slice(at + 1, at + 3);
    if (!/^[0-9A-F]{2}$/.test(hex)) return false;
    if (UNRESERVED.test(String.fromCharCode(Number.parseInt(hex, 16)))) return false;
  }
  return true;
}

/** The path one level up, `/` at the top: `/posts/7` gives `/posts`. */
export function parentPath(path: string): string {
  const at = path.lastIndexOf('/', path.length - 2); // one at the end doesn't count
  return at <= 0 ? '/' : path.slice(0, at);
}
