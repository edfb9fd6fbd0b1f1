// Section H, credentials: what can be read in two ways makes nobody a reader. Whatever else a
// request says of who asks either passes it by the cache, or does not reach the upstream on a fill.
import t, { type Test } from 'tap';
import { readers, shownIn } from './readers.ts';

const PASSED = 'fwd=bypass; detail="credentials"';
const STORED = 'fwd=uri-miss; stored';
const RECHECK = 'fwd=request; stored; detail="recheck"';

const ann = 'Cookie: sid=ann';

/** A session of Ann's is kept; these lines are passed with all that they say, and kept for none. */
async function passed(t: Test, target: string, first: string, lines: string[][]): Promise<void> {
  const r = await readers(t);
  await r.get(target, first);
  for (const shown of lines) {
    for (let i = 0; i < 2; i += 1) {
      const told = await r.get(target, ...shown);
      t.equal(told.cache, PASSED, shown.join(' / '));
      t.equal(told.body.split(' #')[0], shownIn(['', ...shown].join('\r\n')));
    }
  }
  t.equal((await r.get(target, first)).cache, 'hit');
}

t.test('H102 cookies in another order: the same reader', async (t) => {
  const r = await readers(t);
  t.equal((await r.get('/session', 'Cookie: a=1; sid=ann; b=2')).cache, STORED);
  for (const line of ['Cookie: sid=ann; b=2; a=1', 'Cookie: b=2;sid=ann', ann]) {
    t.equal((await r.get('/session', line)).cache, 'hit', line);
  }
});

t.test('H103 a cookie twice: passed, kept for nobody', async (t) => {
  await passed(t, '/session', ann, [
    ['Cookie: sid=ann; sid=bob'], ['Cookie: sid=bob; sid=ann'], ['Cookie: sid=ann; sid=ann'],
    ['Cookie: sid=ann; sid='], ['Cookie: sid=ann; sid'],
  ]);
});

t.test('H104 two lines of cookies: read as one, and no cookie twice', async (t) => {
  const r = await readers(t);
  t.equal((await r.get('/session', 'Cookie: a=1', ann)).cache, STORED);
  t.equal((await r.get('/session', ann, 'Cookie: a=1')).cache, 'hit');
  t.equal((await r.get('/session', ann, 'Cookie: sid=bob')).cache, PASSED);
});

t.test('H105 a cookie whose name is another by case or a letter: not it', async (t) => {
  await passed(t, '/session', ann, [
    ['Cookie: SID=ann'], ['Cookie: Sid=ann'], ['Cookie: xsid=ann'], ['Cookie: sid2=ann'],
    ['Cookie: __Host-sid=ann'], ['Cookie: $sid=ann'],
  ]);
});

