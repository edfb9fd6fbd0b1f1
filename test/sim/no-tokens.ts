// For a configuration that has no tokens: none is any good.
import type { Tokens } from '../../src/flow/ports.ts';

export const noTokens: Tokens = {
  look: () => ({ bad: 'there are none' }),
  verify: () => Promise.resolve(),
  prepare: () => undefined,
};
