// Who may speak to the admin listener: whoever knows its token, or, where it has none, whoever is
// on this machine and says so. It never looks at what is asked for beyond the route's name.
import { createHash, timingSafeEqual } from 'node:crypto';
import { BlockList, isIP } from 'node:net';

/** Probes ask these, and carry no token. */
const OPEN_ROUTES: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

export type Entrance =
  | { readonly kind: 'open'; readonly because: 'open-route' | 'token' | 'loopback' }
  | { readonly kind: 'closed'; readonly because: 'foreign-host' | 'no-token' | 'wrong-token' };

export interface Knock {
  /** The route's path; undefined where there is none. */
  readonly route: string | undefined;
  readonly host: string | undefined;
  readonly authorization: string | undefined;
}

/** Whether a name or an address, with or without brackets, is of this machine's loopback. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(name);
  if (family === 0) return name.toLowerCase() === 'localhost';
  return LOOPBACK.check(name, family === 4 ? 'ipv4' : 'ipv6');
}

/** The one who stands at the door; `token` is compared in constant time, whatever was sent. */
export function guard(token: string | undefined): (knock: Knock) => Entrance {
  if (token === undefined) return ({ host }) => onThisMachine(host);
  const wanted = digest(token);
  return ({ route, authorization }) => {
    if (route !== undefined && OPEN_ROUTES.has(route)) {
      return { kind: 'open', because: 'open-route' };
    }
    // RFC 6750 §2.1; RFC 9110 §11.1: "uses a case-insensitive token to identify the scheme".
    const given = /^bearer +(.*)$/i.exec(authorization ?? '')?.[1];
    if (given === undefined) return { kind: 'closed', because: 'no-token' };
    const same = timingSafeEqual(digest(given), wanted);
    return same ? { kind: 'open', because: 'token' } : { kind: 'closed', because: 'wrong-token' };
  };
}

// A page of some site whose name was made to resolve to this machine says that name in Host.
function onThisMachine(host: string | undefined): Entrance {
  const name = host?.replace(/:[0-9]*$/, '');
  return name !== undefined && isLoopback(name)
    ? { kind: 'open', because: 'loopback' }
    : { kind: 'closed', because: 'foreign-host' };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
