// The nodes of a cluster that failed lately: each rests for a while, in which it costs nobody a
// wait, while the others go on; then one call at a time tries it again.
import type { Clock } from '../flow/ports.ts';

/** Nodes come and go under ever new addresses. */
const NODES_MAX = 1000;

export class Rests {
  readonly #clock: Clock;
  readonly #restMs: number;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock, restMs: number) {
    this.#clock = clock;
    this.#restMs = restMs;
  }

  /** Whether it may be asked; of those who ask after its rest, only the first may. */
  admits(node: string): boolean {
    const until = this.#until.get(node);
    if (until === undefined) return true;
    if (this.#clock.mono() < until) return false;
    this.failed(node);
    return true;
  }

  failed(node: string): void {
    if (this.#until.size >= NODES_MAX) this.#until.clear();
    this.#until.set(node, this.#clock.mono() + this.#restMs);
  }

  answered(node: string): void {
    this.#until.delete(node);
  }
}
