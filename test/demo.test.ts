// The demo as a user runs it, to its end: every step is as stated, and nothing is left running.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';

t.setTimeout(120_000);

const demo = fileURLToPath(new URL('../examples/demo.ts', import.meta.url));

async function run(args: string[]): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [demo, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => { said += text; });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said += text; });
  const [code] = await once(child, 'close') as [number | null];
  return { code, said };
}

t.test('the demo walks to its end and leaves nothing running', async (t) => {
  const { code, said } = await run(['--exit', '--free-ports']);
  t.equal(code, 0, said);
  t.match(said, /^GET {5}\/posts +200 +\d+ {2}everfresh; fwd=uri-miss; stored/m);
  t.match(said, /^GET {5}\/posts +200 +[\d.]+ {2}everfresh; hit/m);
  t.match(said, /^GET {5}\/posts +304 /m);
  t.match(said, /^POST {4}\/posts +201 /m);
  t.match(said, /\b(\d+) of \1 steps went as stated$/m);
  t.notMatch(said, /NOT SO/);

  const addresses = [...said.matchAll(/^(?:API|gateway|admin) +(http:\S+)/gm)];
  t.equal(addresses.length, 3, 'all three addresses are told');
  for (const [, url] of addresses) {
    await t.rejects(fetch(url!), `nobody listens at ${url} any more`);
  }
});

t.test('an option that the demo does not know is refused', async (t) => {
  const { code, said } = await run(['--exot']);
  t.not(code, 0);
  t.match(said, /--exot/);
});
