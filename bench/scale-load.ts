// Several everfreshes of different sizes under the same load, in turns, each as a multiple of the
// smallest.
import type { Bench } from './bench.ts';
import { count, fixed, range, ratios, type Spread, spread, thousands } from './figures.ts';
import { type Load, measure, type Round, shareAsked, turn } from './load.ts';
import type { Open } from './machine.ts';
import { type Wanted, wanted } from './section.ts';

export interface Sized {
  readonly size: number;
  readonly open: Open;
  readonly load: Omit<Load, 'seconds'>;
  readonly rounds: Round[];
}

const WARM_SECONDS = 3;

export async function inTurn(bench: Bench, all: readonly Sized[]): Promise<void> {
  for (const { open, load } of all) measure(open.port, { ...load, seconds: WARM_SECONDS });
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const { open, load, rounds } of all) {
      rounds.push(await turn(open.port, bench.upstream, { ...load, seconds: bench.seconds }));
    }
  }
}

const perSecond = ({ rounds }: Sized): number[] => rounds.map((round) => round.perSecond);

const besides = (one: Sized, smallest: Sized): Spread =>
  ratios(perSecond(one), perSecond(smallest));

export const HEAD = ['hits/s', '×', 'lowest – highest', 'to the API'];

/** Under that head: requests a second, and what they are of the smallest one's. */
export function cells(one: Sized, [smallest]: readonly Sized[]): string[] {
  const beside = besides(one, smallest!);
  return [
    thousands(spread(perSecond(one)).mid), fixed(2)(beside.mid), range(beside),
    shareAsked(one.rounds),
  ];
}

/** Every size is as fast as the smallest, but for so much. */
export function level(what: string, all: readonly Sized[], least: number): Wanted[] {
  const [smallest, ...others] = all;
  return others.map((one) => {
    const beside = besides(one, smallest!);
    return wanted(`hits with ${count(one.size)} ${what}, beside ${count(smallest!.size)}`, {
      wanted: `at least ${fixed(2)(least)} ×`,
      seen: `${fixed(2)(beside.mid)} × (${range(beside)})`,
      reached: beside.mid >= least,
    });
  });
}
