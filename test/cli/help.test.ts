// What `--help` and `--version` print, and that it is true: each command has its text, fits a
// terminal, and names no flag that the command doesn't know.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { COMMANDS, helpText, run, usageOf, versionText } from '../../src/cli/help.ts';
import { OVERRIDES, variableOf } from '../../src/core/rules/overrides.ts';

interface Ran { readonly code: number; readonly out: string; readonly err: string }

async function helped(...argv: string[]): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const world = { out: (line: string) => out.push(line), err: (line: string) => err.push(line) };
  const code = await run(argv, { ...world, env: {} });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

t.test('the version is the one of the package', async (t) => {
  const file = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  t.equal(versionText(), `everfresh ${version}`);
  for (const flag of ['--version', '-v']) {
    t.same(await helped(flag), { code: 0, out: `everfresh ${version}`, err: '' });
  }
});

t.test('help names every command and every variable', async (t) => {
  for (const argv of [['--help'], ['-h'], ['help']]) {
    const { code, out } = await helped(...argv);
    t.equal(code, 0);
    t.equal(out, helpText());
  }
  for (const command of COMMANDS) t.match(helpText(), new RegExp(`^  ${command} +\\w`, 'm'));
  for (const name of OVERRIDES) t.match(helpText(), new RegExp(`^  ${variableOf(name)}$`, 'm'));
});

t.test('each command has a help of its own', async (t) => {
  for (const command of COMMANDS) {
    const text = helpText(command);
    t.ok(text.startsWith(`${usageOf(command)}\n\n`), command);
    for (const argv of [['help', command], [command, '--help'], ['-h', command]]) {
      t.same(await helped(...argv), { code: 0, out: text, err: '' });
    }
  }
  t.equal((await helped('http://localhost:3000', '--help')).out, helpText('serve'));
});

t.test('help fits a terminal', async (t) => {
  const lines = [helpText(), ...COMMANDS.map((name) => helpText(name))]
    .flatMap((text) => text.split('\n'));
  t.same(lines.filter((line) => line.length > 96), []);
});

t.test('the flags that help names are those of the command', async (t) => {
  const sources: Record<string, string> = {
    serve: 'flags', check: 'check', explain: 'explain', graph: 'graph', refresh: 'operator',
    purge: 'operator',
  };
  for (const [command, file] of Object.entries(sources)) {
    const code = readFileSync(new URL(`../../src/cli/${file}.ts`, import.meta.url), 'utf8');
    const known = [...code.matchAll(/(\w+): \{ type: '/g)].map(([, name]) => name ?? '');
    const options = helpText(COMMANDS.find((name) => name === command));
    const told = [...options.matchAll(/^ +(?:-\w, )?--([a-z]+)/gm)].map(([, name = '']) => name);
    t.same(told.sort(), known.sort(), command);
  }
});

t.test('an unknown command is told with what was probably meant', async (t) => {
  t.match(await helped('chekc', '--help'), {
    code: 2, out: '', err: 'everfresh: unknown command `chekc` (did you mean `check`?)',
  });
});

t.test('with nothing to do, help is what went wrong', async (t) => {
  t.same(await helped(), { code: 2, out: '', err: helpText() });
});
