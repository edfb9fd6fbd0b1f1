// The first look at a request: what is malformed, ambiguous or too much stops here, before anything
// is keyed or forwarded. Runs on every request, so a plain one costs one pass over its field names
// and one over its target. Knows no routes.
import type { Limits } from '../rules/config.ts';
import type { RefuseBecause } from '../verdict.ts';
import { type Fields, tokens } from './message.ts';
import { isToken } from './list.ts';
import { isAuthority } from './origin.ts';
import { failureStatus } from './problem.ts';
import { readTarget } from './target.ts';

export interface AtTheDoor {
  readonly method: string;
  /** As it stands in the request line. */
  readonly target: string;
  readonly fields: Fields;
  /** `1.0`, `1.1` or `2.0`. */
  readonly httpVersion: string;
  /** What `:authority` says in HTTP/2, where it is no field. */
  readonly authority?: string | undefined;
  readonly hasBody: boolean;
}

export interface DoorRules {
  readonly limits: Pick<Limits, 'urlBytes' | 'headerBytes' | 'headerCount' | 'queryParameters'>;
  /** Lower-case authorities that clients may name; empty: any. */
  readonly hosts: readonly string[];
  /** Lower-case names of fields that say who is asking. */
  readonly credentials?: readonly string[];
}

export type Entered =
  | {
      readonly kind: 'enter';
      readonly path: string;
      readonly query: string | undefined;
      /** In lower case; empty where HTTP/1.0 names none. */
      readonly authority: string;
    }
  | { readonly kind: 'refuse'; readonly because: RefuseBecause; readonly status: number };

export function atTheDoor(request: AtTheDoor, rules: DoorRules): Entered {
  const { method, target, fields } = request;
  const { limits } = rules;
  // RFC 9110 §15.6.2, §9.3.6, §9.3.8: a gateway is no tunnel, and a loop-back would show what
  // trusted proxies have added.
  if (method === 'CONNECT' || method === 'TRACE') return refuse('method-not-allowed');
  if (!isToken(method)) return refuse('bad-framing');
  if (fields.length / 2 > limits.headerCount) return refuse('too-many-fields');
  // Node bounds the bytes of a head in HTTP/1, and answers before this.
  if (request.httpVersion === '2.0' && bytesOf(fields) > limits.headerBytes) {
    return refuse('too-many-fields');
  }
  // RFC 9112 §3: "A server that receives a request-target longer than any URI it wishes to parse
  // MUST respond with a 414".
  if (target.length > limits.urlBytes) return refuse('target-too-long');

  const seen = look(fields);
  const because = badFraming(request, seen) ?? badConnection(seen, rules.credentials)
    ?? badUpgrade(request, seen) ?? badExpectation(seen);
  if (because !== undefined) return refuse(because);

  const authority = authorityOf(request, seen);
  if (authority === undefined) return refuse('bad-host');
  const read = readTarget(target);
  if (read === undefined) return refuse('bad-target');
  if (read.parameters > limits.queryParameters) return refuse('too-many-parameters');
  // RFC 9112 §3.2.2 has servers take the absolute-form. It must name what Host names, and that must
  // be known to be ours, or a request meant for another host would be answered here.
  if (read.authority !== undefined
    && (read.authority !== authority || !rules.hosts.includes(authority))) {
    return refuse('bad-target');
  }
  // RFC 9110 §7.4: a 421 "indicates that the origin server has rejected the request because it
  // appears to have been misdirected".
  if (rules.hosts.length > 0 && !rules.hosts.includes(authority)) return refuse('unknown-host');
  return { kind: 'enter', path: read.path, query: read.query, authority };
}

function refuse(because: RefuseBecause): Entered {
  return { kind: 'refuse', because, status: failureStatus(because) };
}

function bytesOf(fields: Fields): number {
  let bytes = 0;
  for (const text of fields) bytes += text.length;
  return bytes;
}

/** The lines that say how the message is to be taken. */
interface Seen {
  hosts: string[];
  lengths: string[];
  codings: string[];
  connection: string[];
  upgrade: string[];
  expect: string[];
  settings: boolean;
  hopOnly: boolean;
}

const NONE: string[] = [];

function look(fields: Fields): Seen {
  const seen: Seen = {
    hosts: NONE, lengths: NONE, codings: NONE, connection: NONE, upgrade: NONE,
    expect: NONE, settings: false, hopOnly: false,
  };
  for (let i = 0; i < fields.length; i += 2) {
    const length = fields[i]!.length;
    // Most names have another length than any of these, and cost no more than this.
    if (length !== 4 && length !== 6 && length !== 7 && length !== 10 && length !== 14
      && length !== 16 && length !== 17) continue;
    const value = fields[i + 1]!;
    switch (fields[i]!.toLowerCase()) {
      case 'host': seen.hosts = [...seen.hosts, value]; break;
      case 'content-length': seen.lengths = [...seen.lengths, value]; break;
      case 'transfer-encoding': seen.codings = [...seen.codings, value]; break;
      case 'connection': seen.connection = [...seen.connection, value]; break;
      case 'upgrade': seen.upgrade = [...seen.upgrade, value]; break;
      case 'expect': seen.expect = [...seen.expect, value]; break;
      case 'http2-settings': seen.settings = true; break;
      case 'keep-alive': case 'proxy-connection': seen.hopOnly = true; break;
      default:
    }
  }
  return seen;
}

