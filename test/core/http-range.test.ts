// Parts of an answer: what a Range asks for, what goes out, and whose version it is of.
import t from 'tap';
import { combined, completed, extentOf } from '../../src/core/entry/parts.ts';
import type { Entry, Epoch, Key, Seq } from '../../src/core/entry/entry.ts';
import { printHttpDate } from '../../src/core/http/dates.ts';
import { field, type Fields } from '../../src/core/http/message.ts';
import {
  askedRange, bringsSpan, ifRangeHolds, partial, unsatisfiableFields,
} from '../../src/core/http/range.ts';

const NOW = Date.UTC(2026, 5, 15, 12);
const BODY = Buffer.from('0123456789');

/** `0-4 6-9`, `whole` or `unsatisfiable`. */
function asked(value: string | undefined, complete = 10): string {
  const wanted = askedRange(value, complete);
  if (wanted.kind !== 'parts') return wanted.kind;
  return wanted.spans.map(({ first, last }) => `${first}-${last}`).join(' ');
}

t.test('a range asks for bytes that there are', async (t) => {
  for (const [value, wanted] of [
    ['bytes=0-4', '0-4'],
    ['bytes=5-', '5-9'],
    ['bytes=-3', '7-9'],
    ['bytes=-10', '0-9'],
    ['bytes=-11', '0-9'],
    ['bytes=8-100', '8-9'],
    ['bytes=9-9', '9-9'],
    ['BYTES = 0-4', '0-4'],
    ['bytes=0-1, 5-6', '0-1 5-6'],
    ['bytes=5-6,0-1', '5-6 0-1'],
    ['bytes=, 0-1 ,,', '0-1'],
    ['bytes=0-4,3-6', '0-6'],
    ['bytes=0-4,5-6', '0-6'],
    ['bytes=5-6,0-1,1-5', '0-6'],
    ['bytes=20-30,0-1', '0-1'],
  ] as const) t.equal(asked(value), wanted, value);
});

t.test('what cannot be read, or is too much, asks for all of it', async (t) => {
  for (const value of [
    undefined, '', 'bytes', 'bytes=', 'bytes=,', 'items=0-1', 'bytes=a-b', 'bytes=4-2', 'bytes=--1',
    'bytes=1', 'bytes=0-1;2-3', 'bytes=0x1-2', 'bytes=+1-2', 'bytes=1.0-2', 'bytes=0-1,x',
    'bytes=1234567890123456-',
    `bytes=${Array.from({ length: 17 }, (_, i) => `${2 * i}-${2 * i}`).join()}`,
  ]) t.equal(asked(value), 'whole', String(value));
});

t.test('a range that begins behind the end cannot be satisfied', async (t) => {
  for (const value of ['bytes=10-', 'bytes=10-11', 'bytes=-0', 'bytes=10-,20-', 'bytes=-0,10-']) {
    t.equal(asked(value), 'unsatisfiable', value);
  }
  t.equal(asked('bytes=0-', 0), 'unsatisfiable', 'nothing has no first byte');
  const whole = [
    'Content-Type', 'a/b', 'Content-Length', '10', 'ETag', '"1"', 'Cache-Control', 'max-age=60',
    'CDN-Cache-Control', 'max-age=60', 'Expires', 'x', 'X-Other', '1',
  ];
  t.same(unsatisfiableFields(whole, 10), [
    'X-Other', '1', 'Cache-Control', 'no-store', 'Content-Range', 'bytes */10',
    'Content-Length', '0',
  ], 'and no cache keeps it as if it were all of it');
});

function given(value: string, fields: Fields, from = { first: 0, bytes: BODY as Uint8Array }) {
  const wanted = askedRange(value, 10);
  if (wanted.kind !== 'parts') throw new Error('there is no part');
  return partial(wanted, { fields, complete: 10, ...from });
}

t.test('one part goes out as it is, with its place', async (t) => {
  const fields = ['Content-Type', 'text/plain', 'Content-Length', '10', 'ETag', '"1"',
    'Content-MD5', 'x', 'Cache-Control', 'max-age=60'];
  const part = given('bytes=2-4', fields)!;
  t.equal(part.status, 206);
  t.equal(Buffer.from(part.body).toString(), '234');
  t.same(part.fields, ['Content-Type', 'text/plain', 'ETag', '"1"', 'Cache-Control', 'max-age=60',
    'Content-Range', 'bytes 2-4/10', 'Content-Length', '3']);
});

t.test('several parts go out in one body, each with its place and type', async (t) => {
  const part = given('bytes=0-1,8-', ['Content-Type', 'text/plain', 'Content-Length', '10'])!;
  const boundary = /^multipart\/byteranges; boundary=(\w+)$/
    .exec(field(part.fields, 'content-type')!)![1]!;
  t.equal(Buffer.from(part.body).toString(), [
    '', `--${boundary}`, 'Content-Type: text/plain', 'Content-Range: bytes 0-1/10', '', '01',
    `--${boundary}`, 'Content-Type: text/plain', 'Content-Range: bytes 8-9/10', '', '89',
    `--${boundary}--`, '',
  ].join('\r\n'));
  t.equal(field(part.fields, 'content-range'), undefined);
  t.equal(field(part.fields, 'content-length'), String(part.body.length));
  t.same(given('bytes=0-1,8-', ['Content-Type', 'text/plain', 'Content-Length', '10']), part);
});

