// What the configuration says of an upstream, compiled: the same at the top and under a route.
import type { UpstreamConfig } from './config.ts';
import { upstreamOptions } from './grammar.ts';
import { readFields } from './kinds.ts';
import type { Values } from './kinds.ts';
import type { Notes, Place } from './problem.ts';
import { scalarOf, tableOf } from './tree.ts';

export type GivenUpstream = string | Values<typeof upstreamOptions>;

export function compileUpstream(
  given: GivenUpstream, at: Place, notes: Notes,
): UpstreamConfig | undefined {
  const all = typeof given === 'string' ? whole(given, at, notes) : given;
  const { url, ca, cert, key, ...rest } = all;
  if (url === undefined) return undefined;
  if ((cert === undefined) !== (key === undefined)) {
    notes.wrong(at, '`upstream`: `cert` and `key` go together');
  }
  const pem = { ca, cert, key };
  if (!url.startsWith('https:') && Object.values(pem).some((path) => path !== undefined)) {
    notes.wrong(at, '`upstream`: `ca`, `cert` and `key` need an `https:` URL');
  }
  return {
    url,
    connections: rest.connections,
    connectTimeoutMs: rest.connect_timeout,
    headersTimeoutMs: rest.headers_timeout,
    bodyTimeoutMs: rest.body_timeout,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** A URL alone, with the defaults of the rest. */
function whole(url: string, at: Place, notes: Notes): Values<typeof upstreamOptions> {
  const entry = { key: 'url', at, value: scalarOf(url, at) };
  return readFields(upstreamOptions, tableOf([entry], at), notes);
}

/** The path of the socket where an upstream is one of this machine; undefined for a URL. */
export function socketPathOf({ url }: Pick<UpstreamConfig, 'url'>): string | undefined {
  if (!url.startsWith('unix:')) return undefined;
  return url.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
}

/** The longest that one exchange may take by its time-outs. */
export function totalTimeoutMs(upstream: UpstreamConfig): number {
  return upstream.connectTimeoutMs + upstream.headersTimeoutMs + upstream.bodyTimeoutMs;
}
