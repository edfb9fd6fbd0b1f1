// Who reads what: which entries a write should fetch again, and how many variants a route has.
import t from 'tap';
import type { Entry, Key } from '../../src/core/entry/entry.ts';
import { Ledger } from '../../src/core/plan/ledger.ts';
import { rulesOf } from '../asking.ts';
import { entry } from '../entries.ts';

const rules = rulesOf(`
routes:
  /a: { GET: { ttl: 1h, max_variants: 3, keep_fresh: { recent: 10s, top: 2 } } }
  /b: { GET: { ttl: 1h } }
`);
const at = (name: string, change: Partial<Entry> = {}): Entry => entry({
  key: name as Key, tags: ['t'], fetchMs: 1, ...change,
});
const names = (ledger: Ledger, tags: string[], mono = 0): string[] =>
  ledger.dependents(tags, mono).map(({ key }) => key);

t.test('the hottest come first, at most so many of each route', (t) => {
  const ledger = new Ledger(100);
  for (const [name, hits, fetchMs] of [['cold', 1, 1], ['often', 5, 1], ['dear', 2, 50]] as const) {
    const used = at(name, { fetchMs });
    for (let hit = 0; hit < hits; hit += 1) ledger.read(used, rules.reads('/a'), 0);
  }
  ledger.read(at('other'), rules.reads('/b'), 0);
  t.strictSame(names(ledger, ['t']), ['dear', 'often', 'other']);
  t.strictSame(names(ledger, ['none']), []);
  t.end();
});

t.test('the hottest of very many are found', (t) => {
  const ledger = new Ledger(10_000);
  for (let i = 0; i < 5000; i += 1) {
    const used = at(`${i}`, { fetchMs: (i * 7919) % 5003 + 1, tags: ['t', 'u'] });
    ledger.read(used, rules.reads('/b'), 0);
  }
  const all = Array.from({ length: 5000 }, (_, i) => i)
    .sort((a, b) => (b * 7919) % 5003 - (a * 7919) % 5003);
  t.strictSame(names(ledger, ['u', 't']), all.slice(0, 100).map(String));
  t.end();
});

t.test('of very many that are in use few are looked at', (t) => {
  const ledger = new Ledger(100_000);
  const looked = (mono: number): number => {
    const found = ledger.dependents(['t', 'u'], mono);
    t.equal(found.length, mono > 3_600_000 ? 50 : 100);
    const last = Math.max(...found.map((use) => use.lookedAt!));
    return keys.filter((key) => ledger.get(key)!.lookedAt === last).length;
  };
  const keys = Array.from({ length: 20_000 }, (_, i) => `${i}` as Key);
  const read = (key: Key, mono: number): void =>
    void ledger.read(at(key, { tags: ['t', 'u'] }), rules.reads('/b'), mono);
  for (const key of keys) read(key, 0);
  t.ok(looked(0) <= 1600, 'of those that are as hot as each other');
  for (const key of keys.slice(-100)) read(key, 1);
  const hottest = ledger.dependents(['t'], 1).map(({ key }) => key);
  t.same(hottest, keys.slice(-100), 'but the hottest are found');
  for (const key of keys.slice(0, 50)) read(key, 3_600_001);
  t.equal(looked(3_600_002), 20_000, 'those that nobody reads any more are looked at once');
  t.equal(looked(3_600_003), 50);
  read(keys[99]!, 3_600_004);
  const again = ledger.dependents(['u'], 3_600_004);
  t.equal(again.length, 51, 'and are in use when they are read again');
  for (const key of keys) ledger.forget(key);
  t.equal(ledger.dependents(['t', 'u'], 3_600_004).length, 0);
  t.end();
});

t.test('what was not read lately is not fetched again, and old heat is no heat', (t) => {
  const ledger = new Ledger(100);
  for (let hit = 0; hit < 100; hit += 1) ledger.read(at('once-hot'), rules.reads('/a'), 0);
  t.strictSame(names(ledger, ['t'], 10_000), ['once-hot']);
  t.strictSame(names(ledger, ['t'], 10_001), []);
  ledger.read(at('once-hot'), rules.reads('/a'), 20_000);
  t.equal(ledger.get('once-hot' as Key)!.hits, 1);
  t.end();
});

