// Which spellings of a path are the one that may be kept, and what stands above a path.
import t from 'tap';
import { isCanonicalPath, parentPath } from '../../src/core/key/path.ts';

t.test('a path has one canonical spelling', (t) => {
  for (const path of [
    '/', '/a', '/a/', '/a%20b', '/a%2Fb', '/%E2%82%AC', '/a;x=1', '/a!$&\'()*,=:@', '/a/b.css',
  ]) {
    t.ok(isCanonicalPath(path), path);
  }
  for (const path of [
    '/a//b', '//', '/a/b//', '/%61', '/%7E', '/%2D', '/%5F', '/%2E', '/%39', '/a%2fb', '/%e2%82%ac',
    '/a%20%41', '/%', '/%4', '%61',
  ]) {
    t.notOk(isCanonicalPath(path), path);
  }
  t.end();
});

t.test('the path above is one level up', (t) => {
  for (const [path, above] of [
    ['/posts/7', '/posts'], ['/posts/7/', '/posts'], ['/posts', '/'], ['/', '/'],
    ['/a/b/c', '/a/b'], ['/a/bcd/', '/a'], ['/a/', '/'],
  ] as const) {
    t.equal(parentPath(path), above, path);
  }
  t.end();
});
