// Who asks, as far as a request says it without doubt, and what of that is in keys, in tags, and in
// a fetch in a reader's name. What comes through the door is told in test/attack/readers-*.
import t from 'tap';
import {
  askerOf, type Claims, identitiesOf, readersIn, selvesOf, serviceFieldsFor,
} from '../../src/core/key/reader.ts';
import type { Config, Identity } from '../../src/core/rules/config.ts';
import { rulesOf } from '../asking.ts';

const RULES = rulesOf(`
credentials: { cookies: [remember] }
identities:
  session: { from: { cookie: sid } }
  token:   { from: { header: authorization } }
  named:   { from: { header: x-user-id, trusted_from: 10.0.0.0/8 } }
  person:
    from: { jwt: { claims: [sub, org], jwks: keys.json, issuer: i, audience: a } }
    replay_as: service
    service: { authorization: "Bearer s", x-on-behalf-of: "{sub} of {org}" }
routes:
  /a: { GET: { per: session, ttl: 1h } }
  /b: { GET: { per: [session, token], ttl: 1h } }
  /c: { GET: { per: person, ttl: 1h } }
  /d: { GET: { per: everyone, ttl: 1h } }
  /a/:id: { GET: { per: session, ttl: 1h } }
`);
const { config } = RULES;
const identity = (name: string): Identity => config.identities.find((one) => one.name === name)!;

const known = new Map<string, Claims>([
  ['one', { values: { sub: 'ann', org: 'x', iat: 1 }, expiresAt: 1000 }],
  ['two', { values: { org: 'x', sub: 'ann', iat: 2 }, expiresAt: 2000 }],
  ['other', { values: { sub: 'ann', org: { b: 1, a: 2 } }, expiresAt: 2000 }],
  ['same', { values: { sub: 'ann', org: { a: 2, b: 1 } }, expiresAt: 2000 }],
  ['odd', { values: { sub: 'a\nb', org: 'x' }, expiresAt: 2000 }],
]);

const readersOf = (secret: string) => ({
  secret, claims: (_: Identity, token: string) => known.get(token) ?? 'it is unknown',
});
const asker = (names: string[], fields: string[], secret = 'secret', of: Config = config) => {
  const identities = names.map(identity);
  return askerOf(fields, identities, { credentials: of.credentials, readers: readersOf(secret) });
};
const reader = (names: string[], fields: string[], secret?: string) => {
  const told = asker(names, fields, secret);
  if (told.kind !== 'reader') throw new Error(`${told.kind}: ${fields.join()}`);
  return told;
};

t.test('a reader is an HMAC, never what it showed', async (t) => {
  const { reader: one, credential } = reader(['session'], ['Cookie', 'a=b; sid=ann']);
  t.match(one.tag, /^who:session:[\w-]{43}$/);
  t.notMatch(JSON.stringify([one.tag, one.part, credential.id]), /ann/);
  t.same(credential.fields, ['cookie', 'sid=ann']);
  t.not(reader(['session'], ['Cookie', 'sid=ann'], 'other').reader.part, one.part, 'by the secret');
  t.not(reader(['session'], ['Cookie', 'sid=bob']).reader.part, one.part);
  t.equal(reader(['session'], ['cookie', 'sid=ann']).reader.part, one.part);
});

t.test('no byte of a name is taken for white space but a blank and a tab', async (t) => {
  const named = (name: string) => reader(['named'], ['X-User-Id', name]);
  t.not(named('bob\xa0').reader.part, named('bob').reader.part);
  t.same(named(' nicol\xc3\xa0\t').credential.fields, ['x-user-id', 'nicol\xc3\xa0']);
});

t.test('the same text is another reader by another identity', async (t) => {
  const shown = reader(['named'], ['X-User-Id', 'ann']).reader;
  t.not(shown.part, reader(['session'], ['Cookie', 'sid=ann']).reader.part);
});

t.test('a person is its claims, whichever token names them', async (t) => {
  const [one, two] = ['one', 'two'].map((token) => reader(['person'], ['Authorization', token]));
  t.equal(one!.reader.part, two!.reader.part);
  t.not(one!.credential.id, two!.credential.id, 'and each token is accepted by itself');
  t.equal(one!.credential.expiresAt, 1000);
  const other = reader(['person'], ['Authorization', 'Bearer other']).reader;
  t.not(other.part, one!.reader.part);
  t.equal(reader(['person'], ['Authorization', 'same']).reader.part, other.part);
});

