// Entries as bytes and back, for stores outside. What comes back is believed in nothing: another
// tenant may have written it, so every length, name and number is checked, and one that fails is
// no entry. Never throws on bytes.
//
// A line of ASCII, `EVF1 epoch asOf headBytes bodyBytes macBytes`, padded with nothing and ended by
// a line feed; then the MAC (none in this version), the head as JSON, the body.
import type { Entry, Epoch, Kept, Key, Recipe, Seq, VaryMarker } from './entry.ts';
import type { Fields } from '../http/message.ts';

/** A store may compare entries by this line alone: magic, epoch (`-` for a marker) and asOf. */
export const MAGIC = 'EVF1';
const LINE_BYTES_MAX = 160;
const LINE = /^EVF1 ([\w-]{1,64}) (\d{1,16}) (\d{1,10}) (\d{1,10}) 0$/;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// RFC 9110 §5.5: visible characters, obs-text, space and tab; so never CR, LF or NUL.
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const TARGET = /^[\x21-\x7e\x80-\xff]+$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export function encode(kept: Kept): Buffer {
  if (kept.kind === 'vary') {
    return assemble('-', 0, { kind: 'vary', key: kept.key, names: kept.names }, new Uint8Array(0));
  }
  const { body, epoch, asOf, recipe, ...head } = kept;
  const { body: asked, ...fetched } = recipe;
  const content = asked && { body: Buffer.from(asked).toString('base64') };
  return assemble(epoch, asOf, { ...head, recipe: { ...fetched, ...content } }, body);
}

function assemble(epoch: string, asOf: number, head: object, body: Uint8Array): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  const line = `${MAGIC} ${epoch} ${asOf} ${json.length} ${body.length} 0\n`;
  return Buffer.concat([Buffer.from(line, 'latin1'), json, body]);
}

/** Undefined unless the bytes are whole, well formed and those of the key that was asked for. */
export function decode(bytes: Uint8Array, key: Key): Kept | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = buffer.subarray(0, LINE_BYTES_MAX).indexOf(0x0a);
  const line = end < 0 ? null : LINE.exec(buffer.toString('latin1', 0, end));
  if (line === null) return undefined;
  const epoch = line[1]!;
  const [asOf, headBytes, bodyBytes] = [Number(line[2]), Number(line[3]), Number(line[4])];
  const headEnd = end + 1 + headBytes;
  if (!Number.isSafeInteger(asOf) || buffer.length !== headEnd + bodyBytes) return undefined;
  const head = parsed(buffer.toString('utf8', end + 1, headEnd));
  if (head === undefined || head['key'] !== key) return undefined;
  if (head['kind'] === 'vary') {
    return epoch === '-' && bodyBytes === 0 ? marker(head, key) : undefined;
  }
  if (epoch === '-') return undefined;
  return answer(head, {
    key,
    epoch: epoch as Epoch,
    asOf: asOf as Seq,
    body: new Uint8Array(buffer.subarray(headEnd)), // a copy: never keeps a larger buffer alive
  });
}

type Json = Readonly<Record<string, unknown>>;

function parsed(text: string): Json | undefined {
  try {
    return object(JSON.parse(text));
  } catch {
    return undefined; // not JSON: no entry
  }
}

function marker(head: Json, key: Key): VaryMarker | undefined {
  const names = strings(head['names']);
  if (names === undefined || !names.every((name) => TOKEN.test(name))) return undefined;
  return { kind: 'vary', key, names };
}

function answer(
  head: Json,
  known: Pick<Entry, 'key' | 'epoch' | 'asOf' | 'body'>,
): Entry | undefined {
  const { kind, status, reason, shareable, outdated, clientEtag } = head;
  const tags = strings(head['tags']);
  const fields = fieldList(head['fields']);
  const recipe = recipeOf(head['recipe']);
  const times = timesOf(head);
  if (kind !== 'answer' || tags === undefined || fields === undefined) return undefined;
  if (recipe === undefined || times === undefined || !isStatus(status)) return undefined;
  if (typeof reason !== 'string' || !FIELD_VALUE.test(reason)) return undefined;
  if (outdated !== undefined && outdated !== true) return undefined;
  if (clientEtag !== undefined && !isEtag(clientEtag)) return undefined;
  if (shareable !== 'everyone' && shareable !== 'authorization' && shareable !== 'no') {
    return undefined;
  }
  return {
    kind, ...known, tags, recipe, status, reason, fields, ...times, shareable,
    ...(outdated === undefined ? {} : { outdated }),
    ...(clientEtag === undefined ? {} : { clientEtag }),
  };
}

function recipeOf(value: unknown): Recipe | undefined {
  const recipe = object(value);
  if (recipe === undefined || recipe['kind'] !== 'http') return undefined;
  const { kind, method, target, pattern, path, host, secure, body } = recipe;
  const fields = fieldList(recipe['fields']);
  if (fields === undefined || typeof pattern !== 'string') return undefined;
  if (typeof method !== 'string' || !TOKEN.test(method)) return undefined;
  if (!isTarget(target) || !isTarget(path)) return undefined;
  const known: Recipe = { kind, method, target, fields, pattern, path };
  if (secure !== undefined && secure !== true) return undefined;
  if (host !== undefined && !isTarget(host)) return undefined;
  if (body !== undefined && (typeof body !== 'string' || !BASE64.test(body))) return undefined;
  return {
    ...known,
    ...(host === undefined ? {} : { host }),
    ...(secure === undefined ? {} : { secure }),
    ...(body === undefined ? {} : { body: new Uint8Array(Buffer.from(body, 'base64')) }),
  };
}

type Times = Pick<
  Entry,
  | 'receivedAt' | 'initialAgeMs' | 'freshMs' | 'staleWhileRevalidateMs' | 'staleIfErrorMs'
  | 'fetchMs'
>;

function timesOf(head: Json): Times | undefined {
  const { receivedAt, initialAgeMs, freshMs, fetchMs } = head;
  const { staleWhileRevalidateMs, staleIfErrorMs } = head;
  if (!isTime(receivedAt) || !isTime(initialAgeMs) || !isTime(freshMs)) return undefined;
  if (!isTime(staleWhileRevalidateMs) || !isTime(staleIfErrorMs) || !isTime(fetchMs)) {
    return undefined;
  }
  return { receivedAt, initialAgeMs, freshMs, staleWhileRevalidateMs, staleIfErrorMs, fetchMs };
}

function fieldList(value: unknown): Fields | undefined {
  const fields = strings(value);
  if (fields === undefined || fields.length % 2 !== 0) return undefined;
  for (let i = 0; i < fields.length; i += 2) {
    if (!TOKEN.test(fields[i]!) || !FIELD_VALUE.test(fields[i + 1]!)) return undefined;
  }
  return fields;
}

function strings(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.every((item) => typeof item === 'string') ? value : undefined;
}

function object(value: unknown): Json | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return value as Json;
}

function isEtag(value: unknown): value is string {
  return typeof value === 'string' && /^"[\x21\x23-\x7e]{1,100}"$/.test(value);
}

function isTarget(value: unknown): value is string {
  return typeof value === 'string' && TARGET.test(value);
}

// A stored answer is a final one; RFC 9110 §15 knows 200 to 599, HTTP/1 three digits.
function isStatus(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 200 && value <= 999;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
