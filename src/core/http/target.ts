// Takes a request target apart (RFC 9112 §3.2) without changing a byte of it, and refuses what
// different servers read differently. Never decodes: what is keyed is what is forwarded.

export interface Target {
  /** Of the absolute-form, in lower case. */
  readonly authority: string | undefined;
  readonly path: string;
  /** Without its `?`; undefined where there is none. */
  readonly query: string | undefined;
  readonly parameters: number;
}

/** Undefined for a target that must not enter. */
export function readTarget(target: string): Target | undefined {
  if (target.startsWith('/')) return readOrigin(target, undefined);
  const absolute = /^https?:\/\/([^/?#]+)(.*)$/is.exec(target);
  // RFC 9112 §3.2.3, §3.2.4: authority-form and asterisk-form mean the server, not what it holds.
  if (absolute === null) return undefined;
  const rest = absolute[2]!;
  return readOrigin(rest.startsWith('/') ? rest : `/${rest}`, absolute[1]!.toLowerCase());
}

const SPACE = 0x20, HASH = 0x23, PERCENT = 0x25, AMPERSAND = 0x26, DOT = 0x2e, QUESTION = 0x3f;
const BACKSLASH = 0x5c, DELETE = 0x7f;

// Segments that mean "here" or "above", also where a dot or a slash is escaped.
const DOT_SEGMENT = /(?:\/|%2f|%5c)(?:\.|%2e){1,2}(?:\/|%2f|%5c|$)/i;

function readOrigin(target: string, authority: string | undefined): Target | undefined {
  // `//host/path` is read as another authority by whoever resolves it as a reference.
  if (target.startsWith('//')) return undefined;
  let queryAt = -1;
  let parameters = 0;
  let dotted = false;
  for (let i = 1; i < target.length; i++) {
    const code = target.charCodeAt(i);
    if (code <= SPACE || code >= DELETE || code === BACKSLASH || code === HASH) return undefined;
    if (code === PERCENT) {
      if (!isHex(target.charCodeAt(i + 1)) || !isHex(target.charCodeAt(i + 2))) return undefined;
      dotted = true;
    } else if (queryAt >= 0) {
      if (code === AMPERSAND) parameters++;
    } else if (code === DOT) {
      dotted = true;
    } else if (code === QUESTION) {
      queryAt = i;
    }
  }
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  if (dotted && DOT_SEGMENT.test(path)) return undefined;
  if (queryAt < 0) return { authority, path, query: undefined, parameters };
  const query = target.slice(queryAt + 1);
  return { authority, path, query, parameters: query === '' ? 0 : parameters + 1 };
}

function isHex(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x46)
    || (code >= 0x61 && code <= 0x66);
}
