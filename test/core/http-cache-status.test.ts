// What everfresh says of itself: Cache-Status, reasons, problems; and the table that people read.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { cacheStatus, REASONS } from '../../src/core/http/cache-status.ts';
import { failBecause, failureStatus, problem } from '../../src/core/http/problem.ts';
import type { FailBecause, RefuseBecause, Verdict } from '../../src/core/verdict.ts';

const DOCS = readFileSync(new URL('../../docs/headers.md', import.meta.url), 'utf8');

t.test('each verdict has its member of Cache-Status', async (t) => {
  const rows: [Verdict, string][] = [
    [{ kind: 'hit', because: 'fresh', ttlMs: 3_421_999 }, 'hit; ttl=3421'],
    [{ kind: 'hit', because: 'fresh', ttlMs: 1 }, 'hit; ttl=0'],
    [{ kind: 'hit', because: 'stale-while-revalidate', ttlMs: -11_500 },
      'hit; ttl=-12; detail="stale-while-revalidate"'],
    [{ kind: 'hit', because: 'stale-if-error', ttlMs: -1 }, 'hit; ttl=-1; detail="stale-if-error"'],
    [{ kind: 'miss', because: 'uri-miss', kept: 'stored' }, 'fwd=uri-miss; stored'],
    [{ kind: 'miss', because: 'uri-miss', kept: 'collapsed' }, 'fwd=uri-miss; collapsed'],
    [{ kind: 'miss', because: 'vary-miss', kept: 'stored' }, 'fwd=vary-miss; stored'],
    [{ kind: 'miss', because: 'expired', kept: 'stored', upstreamStatus: 200 },
    'fwd=stale; stored'],
    [{ kind: 'miss', because: 'touched', kept: 'stored' }, 'fwd=stale; stored; detail="touched"'],
    [{ kind: 'miss', because: 'expired', kept: 'revalidated', upstreamStatus: 304 },
      'fwd=stale; fwd-status=304; stored'],
    [{ kind: 'miss', because: 'request', kept: 'stored' }, 'fwd=request; stored'],
    [{ kind: 'miss', because: 'uri-miss', kept: 'upstream-private' },
      'fwd=bypass; detail="upstream-private"'],
    [{ kind: 'miss', because: 'touched', kept: 'outrun' }, 'fwd=stale; detail="outrun"'],
    [{ kind: 'pass', because: 'credentials' }, 'fwd=bypass; detail="credentials"'],
    [{ kind: 'pass', because: 'credentials', kept: 'stored' },
      'fwd=bypass; stored; detail="credentials"'],
    [{ kind: 'pass', because: 'credentials', kept: 'authorization' },
    'fwd=bypass; detail="credentials"'],
    [{ kind: 'pass', because: 'uncacheable-lately' }, 'fwd=bypass; detail="uncacheable-lately"'],
    [{ kind: 'pass', because: 'uncacheable-lately', kept: 'upstream-private' },
      'fwd=bypass; detail="upstream-private"'],
    [{ kind: 'pass', because: 'safe-method' }, 'fwd=method; detail="safe-method"'],
    [{ kind: 'write', outcome: 'applied', refreshing: 3 }, 'fwd=method; detail="refreshing=3"'],
    [{ kind: 'write', outcome: 'unknown', refreshing: 0 }, 'fwd=method; detail="outcome-unknown"'],
    [{ kind: 'write', outcome: 'not-applied', refreshing: 0 }, 'fwd=method; detail="not-applied"'],
    [{ kind: 'refuse', because: 'bad-host', status: 400 }, 'detail="bad-host"'],
    [{ kind: 'fail', because: 'upstream-timeout', status: 504 }, 'detail="upstream-timeout"'],
  ];
  for (const [verdict, said] of rows) t.equal(cacheStatus(verdict), `everfresh; ${said}`);
});

t.test('the table of reasons has each reason, in the same words, and no other', async (t) => {
  const rows = [...DOCS.matchAll(/^\| `([a-z0-9-]+)` \| (.+) \|$/gm)]
    .map(([, name, text]) => [name!, text!] as const);
  t.same(new Map(rows), new Map(Object.entries(REASONS)));
  t.equal(new Set(rows.map(([name]) => name)).size, rows.length, 'each once');
  for (const [name, text] of rows) t.match(text, /^[A-Z\w].*\.$/, name);
});

const STATUSES: Record<RefuseBecause | FailBecause, number> = {
  'bad-framing': 400, 'bad-target': 400, 'bad-host': 400, 'bad-connection-field': 400,
  'bad-upgrade': 400, 'method-not-allowed': 405, 'target-too-long': 414, 'too-many-parameters': 414,
  'expectation': 417, 'unknown-host': 421, 'too-many-writes': 429, 'too-many-fields': 431,
  'upstream-refused': 502, 'upstream-reset': 502, 'upstream-broken': 502, 'internal': 502,
  'store-down': 503, 'upstream-timeout': 504, 'touch-unconfirmed': 504,
  'only-if-cached': 504,
};

t.test('each refusal and failure has its status, in the docs as well', async (t) => {
  const table = DOCS.slice(DOCS.indexOf('## Problems'));
  for (const because of Object.keys(STATUSES) as (keyof typeof STATUSES)[]) {
    const status = STATUSES[because];
    t.equal(failureStatus(because), status, because);
    const row = table.split('\n').find((line) => line.startsWith(`| ${status} |`));
    t.ok(row?.includes(`\`${because}\``), `${because} stands in the row of ${status}`);
  }
  t.equal(failureStatus('timeout'), 504);
  for (const failure of ['refused', 'reset', 'broken', 'aborted'] as const) {
    t.equal(failureStatus(failure), 502);
  }
  t.equal(failBecause('timeout'), 'upstream-timeout');
});

t.test('a problem is written as RFC 9457 has it', async (t) => {
  const { status, reason, fields, body, close } = problem('upstream-timeout');
  t.same([status, reason, close], [504, 'Gateway Timeout', false]);
  t.same(fields, [
    'Content-Type', 'application/problem+json', 'Content-Length', String(body.byteLength),
    'Cache-Control', 'no-store',
  ]);
  const text = new TextDecoder().decode(body);
  t.same(JSON.parse(text), {
    type: 'about:blank', title: 'Gateway Timeout', status: 504,
      detail: 'The upstream took too long.',
    because: 'upstream-timeout',
  });
  t.ok(DOCS.includes(text), 'the example of the docs is this one');
});

t.test('a problem says when to try again, what is allowed, and if it hangs up', async (t) => {
  const said = (because: RefuseBecause | FailBecause, name: string, retryAfterMs?: number) => {
    const { fields } = problem(because, retryAfterMs === undefined ? {} : { retryAfterMs });
    return fields[fields.indexOf(name) + 1];
  };
  t.equal(said('store-down', 'Retry-After', 2001), '3');
  t.equal(said('too-many-writes', 'Retry-After'), '1');
  t.equal(said('store-down', 'Retry-After', 0), '1');
  t.match(said('method-not-allowed', 'Allow'), /\bGET\b.*\bDELETE\b/);
  t.notOk(problem('upstream-reset').fields.includes('Retry-After'),
    'a write must not be invited again');
  t.notOk(problem('touch-unconfirmed').fields.includes('Retry-After'));
  t.equal(problem('bad-framing').close, true);
  t.equal(problem('bad-host').close, true);
  t.equal(problem('unknown-host').close, false);
  t.same([problem('internal', { status: 503 }).status], [503]);
});
