// A path has more than one spelling, and a write in any of them reaches what is kept under the one
// that readers use; what different servers read differently does not enter.
import t from 'tap';
import { stage } from '../play.ts';
import { renewed, serials } from '../serials.ts';

const RULES = `
conventions: off
routes:
  /posts:     { GET: { ttl: 1h } }
  /posts/:id: { GET: { ttl: 1h }, PUT: { refresh: [/posts/:id, /posts] } }
  /files/*:   { GET: { ttl: 1h } }
`;
const ALL = ['/posts', '/posts/a-1', '/posts/%C3%A9', '/posts/b%2Fc', '/posts/c;v=1',
  '/posts/d%3Bv=1', '/files/x/y', '/files/z'];

const SPELLINGS: [what: string, path: string, reached: string[]][] = [
  ['as it is kept', '/posts/a-1', ['/posts', '/posts/a-1']],
  ['with an unreserved character escaped', '/posts/%61-1', ['/posts', '/posts/a-1']],
  ['with its name escaped', '/p%6Fsts/a-1', ['/posts', '/posts/a-1']],
  ['with escapes in lower case', '/posts/%c3%a9', ['/posts', '/posts/%C3%A9']],
  ['with a doubled slash', '/posts//a-1', ['/posts', '/posts/a-1']],
  ['with a trailing slash', '/posts/a-1/', ['/posts', '/posts/a-1']],
  ['with its name in upper case', '/POSTS/a-1', ['/posts', '/posts/a-1']],
  ['with an escaped slash between its segments', '/posts%2Fa-1', ['/posts', '/posts/a-1']],
  ['with an escaped slash inside a parameter', '/posts/b%2fc', ['/posts', '/posts/b%2Fc']],
  ['with parameters of a segment', '/posts;v=1/a-1;x=2', ['/posts', '/posts/a-1']],
  ['escaped twice', '/posts/%2561-1', ['/posts', '/posts/a-1']],
  ['as a reader spells it, with parameters of a segment', '/posts/c', ['/posts', '/posts/c;v=1']],
  ['as a reader does, escaped', '/posts/d', ['/posts', '/posts/d%3Bv=1']],
  ['under a `*`, in another case', '/files/X/y', ['/files/x/y']],
  ['under a `*`, with slashes to spare', '/files/x//y/', ['/files/x/y']],
  ['under a `*`, with an escaped slash', '/files/x%2Fy', ['/files/x/y']],
  ['under a `*`, with parameters', '/files/x;v=1/y', ['/files/x/y']],
];

for (const [what, path, reached] of SPELLINGS) {
  t.test(`a write reaches what is kept when its path is spelt ${what}`, async (t) => {
    const s = await stage(t, { rules: RULES, script: serials() });
    t.same(await renewed(s, ALL, () => s.send('PUT', path)), reached);
    t.ok(s.seen.includes(`PUT ${path}`), 'the upstream gets the bytes as they came');
  });
}

for (const path of [
  '/posts/../posts/a-1', '/posts/%2e%2e/a-1', '/posts/./a-1', '//posts/a-1', '/posts/a-1#x',
  '/posts\\a-1',
]) {
  t.test(`a write to ${path} is refused`, async (t) => {
    const s = await stage(t, { rules: RULES, script: serials() });
    t.same(await renewed(s, ALL, async () => t.equal((await s.send('PUT', path)).status, 400)), []);
    t.notOk(s.seen.some((line) => line.startsWith('PUT')), 'and never reaches the upstream');
  });
}
