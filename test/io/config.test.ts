// The configuration's file as a gateway sees it: loaded, watched, reloaded, refused, masked.
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import type { Config } from '../../src/core/rules/config.ts';
import { parseRules } from '../../src/core/rules/parse.ts';
import { printProblem } from '../../src/core/rules/problem.ts';
import { loadConfig, maskedConfig, openConfig } from '../../src/io/config.ts';
import type { ConfigSource, Outcome } from '../../src/io/config.ts';

const text = (ttl: string, more = ''): string =>
  `upstream: http://localhost:3000\n${more}\nroutes: { /posts: { GET: { ttl: ${ttl} } } }\n`;

const ttlOf = ({ routes }: Config): number | undefined => routes[0]?.reads.get('GET')?.ttlMs;

interface Opened {
  readonly source: ConfigSource;
  readonly file: string;
  /** What the watching told, one after the other, each awaited. */
  readonly next: () => Promise<Outcome>;
}

/** A source over a file of its own; the clock's callbacks run at the end of the turn. */
async function open(t: Test, content: string): Promise<Opened> {
  return openFile(t, join(t.testdir({ 'routes.yaml': content }), 'routes.yaml'));
}

async function openFile(t: Test, file: string): Promise<Opened> {
  const told: Outcome[] = [];
  let wake = (): void => undefined;
  const clock = {
    after: (_: number, callback: () => void): (() => void) => {
      const handle = setImmediate(callback);
      return () => clearImmediate(handle);
    },
  };
  const tell = (outcome: Outcome): void => {
    told.push(outcome);
    wake();
  };
  const opened = await openConfig({ file, env: {}, clock, told: tell });
  if (opened.kind === 'wrong') throw new Error(opened.problems.map(printProblem).join('\n'));
  t.teardown(() => opened.source.close());
  const next = async (): Promise<Outcome> => {
    // The watcher alone doesn't keep the process alive.
    const alive = setInterval(() => undefined, 1000);
    while (told.length === 0) await new Promise<void>((resolve) => { wake = resolve; });
    clearInterval(alive);
    return told.shift()!;
  };
  return { source: opened.source, file, next };
}

