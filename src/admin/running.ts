// What the admin listener asks of the everfresh that runs behind it: one instance in this process,
// or several workers in processes of their own, any of which may be gone when it is asked.
import type { Mode } from '../core/rules/config.ts';
import type { Explanation, Question } from '../flow/explain.ts';
import type { OperatorOrder } from '../flow/purge.ts';
import type { StoreState } from '../flow/ports.ts';
import type { Unanswered } from '../io/talk.ts';

export type Act = 'refresh' | 'purge';

/** Why there is no answer: nobody is there, or who was asked has ended, is late, or is at fault. */
export type NoAnswer = 'no-worker' | Unanswered;

export type Answered<T> =
  | { readonly kind: 'answered'; readonly value: T }
  | { readonly kind: 'unanswered'; readonly because: NoAnswer };

export type Status = 'ready' | 'degraded' | 'starting' | 'draining';

/** Of one instance. */
export interface Readiness {
  readonly status: Status;
  readonly listening: boolean;
  readonly mode: Mode;
  readonly store: StoreState;
  readonly backlog: { readonly waiting: number; readonly running: number };
  /** Routes that are passed because their answers, shared by the file's word, differ by reader. */
  readonly quarantined: readonly string[];
}

/** One of several processes; `restarting` has no process now, `silent` did not answer in time. */
export interface WorkerState {
  readonly pid?: number;
  readonly status: Status | 'restarting' | 'silent';
  readonly mode?: Mode;
  readonly store?: StoreState;
}

export interface Ready extends Readiness {
  readonly workers?: readonly WorkerState[];
}

export type Ordered =
  | {
      readonly kind: 'done';
      readonly touched: readonly string[];
      readonly refreshing: number;
      readonly confirmed: boolean;
    }
  | { readonly kind: 'wrong'; readonly problems: readonly string[] }
  /** The store could not be told, and nobody shall rely on it. */
  | { readonly kind: 'refused'; readonly because: 'unconfirmed' };

export interface Running {
  readiness(): Promise<Ready>;
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  explain(question: Question): Promise<Answered<Explanation>>;
  order(order: OperatorOrder, act: Act): Promise<Answered<Ordered>>;
  /** When it returns, every request that comes is answered in this mode. */
  switchMode(mode: Mode): Promise<void>;
  /** The applied configuration as JSON, secrets masked. */
  config(): unknown;
  /** Of the last reload that was refused; empty otherwise. */
  problems(): readonly string[];
}
