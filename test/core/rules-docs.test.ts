// The grammar is the one source: the documentation has a row for each option, the schema file is
// what the grammar makes, and every example passes both the parser and the schema.
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import t from 'tap';
import { parse } from 'yaml';
import * as grammar from '../../src/core/rules/grammar.ts';
import type { Fields } from '../../src/core/rules/kinds.ts';
import { OVERRIDES, variableOf } from '../../src/core/rules/overrides.ts';
import { parseRules } from '../../src/core/rules/parse.ts';
import { routesSchema } from '../../src/core/rules/schema.ts';

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const docs = read('docs/configuration.md');
const valid = new Ajv({ strict: false }).compile(routesSchema());

const sections: Record<string, Fields> = {
  '## Top-level keys': grammar.topOptions,
  '### `upstream`': grammar.upstreamOptions,
  '### `store`': grammar.storeOptions,
  '### `credentials`': grammar.credentialsOptions,
  '### `identities`': grammar.identityOptions,
  '### `from`': grammar.fromOptions,
  '### `jwt`': grammar.jwtOptions,
  '### `max`': grammar.maxOptions,
  '### `tls`': grammar.tlsOptions,
  '### `log`': grammar.logOptions,
  '### `limits`': grammar.limitOptions,
  '## Paths': grammar.pathOptions,
  '## Options of a read': grammar.readOptions,
  '### `keep_fresh`': grammar.keepFreshOptions,
  '## Options of a write': grammar.writeOptions,
};

/** The rows below a heading, up to the next one. */
function rowsUnder(heading: string): string[] {
  const after = docs.split(`\n${heading}\n`)[1] ?? '';
  const section = after.split(/\n##+ /)[0]!;
  return section.split('\n').filter((line) => line.startsWith('| `'));
}

t.test('each option has its row in the documentation, and each row its option', async (t) => {
  for (const [heading, fields] of Object.entries(sections)) {
    const rows = Object.entries(fields)
      .map(([name, { doc, shown }]) => `| \`${name}\` | ${doc} | ${shown} |`);
    t.same(rowsUnder(heading), rows, heading);
  }
});

t.test('each map of options has its section', async (t) => {
  const tables = new Set<unknown>(Object.values(sections));
  const maps = Object.values(sections).flatMap((fields) => Object.values(fields))
    .flatMap(({ kind }) => (kind.fields === undefined ? [] : [kind.fields]));
  t.ok(maps.length > 5);
  t.same(maps.filter((fields) => !tables.has(fields)), []);
});

t.test('each variable that sets an option is documented', async (t) => {
  const rows = rowsUnder('## Values from the environment').map((row) => /`(\w+)`/.exec(row)?.[1]);
  t.same(rows, OVERRIDES.map(variableOf));
});

t.test('the schema in the tree is the one that the grammar makes', async (t) => {
  t.equal(read('routes.schema.json'), `${JSON.stringify(routesSchema(), null, 2)}\n`);
});

t.test('every example is right, by the parser and by the schema', async (t) => {
  const examples = [...docs.matchAll(/```yaml\n([^]*?)```/g)].map((match) => match[1]!);
  t.ok(examples.length > 4);
  for (const text of [...examples, read('routes.yaml')]) {
    const parsed = parseRules(text, { file: 'routes.yaml' });
    t.match(parsed, { kind: 'ok', warnings: [] }, text);
    t.ok(valid(parse(text)), JSON.stringify(valid.errors));
  }
});

t.test('the schema refuses what the parser refuses', async (t) => {
  const wrong = [
    { upstrem: 'http://a' },
    { routes: { posts: {} } },
    { routes: { '/posts': { get: {} } } },
    { routes: { '/posts': { HEAD: {} } } },
    { routes: { '/posts': { GET: { tll: '1h' } } } },
    { routes: { '/posts': { GET: { ttl: 60 } } } },
    { routes: { '/posts': { GET: { refresh: '/posts' } } } },
    { routes: { '/posts': { POST: { ttl: '1h' } } } },
    { memory: '4M' }, { mode: 'maybe' }, { identities: { user: {} } }, { tls: { cert: 'a' } },
    { upstream: { connections: 4 } },
  ];
  for (const value of wrong) {
    t.notOk(valid(value), JSON.stringify(value));
    const file = JSON.stringify({ upstream: 'http://a', ...value });
    t.equal(parseRules(file, { file: 'x' }).kind, 'wrong', file);
  }
});

t.test('the schema lets a variable stand for any value', async (t) => {
  const given = { memory: '${MEM}', workers: '${N:-1}', mode: '${MODE}' };
  t.ok(valid(given), JSON.stringify(valid.errors));
});
