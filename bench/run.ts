// `npm run bench`: everfresh beside its peers, in one run, each on the same single core, in rounds
// that take turns. Writes bench/README.md and its pictures; `--json` prints the figures as well.
// `--only hit,pass` and `--rounds`, `--seconds` are for a quick look with smaller sizes, which
// writes nothing; `--whole` gives it the sizes of the full run.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Bench } from './bench.ts';
import { hangUp } from './client.ts';
import { crowd } from './crowd.ts';
import { freePort, joinTheLoad, LOAD, start, stopAllBut, unfit } from './machine.ts';
import { mixed } from './mixed.ts';
import { everybody } from './peers.ts';
import { profile } from './profile.ts';
import { redis } from './redis.ts';
import { report, type Results } from './report.ts';
import { scale } from './scale.ts';
import { SCENARIOS } from './scenarios.ts';
import type { Section } from './section.ts';
import { side } from './sides.ts';
import { write } from './write.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false }, only: { type: 'string' },
    rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '4' },
    whole: { type: 'boolean', default: false },
  },
});
const full = values.only === undefined;

const CHAPTERS: ReadonlyMap<string, (bench: Bench) => Promise<Section>> = new Map([
  ...SCENARIOS.map((scenario) =>
    [scenario.name, (bench: Bench) => side(bench, scenario)] as const),
  ['crowd', crowd], ['write', write], ['mixed', mixed], ['scale', scale], ['profile', profile],
]);

const names = values.only?.split(',') ?? [...CHAPTERS.keys()];
const unknown = names.filter((name) => !CHAPTERS.has(name));
if (unknown.length > 0) {
  const all = [...CHAPTERS.keys()].join(', ');
  throw new Error(`no scenario is called ${unknown.join(', ')}; there are ${all}`);
}
const because = unfit();
if (because !== undefined) throw new Error(because);
joinTheLoad();

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const upstreamPort = await freePort();
const api = fileURLToPath(new URL('servers/upstream.ts', import.meta.url));
const upstream = await start(LOAD, upstreamPort, [process.execPath, api, `${upstreamPort}`]);
const store = await redis();
const peers = everybody(store?.port);
for (const { name, absent } of peers) if (absent !== undefined) say(`${name}: ${absent}`);

const bench: Bench = {
  rounds: Number(values.rounds), seconds: Number(values.seconds), whole: full || values.whole, say,
  peers: peers.filter(({ absent }) => absent === undefined),
  upstream: upstreamPort, redis: store?.port,
};
const sections: Section[] = [];
for (const name of names) {
  say(name);
  sections.push(await CHAPTERS.get(name)!(bench).catch((error: unknown) => failed(name, error)));
}
await hangUp();
await Promise.all([upstream.stop(), store?.running.stop()]);

const all: Results = { peers, sections, rounds: bench.rounds, seconds: bench.seconds };
const page = report(all);
if (full && process.exitCode === undefined) {
  const save = (file: string, text: string): void =>
    writeFileSync(fileURLToPath(new URL(file, import.meta.url)), text);
  save('README.md', page);
  for (const { picture } of sections) if (picture !== undefined) save(picture.file, picture.svg);
}
process.stdout.write(values.json ? `${JSON.stringify(all, undefined, 1)}\n` : page);

/** The others are measured nevertheless, without what it has left running; nothing is written. */
async function failed(name: string, error: unknown): Promise<Section> {
  say(`${name} failed: ${error instanceof Error ? error.stack : String(error)}`);
  process.exitCode = 1;
  await hangUp();
  await stopAllBut([upstream, ...(store === undefined ? [] : [store.running])]);
  return { name, about: 'Failed.', tables: [], wanted: [], data: undefined };
}
