// What every scenario is given: how often and how long, who takes part, and where the API and the
// Redis of this run are.
import type { Peer } from './peers.ts';

export interface Bench {
  readonly rounds: number;
  /** Of one turn. */
  readonly seconds: number;
  /** The whole run, with its largest sizes; otherwise a quick look. */
  readonly whole: boolean;
  /** Those that are there. */
  readonly peers: readonly Peer[];
  /** Ports. */
  readonly upstream: number;
  readonly redis: number | undefined;
  say(text: string): void;
}
