// What a shared cache may keep: RFC 9111 §3 with the operator's word over it.
import t from 'tap';
import { printHttpDate } from '../../src/core/http/dates.ts';
import { storable, type StorableQuestion } from '../../src/core/http/storable.ts';

const NOW = Date.UTC(2026, 5, 15, 12);
const HTTP: StorableQuestion['rule'] = { negativeTtlMs: 10_000, override: new Set() };
const TTL = { ...HTTP, ttlMs: 3_600_000 };
const overriding = (...names: ('no-store' | 'private' | 'set-cookie')[]) =>
  ({ ...TTL, override: new Set(names) });

type More = Partial<StorableQuestion> & { status?: number };

function ask(fields: string[], rule: StorableQuestion['rule'], more: More = {}) {
  const { status = 200, ...rest } = more;
  return storable({
    method: 'GET', requestFields: [], response: { status, reason: '', fields }, rule,
    credentials: 'none', clientDirectives: 'honour', requestedAt: NOW, receivedAt: NOW, ...rest,
  });
}

const why = (...args: Parameters<typeof ask>) => {
  const decided = ask(...args);
  return decided.kind === 'no' ? decided.because : `fresh ${decided.freshMs / 1000}`;
};
const terms = (...args: Parameters<typeof ask>) => {
  const decided = ask(...args);
  if (decided.kind === 'no') throw new Error(decided.because);
  return decided;
};
const cc = (value: string) => ['Cache-Control', value];

t.test('under a ttl its statuses are kept so long, whatever the upstream says of it', async (t) => {
  for (const status of [200, 203, 204, 300, 301, 308]) {
    for (const said of ['max-age=1', 'max-age=0', 'no-cache', 's-maxage=9', 'must-revalidate',
      'x']) {
      t.equal(why(cc(said), TTL, { status }), 'fresh 3600', `${status} ${said}`);
    }
    t.equal(why(['Expires', '0'], TTL, { status }), 'fresh 3600');
  }
});

t.test('404 and 410 are kept under a ttl for at most negative_ttl', async (t) => {
  for (const status of [404, 410]) {
    t.equal(why([], TTL, { status }), 'fresh 10');
    t.equal(why(cc('max-age=99'), { ...TTL, ttlMs: 2000 }, { status }), 'fresh 2');
  }
});

t.test('other statuses are kept by HTTP, also under a ttl', async (t) => {
  for (const rule of [HTTP, TTL]) {
    for (const status of [201, 302, 307, 400, 403, 500, 503, 299, 499, 599]) {
      t.equal(why(cc('max-age=7'), rule, { status }), 'fresh 7', `${status}`);
      t.equal(why([], rule, { status }), 'upstream-not-fresh', `${status}`);
      t.equal(why(['ETag', '"a"'], rule, { status }), 'upstream-not-fresh', `${status}`);
      t.equal(why([...cc('public'), 'ETag', '"a"'], rule, { status }), 'fresh 0', `${status}`);
    }
  }
});

t.test('parts, interim answers and answers to HEAD are never kept', async (t) => {
  for (const rule of [HTTP, TTL]) {
    t.equal(why(cc('max-age=7'), rule, { status: 206 }), 'partial-answer');
    t.equal(why(cc('max-age=7'), rule, { method: 'HEAD' }), 'partial-answer');
    t.equal(why(cc('max-age=7'), rule, { status: 304 }), 'status');
    t.equal(why(cc('max-age=7'), rule, { status: 103 }), 'status');
  }
});

t.test('no-store, private and cookies keep an answer out, ttl or not', async (t) => {
  for (const rule of [HTTP, TTL]) {
    t.equal(why(cc('no-store, max-age=9'), rule), 'upstream-no-store');
    t.equal(why(cc('private, max-age=9'), rule), 'upstream-private');
    t.equal(why(cc('private, public, max-age=9'), rule), 'upstream-private');
    t.equal(why(cc('private="", max-age=9'), rule), 'upstream-private');
    t.equal(why([...cc('max-age=9'), 'Set-Cookie', 'a=b'], rule), 'upstream-set-cookie');
  }
});

