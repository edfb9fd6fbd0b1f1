// Documentation that can fail: its examples are run, its links lead somewhere, and every command,
// flag and metric has its row. (Options and reasons are held against their tables by their own
// tests.)
import { execFile, spawn } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { parseRules } from '../src/core/rules/parse.ts';
import { printProblem } from '../src/core/rules/problem.ts';
import { openMetrics } from '../src/io/metrics.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const documents = ['README.md', 'src/README.md', ...globSync('docs/*.md', { cwd: root })];

interface Block {
  readonly file: string;
  readonly language: string;
  readonly text: string;
}

const blocks: Block[] = documents.flatMap((file) =>
  [...read(file).matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => ({
    file,
    language: language!,
    text: text!,
  })),
);

t.test('every YAML example that is a whole file is one that everfresh takes', async (t) => {
  const files = blocks.filter(
    ({ language, text }) => language === 'yaml' && /^upstream:/m.test(text),
  );
  t.ok(files.length > 0);
  for (const { file, text } of files) {
    const parsed = parseRules(text, { file, env: {} });
    t.same(parsed.kind === 'wrong' ? parsed.problems.map(printProblem) : [], [], file);
  }
});

t.test('the files under examples, and the one at the top, are taken too', async (t) => {
  for (const file of ['routes.yaml', ...globSync('examples/*.yaml', { cwd: root })]) {
    const parsed = parseRules(read(file), { file, env: {} });
    t.same(parsed.kind === 'wrong' ? parsed.problems.map(printProblem) : [], [], file);
  }
});

// What stays up, and what the rest of the tests runs.
const NOT_RUN = /serve|everfresh -- http|npm ci|refresh|purge/;

t.test('every command of the README that ends by itself ends well', async (t) => {
  const commands = blocks
    .filter(({ file, language }) => file === 'README.md' && language === 'sh')
    .flatMap(({ text }) => text.split('\n'))
    .map((line) => line.replace(/ +#.*$/, ''))
    .filter((line) => line.includes('everfresh --') && !NOT_RUN.test(line));
  t.ok(commands.length >= 3);
  for (const command of commands) {
    const args = command.replace(/^npm run -s everfresh -- /, '').split(' ');
    const { stdout } = await promisify(execFile)(process.execPath, ['src/main.ts', ...args], {
      cwd: root,
    });
    t.ok(stdout.length > 0, command);
  }
});

t.test('the example of the plugin runs', async (t) => {
  const example = blocks.find(({ file, language }) => file === 'README.md' && language === 'ts')!;
  const folder = await mkdtemp(join(root, 'node_modules', '.everfresh-docs-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await cp(join(root, 'routes.yaml'), join(folder, 'routes.yaml'));
  const code = example.text
    .replace(`'everfresh'`, JSON.stringify(join(root, 'src/plugin.ts')))
    .replace('port: 8080', 'port: 0');
  const asks = `console.log((await app.inject('/version')).statusCode);\nawait app.close();\n`;
  const told = `${code}\n${asks}`;
  await writeFile(join(folder, 'app.mjs'), told);
  const { stdout } = await promisify(execFile)(process.execPath, ['app.mjs'], { cwd: folder });
  t.equal(stdout.trim(), '200');
});

t.test('every link leads to a file', async (t) => {
  for (const file of documents) {
    const links = [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link!);
    for (const link of links) t.ok(existsSync(join(root, dirname(file), link)), `${file}: ${link}`);
  }
});

t.test('every command says what it does', async (t) => {
  const main = read('src/main.ts');
  const commands = [...main.matchAll(/^ {2}(\w+): \(\) => import\(/gm)].map(([, name]) => name!);
  t.ok(commands.length >= 7);
  for (const command of commands) {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['src/main.ts', command, '--help'],
      { cwd: root },
    );
    t.match(stdout, new RegExp(`everfresh ${command}`), command);
  }
});

t.test('every metric has its row, and every row its metric', async (t) => {
  const metrics = openMetrics(() => ({
    entries: () => 0,
    bytes: () => 0,
    storeReady: () => true,
    flights: () => 0,
    uses: () => 0,
    writes: () => 0,
    readers: () => new Map(),
    quarantined: () => 0,
  }));
  const { text } = await metrics.text();
  const counted = [...text.matchAll(/^# TYPE (everfresh_\w+)/gm)].map(([, name]) => name!);
  const rows = [...read('docs/operations.md').matchAll(/^\| `(everfresh_\w+)/gm)].map(
    ([, name]) => name!,
  );
  t.same(rows.sort(), counted.sort());
});

t.test('a gateway started as the README says answers, and logs what is described', async (t) => {
  const child = spawn(
    process.execPath,
    ['src/main.ts', 'http://127.0.0.1:9', '--listen', '127.0.0.1:0', '--admin', 'off'],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  t.teardown(() => void child.kill());
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, unknown>> =>
    JSON.parse((await lines.next()).value as string) as Record<string, unknown>;
  const listening = await next();
  t.equal(listening['msg'], 'listening');
  await fetch(`http://${String(listening['listen'])}/posts?page=2`);
  const line = await next();
  t.match(line, { path: '/posts', result: 'fail', level: 40 });
  const [, table = ''] = read('docs/operations.md').split("| in a request's line |");
  const rows = [...table.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, names]) =>
    names!.split(', ').map((name) => name.replaceAll('`', '')));
  t.same(rows.sort(), Object.keys(line).sort());
});
