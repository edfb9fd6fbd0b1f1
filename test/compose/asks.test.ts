// What the primary and its workers say to each other is read by its form, and nothing else of it is
// believed.
import t from 'tap';
import {
  type Ask, readAsk, readDone, readExplanation, readListening, readOrdered, readReadiness,
} from '../../src/compose/asks.ts';

const START = {
  ask: 'start', text: 'a', file: 'b', overrides: { listen: 'c:1' }, mode: 'off', port: 80,
} as const;
const READINESS = {
  status: 'ready', listening: true, mode: 'on', store: { kind: 'redis', state: 'down',
    because: 'refused' }, backlog: { waiting: 0, running: 1 }, quarantined: ['/a'],
} as const;

t.test('every ask is read as what it is', async (t) => {
  const asks: Ask[] = [
    START,
    { ask: 'apply', text: '' },
    { ask: 'mode', mode: 'observe' },
    { ask: 'explain', question: { method: 'GET', url: '/', fields: ['a', 'b'] } },
    { ask: 'order', order: { targets: ['/a'], tags: [] }, act: 'purge' },
    { ask: 'readiness' }, { ask: 'metrics' }, { ask: 'drain' },
  ];
  for (const ask of asks) t.same(readAsk(JSON.parse(JSON.stringify(ask))), ask, ask.ask);
});

t.test('what is no ask is not carried out', async (t) => {
  const { mode, port, ...less } = START;
  const question = { method: 'GET', url: '/', fields: [] };
  const wrong: unknown[] = [
    undefined, null, 'drain', [], {}, { ask: 'stop' }, { ask: 'toString' }, { ask: 'apply' },
    less, { ...less, mode }, { ...less, port }, { ...START, mode: 'On' }, { ...START, port: 0 },
    { ...START, port: 65_536 }, { ...START, overrides: { a: 1 } }, { ...START, overrides: [] },
    { ...START, text: 1 }, { ask: 'mode' }, { ask: 'mode', mode: 'x' }, { ask: 'explain' },
    { ask: 'explain', question: { ...question, url: 1 } },
    { ask: 'explain', question: { ...question, fields: ['a'] } },
    { ask: 'explain', question: { ...question, fields: [1, 2] } },
    { ask: 'order', act: 'purge' }, { ask: 'order', order: { targets: ['/a'] }, act: 'drop' },
    { ask: 'order', order: { target: ['/a'] }, act: 'purge' },
  ];
  for (const ask of wrong) t.equal(readAsk(ask), undefined, JSON.stringify(ask));
});

t.test('answers are read by their form', async (t) => {
  t.same(readReadiness(READINESS), READINESS);
  const done = { kind: 'done', touched: ['a'], refreshing: 0, confirmed: false };
  t.same(readOrdered(done), done);
  t.same(readOrdered({ kind: 'wrong', problems: ['a'] }), { kind: 'wrong', problems: ['a'] });
  t.same(readOrdered({ kind: 'refused' }), { kind: 'refused', because: 'unconfirmed' });
  t.same(readExplanation({ request: 'a', kind: 'pass' }), { request: 'a', kind: 'pass' });
  t.equal(readDone('done'), 'done');
  t.equal(readListening('a:1'), 'a:1');
});

t.test('what has another form is no answer', async (t) => {
  const { store, backlog } = READINESS;
  for (const wrong of [
    undefined, 'ready', {}, { ...READINESS, status: 'fine' }, { ...READINESS, mode: 'x' },
    { ...READINESS, listening: 1 }, { ...READINESS, store: { ...store, state: 'up' } },
    { ...READINESS, store: { ...store, kind: 'disk' } },
    { ...READINESS, store: { ...store, because: 1 } },
    { ...READINESS, backlog: { ...backlog, waiting: -1 } }, { ...READINESS, backlog: [] },
  ]) t.equal(readReadiness(wrong), undefined, JSON.stringify(wrong));
  for (const wrong of [
    undefined, {}, { kind: 'done' }, { kind: 'wrong', problems: 'a' },
    { kind: 'done', touched: [1], refreshing: 0, confirmed: true },
    { kind: 'done', touched: [], refreshing: 0.5, confirmed: true },
    { kind: 'done', touched: [], refreshing: 0, confirmed: 'yes' },
  ]) t.equal(readOrdered(wrong), undefined, JSON.stringify(wrong));
  for (const wrong of [undefined, {}, { request: 'a' }, { request: 1, kind: 'pass' }]) {
    t.equal(readExplanation(wrong), undefined, JSON.stringify(wrong));
  }
  t.equal(readDone(true), undefined);
  t.equal(readListening(''), undefined);
});
