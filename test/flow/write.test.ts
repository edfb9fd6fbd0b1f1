// The bodies of a write: gathered where they are small, streamed where they are not, and the last
// piece of an answer held back until the write is finished.
import { setImmediate as soon } from 'node:timers/promises';
import t from 'tap';
import type { Asked } from '../../src/flow/gateway.ts';
import type { ByteStream } from '../../src/flow/ports.ts';
import { finishing, gatherAnswer, gatherRequest } from '../../src/flow/write-bodies.ts';
import { fakeGateway } from '../admin/fake-gateway.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (given: Uint8Array): string => new TextDecoder().decode(given);

async function* stream(...pieces: (string | Error | Promise<unknown>)[]): ByteStream {
  for (const piece of pieces) {
    if (piece instanceof Error) throw piece;
    if (typeof piece === 'string') yield await Promise.resolve(bytes(piece));
    else await piece;
  }
}

async function all(body: ByteStream): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of body) pieces.push(text(piece));
  return pieces;
}

const asking = (body: ByteStream | undefined): Asked => ({ body }) as Asked;

t.test('a body up to the bound is gathered, a larger one streams with every byte', async (t) => {
  t.equal(await gatherRequest(asking(undefined), 10), undefined);
  t.equal(text(await gatherRequest(asking(stream()), 10) as Uint8Array), '');
  t.equal(
    text(await gatherRequest(asking(stream('12345', '67890')), 10) as Uint8Array), '1234567890',
  );
  const large = await gatherRequest(asking(stream('12345', '67890', 'x', 'y')), 10);
  t.notOk(large instanceof Uint8Array);
  t.equal((await all(large as ByteStream)).join(''), '1234567890xy');
  await t.rejects(gatherRequest(asking(stream('1', new Error('gone'))), 10), { message: 'gone' });
});

t.test('an answer is taken whole where it comes soon, or where a target reads it', async (t) => {
  const { gateway, clock } = fakeGateway();
  t.match(
    await gatherAnswer(gateway, stream('a', 'b'), { bytesMax: 10, patient: false }),
    { kind: 'whole', bytes: bytes('ab') },
  );

  const slow = Promise.withResolvers<void>();
  const impatient = gatherAnswer(
    gateway, stream('a', slow.promise, 'b'), { bytesMax: 10, patient: false },
  );
  clock.advance(20);
  const streaming = await impatient;
  t.equal(streaming.kind, 'streaming');
  slow.resolve();
  if (streaming.kind === 'streaming') t.same(await all(streaming.body), ['a', 'b']);

  const later = Promise.withResolvers<void>();
  const patient = gatherAnswer(
    gateway, stream('a', later.promise, 'b'), { bytesMax: 10, patient: true },
  );
  clock.advance(60_000);
  later.resolve();
  t.match(await patient, { kind: 'whole' });
});

t.test('an answer over the bound streams, one that breaks is broken', async (t) => {
  const { gateway } = fakeGateway();
  const large = await gatherAnswer(
    gateway, stream('12345', '67890', 'x'), { bytesMax: 8, patient: true },
  );
  t.equal(large.kind, 'streaming');
  if (large.kind === 'streaming') t.same((await all(large.body)).join(''), '1234567890x');
  t.match(
    await gatherAnswer(gateway, stream('1', new Error('gone')), { bytesMax: 8, patient: true }),
    { kind: 'broken' },
  );
});

t.test('the last piece goes out after the end is finished, the others before', async (t) => {
  const order: string[] = [];
  const finish = Promise.withResolvers<void>();
  const { gateway, clock } = fakeGateway();
  const body = finishing(gateway, stream('a', 'b', 'c'), {
    ms: 10_000,
    finish: async (how) => {
      order.push(how);
      await finish.promise;
    },
  });
  const reading = (async () => {
    for await (const piece of body) order.push(text(piece));
  })();
  for (let turn = 0; turn < 20; turn += 1) await soon();
  t.same(order, ['a', 'b', 'whole']);
  clock.advance(10_000);
  finish.resolve();
  await reading;
  t.same(order, ['a', 'b', 'whole', 'c']);
});

t.test('an empty answer is finished, and one that breaks is finished as broken', async (t) => {
  const ends: string[] = [];
  const end = (how: string): Promise<void> => {
    ends.push(how);
    return Promise.resolve();
  };
  const { gateway } = fakeGateway();
  const finished = (body: ByteStream): Promise<string[]> =>
    all(finishing(gateway, body, { ms: 10_000, finish: end }));
  t.same(await finished(stream()), []);
  await t.rejects(finished(stream('a', 'b', new Error('gone'))), { message: 'gone' });
  t.same(ends, ['whole', 'broken']);
});

t.test('a reader that leaves does not end the write, which is finished once', async (t) => {
  for (const leaveAfter of [0, 1, 2]) {
    const ends: string[] = [];
    const rest = Promise.withResolvers<void>();
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const { gateway } = fakeGateway();
    const body = finishing(gateway, stream('a', 'b', 'c', rest.promise, 'd'), {
      ms: 10_000,
      finish: (how) => {
        ends.push(how);
        resolve();
        return Promise.resolve();
      },
    });
    const source = body[Symbol.asyncIterator]();
    for (let nth = 0; nth < leaveAfter; nth += 1) await source.next();
    const waiting = leaveAfter === 2 ? source.next() : undefined;
    await source.return!();
    await source.return!();
    t.same(ends, []);
    rest.resolve();
    await over;
    await waiting;
    t.same(ends, ['whole']);
    t.match(await source.next(), { done: true });
  }
});

t.test('what is not over at the deadline is finished once whoever reads, and breaks', async (t) => {
  for (const reads of ['nothing', 'some', 'waits', 'left']) {
    const { gateway, clock } = fakeGateway();
    const rest = Promise.withResolvers<void>();
    const ends: string[] = [];
    const body = finishing(gateway, stream('a', 'b', rest.promise, 'c'), {
      ms: 10_000,
      finish: (how) => {
        ends.push(how);
        return Promise.resolve();
      },
    });
    const source = body[Symbol.asyncIterator]();
    if (reads !== 'nothing') t.match(await source.next(), { value: bytes('a') });
    const waiting = reads === 'waits' ? source.next() : undefined;
    if (reads === 'left') await source.return!();
    await soon();
    clock.advance(9_999);
    t.same(ends, []);
    clock.advance(1);
    t.same(ends, ['broken'], reads);
    if (waiting !== undefined) await t.rejects(waiting, { message: 'timeout' });
    rest.resolve();
    await t.rejects(source.next(), { message: 'timeout' }, reads);
    t.same(ends, ['broken']);
    t.equal(clock.waiting, 0);
  }
});