function badFraming({ httpVersion }: AtTheDoor, seen: Seen): RefuseBecause | undefined {
  const { lengths, codings } = seen;
  if (httpVersion === '2.0') {
    // RFC 9113 §8.2.2: "Any message containing connection-specific header fields MUST be treated as
    // malformed".
    const specific = codings.length + seen.connection.length + seen.upgrade.length > 0;
    if (specific || seen.settings || seen.hopOnly) return 'bad-framing';
  } else if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    return 'bad-framing';
  }
  // RFC 9112 §6.3: "If a message is received without Transfer-Encoding and with an invalid
  // Content-Length header field, then the message framing is invalid". Repetitions are refused too.
  if (lengths.length > 1) return 'bad-framing';
  if (lengths.length === 1 && !/^[0-9]{1,16}$/.test(lengths[0]!)) return 'bad-framing';
  if (codings.length === 0) return undefined;
  // RFC 9112 §6.1: "A server MAY reject a request that contains both Content-Length and
  // Transfer-Encoding". "A server […] that receives an HTTP/1.0 message containing a
  // Transfer-Encoding header field MUST treat the message as if the framing is faulty".
  if (lengths.length > 0 || httpVersion === '1.0') return 'bad-framing';
  return codings.length === 1 && /^chunked$/i.test(codings[0]!.trim()) ? undefined : 'bad-framing';
}

// Fields of the whole way. RFC 9110 §7.6.1: "A sender MUST NOT send a connection option
// corresponding to a field that is intended for all recipients of the content." Taken away at its
// word, Authorization would make an anonymous request of one that was keyed by its reader.
const END_TO_END = new Set([
  'host', 'authorization', 'cookie', 'forwarded', 'cache-control', 'pragma', 'range', 'expect',
  'origin', 'transfer-encoding', 'via', 'date', 'age', 'set-cookie',
]);
const END_TO_END_FAMILY = /^(?:content-|x-forwarded-|x-api-|x-auth-|accept|if-|:)/;

function badConnection(
  seen: Seen,
  credentials: readonly string[] = NONE,
): RefuseBecause | undefined {
  for (const line of seen.connection) {
    if (line === 'keep-alive' || line === 'close') continue;
    const bad = tokens(line).some((name) => !isToken(name) || END_TO_END.has(name)
      || END_TO_END_FAMILY.test(name) || credentials.includes(name));
    if (bad) return 'bad-connection-field';
  }
  return undefined;
}

// RFC 9110 §7.8: "A server MAY ignore a received Upgrade header field", and so is every offer but a
// WebSocket's with a GET: some clients offer h2c with all they send. An upgrade whose request has a
// body is refused, since what follows it could be taken for a second request.
function badUpgrade({ method, hasBody }: AtTheDoor, seen: Seen): RefuseBecause | undefined {
  if (method !== 'GET' || !hasBody || seen.upgrade.length === 0) return undefined;
  return seen.upgrade.flatMap(tokens).includes('websocket') ? 'bad-upgrade' : undefined;
}

// RFC 9110 §10.1.1: "A server that receives an Expect field value containing a member other than
// 100-continue MAY respond with a 417".
function badExpectation(seen: Seen): RefuseBecause | undefined {
  const met = seen.expect.every((value) => value.trim().toLowerCase() === '100-continue');
  return met ? undefined : 'expectation';
}

// RFC 9112 §3.2: "A server MUST respond with a 400 […] to any HTTP/1.1 request message that lacks
// a Host header field and to any request message that contains more than one Host header field line
// or a Host header field with an invalid field value." RFC 9113 §8.3.1: "A server SHOULD treat a
// request as malformed if it contains a Host header field that identifies an entity that differs
// from the entity in the ":authority" pseudo-header field."
function authorityOf({ httpVersion, authority }: AtTheDoor, seen: Seen): string | undefined {
  const { hosts } = seen;
  if (hosts.length > 1) return undefined;
  const named = ((httpVersion === '2.0' ? authority : undefined) ?? hosts[0])?.toLowerCase();
  if (named === undefined) return httpVersion === '1.0' ? '' : undefined;
  if (hosts.length > 0 && hosts[0]!.toLowerCase() !== named) return undefined;
  return isAuthority(named) ? named : undefined;
}
