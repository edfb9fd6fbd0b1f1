// Whatever comes in a field or a target, no parser of HTTP throws, and each says the same of the
// same; what several say of one answer does not contradict itself.
import fc from 'fast-check';
import t from 'tap';
import { parseCacheControl, responseDirectives } from '../../src/core/http/cache-control.ts';
import { clientWants } from '../../src/core/http/client-directives.ts';
import {
  describes, etagOf, evaluateConditional, freshen, notModifiedFields, validatorsFor,
} from '../../src/core/http/conditional.ts';
import { parseHttpDate, printHttpDate } from '../../src/core/http/dates.ts';
import { atTheDoor } from '../../src/core/http/door.ts';
import { currentAge, freshness, initialAge } from '../../src/core/http/freshness.ts';
import { cacheGroups, invalidatedGroups } from '../../src/core/http/groups.ts';
import { alsoInvalidated } from '../../src/core/http/invalidation.ts';
import { endToEnd } from '../../src/core/http/message.ts';
import { searchVariance } from '../../src/core/http/no-vary-search.ts';
import { mapBack } from '../../src/core/http/origin.ts';
import { askedRange, bringsSpan, ifRangeHolds, partial } from '../../src/core/http/range.ts';
import { storable } from '../../src/core/http/storable.ts';
import { readTarget } from '../../src/core/http/target.ts';
import { canonicalAcceptEncoding, variantPart, varyNames } from '../../src/core/http/vary.ts';
import { originOf } from '../../src/core/http/way.ts';
import { isCanonicalPath, parentPath } from '../../src/core/key/path.ts';
import { decodeQuery, queryOf } from '../../src/core/key/query.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const RUNS = { numRuns: 3000 };

const WORDS = [
  'max-age', 's-maxage', 'no-cache', 'no-store', 'private', 'public', 'must-understand',
  'max-stale', 'stale-if-error', 'Age', 'gzip', 'identity', 'q', 'bytes', 'de', '*', '=', ',',
  ';', '"', '\\', '-', '/', '?', '%', '%2f', ' ', '\t', '0', '1', '0.5', '60', '9'.repeat(20),
  '-1', '1e9', 'W/', '"v1"', '(', ')', ':', '@', 'http://', '//other.test',
  'Fri, 02 Jan 2026 03:04:05 GMT', 'Friday, 02-Jan-26 03:04:05 GMT', 'Fri Jan  2 03:04:05 2026',
  'GMT', 'é', '\u00ff', '\u{1F600}',
];
const NAMES = [
  'Cache-Control', 'CDN-Cache-Control', 'Everfresh-Cache-Control', 'Pragma', 'Expires', 'Date',
  'Age', 'ETag', 'Last-Modified', 'If-None-Match', 'If-Modified-Since', 'If-Range', 'Range',
  'Content-Range', 'Content-Length', 'Vary', 'Accept', 'Accept-Encoding', 'Accept-Language',
  'Cookie', 'Set-Cookie', 'Connection', 'Upgrade', 'Expect', 'Host', 'Transfer-Encoding', 'TE',
  'Location', 'Content-Location', 'Cache-Groups', 'Cache-Group-Invalidation', 'X-Any', 'x-any',
  'Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'No-Vary-Search',
  '',
];

/** Texts made of what the grammars are made of, and of anything. */
const text = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.constantFrom(...WORDS), { maxLength: 12 })
    .map((words) => words.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);
const fields = fc.array(fc.tuple(fc.constantFrom(...NAMES), text), { maxLength: 8 })
  .map((lines) => lines.flat());
const ms = fc.integer({ min: NOW - 1e9, max: NOW + 1e9 });
const status = fc.integer({ min: 100, max: 999 });

/** Twice, so that what is said depends on nothing else; what it threw is the counterexample. */
function same(say: () => unknown): void {
  const [one, other] = [say(), say()].map((said) => JSON.stringify(said));
  if (one !== other) throw new Error(`${one} and then ${other}`);
}

t.test('no field of a request makes anything throw', (t) => {
  fc.assert(fc.property(fields, text, text, ms, (fields, value, target, now) => {
    same(() => [
      parseCacheControl(fields), parseCacheControl(value), clientWants(fields),
      evaluateConditional(fields, 'GET', { status: 200, fields }, now), parseHttpDate(value, now),
      askedRange(value, 10), ifRangeHolds(fields, fields, now), readTarget(target),
      canonicalAcceptEncoding(value), decodeQuery(value), queryOf(target),
      originOf(fields, { address: '10.0.0.1', secure: false }, (address) => address < '5'),
    ]);
    for (const name of ['accept', 'accept-language', 'accept-encoding', 'x-any']) {
      same(() => variantPart(name, fields));
    }
    same(() => atTheDoor(
      { method: 'GET', target, fields, httpVersion: '1.1', hasBody: false },
      {
        limits: {
          headerBytes: 16_384, urlBytes: 8192, headerCount: 100, queryParameters: 100,
        },
        hosts: [],
      },
    ));
  }), RUNS);
  t.end();
});

