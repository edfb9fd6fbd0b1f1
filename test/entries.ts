// Entries for tests: a plain answer of which a test says only what it is about.
import type { Entry, Epoch, Key, Seq } from '../src/core/entry/entry.ts';

// Once for all, so that two plain entries are equal.
const NOW = Date.now();

export function entry(change: Partial<Entry> & { readonly text?: string } = {}): Entry {
  const { text = 'hello', ...rest } = change;
  return {
    kind: 'answer',
    key: 'k'.repeat(43) as Key,
    epoch: 'epoch-1' as Epoch,
    asOf: 0 as Seq,
    tags: ['/posts'],
    recipe: {
      kind: 'http', method: 'GET', target: '/posts?page=1', fields: ['Accept', '*/*'],
      pattern: '/posts', path: '/posts',
    },
    status: 200,
    reason: 'OK',
    fields: ['Content-Type', 'text/plain', 'ETag', '"1"'],
    body: new Uint8Array(Buffer.from(text)),
    receivedAt: NOW,
    initialAgeMs: 0,
    freshMs: 60_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    shareable: 'no',
    fetchMs: 12,
    ...rest,
  };
}