t.test('of a kept part only what is in it is given', async (t) => {
  const from = { first: 4, bytes: BODY.subarray(4, 8) };
  t.equal(Buffer.from(given('bytes=5-6', [], from)!.body).toString(), '56');
  for (const value of ['bytes=3-6', 'bytes=7-8', 'bytes=-1', 'bytes=5-6,0-1']) {
    t.equal(given(value, [], from), undefined, value);
  }
});

t.test('If-Range holds by a strong tag, or by a date that is one', async (t) => {
  const modified = printHttpDate(NOW - 60_000);
  const stored = ['ETag', '"v2"', 'Last-Modified', modified, 'Date', printHttpDate(NOW)];
  const holds = (value: string | undefined, fields: Fields = stored): boolean =>
    ifRangeHolds(value === undefined ? [] : ['If-Range', value], fields, NOW);
  t.ok(holds(undefined));
  t.ok(holds('"v2"'));
  t.ok(holds(modified));
  for (const value of [
    '"v1"', 'W/"v2"', 'v2', '', printHttpDate(NOW), printHttpDate(NOW - 61_000),
  ]) t.notOk(holds(value), value);
  t.notOk(holds('"v2"', ['ETag', 'W/"v2"']));
  t.notOk(holds(modified, ['Last-Modified', modified, 'Date', modified]), 'of the same second');
  t.notOk(holds(modified, ['Last-Modified', modified]), 'nobody knows when it was sent');
  t.notOk(ifRangeHolds(['If-Range', '"v2"', 'If-Range', '"v2"'], stored, NOW));
});

t.test('a Content-Range says which bytes come, or nothing that counts', async (t) => {
  t.same(bringsSpan(['Content-Range', 'bytes 2-4/10']), { first: 2, last: 4, complete: 10 });
  for (const value of ['bytes 2-4/*', 'bytes */10', 'bytes 4-2/10', 'bytes 2-10/10', 'items 2-4/10',
    'bytes=2-4/10', '2-4/10', '']) t.equal(bringsSpan(['Content-Range', value]), undefined, value);
  const twice = ['Content-Range', 'bytes 2-4/10', 'Content-Range', 'bytes 2-4/10'];
  t.equal(bringsSpan(twice), undefined);
  t.equal(bringsSpan([]), undefined);
});

function part(first: number, last: number, more: Partial<Entry> & { etag?: string } = {}): Entry {
  const { etag = '"1"', ...rest } = more;
  return {
    kind: 'answer', key: 'k' as Key, epoch: 'e' as Epoch, asOf: 1 as Seq, tags: ['t'],
    recipe: { kind: 'http', method: 'GET', target: '/x', fields: [], pattern: '/x', path: '/x' },
    status: 206, reason: 'Partial Content', body: BODY.subarray(first, last + 1),
    fields: ['ETag', etag, 'Content-Range', `bytes ${first}-${last}/10`], receivedAt: 0,
    initialAgeMs: 0, freshMs: 0, staleWhileRevalidateMs: 0, staleIfErrorMs: 0,
    shareable: 'everyone', fetchMs: 0, ...rest,
  };
}

t.test('parts of one version that touch are one, and all of it is whole', async (t) => {
  for (const [one, other, range] of [
    [part(0, 4), part(3, 7), 'bytes 0-7/10'],
    [part(5, 7), part(3, 4), 'bytes 3-7/10'],
    [part(2, 8), part(3, 4), 'bytes 2-8/10'],
  ] as const) {
    const joined = combined(one, other, 1e6)!;
    t.equal(field(joined.fields, 'content-range'), range);
    const { first, bytes } = extentOf(joined)!;
    t.same(Buffer.from(bytes), BODY.subarray(first, first + bytes.length));
    t.equal(completed(joined, 'w' as Key), undefined);
  }
  const whole = completed(combined(part(5, 9), part(0, 4), 1e6)!, 'w' as Key)!;
  t.match(whole, { status: 200, key: 'w' });
  t.same(Buffer.from(whole.body), BODY);
  t.equal(field(whole.fields, 'content-range'), undefined);
  t.equal(completed(part(0, 8), 'w' as Key), undefined);
  const odd = part(4, 9, { body: BODY.subarray(0, 5) });
  t.equal(completed(odd, 'w' as Key), undefined, 'its length and its range do not agree');
});

t.test('what was joined is as old as the older one, under the tags of both', async (t) => {
  const joined = combined(part(0, 4, { asOf: 3 as Seq, tags: ['a'] }), part(5, 9, {
    asOf: 7 as Seq, tags: ['b'],
  }), 1e6)!;
  t.equal(joined.asOf, 3);
  t.same(joined.tags, ['a', 'b']);
});

t.test('parts of other versions, or with a gap, stay apart', async (t) => {
  for (const [why, one, other] of [
    ['a gap', part(0, 3), part(5, 9)],
    ['other tags', part(0, 4, { etag: '"2"' }), part(5, 9)],
    ['weak tags', part(0, 4, { etag: 'W/"1"' }), part(5, 9, { etag: 'W/"1"' })],
    ['no tags', part(0, 4, { etag: '' }), part(5, 9, { etag: '' })],
    ['another epoch', part(0, 4, { epoch: 'f' as Epoch }), part(5, 9)],
    ['a whole one', part(0, 9, { status: 200 }), part(5, 9)],
    ['another length', part(0, 4, { fields: ['ETag', '"1"', 'Content-Range', 'bytes 0-4/11'] }),
      part(5, 9)],
  ] as const) t.equal(combined(one, other, 1e6), undefined, why);
});
