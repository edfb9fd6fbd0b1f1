// How list-based fields are taken apart (RFC 9110 §5.6): members, parameters, quoted strings. Knows
// the grammar only, never what a member means.

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether the text is a token (RFC 9110 §5.6.2): a field name, a method, a directive. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** The parts between separators that stand outside quotes, trimmed; undefined for an open quote. */
export function splitOutsideQuotes(text: string, separator: ',' | ';'): string[] | undefined {
  if (!text.includes('"')) return text.split(separator).map((part) => part.trim());
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted && char === '\\') i++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === separator) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  if (quoted) return undefined;
  parts.push(text.slice(start).trim());
  return parts;
}

/** The members of a list, none empty (RFC 9110 §5.6.1.2); undefined for an open quote. */
export function listMembers(text: string): string[] | undefined {
  return splitOutsideQuotes(text, ',')?.filter((member) => member !== '');
}

/** What a token or a quoted-string says (RFC 9110 §5.6.4); undefined where the text is neither. */
export function tokenOrQuoted(text: string): string | undefined {
  if (!text.startsWith('"')) return isToken(text) ? text : undefined;
  if (!/^"(?:[^"\\]|\\.)*"$/s.test(text)) return undefined;
  return text.slice(1, -1).replace(/\\(.)/gs, '$1');
}
