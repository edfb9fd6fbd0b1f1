// Parts of an answer that are kept because parts were asked for (RFC 9111 §3.3, §3.4): which bytes
// an entry has, and two parts of the same representation as one, or as all of it.
import { etagOf } from '../http/conditional.ts';
import { keepFields } from '../http/message.ts';
import { bringsSpan, type Extent, OF_THE_WHOLE } from '../http/range.ts';
import type { Entry } from './entry.ts';

/** What is there of the representation; undefined where an entry has no bytes that can be cut. */
export function extentOf({ status, fields, body }: Entry): Extent | undefined {
  if (status === 200) return { first: 0, bytes: body, complete: body.length };
  const span = status === 206 ? bringsSpan(fields) : undefined;
  if (span === undefined || span.last - span.first + 1 !== body.length) return undefined;
  return { first: span.first, bytes: body, complete: span.complete };
}

/** All of it, once nothing lacks: an answer to whoever asks for no part. */
export function completed(entry: Entry, key: Entry['key']): Entry | undefined {
  const extent = extentOf(entry);
  if (entry.status !== 206 || extent === undefined) return undefined;
  if (extent.bytes.length !== extent.complete) return undefined;
  const fields = keepFields(entry.fields, (name) => name !== 'content-range');
  return { ...entry, key, status: 200, reason: 'OK', fields };
}

/**
 * Two parts as one; undefined where they are not of one representation or leave a gap. RFC 9111
 * §3.4: "A cache MAY combine these responses into a single stored response […] if they all share
 * the same strong validator". Valid as the older one is, under the tags of both,
 * and never larger than `bytesMax`.
 */
export function combined(older: Entry, newer: Entry, bytesMax: number): Entry | undefined {
  const [one, other] = [extentOf(older), extentOf(newer)];
  const etag = etagOf(newer.fields);
  if (one === undefined || other === undefined || one.complete !== other.complete) return undefined;
  if (etag?.startsWith('W/') !== false || etag !== etagOf(older.fields)) return undefined;
  if (older.epoch !== newer.epoch || older.status !== 206 || newer.status !== 206) return undefined;
  const first = Math.min(one.first, other.first);
  const end = Math.max(one.first + one.bytes.length, other.first + other.bytes.length);
  if (end - first > one.bytes.length + other.bytes.length) return undefined;
  if (end - first > bytesMax) return undefined;
  const body = new Uint8Array(end - first);
  body.set(one.bytes, one.first - first);
  body.set(other.bytes, other.first - first);
  const fields = keepFields(newer.fields, (name) => !OF_THE_WHOLE.has(name));
  fields.push('Content-Range', `bytes ${first}-${end - 1}/${one.complete}`);
  fields.push('Content-Length', String(body.length));
  return {
    ...newer,
    fields, body,
    asOf: older.asOf < newer.asOf ? older.asOf : newer.asOf,
    tags: [...new Set([...older.tags, ...newer.tags])],
  };
}
