// What is made of many figures: medians, percentiles, their spread over the rounds, and how they
// are printed.

export interface Spread {
  /** The median. */
  readonly mid: number;
  readonly low: number;
  readonly high: number;
}

/** `share` from 0 to 1; NaN of nothing. */
export function percentile(of: readonly number[], share: number): number {
  const sorted = [...of].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Of an even number of them: between the two in the middle. */
export function median(of: readonly number[]): number {
  const sorted = [...of].sort((a, b) => a - b);
  const [low, high] = [(sorted.length - 1) >> 1, sorted.length >> 1];
  return (sorted[low]! + sorted[high]!) / 2;
}

/** Not by Math.min, which takes no more arguments than the stack has room for. */
export function spread(of: readonly number[]): Spread {
  return { mid: median(of), low: percentile(of, 0), high: percentile(of, 1) };
}

/** Round by round, of two that took turns: a noisy second is in both. */
export function ratios(of: readonly number[], to: readonly number[]): Spread {
  return spread(of.map((one, round) => one / to[round]!));
}

export const thousands = (number: number): string => `${(number / 1000).toFixed(1)} k`;
export const fixed = (digits: number) => (number: number): string =>
  number.toFixed(digits).replace(/^-(?=[0.]+$)/, '');
export const millions = (bytes: number): string => (bytes / 1e6).toFixed(0);
export const count = (number: number): string => number.toLocaleString('en');

export function range({ low, high }: Spread, print = fixed(2)): string {
  return `${print(low)} – ${print(high)}`;
}
