// Holes of templates, filled from what a request and its answer say, or not at all.
import t from 'tap';
import { parseBody, type Said, texts } from '../../src/core/plan/values.ts';
import { readTemplate } from '../../src/core/rules/template.ts';

function fill(template: string, said: Partial<Said>): string[] | undefined {
  const read = readTemplate(template);
  if (read.kind === 'wrong') throw new Error(read.message);
  return texts(read.template, { params: new Map(), query: undefined, requestFields: [], ...said });
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const JSON_TYPE = ['Content-Type', 'application/json'];
const FORM_TYPE = ['Content-Type', 'application/x-www-form-urlencoded'];

function fromBody(hole: string, body: string, fields = JSON_TYPE): string[] | undefined {
  return fill(`{request.body.${hole}}`, { requestBody: parseBody(fields, bytes(body)) });
}

t.test('a hole takes its value from where it says', async (t) => {
  t.same(fill('x-{params.id}', { params: new Map([['id', 'a b']]) }), ['x-a b']);
  t.same(fill('{query.q}', { query: 'q=a%20b+c&p=1' }), ['a b c']);
  t.same(fill('{request.headers.x-a}', { requestFields: ['X-A', 'v'] }), ['v']);
  t.same(fill('{response.headers.location}', { responseFields: ['Location', '/p'] }), ['/p']);
  t.same(fill('{response.body.a.b}', { responseBody: { value: { a: { b: true } } } }), ['true']);
  t.same(fill('plain', {}), ['plain']);
});

t.test('what is not there is not computed', async (t) => {
  for (const hole of [
    'params.id', 'query.q', 'request.headers.x', 'request.body.x', 'response.body.x',
    'response.headers.x',
  ]) {
    t.equal(fill(`a{${hole}}b`, {}), undefined, hole);
  }
  const absent = [
    ['id', '{}'], ['id', '{"id":null}'], ['id', '{"id":{}}'], ['id', '[]x'], ['id', '5'],
    ['a.b', '{"a":"b"}'], ['toString', '{}'], ['__proto__', '{}'], ['length', '"text"'],
    ['id', '[{"id":1},{}]'], ['id', ''],
  ] as const;
  for (const [hole, body] of absent) {
    t.equal(fromBody(hole, body), undefined, `${hole} of ${body}`);
  }
});

t.test('each value of several is meant', async (t) => {
  t.same(fill('{query.id}', { query: 'id=1&id=2' }), ['1', '2']);
  t.same(fromBody('ids', '{"ids":[1,"2",[3]]}'), ['1', '2', '3']);
  t.same(fromBody('made.id', '{"made":[{"id":1},{"id":2}]}'), ['1', '2']);
  t.same(fromBody('id', '[{"id":1},{"id":2}]'), ['1', '2']);
  t.same(fromBody('id', '[]'), []);
  t.same(fill('{query.a}-{query.b}', { query: 'a=1&a=2&b=3&b=4' }), ['1-3', '1-4', '2-3', '2-4']);
});

t.test('a number that would be rounded, or is spelt in another way, is not computed', async (t) => {
  for (const text of [
    '0', '7', '-3', '9007199254740991', '1234567890123456', '1.5',
  ]) t.same(fromBody('id', `{"id":${text}}`), [text], text);
  for (const text of [
    '9007199254740993', '12345678901234567890', '1e3', '1.0', '-0', '0.10', '1E400',
  ]) {
    t.equal(fromBody('id', `{"id":${text}}`), undefined, text);
  }
  t.same(fromBody('id', '{"id":"9007199254740993"}'), ['9007199254740993'], 'a text is exact');
});

t.test('more values than anybody means are not computed, nor is a text without end', async (t) => {
  t.equal(
    fromBody('ids', JSON.stringify({ ids: Array.from({ length: 100 }, (_, i) => i) }))!.length, 100,
  );
  t.equal(
    fromBody('ids', JSON.stringify({ ids: Array.from({ length: 101 }, (_, i) => i) })), undefined,
  );
  t.equal(fromBody('id', JSON.stringify({ id: 'x'.repeat(1025) })), undefined);
  t.equal(fill('{request.headers.x}', { requestFields: ['X', 'x'.repeat(1025)] }), undefined);
});

t.test('a body is read by its media type, and not where it is coded', async (t) => {
  const body = '{"id":1}';
  for (const type of [
    'application/json', 'Application/JSON; charset=utf-8', 'application/problem+json',
    'application/merge-patch+json',
  ]) {
    t.same(fromBody('id', body, ['content-type', type]), ['1'], type);
  }
  for (const type of ['text/plain', 'application/jsonx', 'application/json, text/plain', '']) {
    t.equal(fromBody('id', body, ['content-type', type]), undefined, type);
  }
  t.equal(fromBody('id', body, []), undefined, 'without a type');
  for (const coding of ['gzip', 'br', 'x-own', 'identity, gzip']) t.equal(
    fromBody('id', body, [...JSON_TYPE, 'Content-Encoding', coding]), undefined, coding,
  );
  t.same(fromBody('id', body, [...JSON_TYPE, 'Content-Encoding', 'Identity']), ['1']);
  t.equal(
    fill('{request.body.id}', { requestBody: parseBody(JSON_TYPE, Buffer.from(body, 'utf16le')) }),
    undefined, 'UTF-16',
  );
  t.equal(
    fill(
      '{request.body.id}',
      { requestBody: parseBody(JSON_TYPE, new Uint8Array([0x22, 0xff, 0x22])) },
    ),
    undefined, 'no UTF-8',
  );
});

t.test('a form is read with its escapes, and each value of a name', async (t) => {
  t.same(fromBody('a', 'a=x+y%26z&b=2', FORM_TYPE), ['x y&z']);
  t.same(fromBody('a', 'a=1&a=2&a=3', FORM_TYPE), ['1', '2', '3']);
  t.same(fromBody('__proto__', '__proto__=1', FORM_TYPE), ['1']);
  t.equal(fromBody('constructor', 'a=1', FORM_TYPE), undefined);
});

t.test('a value is spelt for the text that is around it', async (t) => {
  const read = readTemplate('q={query.q}');
  if (read.kind === 'wrong') throw new Error(read.message);
  const said = { params: new Map(), query: 'q=a%26b%2Bc', requestFields: [] };
  t.same(texts(read.template, said), ['q=a&b+c']);
  t.same(texts(read.template, said, encodeURIComponent), ['q=a%26b%2Bc']);
});

t.test('a JSON name that stands twice is not read, since the upstream may take the other', (t) => {
  const json = ['Content-Type', 'application/json'];
  const read = (text: string): unknown => parseBody(json, Buffer.from(text)).value;
  t.equal(read('{"id":1,"id":2}'), undefined);
  t.equal(read('{"a":{"id":1},"b":[{"id":2,"\\u0069d":3}]}'), undefined, 'however it is spelt');
  const once = '{"a":{"id":1},"b":[{"id":2}],"c":"x\\":"}';
  t.same(read(once), { a: { id: 1 }, b: [{ id: 2 }], c: 'x":' });
  t.end();
});

t.test('a body that is nested too deeply to be walked through is not read', (t) => {
  const hole = 'a.b';
  for (const depth of [400, 2_000, 10_000, 200_000]) {
    const nested = (open: string, close: string): string =>
      `${open.repeat(depth)}1${close.repeat(depth)}`;
    t.equal(fromBody(hole, nested('[', ']')), undefined);
    t.equal(fromBody(hole, `{"a":${nested('[', ']')}}`), undefined);
    t.equal(fromBody(hole, nested('{"a":', '}')), undefined);
    t.equal(fromBody(hole, '['.repeat(depth)), undefined, 'nor where it never ends');
  }
  t.same(fromBody(hole, `{"a":{"b":7},"c":${'['.repeat(50)}${']'.repeat(50)}}`), ['7']);
  t.end();
});

t.test('a body is read in time linear in its length, and only in UTF-8', (t) => {
  const as = (type: string, text: string): unknown =>
    parseBody(['Content-Type', type], Buffer.from(text)).value;
  const quotes = JSON.stringify({ x: '"'.repeat(300_000) });
  const pairs = 'x=1&'.repeat(200_000);
  const begun = process.cpuUsage().user;
  t.ok(as('application/json', quotes));
  const read = as('application/x-www-form-urlencoded', pairs) as Map<string, string[]>;
  t.equal(read.get('x')!.length, 200_000);
  // Quadratic, each of them took minutes.
  t.ok(process.cpuUsage().user - begun < 20e6);
  for (const charset of ['utf-8', 'UTF8', '"us-ascii"']) {
    t.same(as(`application/json; charset=${charset}`, '1'), 1, charset);
  }
  t.equal(as('application/json;charset=utf-7', '{"a":"+AGI-"}'), undefined);
  t.equal(as('application/x-www-form-urlencoded; charset=iso-8859-1', 'a=1'), undefined);
  t.end();
});
