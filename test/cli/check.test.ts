// The commands that look at a configuration without running it: check, graph, schema.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { run as check } from '../../src/cli/check.ts';
import { run as graph } from '../../src/cli/graph.ts';
import { run as schema } from '../../src/cli/schema.ts';
import type { World } from '../../src/cli/world.ts';

type Command = (argv: readonly string[], world: World) => Promise<number>;
interface Ran { readonly code: number; readonly out: string[]; readonly err: string[] }

async function call(command: Command, argv: string[], env: World['env'] = {}): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const world: World = { out: (line) => out.push(line), err: (line) => err.push(line), env };
  return { code: await command(argv, world), out, err };
}

const GOOD = 'upstream: http://localhost:3000\nroutes: { /a: { GET: , POST: { refresh: /a } } }\n';
const ODD = 'upstream: http://localhost:3000\nroutes: { /a: { GET: , POST: } }\n';
const BAD = 'upstream: http://localhost:3000\n'
  + 'routes: { /a: { GET: { tll: 1h }, PST: { wait: 1 } } }\n';

t.test('a good file is said to be good', async (t) => {
  const file = join(t.testdir({ 'r.yaml': GOOD }), 'r.yaml');
  t.same(await call(check, [file]), {
    code: 0, out: [`${file}: 1 route, 1 read, 1 write; no warnings`], err: [],
  });
  t.equal((await call(check, ['--strict', '--config', file])).code, 0);
});

t.test('warnings are told, and fail a strict check', async (t) => {
  const file = join(t.testdir({ 'r.yaml': ODD }), 'r.yaml');
  const mild = await call(check, [file]);
  t.equal(mild.code, 0);
  t.same(mild.err, [`${file}:2:24: warning: \`POST /a\` refreshes nothing but its own URL`]);
  t.match(mild.out, [/1 warning$/]);
  t.equal((await call(check, [file, '--strict'])).code, 1);
});

t.test('all problems are told, and the check fails', async (t) => {
  const file = join(t.testdir({ 'r.yaml': BAD }), 'r.yaml');
  const { code, out, err } = await call(check, [file, '--strict']);
  t.equal(code, 2);
  t.same(out, []);
  t.same(err, [
    `${file}:2:24: unknown option \`tll\` (did you mean \`ttl\`?)`,
    `${file}:2:48: \`wait\` must be \`true\` or \`false\`, not \`1\``,
  ]);
});

t.test('the environment is the one of the command', async (t) => {
  const file = join(t.testdir({ 'r.yaml': 'upstream: ${UP}\n' }), 'r.yaml');
  t.equal((await call(check, [file], { UP: 'http://h' })).code, 0);
  t.equal((await call(check, [file])).code, 2);
});

t.test('a missing file and a wrong flag are told, and the check fails', async (t) => {
  const none = join(t.testdir({}), 'none.yaml');
  t.match(await call(check, [none]), { code: 2, err: [/no such file/] });
  const strikt = { code: 2, err: [/--strikt/, /^usage: everfresh check/] };
  t.match(await call(check, ['--strikt']), strikt);
  t.match(await call(check, ['a', 'b']), { code: 2, err: [/one file at a time/, /^usage/] });
});

t.test('the graph is drawn in the format that is asked for', async (t) => {
  const folder = t.testdir({ 'r.yaml': GOOD, 'bad.yaml': BAD });
  const file = join(folder, 'r.yaml');
  t.same(await call(graph, [file]), { code: 0, out: ['POST /a\n  refresh  GET /a'], err: [] });
  const chart = await call(graph, ['--format', 'mermaid', '-c', file]);
  t.match(chart, { code: 0, out: [/^graph LR\n/] });
  t.match(await call(graph, [file, '--format', 'dot']), { code: 2, err: [/`dot` is no format/] });
  t.match(await call(graph, [join(folder, 'bad.yaml')]), { code: 2, err: [/tll/, /wait/] });
  t.match(await call(graph, ['--nope']), { code: 2, err: [/--nope/] });
});

t.test('the schema that is printed is the one in the tree', async (t) => {
  const { code, out } = await call(schema, []);
  t.equal(code, 0);
  const file = readFileSync(new URL('../../routes.schema.json', import.meta.url), 'utf8');
  t.equal(`${out.join('\n')}\n`, file);
  t.equal((await call(schema, ['x'])).code, 2);
});

t.test('without a name the file is routes.yaml', async (t) => {
  t.match(await call(check, []), { code: 0, out: [/^routes.yaml: 5 routes, 5 reads, /], err: [] });
});
