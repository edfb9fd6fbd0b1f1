// The clients of a run, all in this process: each asks one thing after the other, mostly reads of
// what readers share, some of what is theirs alone, some writes, through any instance in service.
// They tell the history what they saw, and the figures how it went.
import { Pool, type Dispatcher } from 'undici';
import { STORE_BUDGET_MS, type GatewayProcess } from './gateway-process.ts';
import type { Figures } from './figures.ts';
import { ms, type History, type Read, type Stale } from './history.ts';
import { zipf, type Random } from './random.ts';
import { ITEMS, itemsOf, sharedPaths } from './things.ts';

const SHARE_OF_WRITES = 0.03;
const SHARE_OF_PRIVATE = 0.03;
const PATIENCE_MS = 15_000;
/** What a busy machine may add to an answer. */
const MARGIN_MS = 1000;

export interface CrowdOptions {
  readonly clients: number;
  readonly thinkMs: number;
  readonly chance: Random;
  readonly gateways: readonly GatewayProcess[];
  readonly history: History;
  readonly figures: Figures;
  /** The longest that the upstream takes now, and whether it breaks off answers. */
  readonly upstream: () => { readonly msMax: number; readonly breaks: boolean };
  /** From when a write that is answered now can be relied on. */
  readonly holdsFrom: (answeredAt: number) => number;
  readonly stale: (found: Stale) => void;
  /** An answer that is not what was asked for, or is another reader's. */
  readonly wrong: (kind: 'foreign' | 'wrong', text: string) => void;
}

interface Answer {
  readonly status: number;
  readonly headAt: number;
  readonly cacheStatus: string;
  readonly upstreamMs: number;
  readonly text: string;
}

