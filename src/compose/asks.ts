// What the primary asks of a worker, and how each answer is read: plain JSON, and nothing of it is
// believed that does not have the form that is told here.
import { readMode, readOrder } from '../admin/asked.ts';
import type { Act, Ordered, Readiness, Status } from '../admin/running.ts';
import type { Mode } from '../core/rules/config.ts';
import type { Overrides } from '../core/rules/overrides.ts';
import type { Explanation, Question } from '../flow/explain.ts';
import type { StoreState } from '../flow/ports.ts';
import type { OperatorOrder } from '../flow/purge.ts';
import { isObject } from '../io/talk.ts';

export interface Start {
  readonly ask: 'start';
  /** The configuration as the primary read it; the environment is the same. */
  readonly text: string;
  readonly file: string;
  readonly overrides: Overrides;
  readonly mode: Mode;
  /** The same for all, also where the file leaves the choice to the machine. */
  readonly port: number;
}

export type Ask =
  | Start
  | { readonly ask: 'apply'; readonly text: string }
  | { readonly ask: 'mode'; readonly mode: Mode }
  | { readonly ask: 'explain'; readonly question: Question }
  | { readonly ask: 'order'; readonly order: OperatorOrder; readonly act: Act }
  | { readonly ask: 'readiness' | 'metrics' }
  | { readonly ask: 'drain' };

export function readAsk(value: unknown): Ask | undefined {
  if (!isObject(value)) return undefined;
  const { ask, text } = value;
  switch (ask) {
    case 'start':
      return readStart(value);
    case 'apply':
      return typeof text === 'string' ? { ask, text } : undefined;
    case 'mode': {
      const mode = readMode({ mode: value['mode'] });
      return mode.kind === 'ok' ? { ask, mode: mode.value } : undefined;
    }
    case 'explain': {
      const question = readQuestion(value['question']);
      return question && { ask, question };
    }
    case 'order': {
      const { act } = value;
      const order = readOrder(value['order']);
      if (order.kind === 'wrong' || (act !== 'refresh' && act !== 'purge')) return undefined;
      return { ask, order: order.value, act };
    }
    case 'readiness':
    case 'metrics':
    case 'drain':
      return { ask };
    default:
      return undefined;
  }
}

function readStart(value: Record<string, unknown>): Start | undefined {
  const { text, file, overrides, port } = value;
  const mode = readMode({ mode: value['mode'] });
  if (typeof text !== 'string' || typeof file !== 'string' || mode.kind === 'wrong') {
    return undefined;
  }
  if (!isObject(overrides) || !isTexts(Object.values(overrides)) || !isPort(port)) {
    return undefined;
  }
  return { ask: 'start', text, file, overrides, mode: mode.value, port };
}

function readQuestion(value: unknown): Question | undefined {
  if (!isObject(value)) return undefined;
  const { method, url, fields } = value;
  if (typeof method !== 'string' || typeof url !== 'string') return undefined;
  return isTexts(fields) && fields.length % 2 === 0 ? { method, url, fields } : undefined;
}

/** Where a worker listens, as it is shown. */
export function readListening(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** To an ask that is done and says no more. */
export function readDone(value: unknown): 'done' | undefined {
  return value === 'done' ? value : undefined;
}

const STATUSES: readonly unknown[] =
  ['ready', 'degraded', 'starting', 'draining'] satisfies Status[];
const STORES: readonly unknown[] = ['ready', 'joining', 'down'] satisfies StoreState['state'][];

export function readReadiness(value: unknown): Readiness | undefined {
  if (!isObject(value) || !isObject(value['store']) || !isObject(value['backlog'])) {
    return undefined;
  }
  const { status, listening, mode, store, backlog, quarantined } = value;
  const read = readMode({ mode });
  if (read.kind === 'wrong' || !STATUSES.includes(status) || typeof listening !== 'boolean') {
    return undefined;
  }
  const { kind, state, because } = store;
  if (!STORES.includes(state) || (kind !== 'memory' && kind !== 'redis')) return undefined;
  if (because !== undefined && typeof because !== 'string') return undefined;
  const { waiting, running } = backlog;
  if (!isCount(waiting) || !isCount(running)) return undefined;
  return {
    status: status as Status,
    listening,
    mode: read.value,
    store: {
      kind, state: state as StoreState['state'], ...(because === undefined ? {} : { because }),
    },
    backlog: { waiting, running },
    quarantined: Array.isArray(quarantined) ? quarantined.map(String) : [],
  };
}

const KINDS: readonly unknown[] =
  ['read', 'write', 'pass', 'refuse'] satisfies Explanation['kind'][];

/** Only shown, as it is: of its inside no more is asked than that it is an explanation. */
export function readExplanation(value: unknown): Explanation | undefined {
  if (!isObject(value) || typeof value['request'] !== 'string') return undefined;
  return KINDS.includes(value['kind']) ? value as unknown as Explanation : undefined;
}

export function readOrdered(value: unknown): Ordered | undefined {
  if (!isObject(value)) return undefined;
  const { kind, problems, touched, refreshing, confirmed } = value;
  if (kind === 'refused') return { kind, because: 'unconfirmed' };
  if (kind === 'wrong') return isTexts(problems) ? { kind, problems } : undefined;
  if (kind !== 'done' || !isTexts(touched) || !isCount(refreshing)) return undefined;
  return typeof confirmed === 'boolean' ? { kind, touched, refreshing, confirmed } : undefined;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPort(value: unknown): value is number {
  return isCount(value) && value > 0 && value < 65_536;
}
