// Section H, forgery: who claims to be a reader, by a token that nobody signed, or by a field that
// is somebody else's to set. Nothing of the cache is given, and nothing kept, in a claimed name.
import { createHmac } from 'node:crypto';
import { generateKeyPair, exportJWK, SignJWT } from 'jose';
import t, { type Test } from 'tap';
import { AUDIENCE, forged, ISSUER } from '../tokens.ts';
import { PROXY, readers, type Readers } from './readers.ts';

const PASSED = 'fwd=bypass; detail="credentials"';
const STORED = 'fwd=uri-miss; stored';
const HIT = 'hit';

const CLAIMS = { iss: ISSUER, aud: AUDIENCE, exp: 4_000_000_000, sub: 'ann' };
const bearer = (token: string): string => `Authorization: Bearer ${token}`;

const tokens = new WeakMap<Readers, string>();

/** Ann's answer is kept; whoever shows this gets none of it, and leaves nothing. */
async function refused(t: Test, r: Readers, line: string): Promise<void> {
  const ann = tokens.get(r) ?? await r.token({ sub: 'ann' });
  tokens.set(r, ann);
  await r.get('/person', ann);
  t.equal((await r.get('/person', ann)).cache, HIT);
  for (let i = 0; i < 2; i += 1) t.equal((await r.get('/person', line)).cache, PASSED, line);
  t.equal((await r.get('/person', ann)).cache, HIT, 'and Ann loses nothing by it');
}

t.test('H77 a token that says alg none: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  await refused(t, r, bearer(forged({ alg: 'none' }, CLAIMS)));
  await refused(t, r, bearer(forged({ alg: 'None', kid: 'one' }, CLAIMS, 'AA')));
});

t.test('H78 a token of another key: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  const { privateKey } = await generateKeyPair('ES256');
  const made = new SignJWT(CLAIMS).setProtectedHeader({ alg: 'ES256', kid: 'one' });
  await refused(t, r, bearer(await made.sign(privateKey)));
});

t.test('H79 a token signed by the public key as a secret: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  const [key] = r.issuer.set.keys;
  for (const secret of [JSON.stringify(key), JSON.stringify(r.issuer.set), key!['x'] as string]) {
    const body = forged({ alg: 'HS256', kid: 'one' }, CLAIMS).slice(0, -1);
    const signature = createHmac('sha256', secret).update(body).digest('base64url');
    await refused(t, r, bearer(`${body}.${signature}`));
  }
});

t.test('H80 a token that has expired: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  await refused(t, r, await r.token({ sub: 'ann' }, { expires: -1 }));
});

t.test('H81 a token of tomorrow: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  const nbf = Math.floor(r.clock.now() / 1000) + 86_400;
  await refused(t, r, await r.token({ sub: 'ann', nbf }, { expires: 200_000 }));
});

t.test('H82 a token for another audience: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  for (const aud of ['bank', `${AUDIENCE}s`, ['bank', 'post'], '']) {
    await refused(t, r, await r.token({ sub: 'ann', aud }));
  }
});

t.test('H83 a token of another issuer: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  for (const iss of [`${ISSUER}/`, 'https://evil.example']) {
    await refused(t, r, await r.token({ sub: 'ann', iss }));
  }
});

t.test('H84 claims that were changed after signing: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  const token = (await r.token({ sub: 'bob' })).replace('Authorization: Bearer ', '');
  const [head, , signature] = token.split('.') as [string, string, string];
  const body = forged({}, { ...CLAIMS, sub: 'ann' }).split('.')[1]!;
  await refused(t, r, bearer(`${head}.${body}.${signature}`));
  await refused(t, r, bearer(token.slice(0, -4)));
});

t.test('H85 a token that names no reader: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  await refused(t, r, await r.token({}));
});

t.test('H86 a token that is bound to a key: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  await refused(t, r, await r.token({ sub: 'ann', cnf: { jkt: 'abc' } }));
});

t.test('H87 a token in another field, or beside another: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  const ann = await r.token({ sub: 'ann' });
  const token = ann.replace('Authorization: Bearer ', '');
  await refused(t, r, `X-Access-Token: ${token}`);
  t.equal((await r.get('/person', ann, 'X-Api-Key: other')).cache, PASSED);
});

t.test('H88 two tokens: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  const [ann, bob] = [await r.token({ sub: 'ann' }), await r.token({ sub: 'bob' })];
  t.equal((await r.get('/person', ann)).cache, STORED);
  t.equal((await r.get('/person', ann, bob)).cache, PASSED);
  t.equal((await r.get('/person', ann, ann)).cache, PASSED);
  t.equal((await r.get('/person', `${ann}, ${bob.replace('Authorization: ', '')}`)).cache, PASSED);
});

t.test('H89 claims that look alike: each a reader of its own', async (t) => {
  const r = await readers(t);
  const people = [
    { sub: '1' }, { sub: 1 as unknown as string }, { sub: '1', org: null }, { sub: '1', org: 'x' },
    { sub: '1x' }, { sub: ['1'] as unknown as string }, { org: '1' }, { sub: '1', org: '' },
  ];
  const bodies = new Set<string>();
  for (const claims of people) {
    const line = await r.token(claims);
    const told = await r.get('/person', line);
    // jose itself refuses what RFC 7519 §4.1.2 does not allow.
    if (told.cache === PASSED) continue;
    t.equal(told.cache, STORED, JSON.stringify(claims));
    bodies.add(told.body);
  }
  t.ok(bodies.size >= 6, `${bodies.size} readers`);
});

