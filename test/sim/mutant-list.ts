// All ways to break the promise that are tried.
import type { Mutant } from './mutant.ts';
import { OF_RULES } from './mutants-of-rules.ts';
import { OF_STORE } from './mutants-of-store.ts';
import { OF_WAYS } from './mutants-of-ways.ts';

export const MUTANTS: readonly Mutant[] = [...OF_RULES, ...OF_STORE, ...OF_WAYS];

/** Kinds of faults that no mutant needs, and why. */
export const WITHOUT_ONE: Readonly<Record<string, string>> = {
  'killed-before-forward': 'what it leaves behind, an intent of a write that never was, is what '
    + 'killed-after-commit leaves behind as well, and there the upstream has changed besides',
};
