// The paths that a lenient server might take a path for: escapes decoded, slashes doubled or
// trailing, `;params`, dot segments. The plainest form comes first, then all orders, within bounds.

// A path without any of these has one spelling; one with all of them has a few dozen. The bound on
// characters keeps a long and malicious path from costing more than a few milliseconds.
const SPELLINGS_MAX = 128;
const CHARS_MAX = 65_536;
const DECODINGS_MAX = 3;

interface Spelling {
  readonly path: string;
  readonly decoded: number;
}

/** The path as it is first, then each other spelling once. */
export function spellings(path: string): string[] {
  const found = new Map<string, Spelling>([[path, { path, decoded: 0 }]]);
  let chars = path.length;
  const add = (spelling: Spelling): void => {
    if (found.has(spelling.path) || found.size >= SPELLINGS_MAX) return;
    chars += spelling.path.length;
    found.set(spelling.path, spelling);
  };
  for (const plain of plainest(path)) add(plain);
  for (const spelling of found.values()) {
    if (chars > CHARS_MAX) break;
    for (const next of respell(spelling)) add(next);
  }
  return [...found.keys()];
}

/** Everything undone at once, after each number of decodings. */
function plainest(path: string): Spelling[] {
  const plain: Spelling[] = [];
  let decodedPath = path;
  for (let decoded = 0; decoded <= DECODINGS_MAX; decoded++) {
    const bare = withoutDoubles(withoutDots(withoutDoubles(withoutParams(decodedPath))));
    plain.push({ path: withoutTrailing(bare), decoded });
    if (!decodedPath.includes('%')) break;
    decodedPath = decodeAscii(decodedPath);
  }
  return plain;
}

function respell({ path, decoded }: Spelling): Spelling[] {
  const next = [withoutParams(path), withoutDots(path), withoutDoubles(path), withoutTrailing(path)]
    .map((other) => ({ path: other, decoded }));
  if (path.includes('%') && decoded < DECODINGS_MAX) {
    next.push({ path: decodeUnreserved(path), decoded: decoded + 1 });
    next.push({ path: decodeSlashes(path), decoded: decoded + 1 });
    next.push({ path: decodeAscii(path), decoded: decoded + 1 });
  }
  return next;
}

function withoutParams(path: string): string {
  return path.includes(';') ? path.replaceAll(/;[^/]*/g, '') : path;
}

function withoutDoubles(path: string): string {
  return path.includes('//') ? path.replaceAll(/\/{2,}/g, '/') : path;
}

function withoutTrailing(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** RFC 3986 §5.2.4, with a backslash taken for a slash, as some servers do. */
function withoutDots(path: string): string {
  const slashed = path.includes('\\') ? path.replaceAll('\\', '/') : path;
  if (!/\/\.{1,2}(?:\/|$)/.test(slashed)) return slashed;
  const kept: string[] = [];
  const segments = slashed.slice(1).split('/');
  for (const [i, segment] of segments.entries()) {
    const dots = segment === '.' || segment === '..';
    if (segment === '..') kept.pop();
    if (!dots) kept.push(segment);
    else if (i === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`;
}

/** RFC 3986 §6.2.2.2: unreserved characters mean the same whether escaped or not. */
function decodeUnreserved(path: string): string {
  return path.replaceAll(/%[2-7][0-9A-Fa-f]/g, (escape) => {
    const char = charOf(escape);
    return /[A-Za-z0-9._~-]/.test(char) ? char : escape;
  });
}

function decodeSlashes(path: string): string {
  return path.replaceAll(/%(?:2[Ff]|5[Cc])/g, charOf);
}

/** Escapes beyond ASCII stay: they are the same text, and are decoded with the parameters. */
function decodeAscii(path: string): string {
  return path.replaceAll(/%[0-7][0-9A-Fa-f]/g, charOf);
}

function charOf(escape: string): string {
  return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
}