t.test('H90 a key inside the token: not believed', async (t) => {
  const r = await readers(t);
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(publicKey);
  for (const header of [{ jwk }, { jku: 'http://127.0.0.1:1/' }, { x5u: 'http://127.0.0.1:1/' }]) {
    const made = new SignJWT(CLAIMS).setProtectedHeader({ alg: 'ES256', kid: 'one', ...header });
    await refused(t, r, bearer(await made.sign(privateKey)));
  }
});

t.test('H91 a key that nobody has published: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  for (const kid of ['two', '../../../etc/passwd', 'one\u0000', '*']) {
    await refused(t, r, await r.token({ sub: 'ann' }, { header: { kid } }));
  }
});

t.test('H92 a token that ends while its answer is kept: nothing more is given', async (t) => {
  const r = await readers(t);
  const ann = await r.token({ sub: 'ann' }, { expires: 30 });
  t.equal((await r.get('/person', ann)).cache, STORED);
  await r.pass(29_000);
  t.equal((await r.get('/person', ann)).cache, HIT);
  await r.pass(1001);
  t.equal((await r.get('/person', ann)).cache, PASSED);
});

t.test('H93 keys that cannot be had: passed, and nobody waits', async (t) => {
  const r = await readers(t);
  await r.issuer.publish('no keys' as never);
  await r.pass(10_001);
  const before = r.clock.now();
  for (const sub of ['ann', 'bob']) {
    t.equal((await r.get('/person', await r.token({ sub }))).cache, PASSED);
  }
  t.equal(r.clock.now(), before);
  await r.issuer.publish(r.issuer.set);
  await r.pass(10_001);
  t.equal((await r.get('/person', await r.token({ sub: 'ann' }))).cache, STORED, 'and then again');
});

t.test('H94 a key that is taken away: its tokens end within recheck', async (t) => {
  const r = await readers(t);
  const ann = await r.token({ sub: 'ann' });
  await r.get('/person', ann);
  await r.issuer.publish({ keys: [] });
  t.equal((await r.get('/person', ann)).cache, HIT);
  await r.pass(60_001);
  t.equal((await r.get('/person', ann)).cache, PASSED);
});

t.test('H95 another token of the same person: the upstream is asked first', async (t) => {
  const r = await readers(t);
  const [one, two] = [await r.token({ sub: 'ann' }), await r.token({ sub: 'ann', jti: 'other' })];
  const told = await r.get('/person', one);
  t.equal((await r.get('/person', two)).cache, 'fwd=request; stored; detail="recheck"');
  const again = await r.get('/person', one);
  t.equal(again.cache, HIT, 'and one answer is kept for the person');
  t.not(again.body, told.body);
});

t.test('H96 the same name in another organisation: another reader', async (t) => {
  const r = await readers(t);
  await r.get('/person', await r.token({ sub: 'ann', org: 'a' }));
  t.equal((await r.get('/person', await r.token({ sub: 'ann', org: 'b' }))).cache, STORED);
});

t.test('H97 a reader’s name from outside: taken away', async (t) => {
  const r = await readers(t);
  t.equal((await r.behindProxy('/named', 'X-User-Id: ann')).cache, STORED);
  for (const name of ['X-User-Id', 'x-user-id', 'X-USER-ID', 'X_User_Id', 'x-user_id']) {
    const told = await r.get('/named', `${name}: ann`);
    t.match(told.body, /^nobody /, name);
  }
  t.equal((await r.behindProxy('/named', 'X-User-Id: ann')).cache, HIT);
});

t.test('H98 a reader’s name from outside, with a write or a pass: taken away', async (t) => {
  const r = await readers(t);
  t.match((await r.send('POST', '/write', 'X-User-Id: ann')).body, /^nobody /);
  t.match((await r.get('/elsewhere', 'X-User-Id: ann')).body, /^nobody /);
  t.match((await r.send('OPTIONS', '/named', 'X-User-Id: ann')).body, /^nobody /);
});

t.test('H99 two names of the proxy in front: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  t.equal((await r.behindProxy('/named', 'X-User-Id: ann', 'X-User-Id: bob')).cache, PASSED);
  t.equal((await r.behindProxy('/named', 'X-User-Id: ann', 'X_User_Id: bob')).cache, STORED);
  t.match((await r.behindProxy('/named', 'X-User-Id: ann')).body, /^ann /);
});

t.test('H100 the same bytes from outside and from the proxy: told apart', async (t) => {
  const r = await readers(t);
  for (let i = 0; i < 4; i += 1) {
    t.match((await r.get('/named', 'X-User-Id: ann')).body, /^nobody /);
    t.match((await r.behindProxy('/named', 'X-User-Id: ann')).body, /^ann /);
  }
});

t.test('H101 a client that says that it came by the proxy: not believed', async (t) => {
  const r = await readers(t);
  await r.behindProxy('/named', 'X-User-Id: ann');
  for (const line of [`X-Forwarded-For: ${PROXY}`, `Forwarded: for=${PROXY}`]) {
    t.match((await r.get('/named', 'X-User-Id: ann', line)).body, /^nobody /);
  }
});
