// Which addresses mean this gateway and which its upstream, and how an address of the upstream is
// said to a client. Only Location and Content-Location are looked at, never a body.
import { type Fields, hasField } from './message.ts';

export interface ClientOrigin {
  readonly scheme: 'http' | 'https';
  /** As `Host` says it; empty where a client of HTTP/1.0 said nothing. */
  readonly authority: string;
}

/** The serialised origin of an http or https URL; undefined for anything else. */
export function httpOrigin(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return undefined;
  return parsed.origin;
}

const ABSOLUTE = /^(?:(https?):)?\/\/([^/?#\\@]+)(?=[/?#]|$)(.*)$/is;

/** The fields with the upstream's origin in Location and Content-Location said as the client's. */
export function mapBack(fields: Fields, upstreamOrigin: string, client: ClientOrigin): Fields {
  if (!hasField(fields, 'location') && !hasField(fields, 'content-location')) return fields;
  const upstream = httpOrigin(upstreamOrigin);
  if (upstream === undefined) return fields;
  return fields.map((text, i) => {
    if (i % 2 === 0 || !isLocation(fields[i - 1]!.toLowerCase())) return text;
    const found = ABSOLUTE.exec(text.trim());
    if (found === null) return text;
    const [, scheme, authority, rest] = found;
    const said = scheme === undefined ? URL.parse(upstream)!.protocol : `${scheme}:`;
    if (httpOrigin(`${said}//${authority!}`) !== upstream) return text;
    // A client that named no authority gets a path, which means the same to it.
    if (client.authority === '') return rest!.startsWith('/') ? rest! : `/${rest!}`;
    return `${client.scheme}://${client.authority}${rest!}`;
  });
}

function isLocation(name: string): boolean {
  return name === 'location' || name === 'content-location';
}

/**
 * A name and perhaps a port, in lower case (RFC 3986 §3.2.2), without what no name in use has:
 * sub-delims, escapes, an empty host or port.
 */
export function isAuthority(text: string): boolean {
  const found = /^(?:[a-z0-9\-._~]{1,255}|(\[[0-9a-f:.]{2,45}\]))(?::([0-9]{1,5}))?$/.exec(text);
  if (found === null) return false;
  const [, literal, port] = found;
  if (port !== undefined && Number(port) > 65_535) return false;
  return literal === undefined || URL.canParse(`http://${literal}/`);
}
