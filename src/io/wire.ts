// Answers as the bytes of HTTP/1, one character a byte, in the words and the order of Node's own
// server. Nothing that would split an answer in two gets through.
import { isToken } from '../core/http/list.ts';
import { type Fields, hasField, type ResponseHead } from '../core/http/message.ts';

// RFC 9110 §5.5: visible characters, obs-text, space and tab.
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * A head to its empty line. `more`: lines about the connection; `trailers`: whether some may
 * follow; `now`: for a Date where there is none. Throws where it cannot be sent.
 */
export function headText(
  { status, reason, fields }: ResponseHead,
  { more, trailers, now }: { more: string; trailers: boolean; now?: number },
): string {
  // They are announced only where they can come.
  const lines = trailers ? linesOf(fields) : linesOf(fields, 'trailer');
  const date = hasField(fields, 'date') ? '' : dateLine(now);
  return `${statusLine(status, reason)}${lines}${date}${more}\r\n`;
}

/** Throws where it cannot be sent. */
export function statusLine(status: number, reason: string): string {
  if (UNSENDABLE.test(reason)) throw new TypeError('a reason that cannot be sent');
  return `HTTP/1.1 ${status} ${reason}\r\n`;
}

/** Field lines, but for those of one name. Throws where one cannot be sent. */
export function linesOf(fields: Fields, besides?: string): string {
  let lines = '';
  for (let i = 0; i < fields.length; i += 2) {
    const [name, value] = [fields[i]!, fields[i + 1]!];
    if (besides !== undefined && name.toLowerCase() === besides) continue;
    if (!isToken(name) || UNSENDABLE.test(value)) throw new TypeError('a field of no such form');
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

let dateAt = 0;
let dateText = '';

/** As of this second. */
export function dateLine(now = Date.now()): string {
  const second = now - (now % 1000);
  if (second !== dateAt) {
    dateAt = second;
    dateText = `Date: ${new Date(second).toUTCString()}\r\n`;
  }
  return dateText;
}

/** What an answer says of a connection that stays for so long. */
export function keepAliveLines(ms: number): string {
  return `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(ms / 1000)}\r\n`;
}

/** V8's own bound: what is cut out of a longer text keeps all of that alive. */
const CUT_LENGTH_MIN = 13;

/** The same text, of latin1, that keeps no other alive. */
export function ownText(text: string): string {
  if (text.length < CUT_LENGTH_MIN) return text;
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** Up to here a body is sent as a text, in one piece with its head. */
const TEXT_BYTES_MAX = 4096;

/** A small body as a text; undefined where it is large. */
export function asText({ buffer, byteOffset, byteLength }: Uint8Array): string | undefined {
  if (byteLength > TEXT_BYTES_MAX) return undefined;
  return Buffer.from(buffer, byteOffset, byteLength).toString('latin1');
}
