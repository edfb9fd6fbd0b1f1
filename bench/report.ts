// The figures as a page: medians, their spread, and everfresh as a multiple of each.
import { cpus } from 'node:os';
import type { Crowd } from './crowd.ts';
import type { Measured } from './load.ts';
import type { Peer } from './peers.ts';
import { SCENARIOS } from './scenarios.ts';

export interface Result {
  readonly scenario: string;
  readonly peer: string;
  readonly rounds: readonly Measured[];
}

export interface Results {
  readonly peers: readonly Pick<Peer, 'name' | 'version' | 'absent'>[];
  readonly results: readonly Result[];
  readonly crowds: readonly ({ readonly peer: string } & Crowd)[];
  readonly rounds: number;
  readonly seconds: number;
}

export function report({ peers, results, crowds, rounds, seconds }: Results): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  const lines = [
    '# Speed', '',
    'Written by `npm run bench`. Every server has the same single core of one machine, the load',
    '(`wrk`, one thread) and the API behind them the other; all of them are up at once, and take',
    `turns in each round. ${rounds} rounds of ${seconds} s; the figure is the median of them,`,
    'with the lowest and the highest beside it. `×` is everfresh divided by the other, median by',
    'median: ratios of one run can be compared, absolute numbers of two machines, or of two days,',
    'cannot.', '',
    `Measured on ${cpus().length} cores (${model}), Node ${process.versions.node}.`, '',
    ...peers.map(({ name, version, absent }) =>
      `- ${name}: ${absent === undefined ? version : `not measured (${absent})`}`),
  ];
  for (const { name, about } of SCENARIOS) {
    const of = results.filter(({ scenario }) => scenario === name);
    if (of.length > 0) lines.push('', `## ${name}`, '', about, '', ...table(of));
  }
  if (crowds.length > 0) {
    const about = '200 clients at once on one cold key of an API that takes 200 ms.';
    lines.push('', '## crowd', '', about, '');
    lines.push('| | requests to the API | p99, ms |', '| --- | --- | --- |');
    for (const { peer, asked, p99 } of crowds) {
      lines.push(`| ${peer} | ${asked} | ${p99.toFixed(0)} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function table(of: readonly Result[]): string[] {
  const mine = median(perSecond(of.find(({ peer }) => peer === 'everfresh')));
  return [
    '| | requests/s | lowest – highest | p50, ms | p99, ms | × | errors |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...of.map((result) => {
      const all = perSecond(result);
      const [low, high] = [Math.min(...all), Math.max(...all)].map(thousands);
      const errors = result.rounds.reduce((sum, round) => sum + round.errors, 0);
      const times = [(round: Measured) => round.p50, (round: Measured) => round.p99]
        .map((of) => median(result.rounds.map(of)).toFixed(2));
      return `| ${[
        result.peer, thousands(median(all)), `${low} – ${high}`, ...times,
        (mine / median(all)).toFixed(2), errors,
      ].join(' | ')} |`;
    }),
  ];
}

const perSecond = (of: Result | undefined): number[] =>
  of?.rounds.map((round) => round.perSecond) ?? [];
const thousands = (number: number): string => `${(number / 1000).toFixed(1)} k`;

function median(of: readonly number[]): number {
  const sorted = [...of].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
