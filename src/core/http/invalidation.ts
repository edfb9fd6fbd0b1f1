// What else a write ends beside its own URI (RFC 9111 §4.4): where its answer points, as long as
// that is here. Never reaches over to another origin.
import { fieldLines, type Fields } from './message.ts';
import { type ClientOrigin, httpOrigin } from './origin.ts';

/**
 * RFC 9111 §4.4: "A cache MAY invalidate other URIs when it receives a non-error status code in
 * response to an unsafe request method […]. In particular, the URI(s) in the Location and
 * Content-Location response header fields (if present) are candidates for invalidation". "However,
 * a cache MUST NOT trigger an invalidation under these conditions if the origin […] of the URI to
 * be invalidated differs from that of the target URI". The upstream's own address means the
 * client's.
 *
 * Gives paths with their queries, each once, without the request's own target.
 */
export function alsoInvalidated(
  request: ClientOrigin & { readonly target: string; readonly upstreamOrigin?: string | undefined },
  responseFields: Fields,
): string[] {
  const authority = request.authority === '' ? 'authority.invalid' : request.authority;
  const base = URL.parse(`${request.scheme}://${authority}${request.target}`);
  if (base === null) return [];
  const upstream = request.upstreamOrigin && httpOrigin(request.upstreamOrigin);
  const targets = new Set<string>();
  for (const name of ['location', 'content-location']) {
    for (const line of fieldLines(responseFields, name)) {
      const named = URL.parse(line, base);
      if (named === null) continue;
      const here = named.origin === base.origin || named.origin === upstream;
      if (here) targets.add(named.pathname + named.search);
    }
  }
  targets.delete(request.target);
  return [...targets];
}
