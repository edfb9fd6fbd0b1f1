// A body is gathered whatever its reader does, up to a bound; past it the reader sets the pace.
import t from 'tap';
import { concat, discard, Spool } from '../../src/flow/spool.ts';

/** A source that a test feeds; `asked` counts how far it was read. */
function source() {
  const waiting: PromiseWithResolvers<IteratorResult<Uint8Array, undefined>>[] = [];
  const state = { asked: 0, left: false };
  const next = (): Promise<IteratorResult<Uint8Array, undefined>> => {
    state.asked += 1;
    const asked = Promise.withResolvers<IteratorResult<Uint8Array, undefined>>();
    waiting.push(asked);
    return asked.promise;
  };
  const settle = async (act: () => void): Promise<void> => {
    act();
    await new Promise((resolve) => void setImmediate(resolve));
  };
  return {
    state,
    body: {
      [Symbol.asyncIterator]: () => ({
        next,
        return: () => {
          state.left = true;
          return Promise.resolve({ done: true as const, value: undefined });
        },
      }),
    },
    give: (text: string) =>
      settle(() => waiting.shift()!.resolve({ done: false, value: Buffer.from(text) })),
    end: () => settle(() => waiting.shift()!.resolve({ done: true, value: undefined })),
    fail: () => settle(() => waiting.shift()!.reject(new Error('broke off'))),
  };
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

t.test('is gathered without a reader, and read while it is gathered', async (t) => {
  for (const reads of [false, true]) {
    const from = source();
    const spool = new Spool(from.body, 10);
    const reading = reads ? textOf(spool.reader()) : undefined;
    await from.give('abc');
    await from.give('def');
    await from.end();
    t.match(await spool.gathered, { kind: 'whole', bytes: Buffer.from('abcdef') });
    t.equal(await (reading ?? textOf(spool.reader())), 'abcdef', 'also afterwards');
  }
});

t.test('goes on for keeping when its reader leaves', async (t) => {
  const from = source();
  const spool = new Spool(from.body, 10);
  const reader = spool.reader()[Symbol.asyncIterator]();
  const first = reader.next();
  await from.give('abc');
  t.match(await first, { value: Buffer.from('abc') });
  const waiting = t.rejects(Promise.resolve(reader.next()), /aborted/, 'and waits for nothing');
  await reader.return!();
  await waiting;
  await from.end();
  t.match(await spool.gathered, { kind: 'whole' });
  t.notOk(from.state.left);
});

t.test('past the bound the reader sets the pace, and gets every byte', async (t) => {
  const from = source();
  const spool = new Spool(from.body, 4);
  await from.give('abc');
  await from.give('def');
  t.match(await spool.gathered, { kind: 'too-large' });
  t.equal(from.state.asked, 2, 'not read on by itself');
  const reading = textOf(spool.reader());
  await new Promise((resolve) => void setImmediate(resolve));
  await from.give('ghi');
  await from.end();
  t.equal(await reading, 'abcdefghi');
});

t.test('past the bound nobody reads for nobody', async (t) => {
  const from = source();
  const spool = new Spool(from.body, 4);
  spool.leave();
  t.notOk(from.state.left, 'it may still be small enough');
  await from.give('abcdef');
  t.match(await spool.gathered, { kind: 'too-large' });
  t.ok(from.state.left);
  const later = source();
  const other = new Spool(later.body, 4);
  await later.give('abcdef');
  t.notOk(later.state.left);
  other.leave();
  t.ok(later.state.left);
});

t.test('a body that breaks off breaks off for its reader as well', async (t) => {
  const from = source();
  const spool = new Spool(from.body, 10);
  const broken = t.rejects(textOf(spool.reader()), /broke off/);
  await from.give('abc');
  await from.fail();
  t.match(await spool.gathered, { kind: 'broken' });
  await broken;
});

t.test('what nobody will read is ended', (t) => {
  const from = source();
  discard(from.body);
  t.ok(from.state.left);
  t.strictSame(concat([], 0), new Uint8Array());
  t.end();
});

t.test('kept no longer, it streams at its reader’s pace, with every byte', async (t) => {
  const from = source();
  const spool = new Spool(from.body, 10);
  await from.give('abc');
  spool.stopKeeping();
  t.match(await spool.gathered, { kind: 'too-slow' });
  t.notOk(from.state.left, 'its reader may still come');
  const reader = spool.reader()[Symbol.asyncIterator]();
  t.match(await reader.next(), { value: Buffer.from('abc') });
  const second = reader.next();
  await from.give('def');
  t.match(await second, { value: Buffer.from('def') });
  t.equal(from.state.asked, 2, 'not read on by itself');
  const third = reader.next();
  await from.give('over the bound that it had');
  t.match(await third, { value: Buffer.from('over the bound that it had') });
  const last = reader.next();
  await from.end();
  t.match(await last, { done: true });
});

t.test('kept no longer, it ends as it would have ended', async (t) => {
  for (const breaks of [false, true]) {
    const from = source();
    const spool = new Spool(from.body, 10);
    await from.give('abc');
    spool.stopKeeping();
    const reading = textOf(spool.reader());
    const end = breaks ? t.rejects(reading, /broke off/) : reading;
    await (breaks ? from.fail() : from.end());
    t.equal(await end === 'abc', !breaks);
  }
});

t.test('kept no longer, it is cancelled without a reader, also while a chunk is due', async (t) => {
  for (const order of ['leaves first', 'leaves later']) {
    const from = source();
    const spool = new Spool(from.body, 10);
    await from.give('abc');
    if (order === 'leaves first') spool.leave();
    else spool.stopKeeping();
    t.notOk(from.state.left);
    if (order === 'leaves first') spool.stopKeeping();
    else spool.leave();
    t.ok(from.state.left, order);
  }
});

t.test('what is whole already is not kept any less for that', async (t) => {
  const from = source();
  const spool = new Spool(from.body, 10);
  await from.give('abc');
  await from.end();
  spool.stopKeeping();
  t.match(await spool.gathered, { kind: 'whole' });
});
