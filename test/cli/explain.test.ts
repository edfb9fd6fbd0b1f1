// `everfresh explain`: what is printed for reads, writes, what is passed and what is refused; and
// what is said of wrong usage and wrong files.
import { join } from 'node:path';
import t from 'tap';
import { run } from '../../src/cli/explain.ts';
import type { World } from '../../src/cli/world.ts';

interface Ran { readonly code: number; readonly out: string; readonly err: string }

async function explained(argv: string[], env: World['env'] = {}): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const world: World = { out: (line) => out.push(line), err: (line) => err.push(line), env };
  const code = await run(argv, world);
  return { code, out: out.join('\n'), err: err.join('\n') };
}

const RULES = `
upstream: \${UP:-http://localhost:3000}
routes:
  /posts:
    GET: { ttl: 90s, query: [page] }
    POST: { refresh: [/posts], purge: ["/users/{request.body.author}/posts"] }
  /users/:id/posts:
    GET:
`;

t.test('a read is explained', async (t) => {
  const file = join(t.testdir({ 'r.yaml': RULES }), 'r.yaml');
  const argv = ['GET', '/posts?sort=a&page=2', '-H', 'Accept: text/html', '-H', 'user-agent:x'];
  const { code, out, err } = await explained([...argv, '--config', file]);
  t.equal(code, 0);
  t.equal(err, '');
  t.same(out.replace(/[\w-]{43}/, 'KEY').split('\n'), [
    'GET /posts?sort=a&page=2',
    '  a read of /posts: answered from the cache, or fetched and kept',
    '  key      KEY',
    '  ttl      90s',
    '  tags     /posts',
    '           /posts ?page=2',
    '  fetch    GET /posts?page=2',
    '  with     Accept: text/html',
  ]);
});

t.test('a read without a ttl, and one with credentials, are explained', async (t) => {
  const file = join(t.testdir({ 'r.yaml': RULES }), 'r.yaml');
  const plain = await explained(['GET', '/users/1/posts', '-c', file]);
  t.match(plain.out, /ttl {6}as HTTP allows: the upstream says how long/);
  const argv = ['GET', 'https://a.example/posts', '-H', 'Cookie: a=1', '-c', file];
  const { code, out } = await explained(argv);
  t.equal(code, 0);
  t.match(out, /^GET \/posts\n {2}a read of \/posts, passed: credentials\. The request says who/);
  t.notMatch(out, /a=1/, 'nothing of the cookie is fetched with');
});