t.test('who held a use that is forgotten is given another', (t) => {
  const ledger = new Ledger(100);
  const one = at('one');
  const use = ledger.read(one, rules.reads('/b'), 0);
  t.equal(ledger.read(one, rules.reads('/b'), 1, use), use);
  t.equal(use.hits, 2);
  ledger.forget(one.key);
  const another = ledger.read(one, rules.reads('/b'), 2, use);
  t.not(another, use);
  t.strictSame([another.hits, ledger.get(one.key), names(ledger, ['t'])], [1, another, ['one']]);
  t.end();
});

t.test('whatever a store says of an entry, it is found and forgotten', (t) => {
  const ledger = new Ledger(1000);
  const odd = at('odd', { fetchMs: 1e308, tags: ['t', 't', 'u'] });
  for (let hit = 0; hit < 3; hit += 1) ledger.read(odd, rules.reads('/b'), 0);
  for (let i = 0; i < 100; i += 1) {
    ledger.read(at(`${i}`, { tags: ['t', 't', 'u'] }), rules.reads('/b'), 0);
  }
  t.equal(names(ledger, ['t'])[0], 'odd');
  t.equal(new Set(names(ledger, ['u', 't'])).size, 100);
  ledger.forget(odd.key);
  for (let i = 0; i < 100; i += 1) ledger.forget(`${i}` as Key);
  t.strictSame(names(ledger, ['t', 'u']), []);
  t.end();
});

t.test('an entry is found under the tags that it has now', (t) => {
  const ledger = new Ledger(100);
  ledger.read(at('x', { tags: ['old', 't'] }), rules.reads('/a'), 0);
  ledger.read(at('x', { tags: ['new', 't'] }), rules.reads('/a'), 0);
  t.strictSame(
    [names(ledger, ['old']), names(ledger, ['new']), names(ledger, ['t', 'new'])],
    [[], ['x'], ['x']],
  );
  t.equal(ledger.variants('/a'), 1);
  ledger.forget('x' as Key);
  t.strictSame([names(ledger, ['t']), ledger.variants('/a'), ledger.size], [[], 0, 0]);
  t.end();
});

t.test('the ledger is bounded and forgets what was fetched longest ago', (t) => {
  const ledger = new Ledger(3);
  for (const name of ['1', '2', '3', '4']) ledger.read(at(name), rules.reads('/b'), 0);
  t.equal(ledger.size, 3);
  t.equal(ledger.variants('/b'), 3);
  t.strictSame(names(ledger, ['t']).sort(), ['2', '3', '4']);
  t.end();
});

t.test('it is bounded by the bytes of what it takes to fetch again as well', (t) => {
  const ledger = new Ledger(100, 4096);
  const asking = rules.reads('/b');
  const recipe = { ...asking.recipe, method: 'QUERY', body: new Uint8Array(1000) };
  for (const name of ['1', '2', '3', '4']) ledger.read(at(name), { ...asking, recipe }, 0);
  t.strictSame(names(ledger, ['t']).sort(), ['3', '4']);
  for (const name of ['3', '4']) ledger.forget(name as Key);
  for (const name of ['5', '6']) ledger.read(at(name), { ...asking, recipe }, 0);
  t.equal(ledger.size, 2, 'what is forgotten makes room');
  ledger.read(at('7'), { ...asking, recipe: { ...recipe, body: new Uint8Array(9000) } }, 0);
  t.equal(ledger.size, 1);
  t.end();
});

t.test('a full route has room again when some of it is read no more', (t) => {
  const ledger = new Ledger(100);
  const { rule } = rules.reads('/a');
  for (const name of ['1', '2', '3']) ledger.read(at(name), rules.reads('/a'), 0);
  for (let other = 0; other < 5; other += 1) ledger.read(at(`b${other}`), rules.reads('/b'), 0);
  t.notOk(ledger.hasRoom(rule, 5000));
  ledger.read(at('1'), rules.reads('/a'), 10_000);
  t.ok(ledger.hasRoom(rule, 20_000), 'two were not read for ten seconds');
  t.equal(ledger.variants('/a'), 1);
  t.equal(ledger.variants('/b'), 5, 'another route’s stay');
  t.end();
});

t.test('what no rule would ask for any more is forgotten', (t) => {
  const ledger = new Ledger(100);
  ledger.read(at('a'), rules.reads('/a'), 0);
  ledger.read(at('b'), rules.reads('/b'), 0);
  ledger.keepOnly(new Set([rules.reads('/b').rule.hash]));
  t.strictSame(names(ledger, ['t']), ['b']);
  t.end();
});