t.test('no field of an answer makes anything throw', (t) => {
  fc.assert(fc.property(fields, fields, status, ms, ms, (fields, others, status, from, now) => {
    const head = { status, reason: '', fields };
    same(() => [
      responseDirectives(fields), freshness(head, now), initialAge(head, from, now), etagOf(fields),
      notModifiedFields(fields), validatorsFor(fields, 'any'), freshen(fields, others),
      freshen(fields, others, 'strong'), describes({ fields, body: new Uint8Array(4) }, others),
      searchVariance(fields),
      varyNames(fields).kind, bringsSpan(fields), endToEnd(fields), cacheGroups(fields),
      invalidatedGroups(fields), currentAge({ receivedAt: from, initialAgeMs: 0 }, now),
      mapBack(fields, 'http://up.test:81', { scheme: 'https', authority: 'a.test' }),
      alsoInvalidated({ scheme: 'http', authority: 'a.test', target: '/x' }, fields),
    ]);
    const question = {
      method: 'GET', requestFields: others, response: head, credentials: 'none',
      rule: { negativeTtlMs: 0, override: new Set<never>() }, requestedAt: from, receivedAt: now,
    } as const;
    const judged = storable(question);
    if (judged.kind === 'no') return;
    const sane = [judged.freshMs, judged.initialAgeMs, judged.staleIfErrorMs]
      .every((ms) => Number.isFinite(ms) && ms >= 0);
    if (!sane) throw new Error(JSON.stringify(judged));
    if (parseCacheControl(fields).noStore && !parseCacheControl(fields).mustUnderstand
      && !fields.some((name) => /-cache-control$/i.test(name))) throw new Error('no-store is kept');
  }), RUNS);
  t.end();
});

t.test('a part that is asked for lies within the whole, and is what is given', (t) => {
  const body = Uint8Array.from({ length: 10 }, (_, i) => i);
  fc.assert(fc.property(text, (value) => {
    const asked = askedRange(`bytes=${value}`, body.length);
    if (asked.kind !== 'parts') return;
    for (const { first, last } of asked.spans) {
      if (!(first >= 0 && first <= last && last < body.length)) throw new Error(`${first}-${last}`);
    }
    const given = partial(asked, { fields: [], first: 0, bytes: body, complete: body.length });
    if (given === undefined) throw new Error('nothing is given');
    const [span, ...more] = asked.spans;
    if (more.length > 0) return;
    const wanted = body.subarray(span.first, span.last + 1);
    if (Buffer.compare(given.body, wanted) !== 0) throw new Error('other bytes');
  }), RUNS);
  t.end();
});

t.test('a date that is printed is read again', (t) => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
    if (parseHttpDate(printHttpDate(seconds * 1000), NOW) !== seconds * 1000) {
      throw new Error(String(seconds));
    }
  }), RUNS);
  t.end();
});

t.test('a path that passes has a parent that does', (t) => {
  fc.assert(fc.property(text, (value) => {
    const path = `/${value}`;
    same(() => [isCanonicalPath(path), parentPath(path)]);
    if (isCanonicalPath(path) && !isCanonicalPath(parentPath(path))) throw new Error(path);
  }), RUNS);
  t.end();
});

t.test('long fields take no longer than they are long', (t) => {
  const long = fc.tuple(fc.constantFrom(...WORDS), fc.constantFrom(...WORDS))
    .map(([one, other]) => (one + other).repeat(4000));
  fc.assert(fc.property(long, fc.constantFrom(...NAMES), (value, name) => {
    const fields = [name, value];
    const head = { status: 200, reason: '', fields };
    parseCacheControl(fields);
    responseDirectives(fields);
    freshness(head, NOW);
    variantPart(name.toLowerCase(), fields);
    varyNames(fields);
    evaluateConditional(fields, 'GET', head, NOW);
    askedRange(value, 10);
    cacheGroups(fields);
    readTarget(value);
    decodeQuery(value);
  }), { numRuns: 600 });
  t.end();
});
