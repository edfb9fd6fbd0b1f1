// `npm run bench`: everfresh beside its peers, in one run, each on the same single core, in rounds
// that take turns. Writes bench/README.md; `--json` prints the figures as well. `--only hit,pass`
// and `--rounds`, `--seconds` are for a quick look, which writes nothing.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { crowd } from './crowd.ts';
import { type Measured, measure } from './load.ts';
import { freePort, LOAD, type Running, start, unfit } from './machine.ts';
import { everybody, type Peer } from './peers.ts';
import { report, type Result, type Results } from './report.ts';
import { type Scenario, SCENARIOS } from './scenarios.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false }, only: { type: 'string' },
    rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '4' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const wanted = (name: string): boolean => values.only?.split(',').includes(name) ?? true;

const because = unfit();
if (because !== undefined) throw new Error(because);

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const upstreamPort = await freePort();
const api = fileURLToPath(new URL('servers/upstream.ts', import.meta.url));
const upstream = await start(LOAD, upstreamPort, [process.execPath, api, `${upstreamPort}`]);

const peers = everybody();
const present = peers.filter(({ absent }) => absent === undefined);
for (const { name, absent } of peers) if (absent !== undefined) say(`${name}: ${absent}`);

const results: Result[] = [];
for (const scenario of SCENARIOS.filter(({ name }) => wanted(name))) {
  say(`${scenario.name}: ${scenario.about}`);
  results.push(...await side(scenario, present.filter((peer) => scenario.takes(peer))));
}
const crowds = wanted('crowd') ? await crowdsOf(present) : [];
await upstream.stop();

const all: Results = { peers, results, crowds, rounds, seconds };
if (values.only === undefined) {
  writeFileSync(fileURLToPath(new URL('README.md', import.meta.url)), report(all));
}
if (values.json) process.stdout.write(`${JSON.stringify(all, undefined, 1)}\n`);
else process.stdout.write(report(all));

/** Everybody is there at once, and each has its turn in every round. */
async function side(scenario: Scenario, of: readonly Peer[]): Promise<Result[]> {
  const { load, warmSeconds, bytes } = scenario;
  const open: { peer: Peer; port: number; running: Running; rounds: Measured[] }[] = [];
  for (const peer of of) {
    const { port, running } = await peer.open({ upstream: upstreamPort, bytes });
    open.push({ peer, port, running, rounds: [] });
    measure(port, { ...load, seconds: warmSeconds });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const one of open) one.rounds.push(measure(one.port, { ...load, seconds }));
  }
  await Promise.all(open.map(({ running }) => running.stop()));
  return open.map(({ peer, rounds }) => ({ scenario: scenario.name, peer: peer.name, rounds }));
}

async function crowdsOf(of: readonly Peer[]): Promise<Results['crowds']> {
  const found: { peer: string; asked: number; p99: number }[] = [];
  const limits = ['node:http', 'bare sockets'];
  for (const peer of of.filter(({ name }) => !limits.includes(name))) {
    const { port, running } = await peer.open({ upstream: upstreamPort, bytes: 1024 });
    await crowd(port, upstreamPort, 'warm');
    found.push({ peer: peer.name, ...await crowd(port, upstreamPort, `${peer.name.length}-cold`) });
    await running.stop();
  }
  return found;
}
