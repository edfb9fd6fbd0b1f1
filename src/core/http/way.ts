// Who a request is from, and by which scheme it came, as far as proxies in front may be believed:
// `X-Forwarded-*` and `Forwarded` (RFC 7239), of trusted peers alone. Two accounts of the same way
// that don't agree are believed neither.
import { listMembers, splitOutsideQuotes, tokenOrQuoted } from './list.ts';
import { field, fieldLines, type Fields, tokens } from './message.ts';
import { isAuthority } from './origin.ts';

export interface Peer {
  /** The address of who is connected. */
  readonly address: string;
  readonly secure: boolean;
}

export interface Origin {
  /** The client's address. */
  readonly remote: string;
  readonly scheme: 'http' | 'https';
  /** By which name the client called the proxy, in lower case. */
  readonly host?: string;
}

/** Where a request comes from; `trusts` says of an address that it is a proxy's in front. */
export function originOf(
  fields: Fields, { address, secure }: Peer, trusts: (address: string) => boolean,
): Origin {
  const own = { remote: address, scheme: secure ? 'https' : 'http' } as const;
  if (!trusts(address)) return own;
  const elements = forwardedElements(fields);
  const protoSaid = tokens(field(fields, 'x-forwarded-proto')).at(-1);
  const proto = agreed(protoSaid, elements.at(-1)?.proto?.toLowerCase());
  const remote = agreed(
    clientIn(fieldLines(fields, 'x-forwarded-for').flatMap((line) => line.split(',')), trusts),
    clientIn(elements.map((element) => element.for), trusts),
  );
  const host = agreed(
    named(field(fields, 'x-forwarded-host')?.split(',')[0]), named(elements[0]?.host),
  );
  return {
    remote: remote ?? address,
    scheme: proto === 'https' ? 'https' : own.scheme,
    ...(host === undefined ? {} : { host }),
  };
}

/** The name that the first proxy, which the client called, was called by. */
function named(host: string | undefined): string | undefined {
  const plain = host?.trim().toLowerCase() ?? '';
  return isAuthority(plain) ? plain : undefined;
}

/** What both say, or the one that says anything. */
function agreed(one: string | undefined, other: string | undefined): string | undefined {
  return one !== undefined && other !== undefined && one !== other ? undefined : one ?? other;
}

/**
 * Each proxy adds its peer at the right: the first from there that is no proxy of ours is the
 * client. Undefined where nothing is said, or where that one can't be read.
 */
function clientIn(
  hops: readonly (string | undefined)[], trusts: (address: string) => boolean,
): string | undefined {
  let client: string | undefined;
  for (const hop of [...hops].reverse()) {
    if (client !== undefined && !trusts(client)) break;
    client = addressOf(hop?.trim() ?? '');
    if (client === undefined) return undefined;
  }
  return client;
}

/** The address in a node's name (RFC 7239 §6), whose port says nothing; undefined for any other. */
function addressOf(node: string): string | undefined {
  const bare = node.replace(/^\[(.*)\](?::\d+)?$|^([\d.]+):\d+$/, '$1$2');
  if (/^(?:\d{1,3}\.){3}\d{1,3}$/.test(bare)) {
    return bare.split('.').every((part) => Number(part) < 256) ? bare : undefined;
  }
  const six = /^[0-9a-f:.]{2,45}$/i.test(bare) && URL.canParse(`http://[${bare}]/`);
  return six ? plainAddress(bare) : undefined;
}

/** An IPv4 address as such, however a socket of IPv6 shows it. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

interface Element {
  readonly for: string | undefined;
  readonly proto: string | undefined;
  readonly host: string | undefined;
}

/** The elements of `Forwarded`, one for each hop; none where the field can't be read (§4). */
function forwardedElements(fields: Fields): Element[] {
  const value = field(fields, 'forwarded');
  const elements = value === undefined ? [] : listMembers(value)?.map(element) ?? [];
  return elements.includes(undefined) ? [] : elements.filter((one) => one !== undefined);
}

function element(text: string): Element | undefined {
  const said = new Map<string, string>();
  for (const pair of splitOutsideQuotes(text, ';') ?? ['']) {
    const [, name, raw] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    // Many write addresses with a port without the quotes that §4 asks for.
    const value = raw === undefined || raw.startsWith('"') ? tokenOrQuoted(raw ?? '') : raw;
    if (name === undefined || value === undefined || said.has(name.toLowerCase())) return undefined;
    said.set(name.toLowerCase(), value);
  }
  return { for: said.get('for'), proto: said.get('proto'), host: said.get('host') };
}
