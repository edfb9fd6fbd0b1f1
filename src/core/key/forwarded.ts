// What everfresh tells the upstream about the way a request took. A client's own word about it is
// believed, and passed on, only where it comes from a proxy that the operator trusts.
import { type Fields, keepFields } from '../http/message.ts';
import type { Config } from '../rules/config.ts';

export interface Way {
  readonly id: string;
  /** The address of who is connected: a proxy adds it to those that are said already. */
  readonly peer: string;
  readonly peerTrusted: boolean;
  /** The client's address, as far as it is known. */
  readonly remote: string;
  readonly calledAs?: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  /** By which the request came. */
  readonly httpVersion: string;
}

const WAY = new Set([
  'forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port',
]);

/**
 * Adds Via and X-Forwarded-*, in place of what an untrusted client claims; to a `Forwarded` of a
 * proxy that is believed also the element of this hop (RFC 7239 §4).
 */
export function forwardedFields(fields: Fields, way: Way, config: Config): string[] {
  const kept = way.peerTrusted ? [...fields] : keepFields(fields, (name) => !WAY.has(name));
  const has = (wanted: string): boolean =>
    kept.some((text, i) => i % 2 === 0 && text.toLowerCase() === wanted);
  // One that reads the other field would take the proxy for the client.
  const told = has('x-forwarded-for') || way.remote === way.peer ? '' : `${way.remote}, `;
  kept.push('X-Forwarded-For', told + way.peer);
  if (has('forwarded')) kept.push('Forwarded', element(way));
  if (!has('x-forwarded-proto')) kept.push('X-Forwarded-Proto', way.scheme);
  if (!has('x-forwarded-host') && way.authority !== '') {
    kept.push('X-Forwarded-Host', way.calledAs ?? way.authority);
  }
  if (!has('x-request-id')) kept.push('X-Request-Id', way.id);
  kept.push('Via', `${way.httpVersion} everfresh`);
  if (config.hosts.length > 0) kept.push('Host', way.authority);
  return kept;
}

// RFC 7239 §6: an address of IPv6 stands in brackets, and both need quotes, as a port does.
function element({ peer, scheme, authority }: Way): string {
  const node = peer.includes(':') ? `"[${peer}]"` : peer;
  const host = authority === '' ? '' : `;host="${authority}"`;
  return `for=${node};proto=${scheme}${host}`;
}
