// Texts with a form of their own: addresses, URLs, CIDR blocks, names of fields. Each reader gives
// the value in its canonical form or says why it isn't one; secrets are never quoted.

export type Reading<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'wrong'; readonly because?: string; readonly suggestion?: string };

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export function value<T>(given: T): Reading<T> {
  return { kind: 'value', value: given };
}

export function wrong(because?: string, suggestion?: string): Reading<never> {
  return {
    kind: 'wrong',
    ...(because === undefined ? {} : { because }),
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$/;

/** A method or a field name (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`. */
export function hostPort(text: string): Reading<HostPort> {
  if (/^[0-9]{1,5}$/.test(text)) return wrong(undefined, `127.0.0.1:${text}`);
  const [, name, port] = /^(.*):([0-9]{1,5})$/.exec(text) ?? [];
  if (name === undefined || Number(port) > 65_535) return wrong();
  const six = /^\[(.*)\]$/.exec(name)?.[1];
  if (six === undefined ? !HOST_NAME.test(name) : !isSix(six)) return wrong();
  return value({ host: six ?? name, port: Number(port) });
}

export function hostPortOrOff(text: string): Reading<HostPort | 'off'> {
  return text === 'off' ? value('off') : hostPort(text);
}

/** What a client may say in `Host`: a name, with a port where it isn't the scheme's own. */
export function authority(text: string): Reading<string> {
  const lower = text.toLowerCase();
  if (/^https?:\/\//.test(lower)) return wrong(undefined, lower.replace(/^https?:\/\/|\/.*$/g, ''));
  const name = lower.replace(/:[0-9]{1,5}$/, '');
  const six = /^\[(.*)\]$/.exec(name)?.[1];
  return (six === undefined ? HOST_NAME.test(name) : isSix(six)) ? value(lower) : wrong();
}

/** `10.0.0.0/8`, `fd00::/8`, or one address, which is given its full length. */
export function cidr(text: string): Reading<string> {
  const [address = '', length, ...rest] = text.split('/');
  if (rest.length > 0) return wrong();
  const bits = isFour(address) ? 32 : isSix(address) ? 128 : 0;
  if (bits === 0) return wrong();
  if (length === undefined) return value(`${address}/${bits}`);
  if (!/^[0-9]{1,3}$/.test(length) || Number(length) > bits) return wrong();
  return value(`${address}/${Number(length)}`);
}

/** Where everfresh fetches from: an origin, or the path of a socket. */
export function upstreamUrl(text: string): Reading<string> {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    return /^\/[^\0\n]+$/.test(path) ? value(text) : wrong('needs an absolute path after `unix:`');
  }
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return wrong(undefined, /^[\w.-]+(?::[0-9]+)?$/.test(text) ? `http://${text}` : undefined);
  }
  if (!URL.canParse(text)) return wrong();
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return wrong();
  if (url.username !== '' || url.password !== '') {
    return wrong('must have no user or password in it');
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return wrong('must have no path: paths are forwarded as they come', url.origin);
  }
  return value(url.origin);
}

/** `redis://` or `rediss://`; never quoted in a message, since it may hold a password. */
export function redisUrl(text: string): Reading<string> {
  const reading = redisAt(text);
  if (reading.kind === 'wrong') return wrong(`must be \`memory\`, or ${reading.because}`);
  return /^(?:\/[0-9]{0,4})?$/.test(reading.value.pathname)
    ? value(text) : wrong('must have a number as its path');
}

/** One of several; they have no numbered databases. `host:port` is short for a `redis://` URL. */
export function redisNode(text: string): Reading<string> {
  const url = /^(?:[\w.-]+|\[[\da-f:.]+\]):\d+$/i.test(text) ? `redis://${text}` : text;
  const reading = redisAt(url);
  if (reading.kind === 'wrong') return wrong(`must be \`host:port\`, or ${reading.because}`);
  const { pathname, search } = reading.value;
  const bare = /^\/?$/.test(pathname) && search === '';
  return bare ? value(url) : wrong('must have no path or query');
}

type RedisAt =
  | { readonly kind: 'value'; readonly value: URL }
  | { readonly kind: 'wrong'; readonly because: string };

function redisAt(text: string): RedisAt {
  const url = /^rediss?:\/\//.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') {
    return { kind: 'wrong', because: 'a `redis://` or `rediss://` URL with a host' };
  }
  return /%(?![0-9a-f]{2})/i.test(`${url.username} ${url.password}`)
    ? { kind: 'wrong', because: 'a URL whose user and password are percent-encoded' }
    : { kind: 'value', value: url };
}

export function fieldName(text: string): Reading<string> {
  return isToken(text) ? value(text.toLowerCase()) : wrong();
}

/** Where the keys are that tokens are signed by: a file, or a URL. */
export function jwksPlace(text: string): Reading<string> {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return anyText(text);
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return wrong();
  return url.username === '' && url.password === ''
    ? value(url.href) : wrong('must have no user or password in it');
}

/** RFC 6265 §4.1.1: a cookie's name is a token. */
export function cookieName(text: string): Reading<string> {
  return isToken(text) ? value(text) : wrong();
}

/** A field's value: visible ASCII, spaces and tabs, none at the ends. */
export function fieldValue(text: string): Reading<string> {
  return /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(text) ? value(text) : wrong();
}

/** What stands before all keys of a store; no braces, which would choose the slot. */
export function prefix(text: string): Reading<string> {
  return /^[A-Za-z0-9_.:-]{1,64}$/.test(text) ? value(text) : wrong();
}

export function anyText(text: string): Reading<string> {
  return text === '' ? wrong() : value(text);
}

function isFour(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every(isByte);
}

function isByte(text: string): boolean {
  return /^(?:0|[1-9][0-9]{0,2})$/.test(text) && Number(text) < 256;
}

function isSix(text: string): boolean {
  return /^[0-9a-fA-F:.]+$/.test(text) && text.includes(':') && URL.canParse(`http://[${text}]/`);
}
