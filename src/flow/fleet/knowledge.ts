// What one instance knows of the touches of all, and the lease that says that it may rely on it.
// Whatever may have been missed ends the lease first; then all is loaded anew.
import type { Epoch, Seq } from '../../core/entry/entry.ts';
import { Lease, type Moment } from '../../core/promise/lease.ts';
import { type Published, Replica } from '../../core/promise/replica.ts';
import type { Looked } from '../../core/promise/touches.ts';
import type { Ask } from './claim.ts';
import type { Shared } from './shared.ts';

export interface KnowledgeOptions {
  readonly leaseMs: number;
  readonly limits: { readonly touched: number };
  /** There is something to be mended. */
  readonly lost: () => void;
}

export class Knowledge {
  readonly lease: Lease;
  readonly #o: KnowledgeOptions;
  readonly #replica: Replica;
  /** Why its epoch was begun, as the store says. */
  begun = '';
  /** Goes up whenever what was known is not known any more. */
  #losses = 0;

  constructor(options: KnowledgeOptions) {
    this.#o = options;
    this.#replica = new Replica(options.limits);
    this.lease = new Lease(options.leaseMs);
  }

  /** Of what it knows; undefined where it knows nothing. */
  get epoch(): Epoch | undefined {
    return this.#replica.epoch;
  }

  /** Whether it may be relied on now. */
  holds(now: Moment): boolean {
    return this.lease.holds(now);
  }

  get mark(): object | undefined {
    return this.#replica.mark;
  }

  look(tags: readonly string[]): Looked {
    return this.#replica.look(tags);
  }

  hear(touch: Published): void {
    if (!this.#replica.hear(touch)) this.lose();
  }

  /** A renewal came back; it counts if this instance knows as much as the store did then. */
  renewed({ nonce, epoch, seq }: { nonce: string; epoch: Epoch; seq: Seq }, counts: boolean): void {
    if (this.#replica.live && !this.#replica.agrees(epoch, seq)) this.lose();
    this.lease.hear(nonce, counts && this.#replica.live ? 'agreed' : 'in-vain');
  }

  lose(): void {
    this.#losses += 1;
    this.lease.end();
    this.#replica.lose();
    this.#o.lost();
  }

  /** From the store, if it isn't there. False where something came between. */
  async load(
    ask: Ask, shared: Pick<Shared, 'load'>, between: () => Promise<void>,
  ): Promise<boolean> {
    let cursor: string | undefined;
    while (!this.#replica.live) {
      await between();
      const losses = this.#losses;
      const heard = await ask((me) => shared.load(me, cursor));
      if (heard.kind === 'failed' || this.#losses !== losses) return false;
      const page = { ...heard.head, ...heard.said };
      if (cursor === undefined) this.#replica.loadFirst(page);
      else if (!this.#replica.loadNext(page)) return false;
      this.begun = heard.said.begun;
      cursor = heard.said.next;
      if (cursor === undefined && !this.#replica.loaded()) return false;
    }
    return true;
  }
}