export class Crowd {
  readonly #options: CrowdOptions;
  readonly #pools: Map<GatewayProcess, Pool>;
  readonly #paths = sharedPaths();
  #ended = false;
  #running: readonly Promise<void>[] = [];

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#pools = new Map(options.gateways.map((gateway) => [gateway, new Pool(gateway.url, {
      connections: options.clients, headersTimeout: PATIENCE_MS, bodyTimeout: PATIENCE_MS,
    })]));
  }

  start(): void {
    this.#running = Array.from({ length: this.#options.clients }, (_, number) =>
      this.#live(number, this.#options.chance.fork()));
  }

  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#running);
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }

  async #live(number: number, chance: Random): Promise<void> {
    const nextPath = zipf(this.#paths.length, chance);
    const nextItem = zipf(ITEMS, chance);
    while (!this.#ended) {
      const there = this.#options.gateways.filter(({ inService }) => inService);
      const [first, ...rest] = there;
      if (first !== undefined) {
        const gateway = chance.pick([first, ...rest]);
        const dice = chance.next();
        if (dice < SHARE_OF_WRITES) await this.#write(gateway, nextItem());
        else if (dice < SHARE_OF_WRITES + SHARE_OF_PRIVATE) await this.#mine(gateway, number);
        else await this.#read(gateway, this.#paths[nextPath()] ?? '/items/0');
      }
      await new Promise<void>((resolve) => {
        setTimeout(resolve, chance.between(0, 2 * this.#options.thinkMs));
      });
    }
  }

  /** The whole answer, or the error that came instead. */
  async #ask(
    gateway: GatewayProcess, options: Omit<Dispatcher.RequestOptions, 'origin'>,
  ): Promise<Answer | Error> {
    try {
      const answer = await this.#pools.get(gateway)!.request(options);
      const headAt = performance.now();
      const text = await answer.body.text();
      return {
        status: answer.statusCode,
        headAt,
        cacheStatus: String(answer.headers['cache-status'] ?? ''),
        upstreamMs: Number(answer.headers['x-upstream-ms'] ?? 0),
        text,
      };
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  async #read(gateway: GatewayProcess, path: string): Promise<void> {
    const { figures, history, stale, wrong } = this.#options;
    const beganAt = performance.now();
    const answer = await this.#ask(gateway, { path, method: 'GET' });
    const endedAt = performance.now();
    this.#count(gateway, answer, beganAt);
    if (answer instanceof Error || answer.status !== 200) return;
    const { cacheStatus } = answer;
    const shown = shownBy(path, answer.text);
    const read: Read = {
      path, beganAt, endedAt, instance: gateway.name, cacheStatus, shown: shown ?? [],
    };
    figures.shared(beganAt, /everfresh; hit/.test(cacheStatus));
    if (shown === undefined) wrong('wrong', `${gateway.name} GET ${path}: ${answer.text}`);
    for (const found of history.read(read)) stale(found);
  }

  async #mine(gateway: GatewayProcess, number: number): Promise<void> {
    const reader = `reader-${number}`;
    const beganAt = performance.now();
    const answer = await this.#ask(gateway, {
      path: '/mine', method: 'GET', headers: { authorization: `Bearer ${reader}` },
    });
    this.#count(gateway, answer, beganAt);
    if (answer instanceof Error || answer.status !== 200) return;
    if (answer.text === JSON.stringify({ reader, secret: `only for ${reader}` })) return;
    const foreign = /reader-\d+/.test(answer.text.replaceAll(reader, ''));
    this.#options.wrong(foreign ? 'foreign' : 'wrong',
      `${gateway.name} told ${reader}: ${answer.text} (${answer.cacheStatus})`);
  }

  #count(gateway: GatewayProcess, answer: Answer | Error, beganAt: number): void {
    const { figures, upstream } = this.#options;
    const tookMs = performance.now() - beganAt;
    const { msMax, breaks } = upstream();
    figures.reads += 1;
    if (gateway.wasAway(beganAt)) return;
    // A reader may wait for one fetch and then for the next one.
    const late = tookMs > 2 * msMax + STORE_BUDGET_MS + MARGIN_MS;
    const trouble = troubleOf(answer, breaks) ?? (late ? 'late' : undefined);
    figures.answered(trouble);
  }

  async #write(gateway: GatewayProcess, item: number): Promise<void> {
    const { figures, history } = this.#options;
    const path = `/items/${item}`;
    const beganAt = performance.now();
    const answer = await this.#ask(gateway, {
      path, method: 'PUT', body: '{}', headers: { 'content-type': 'application/json' },
    });
    const endedAt = performance.now();
    if (answer instanceof Error || answer.status !== 200) {
      const how = answer instanceof Error ? answer.message : `${answer.status}`;
      const refused = !(answer instanceof Error) && answer.status === 503;
      figures.writes[refused ? 'refused' : 'failed'] += 1;
      history.note(item, endedAt, `${gateway.name} write since ${ms(beganAt)}: ${how}`);
      return;
    }
    const version = versionIn(answer.text, item);
    if (version === undefined) {
      this.#options.wrong('wrong', `${gateway.name} PUT ${path}: ${answer.text}`);
      return;
    }
    figures.writes.ok += 1;
    if (!gateway.wasAway(beganAt)) {
      const delayMs = answer.headAt - beganAt - answer.upstreamMs;
      figures.worstWriteMs = Math.max(figures.worstWriteMs, delayMs);
    }
    history.promise({
      item, version, answeredAt: answer.headAt, holdsFrom: this.#options.holdsFrom(answer.headAt),
      instance: gateway.name, cacheStatus: answer.cacheStatus,
    });
  }
}

/** Why a read was not served by us; what the upstream did is not our doing. */
function troubleOf(answer: Answer | Error, breaks: boolean): string | undefined {
  if (answer instanceof Error) return breaks ? undefined : answer.message || answer.name;
  if (answer.status === 200) return undefined;
  const because = /"because":"([\w-]+)"/.exec(answer.text)?.[1] ?? '';
  return because.startsWith('upstream-') ? undefined : `${answer.status} ${because}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

function versionIn(text: string, item: number): number | undefined {
  const value = parsed(text);
  if (!isObject(value) || value['id'] !== item) return undefined;
  return typeof value['version'] === 'number' ? value['version'] : undefined;
}

/** The items that an answer shows; undefined: it isn't an answer to this path. */
function shownBy(path: string, text: string): { id: number; version: number }[] | undefined {
  const [, kind, name] = path.split('/');
  const value = parsed(text);
  const number = Number(name);
  if (!isObject(value)) return undefined;
  const wanted = kind === 'items' ? [number] : itemsOf(number);
  const items: unknown = kind === 'items' ? [value] : value['items'];
  if (!Array.isArray(items) || items.length !== wanted.length) return undefined;
  if (kind === 'lists' && value['list'] !== number) return undefined;
  const shown = items.map((item: unknown, i) => (isObject(item) && item['id'] === wanted[i]
    && typeof item['version'] === 'number' ? { id: item['id'], version: item['version'] } : []));
  return shown.every((one) => !Array.isArray(one))
    ? shown as { id: number; version: number }[] : undefined;
}
