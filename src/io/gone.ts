// A client that may go away, as those see it who work for it: what an AbortSignal says, at the cost
// of two fields, since every request has one and hardly any needs it. Who listens does not throw.
import type { Gone } from '../flow/ports.ts';

export class Leaving implements Gone {
  aborted = false;
  #listeners: (() => void)[] | undefined;

  addEventListener(_type: 'abort', callback: () => void): void {
    (this.#listeners ??= []).push(callback);
  }

  removeEventListener(_type: 'abort', callback: () => void): void {
    this.#listeners = this.#listeners?.filter((one) => one !== callback);
  }

  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    for (const callback of listeners) callback();
  }
}