t.test('a cookie that `credentials` names beside it makes nobody a reader', async (t) => {
  t.equal(asker(['session'], ['Cookie', 'sid=ann; remember=1']).kind, 'unclear');
  t.equal(asker(['session'], ['Cookie', 'remember=1']).kind, 'unclear');
  t.equal(asker(['session'], ['Cookie', 'theme=1']).kind, 'nobody');
  t.equal(reader(['session'], ['Cookie', 'sid=ann; theme=1']).credential.withholds, false,
    'what was named not to count is not missed');
  const all = { ...config, credentials: { ...config.credentials, cookies: 'all' as const } };
  const told = asker(['session'], ['Cookie', 'sid=ann; theme=1'], 'secret', all);
  t.match(told, { kind: 'reader', credential: { withholds: true } });
});

t.test('everybody who is named may be ended, however unclear it is who asks', async (t) => {
  const fields = ['Cookie', 'sid=ann; sid=bob', 'Authorization', 'Bearer x', 'X-Api-Key', 'y'];
  const named = readersIn(fields, config.identities, readersOf('secret'));
  t.same(named.map(({ identity: { name } }) => name), ['session', 'session', 'token']);
  t.equal(named[0]!.tag, reader(['session'], ['Cookie', 'sid=ann']).reader.tag);
});

t.test('a writer’s own is nobody’s in particular where it may be another’s', async (t) => {
  const own = (...fields: string[]) => selvesOf(fields, [identity('session')],
    { credentials: config.credentials, readers: readersOf('secret') });
  const { tag } = reader(['session'], ['Cookie', 'sid=ann']).reader;
  t.same(own('Cookie', 'sid=ann; theme=1'), [tag]);
  t.same(own('Cookie', 'sid=ann', 'X-CSRF-Token', '1'), [tag]);
  t.same(own('Cookie', 'sid=ann', 'Authorization', 'Bearer x'), []);
  t.same(own('Cookie', 'sid=a b'), []);
  t.same(own(), []);
});

t.test('a service is told of whom, or nothing is asked', async (t) => {
  const told = (token: string) => serviceFieldsFor(
    identity('person'), reader(['person'], ['Authorization', token]).credential);
  t.same(told('one'), ['authorization', 'Bearer s', 'x-on-behalf-of', 'ann of x']);
  t.equal(told('odd'), undefined, 'a name that would be another field');
});

t.test('keys and tags hold the reader; recipes and tags of all do not', async (t) => {
  const one = RULES.reads('/a', ['Cookie', 'sid=ann; theme=1', 'Accept', 'x']);
  const two = RULES.reads('/a', ['Cookie', 'sid=bob', 'Accept', 'x']);
  t.not(one.key, two.key);
  t.same(one.recipe, two.recipe);
  t.same(one.recipe.fields, ['Accept', 'x']);
  const who = one.reader!.tag;
  t.same(one.tags, ['/a', '/a ?', who, `/a @${who}`, one.tags[4]]);
  t.same(one.telling, ['Accept', 'x']);
  t.not(RULES.reads('/a').key, one.key, 'nor is nobody anybody');
  t.equal(RULES.reads('/a').reader, undefined);
  const item = RULES.reads('/a/7', ['Cookie', 'sid=ann']);
  t.ok(item.tags.includes(`/a/:id id=7 @${who}`) && item.tags.includes(`/a/:id @${who}`));
  for (const tag of item.tags) t.ok(tag.length <= 200, tag);
});

t.test('each rule says whose answers are kept apart', async (t) => {
  const names = (pattern: string) => identitiesOf(RULES.rule(pattern)).map(({ name }) => name);
  t.same(['/a', '/b', '/c', '/d'].map(names), [['session'], ['session', 'token'], ['person'], []]);
  t.equal(RULES.rule('/a').clientCache, 'private, no-cache');
});

t.test('a rule is another where an identity of it is another', async (t) => {
  const hash = (from: string) => rulesOf(`
identities: { user: { from: ${from} } }
routes: { /a: { GET: { per: user } } }`).rule('/a').hash;
  const hashes = ['{ cookie: sid }', '{ cookie: sid2 }', '{ header: sid }',
    '{ header: sid, trusted_from: 10.0.0.1 }', '{ jwt: { jwks: a } }', '{ jwt: { jwks: b } }'];
  t.equal(new Set(hashes.map(hash)).size, hashes.length);
});
