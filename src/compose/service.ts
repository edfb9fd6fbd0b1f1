// What `everfresh serve` runs: one instance in this process, or several in processes of their own,
// with the listeners that belong to it.
import type { Ear } from '../flow/ports.ts';
import type { Config } from '../core/rules/config.ts';
import type { Logger } from '../io/log.ts';
import { compose } from './gateway.ts';
import { openListeners, type Shown } from './listeners.ts';

export interface Service {
  readonly log: Logger;
  readonly ear: Ear;
  /** Takes a new configuration as a whole; over when every request is answered by it. */
  apply(config: Config): Promise<void>;
  /**
   * Listens; rejects with why it can't. Comes back when it does, or when it need no longer:
   * `stop`.
   */
  open(shown: Shown, stop: AbortSignal): Promise<Open>;
  /** Leaves the store, and ends all that it began. */
  close(): Promise<void>;
}

export interface Open {
  /** Where, as it is shown. */
  readonly listen: string | undefined;
  readonly admin: string | undefined;
  /** Why it can't go on; settles only if it comes to that. */
  readonly lost: Promise<string>;
  /** Lets what is under way end first; false if something had to be cut short. */
  drain(): Promise<boolean>;
}

const NEVER = Promise.withResolvers<string>().promise;

export async function serveAlone(config: Config): Promise<Service> {
  const composed = await compose(config);
  const { log } = composed;
  return {
    log,
    ear: composed.gateway.ear,
    apply: async (next) => composed.apply(next),
    async open(shown) {
      const listeners = await openListeners(composed, config, shown);
      return {
        listen: listeners.gateway,
        admin: listeners.admin,
        lost: NEVER,
        async drain() {
          await listeners.close();
          return true;
        },
      };
    },
    close: () => composed.close(),
  };
}
