// One scenario of wrk's, on everybody whom it takes: all are up at once, and each has its turn in
// every round.
import type { Bench } from './bench.ts';
import { hangUp } from './client.ts';
import { fixed, median, range, ratios, spread, thousands } from './figures.ts';
import { measure, type Round, shareAsked, turn } from './load.ts';
import { type Open, stopAll } from './machine.ts';
import type { Peer } from './peers.ts';
import type { AtLeast, Scenario } from './scenarios.ts';
import { type Section, type Table, type Wanted, wanted } from './section.ts';

export interface Result {
  readonly peer: string;
  readonly rounds: readonly Round[];
}

export async function side(bench: Bench, scenario: Scenario): Promise<Section> {
  const { name, about } = scenario;
  const results = await measured(bench, scenario);
  return {
    name, about, tables: [table(scenario, results)],
    wanted: scenario.wanted.map((one) => judged(one, results)), data: results,
  };
}

async function measured(bench: Bench, { load, warmSeconds, bytes, takes }: Scenario) {
  const open: (Open & { peer: Peer; rounds: Round[] })[] = [];
  for (const peer of bench.peers.filter(({ role }) => takes.includes(role))) {
    const { port, running } = await peer.open({ ...bench, bytes });
    open.push({ peer, port, running, rounds: [] });
    measure(port, { ...load, seconds: warmSeconds });
  }
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const one of open) {
      one.rounds.push(await turn(one.port, bench.upstream, { ...load, seconds: bench.seconds }));
    }
  }
  await hangUp();
  await stopAll(open);
  return open.map(({ peer, rounds }): Result => ({ peer: peer.name, rounds }));
}

const EMPTY = Array.from({ length: 7 }, () => '');

const perSecond = (of: Result): number[] => of.rounds.map((round) => round.perSecond);

function table({ mine }: Scenario, results: readonly Result[]): Table {
  const ours = results.find(({ peer }) => peer === mine);
  return {
    head: [
      '', 'requests/s', 'lowest – highest', 'p50, ms', 'p99, ms', '×', 'lowest – highest',
      'to the API', 'errors',
    ],
    rows: results.map((result) => {
      const all = spread(perSecond(result));
      if (all.high === 0) return [result.peer, 'none that `wrk` can read', ...EMPTY];
      const times = ours && ratios(perSecond(ours), perSecond(result));
      const of = (what: keyof Round): number[] => result.rounds.map((round) => round[what]);
      const errors = of('errors').reduce((all, one) => all + one, 0);
      return [
        result.peer, thousands(all.mid), range(all, thousands),
        median(of('p50')).toFixed(2), median(of('p99')).toFixed(2),
        times === undefined ? '' : times.mid.toFixed(2),
        times === undefined ? '' : range(times), shareAsked(result.rounds), `${errors}`,
      ];
    }),
  };
}

function judged({ who, times, than }: AtLeast, results: readonly Result[]): Wanted {
  const [one, other] = [who, than].map((name) => results.find(({ peer }) => peer === name));
  const seen = one && other && ratios(perSecond(one), perSecond(other));
  return wanted(`${who} beside ${than}`, {
    wanted: `at least ${fixed(1)(times)} ×`,
    seen: seen && `${fixed(2)(seen.mid)} × (${range(seen)})`,
    reached: seen !== undefined && seen.mid >= times,
  });
}