t.test('a file that is not there, or is none, is a problem', async (t) => {
  const folder = t.testdir({ 'big.yaml': '#'.repeat(1024 ** 2 + 1) });
  const said = async (file: string): Promise<string[]> => {
    const parsed = await loadConfig({ file, env: {} });
    return parsed.kind === 'wrong' ? parsed.problems.map(printProblem) : [];
  };
  const none = await said(join(folder, 'none.yaml'));
  t.match(none, [/none.yaml: can't be read: there is no such file$/]);
  t.match(await said(folder), [/can't be read: it is a folder$/]);
  t.match(await said(join(folder, 'big.yaml')), [/is larger than 1mb$/]);
});

t.test('without a file, flags and variables say all', async (t) => {
  const overrides = { upstream: 'http://localhost:1' };
  const parsed = await loadConfig({ file: undefined, env: { EVERFRESH_MODE: 'off' }, overrides });
  t.match(parsed, { kind: 'ok', config: { implicit: true, mode: 'off' } });
  t.match(await loadConfig({ file: undefined, env: {} }), { kind: 'wrong' });
});

t.test('a changed file is taken over, and whoever asked is told', async (t) => {
  const { source, file, next } = await open(t, text('1h'));
  const seen: (number | undefined)[] = [];
  const forget = source.onChange((config) => seen.push(ttlOf(config)));
  writeFileSync(file, text('2h'));
  t.match(await next(), { kind: 'loaded', because: 'changed' });
  t.equal(ttlOf(source.current()), 7_200_000);
  forget();
  writeFileSync(file, text('3h'));
  while (ttlOf(source.current()) !== 10_800_000) await next();
  t.same(seen, [7_200_000]);
});

t.test('a file that is put in the place of the old one is seen', async (t) => {
  const { source, file, next } = await open(t, text('1h'));
  writeFileSync(`${file}.new`, text('2h'));
  renameSync(`${file}.new`, file);
  t.match(await next(), { kind: 'loaded' });
  t.equal(ttlOf(source.current()), 7_200_000);
});

t.test('a volume that swaps its folder by a link is seen', async (t) => {
  const folder = t.testdir({
    first: { 'routes.yaml': text('1h') },
    second: { 'routes.yaml': text('2h') },
    data: t.fixture('symlink', 'first'),
    'routes.yaml': t.fixture('symlink', 'data/routes.yaml'),
  });
  const { source, next } = await openFile(t, join(folder, 'routes.yaml'));
  symlinkSync('second', join(folder, 'data.new'));
  renameSync(join(folder, 'data.new'), join(folder, 'data'));
  t.match(await next(), { kind: 'loaded' });
  t.equal(ttlOf(source.current()), 7_200_000);
});

t.test('a broken file leaves the last good one', async (t) => {
  const { source, file, next } = await open(t, text('1h'));
  writeFileSync(file, text('1 hour'));
  const outcome = await next();
  const problems = [{ line: 3, severity: 'error' }];
  t.match(outcome, { kind: 'refused', because: 'wrong', problems });
  t.equal(ttlOf(source.current()), 3_600_000);
  rmSync(file);
  t.match(await source.reload(), { kind: 'refused', because: 'wrong' });
  t.equal(ttlOf(source.current()), 3_600_000);
  writeFileSync(file, text('2h'));
  t.match(await source.reload(), { kind: 'loaded' });
  t.equal(ttlOf(source.current()), 7_200_000);
});

t.test('a refusal is told once, whatever else stirs, and so is its end', async (t) => {
  const { source, file, next } = await open(t, text('1h'));
  writeFileSync(file, text('1 hour'));
  t.match(await next(), { kind: 'refused' });
  for (let line = 0; line < 20; line += 1) {
    writeFileSync(join(file, '..', 'gateway.log'), `${line}`);
    await source.reload();
  }
  writeFileSync(file, text('1h'));
  t.match(await next(), { kind: 'loaded', because: 'same' });
});

t.test('a change that needs a restart is refused as a whole, with its place', async (t) => {
  const { source, file } = await open(t, text('1h', 'memory: 64mb'));
  const cases: [more: string, key: string][] = [
    ['memory: 64mb\nlisten: 127.0.0.1:1', 'listen'],
    ['memory: 64mb\nadmin: off', 'admin'],
    ['memory: 64mb\nstore: redis://localhost', 'store'],
    ['memory: 64mb\ntls: { cert: a, key: b }', 'tls'],
    ['memory: 32mb', 'memory'],
    ['memory: 64mb\nlease: 3s', 'lease'],
    ['memory: 64mb\nfast_path: off', 'fast_path'],
    ...[
      'header: 8kb', 'request_timeout: 1s', 'headers_timeout: 1s', 'keep_alive_timeout: 1s',
      'connections: 10', 'touched: 200', 'remembered: 5', 'entry_life: 2d', 'store_budget: 1s',
      'quarantine: 5s',
    ].map((limit): [string, string] => [
      `memory: 64mb\nlimits: { url: 4kb, ${limit} }`, `limits.${limit.split(':')[0]!}`,
    ]),
  ];
  for (const [more, key] of cases) {
    writeFileSync(file, text('2h', more));
    const outcome = await source.reload();
    t.match(outcome, { kind: 'refused', because: 'needs-restart' });
    const said = outcome.kind === 'refused' ? outcome.problems.map(printProblem) : [];
    t.match(said, [new RegExp(`routes.yaml:[23]:\\d+: a change of \`${key}\` needs a restart`)]);
    t.equal(said.length, 1);
    t.equal(ttlOf(source.current()), 3_600_000);
  }
  writeFileSync(file, text('2h'));
  t.match(await source.reload(), { problems: [{ line: 1, message: /`memory` needs a restart/ }] });
});

t.test('limits that are asked anew are changed at once, also by a longer `ttl`', async (t) => {
  const { source, file } = await open(t, text('1h'));
  const limits = 'send_timeout: 5s, drain: 1s, url: 4kb, header_count: 50, writes: 5';
  writeFileSync(file, text('7d', `limits: { ${limits} }`));
  t.match(await source.reload(), { kind: 'loaded', because: 'changed' });
  t.match(source.current().limits, { sendTimeoutMs: 5000, drainMs: 1000, writes: 5 });
});

t.test('a reload that changes nothing tells nobody', async (t) => {
  const { source } = await open(t, text('1h'));
  const before = source.current();
  source.onChange(() => t.fail('nothing changed'));
  t.match(await source.reload(), { kind: 'loaded', because: 'same' });
  t.equal(source.current(), before);
});

t.test('reloads come one after the other, and a closed source changes no more', async (t) => {
  const { source, file } = await open(t, text('1h'));
  writeFileSync(file, text('2h'));
  const both = await Promise.all([source.reload(), source.reload()]);
  t.ok(both.every((outcome) => outcome.kind === 'loaded'));
  t.equal(ttlOf(source.current()), 7_200_000);
  source.close();
  writeFileSync(file, text('3h'));
  await source.reload();
  t.equal(ttlOf(source.current()), 7_200_000);
});

t.test('what the admin listener shows opens no door', async (t) => {
  const parsed = parseRules(`
upstream: http://localhost:3000
store: "redis://user:hunt%2Fer2:@x@localhost:6379/1?password=hunter3"
secret: hunter4
routes:
  /posts/:id: { GET: { override: [private], query: [a] }, PUT: { refresh: "/posts/:id" } }
`, { file: 'f', env: { EVERFRESH_ADMIN_TOKEN: 'hunter5' } });
  if (parsed.kind === 'wrong') throw new Error(parsed.problems.map(printProblem).join('\n'));
  const shown = maskedConfig(parsed.config);
  t.notMatch(JSON.stringify(shown), /hunt/);
  t.match(shown, {
    secret: '***', adminToken: '***', store: { url: /^redis:\/\/user:\*\*\*@localhost:6379\/1/ },
    routes: [{
      reads: { GET: { override: ['private'], query: ['a'] } },
      writes: { PUT: { refresh: [{ bindings: { id: { text: '{params.id}' } } }] } },
    }],
  });
  t.same(JSON.parse(JSON.stringify(shown)), shown, 'it is JSON as it is');
  const several = parseRules(`
upstream: http://localhost:3000
store: { sentinels: ["redis://s:hunter6@a", "redis://b"], name: m, password: hunter7 }
`, { file: 'f' });
  if (several.kind === 'wrong') throw new Error(several.problems.map(printProblem).join('\n'));
  t.match(maskedConfig(several.config), {
    store: { sentinels: ['redis://s:***@a', 'redis://b'], password: '***', name: 'm' },
  });
});