t.test('H106 white space around a cookie: the same reader, and sent plainly', async (t) => {
  const r = await readers(t);
  await r.get('/session', ann);
  for (const line of ['Cookie:   sid=ann ', 'Cookie: sid = ann', 'Cookie: ;; sid=ann;']) {
    t.equal((await r.get('/session', line)).cache, 'hit', line);
  }
  t.match((await r.get('/session', 'Cookie: sid = bob')).body, /^sid=bob #/);
});

t.test('H107 a cookie with quotes or odd bytes: passed, kept for nobody', async (t) => {
  await passed(t, '/session', ann, [
    ['Cookie: sid="ann"'], ['Cookie: sid=an\\n'], ['Cookie: sid=a n'], ['Cookie: sid=ann,bob'],
    ['Cookie: sid=\xe4nn'],
  ]);
});

t.test('H108 an empty cookie: passed, kept for nobody', async (t) => {
  await passed(t, '/session', ann, [['Cookie: sid='], ['Cookie: sid'], ['Cookie: sid=;sid=']]);
});

t.test('H109 a cookie that says more: not shown on a fill, and in no key', async (t) => {
  const r = await readers(t);
  const told = await r.get('/session', 'Cookie: sid=ann; admin=1; theme=dark');
  t.equal(told.body.split(' #')[0], 'sid=ann');
  t.equal((await r.get('/session', 'Cookie: sid=ann; admin=0')).cache, 'hit');
});

t.test('H110 cookies, and none of a reader: passed, kept for nobody', async (t) => {
  const r = await readers(t);
  t.equal((await r.get('/session')).cache, STORED);
  t.equal((await r.get('/session', 'Cookie: remember=ann')).cache, PASSED);
  t.match((await r.get('/session')).body, /^nobody #/);
});

t.test('H111 a reader refused or sent elsewhere: asked again with all it had', async (t) => {
  for (const status of ['401 No', '403 No', '302 Found', '303 See Other', '307 Go']) {
    const r = await readers(t, ({ head }) => (/remember=ann/.test(head) ? undefined
      : `HTTP/1.1 ${status}\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n`));
    const told = await r.get('/session', 'Cookie: sid=old; remember=ann');
    t.equal(told.status, 200, status);
    t.equal(told.body.split(' #')[0], 'sid=old; remember=ann');
    const plain = await r.get('/session', 'Cookie: sid=old');
    t.equal(String(plain.status), status.slice(0, 3));
  }
});

t.test('H112 the same credential in escapes: another answer, ended together', async (t) => {
  const r = await readers(t);
  t.equal((await r.get('/session', ann)).cache, STORED);
  t.equal((await r.get('/session', 'Cookie: sid=%61nn')).cache, STORED);
  await r.send('POST', '/logout', ann);
  for (const line of [ann, 'Cookie: sid=%61nn']) {
    t.not((await r.get('/session', line)).cache, 'hit', line);
  }
});

t.test('H113 case and white space of Authorization: nobody else’s, ended together', async (t) => {
  const r = await readers(t);
  const spelt = [
    'Authorization: Bearer ann', 'authorization: bearer ann', 'AUTHORIZATION: BEARER   ann ',
  ];
  for (const line of spelt) await r.get('/token', line);
  for (const line of spelt) t.match((await r.get('/token', line)).cache, /^hit|recheck/, line);
  const other = await r.get('/token', 'Authorization: Bearer Ann');
  t.equal(other.cache, STORED, 'a token’s own case counts');
  await r.send('POST', '/logout', spelt[1]!);
  for (const line of spelt) t.not((await r.get('/token', line)).cache, 'hit', line);
});

t.test('H114 basic against bearer: two readers', async (t) => {
  const r = await readers(t);
  t.match((await r.get('/token', 'Authorization: Basic YW5uOg==')).body, /^Basic YW5uOg==/);
  t.equal((await r.get('/token', 'Authorization: Bearer YW5uOg==')).cache, STORED);
  t.match((await r.get('/token', 'Authorization: Basic YW5uOg==')).body, /^Basic/);
});

t.test('H115 Authorization that is none or several: passed, kept for nobody', async (t) => {
  const first = 'Authorization: Bearer ann';
  await passed(t, '/token', first, [
    [first, 'Authorization: Bearer bob'], ['Authorization: Bearer ann, Bearer bob'],
    ['Authorization: Bearer ann bob'], ['Authorization: Basic ann, realm=x'], [first, first],
  ]);
});

t.test('H116 another credential beside: passed, kept for nobody', async (t) => {
  await passed(t, '/session', ann, [
    [ann, 'Authorization: Bearer bob'], [ann, 'X-Api-Key: bob'], ['X-Api-Key: bob'],
    [ann, 'X_Api_Key: bob'],
    ['Authorization: Bearer bob'],
  ]);
  await passed(t, '/both', ann, [[ann, 'Authorization: Bearer bob']]);
});

t.test('H117 either of two identities: each a reader of its own', async (t) => {
  const r = await readers(t);
  t.equal((await r.get('/both', ann)).cache, STORED);
  t.equal((await r.get('/both', 'Authorization: ann')).cache, STORED);
  t.match((await r.get('/both', ann)).body, /^sid=ann/);
});

t.test('H118 what is bound to one request: passed, kept for nobody', async (t) => {
  await passed(t, '/token', 'Authorization: Bearer ann', [
    ['Authorization: DPoP ann', 'DPoP: proof'], ['Authorization: Bearer ann', 'DPoP: proof'],
    ['Authorization: AWS4-HMAC-SHA256 Credential=ann'], ['Authorization: Digest username="ann"'],
    ['Authorization: OAuth oauth_token="ann"'], ['Authorization: Signature keyId="ann"'],
    ['Authorization: Negotiate YII='], ['Authorization: Bearer ann', 'Signature: sig1=:AA==:'],
    ['Authorization: Bearer ann', 'X-Forwarded-Client-Cert: Hash=1'],
  ]);
});

t.test('H119 a token for CSRF beside a cookie: not shown on a fill', async (t) => {
  const r = await readers(t);
  t.equal((await r.get('/session', ann, 'X-CSRF-Token: one')).cache, STORED);
  t.equal((await r.get('/session', ann, 'X-CSRF-Token: two')).cache, 'hit');
  t.notMatch(r.upstream.exchanges[0]!.head, /csrf/i);
});

t.test('H120 Connection that names the credential: 400', async (t) => {
  const r = await readers(t);
  for (const name of ['cookie', 'authorization', 'x-user-id']) {
    t.equal((await r.get('/session', ann, `Connection: ${name}`)).status, 400, name);
  }
  t.equal(r.upstream.seen.length, 0);
});

t.test('H121 a client that says that it is a refresh: it ends here', async (t) => {
  const r = await readers(t);
  await r.get('/session', ann, 'Everfresh-Refresh: 1');
  await r.send('POST', '/write', ann, 'Everfresh-Refresh: 1');
  await r.get('/elsewhere', 'Everfresh-Refresh: 1');
  await r.get('/elsewhere', 'Everfresh_Refresh: 1');
  const own = r.upstream.exchanges.filter(({ head }) => /everfresh[-_]refresh/i.test(head));
  t.same(own.map(({ line }) => line).filter((line) => line !== 'GET /session'), []);
  t.notMatch(r.upstream.exchanges[0]!.head, /everfresh-refresh/i);
});

t.test('H122 a credential in the query: in the key like any other text', async (t) => {
  const r = await readers(t);
  t.equal((await r.get('/session?token=ann')).cache, STORED);
  t.equal((await r.get('/session?token=bob')).cache, STORED);
  t.match((await r.get('/session?token=ann')).body, /token=ann/);
});

t.test('H123 a session after the upstream was asked for it only: recheck holds', async (t) => {
  const r = await readers(t);
  await r.get('/session', ann);
  await r.pass(59_000);
  t.equal((await r.get('/session', ann)).cache, 'hit');
  await r.pass(1001);
  t.equal((await r.get('/session', ann)).cache, RECHECK);
  t.equal((await r.get('/session', ann)).cache, 'hit');
});
