// Whether an answer is kept, under which variant and tags, for whom.
import t from 'tap';
import type { Epoch, Seq } from '../../src/core/entry/entry.ts';
import { entryOf, judgeHead, upstreamTags } from '../../src/core/entry/storing.ts';
import { rulesOf } from '../asking.ts';

const rules = rulesOf(`
limits: { tags_per_entry: 8 }
routes:
  /ttl:    { GET: { ttl: 1h } }
  /listed: { GET: { ttl: 1h, headers: [x-a] } }
  /http:   { GET: {} }
  /all:    { GET: { ttl: 1h, per: everyone } }
  /tagged: { GET: { ttl: 1h, tags: ["author:{response.body.author}"] } }
`);

function judge(path: string, answered: string[], {
  asked = [], status = 200,
}: { asked?: string[]; status?: number } = {}) {
  const meaning = rules.reads(path, asked);
  const received = {
    response: { status, reason: 'OK', fields: answered },
    requestFields: meaning.telling,
    requestedAt: 0,
    receivedAt: 0,
  };
  return { meaning, received, judged: judgeHead(meaning, received, rules.config) };
}
const said = (...given: Parameters<typeof judge>): string => {
  const { judged } = judge(...given);
  return judged.kind === 'no' ? judged.because : judged.vary.join(' ');
};
const FRESH = ['Cache-Control', 'public, max-age=60'];

t.test('what tells variants apart is what the upstream saw and no key holds', (t) => {
  t.equal(said('/ttl', ['Vary', 'Accept, Origin, User-Agent, X-Any, Cookie']), 'accept origin');
  t.equal(said('/listed', ['Vary', 'X-A, X-B, Accept-Language']), 'accept-language');
  t.equal(
    said('/http', [...FRESH, 'Vary', 'User-Agent, X-Forwarded-Proto, Cookie']), 'cookie user-agent',
  );
  t.equal(said('/ttl', ['Content-Encoding', 'gzip']), 'accept-encoding');
  t.equal(said('/ttl', ['Vary', '*']), 'upstream-vary');
  t.equal(said('/ttl', ['Vary', 'Accept, @']), 'upstream-vary');
  t.end();
});

t.test('what differs by a credential that was passed has no key under a ttl', (t) => {
  const asked = ['Cookie', 'sid=1'];
  t.equal(said('/ttl', [...FRESH, 'Vary', 'Cookie'], { asked }), 'upstream-vary');
  t.equal(said('/ttl', [...FRESH, 'Vary', 'Accept'], { asked }), 'accept');
  t.equal(said('/http', [...FRESH, 'Vary', 'Cookie'], { asked }), 'cookie');
  t.equal(said('/ttl', ['Cache-Control', 'max-age=60'], { asked }), 'authorization');
  const nobodys = judge('/ttl', [...FRESH, 'Vary', 'Cookie']).judged;
  t.match(
    nobodys, { kind: 'store', terms: { shareable: 'no' } }, 'and nobody’s answer is not theirs',
  );
  t.end();
});

t.test('where everyone shares, a question of who asks is no answer', (t) => {
  for (const status of [401, 403]) t.equal(said('/all', FRESH, { status }), 'status');
  t.equal(said('/all', ['Vary', 'Authorization'], { asked: ['Authorization', 'x'] }), '');
  t.end();
});

t.test('an entry stands at its variant’s key, and the marker only ever grows', (t) => {
  const { meaning, received, judged } = judge(
    '/ttl', ['Vary', 'Accept'], { asked: ['Accept', 'a/b'] },
  );
  if (judged.kind === 'no') return t.fail(judged.because);
  const terms = {
    judged,
    body: new Uint8Array(),
    epoch: 'e' as Epoch,
    asOf: 0 as Seq,
    fetchMs: 1,
    config: rules.config,
  };
  const made = entryOf(meaning, received, { ...terms, names: ['origin'] });
  if (made.kind === 'no') return t.fail(made.because);
  t.strictSame(made.kept[0], { kind: 'vary', key: meaning.key, names: ['accept', 'origin'] });
  t.equal(made.kept[1], made.entry);
  t.not(made.entry.key, meaning.key);
  t.end();
});

t.test('a tag that can’t be computed, or one too many, keeps the answer out', (t) => {
  const make = (path: string, answered: string[], body: string): string => {
    const { meaning, received, judged } = judge(path, answered);
    if (judged.kind === 'no') return judged.because;
    const made = entryOf(meaning, received, {
      judged, body: Buffer.from(
        body,
      ), epoch: 'e' as Epoch, asOf: 0 as Seq, fetchMs: 1, names: [], config: rules.config,
    });
    return made.kind === 'no' ? made.because : made.entry.tags.filter(
      (tag) => tag.startsWith('tag:'),
    ).join(' ');
  };
  const json = ['Content-Type', 'application/json'];
  t.match(make('/tagged', json, '{"author":7}'), /author/);
  t.equal(make('/tagged', json, '{}'), 'tag-not-computable');
  t.equal(make('/tagged', json, '{'), 'tag-not-computable');
  t.equal(make('/ttl', ['Surrogate-Key', 'a b'], ''), 'tag:a tag:b');
  t.equal(make('/ttl', ['Surrogate-Key', 'a b c d e f g h'], ''), 'too-many-tags');
  t.end();
});

t.test('the upstream’s tags are read from each of their fields', (t) => {
  t.strictSame(upstreamTags([
    'Surrogate-Key', 'a  b', 'xkey', 'c', 'Cache-Tag', 'd, e f', 'Cache-Groups', '"g", "h\\"i"',
  ]),
    ['tag:a', 'tag:b', 'tag:c', 'tag:d', 'tag:e%20f', 'tag:g', 'tag:h%22i']);
  t.strictSame(upstreamTags(['Surrogate-Key', '{x} a=b&c']), ['tag:%7Bx%7D', 'tag:a%3Db%26c']);
  t.end();
});
