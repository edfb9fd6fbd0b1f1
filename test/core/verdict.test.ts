// What a verdict is called in one word, where people count.
import t from 'tap';
import { resultOf } from '../../src/core/verdict.ts';

t.test('a read that the store could not help with passed the cache by', (t) => {
  for (const kept of ['store-down', 'store-joining', 'store-slow'] as const) {
    t.equal(resultOf({ kind: 'miss', because: 'uri-miss', kept }), 'pass');
  }
  for (const kept of ['stored', 'collapsed', 'upstream-private', 'held'] as const) {
    t.equal(resultOf({ kind: 'miss', because: 'uri-miss', kept }), 'miss');
  }
  t.equal(resultOf({ kind: 'hit', because: 'fresh', ttlMs: 1 }), 'hit');
  t.equal(resultOf({ kind: 'write', outcome: 'applied', refreshing: 0 }), 'write');
  t.end();
});