t.test('each of them can be overridden, and alone', async (t) => {
  t.equal(why(cc('no-store'), overriding('no-store')), 'fresh 3600');
  t.equal(why(cc('private'), overriding('private')), 'fresh 3600');
  t.equal(why(cc('no-store, private'), overriding('private')), 'upstream-no-store');
  t.equal(why(cc('no-store, private'), overriding('no-store')), 'upstream-private');
  t.equal(why(['Set-Cookie', 'a'], overriding('no-store', 'private')), 'upstream-set-cookie');
  const { fields } = terms(['Set-Cookie', 'a', 'X', '1', 'set-cookie', 'b'],
    overriding('set-cookie'));
  t.same(fields, ['X', '1']);
});

t.test('must-understand lifts no-store where the status is understood', async (t) => {
  const said = cc('no-store, must-understand, max-age=9');
  t.equal(why(said, HTTP), 'fresh 9');
  t.equal(why(said, HTTP, { status: 299 }), 'status');
  t.equal(why(cc('must-understand, max-age=9'), HTTP, { status: 599 }), 'status');
});

t.test('fields that are named private or no-cache are not stored', async (t) => {
  const said = 'max-age=9, private="x-token", no-cache="set-cookie"';
  const fields = [...cc(said), 'X-Token', '1', 'Set-Cookie', 'a', 'Y', '2'];
  t.same(terms(fields, HTTP).fields, [...cc(said), 'Y', '2']);
  t.same(terms(['X-Token', '1', ...cc('private="x-token"')], overriding('private')).fields,
    ['X-Token', '1', ...cc('private="x-token"')]);
});

t.test('a named field that the answer cannot do without counts as no name', async (t) => {
  t.equal(why(cc('max-age=9, private="content-type"'), HTTP), 'upstream-private');
  t.equal(why(cc('max-age=9, no-cache="vary"'), HTTP), 'upstream-no-cache');
  t.equal(why([...cc('max-age=9, no-cache="vary"'), 'ETag', '"a"'], HTTP), 'fresh 0');
  const typed = [...cc('no-cache="content-type, x"'), 'Content-Type', 'a/b', 'X', '1'];
  t.same(terms(typed, TTL).fields, typed.slice(0, 4), 'nor is it taken away under a ttl');
});

t.test('hop-by-hop fields are not stored', async (t) => {
  const { fields } = terms(['Connection', 'x-hop', 'X-Hop', '1', 'Keep-Alive', '5', 'Y', '2'], TTL);
  t.same(fields, ['Y', '2']);
});

t.test('without a ttl no-cache is kept for its validator only', async (t) => {
  t.equal(why(cc('no-cache, max-age=9'), HTTP), 'upstream-no-cache');
  t.equal(why([...cc('no-cache, max-age=9'), 'ETag', 'W/"a"'], HTTP), 'fresh 0');
});

t.test('without a ttl and without freshness only what can be revalidated is kept', async (t) => {
  t.equal(why([], HTTP), 'upstream-not-fresh');
  t.equal(why(cc('max-age=0'), HTTP), 'upstream-not-fresh');
  t.equal(why(['ETag', '"a"'], HTTP), 'fresh 0');
  t.equal(why([...cc('max-age=5'), 'Age', '5'], HTTP), 'upstream-not-fresh', 'old on arrival');
  t.equal(why([...cc('max-age=0, stale-if-error=60')], HTTP), 'fresh 0', 'of use in an outage');
  const changed = ['Last-Modified', printHttpDate(NOW - 1e6), 'Date', printHttpDate(NOW)];
  t.equal(why(changed, HTTP), 'fresh 100');
  t.equal(why(changed, HTTP, { status: 302 }), 'upstream-not-fresh');
});