t.test('a write is explained, each thing that it reaches with its reason', async (t) => {
  const file = join(t.testdir({ 'r.yaml': RULES }), 'r.yaml');
  const widened = await explained(['post', '/posts', '-c', file]);
  t.same(widened.out.split('\n'), [
    'POST /posts',
    '  a write of /posts: forwarded; after success it reaches',
    "  refresh  /posts  (the rule's target /posts)",
    "  purge    /users/:id/posts  (the rule's target /users/{request.body.author}/posts)",
  ]);
  const said = await explained(['POST', '/posts', '-d', '{"author":7}', '-c', file]);
  t.match(said.out, /purge {4}\/users\/:id\/posts id=7 {2}\(/);
});

t.test('a write that no rule names is explained by convention', async (t) => {
  const file = join(t.testdir({ 'r.yaml': RULES }), 'r.yaml');
  const { out } = await explained(['DELETE', '/posts/7', '-c', file]);
  t.match(out, /a write that no rule names[\s\S]*\/posts {2}\(the collection above it/);
});

t.test('what is passed or refused is explained in a sentence', async (t) => {
  const file = join(t.testdir({ 'r.yaml': RULES }), 'r.yaml');
  const passed = await explained(['GET', '/nope', '-c', file]);
  t.equal(passed.code, 0);
  t.match(passed.out, 'GET /nope\n  passed through: no-rule. No route of the file names');
  const refused = await explained(['CONNECT', '/posts', '-c', file]);
  t.equal(refused.code, 0);
  t.match(refused.out, /refused: method-not-allowed\. The gateway does not forward this method\./);
});

t.test('a mode that passes everything is told', async (t) => {
  const file = join(t.testdir({ 'r.yaml': RULES }), 'r.yaml');
  const asked = ['GET', '/posts', '-c', file];
  t.notMatch((await explained(asked)).out, /mode/);
  t.match((await explained(asked, { EVERFRESH_MODE: 'observe' })).out, /mode: observe/);
  t.match((await explained(asked, { EVERFRESH_MODE: 'off' })).out, /mode: off/);
});

t.test('programs may have it as JSON', async (t) => {
  const file = join(t.testdir({ 'r.yaml': RULES }), 'r.yaml');
  const { code, out } = await explained(['GET', '/posts', '--json', '-c', file]);
  t.equal(code, 0);
  t.match(JSON.parse(out), {
    request: 'GET /posts', kind: 'read', route: '/posts', ttlMs: 90_000,
    fetch: { target: '/posts' },
  });
});

t.test('wrong usage is told with the right one', async (t) => {
  const cases: [string[], RegExp][] = [
    [[], /a method and a path are needed/],
    [['GET'], /a method and a path are needed/],
    [['GET', '/a', '/b'], /unexpected argument: \/b/],
    [['/a', 'GET'], /`\/a` is no method/],
    [['GET', 'posts'], /`posts` is no path/],
    [['GET', '/a', '-H', 'nothing'], /`nothing` is no header/],
    [['GET', '/a', '-H', 'a: b\r\nc: d'], /is no header/],
    [['GET', '/a', '--nope'], /--nope/],
  ];
  for (const [argv, message] of cases) {
    const { code, out, err } = await explained(argv);
    t.equal(code, 2, argv.join(' '));
    t.equal(out, '');
    t.match(err, message);
    t.match(err, /\nusage: everfresh explain METHOD PATH/);
  }
});

t.test('a broken file is told as a check tells it', async (t) => {
  const file = join(t.testdir({ 'r.yaml': RULES.replace('ttl', 'tll') }), 'r.yaml');
  const { code, out, err } = await explained(['GET', '/posts', '-c', file], { UP: 'nowhere' });
  t.equal(code, 2);
  t.equal(out, '');
  t.match(err, `${file}:5:12: unknown option \`tll\` (did you mean \`ttl\`?)`);
  t.match(err, /r\.yaml:2:11: .*upstream/);
  t.match(await explained(['GET', '/', '-c', `${file}.none`]), { code: 2, err: /no such file/ });
});

t.test('a read of one reader is explained as that, and of nobody with the reason', async (t) => {
  const file = join(t.testdir({ 'r.yaml': `
upstream: http://localhost:3000
identities:
  user: { from: { cookie: sid }, forget_on: POST /logout }
  person: { from: { jwt: { jwks: nowhere.json } } }
routes:
  /unread: { GET: { per: user, ttl: 1m } }
  /me: { GET: { per: person } }
  /read: { POST: { refresh: ["/unread @self"] } }
` }), 'r.yaml');
  const explain = async (...argv: string[]): Promise<string> =>
    (await explained([...argv, '--config', file])).out;
  const own = await explain('GET', '/unread', '-H', 'cookie: sid=secret; a=b');
  t.match(own, /\n  reader   one user\n/);
  t.match(own, /\n  with     cookie: …/);
  t.match(own, /\n           who:user:…\n/);
  t.notMatch(own, /secret/);
  t.match(await explain('GET', '/unread'), /reader   nobody in particular/);
  const because = async (...argv: string[]): Promise<string> =>
    /Nobody knows whose it is: (.*)\./.exec(await explain(...argv))?.[1] ?? '';
  t.equal(await because('GET', '/unread', '-H', 'cookie: sid=a; sid=b'),
    'its user can be read in more than one way');
  t.equal(await because('GET', '/unread', '-H', 'cookie: a=b'),
    'its cookies may say who asks: see `credentials`');
  t.equal(await because('GET', '/unread', '-H', 'cookie: sid=a', '-H', 'x-api-key: b'),
    'other credentials say who asks as well');
  t.equal(await because('GET', '/me', '-H', 'authorization: Bearer x.y.z'),
    'its token is not good: JWS Protected Header is invalid');
  const ended = await explain('POST', '/logout', '-H', 'cookie: sid=a');
  t.match(ended, /ends     the user that it shows/);
  const written = await explain('POST', '/read', '-H', 'cookie: sid=a');
  t.match(written, /\/unread @who:user:…/);
});