t.test("the upstream's age counts against its own freshness, not against a ttl", async (t) => {
  const aged = [...cc('max-age=100'), 'Age', '40'];
  const byHttp = terms(aged, HTTP, { requestedAt: NOW - 2000 });
  t.equal(byHttp.freshMs - byHttp.initialAgeMs, 58_000);
  const byTtl = terms(aged, TTL, { requestedAt: NOW - 2000 });
  t.equal(byTtl.initialAgeMs, 42_000);
  t.equal(byTtl.freshMs - byTtl.initialAgeMs, 3_600_000);
  t.equal(why([], { ...TTL, ttlMs: 0 }), 'upstream-not-fresh');
});

t.test('what says who is asking keeps the answer out unless the upstream shares it', async (t) => {
  const rows: [said: string, ttl: boolean, authorization: string, other: string,
    shareable: string][] = [
    ['max-age=9', false, 'authorization', 'authorization', 'no'],
    ['max-age=9, public', false, 'fresh 9', 'fresh 9', 'everyone'],
    ['s-maxage=9', false, 'fresh 9', 'fresh 9', 'everyone'],
    ['max-age=9, must-revalidate', false, 'fresh 9', 'authorization', 'authorization'],
    ['max-age=9', true, 'authorization', 'authorization', 'no'],
    ['public', true, 'fresh 3600', 'fresh 3600', 'everyone'],
    ['s-maxage=9', true, 'fresh 3600', 'fresh 3600', 'everyone'],
    ['must-revalidate', true, 'authorization', 'authorization', 'no'],
    ['s-maxage=soon', true, 'authorization', 'authorization', 'no'],
    ['proxy-revalidate, max-age=9', false, 'authorization', 'authorization', 'no'],
  ];
  for (const [said, ttl, authorization, other, shareable] of rows) {
    const rule = ttl ? TTL : HTTP;
    t.equal(why(cc(said), rule, { credentials: 'authorization' }), authorization, said);
    t.equal(why(cc(said), rule, { credentials: 'other' }), other, said);
    t.equal(terms(cc(said), rule).shareable, shareable, said);
  }
});

t.test('the operator can say that all may share', async (t) => {
  const rule = { ...TTL, per: 'everyone' as const };
  t.equal(why([], rule, { credentials: 'other' }), 'fresh 3600');
  t.equal(terms([], rule).shareable, 'everyone');
  t.equal(why(cc('private'), rule), 'upstream-private', 'but not against private');
});

t.test('how long an answer may be stale is the rule\'s word, else the upstream\'s', async (t) => {
  const stale = (said: string, rule: StorableQuestion['rule']) => {
    const { staleWhileRevalidateMs: revalidate, staleIfErrorMs: error } = terms(cc(said), rule);
    return [revalidate / 1000, error / 1000];
  };
  const ours = { staleWhileRevalidateMs: 7000, staleIfErrorMs: 8000 };
  const said = 'max-age=9, stale-while-revalidate=1, stale-if-error=2';
  t.same(stale(said, HTTP), [1, 2]);
  t.same(stale(said, { ...HTTP, ...ours }), [7, 8]);
  t.same(stale(said, { ...HTTP, staleIfErrorMs: 0 }), [1, 0]);
  for (const forbids of ['must-revalidate', 'proxy-revalidate', 's-maxage=9']) {
    t.same(stale(`${said}, ${forbids}`, { ...HTTP, ...ours }), [0, 0], forbids);
    t.same(stale(`${said}, ${forbids}`, { ...TTL, ...ours }), [7, 8], `${forbids} under a ttl`);
  }
  t.same(stale(said, TTL), [0, 0], 'under a ttl the upstream says nothing of staleness');
});

t.test('event streams are not kept', async (t) => {
  for (const type of ['text/event-stream', 'Text/Event-Stream; charset=utf-8']) {
    t.equal(why(['Content-Type', type], TTL), 'event-stream');
  }
  t.equal(why(['Content-Type', 'text/event-streams'], TTL), 'fresh 3600');
});

t.test("a client's no-store is heeded where clients are heard", async (t) => {
  const requestFields = cc('no-store');
  t.equal(why([], TTL, { requestFields }), 'request-no-store');
  t.equal(why([], TTL, { requestFields, clientDirectives: 'ignore' }), 'fresh 3600');
});
