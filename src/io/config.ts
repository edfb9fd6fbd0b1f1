// The configuration's file: read, watched, read again. A broken file never takes the place of a
// good one, nor does a change that a running gateway can't make. The judging is core/rules'.
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Config } from '../core/rules/config.ts';
import { parseRules } from '../core/rules/parse.ts';
import type { Parsed } from '../core/rules/parse.ts';
import type { Overrides } from '../core/rules/overrides.ts';
import type { Place, Problem } from '../core/rules/problem.ts';
import type { Env } from '../core/rules/source.ts';
import type { Clock } from '../flow/ports.ts';

export interface ConfigOrigin {
  /** Undefined: no file, all is said by flags and variables. */
  readonly file: string | undefined;
  readonly env: Env;
  readonly overrides?: Overrides;
}

export type Outcome =
  | {
      readonly kind: 'loaded';
      readonly because: 'changed' | 'same';
      readonly config: Config;
      readonly warnings: readonly Problem[];
    }
  | {
      readonly kind: 'refused';
      readonly because: 'wrong' | 'needs-restart';
      readonly problems: readonly Problem[];
    };

/** With the same environment it reads the same. */
export interface Origin {
  readonly text: string;
  /** The file's name, as problems shall say it. */
  readonly file: string;
  readonly overrides: Overrides;
}

export interface ConfigSource {
  /** The last good one. */
  current(): Config;
  /** What the last good one was read from, for who reads it in another process. */
  origin(): Origin;
  /** Calls back with each new one; the returned function takes it back. */
  onChange(callback: (config: Config) => void): () => void;
  reload(): Promise<Outcome>;
  close(): void;
}

export type Opened =
  | {
      readonly kind: 'opened';
      readonly source: ConfigSource;
      readonly warnings: readonly Problem[];
    }
  | { readonly kind: 'wrong'; readonly problems: readonly Problem[] };

export interface Watching extends ConfigOrigin {
  readonly clock: Pick<Clock, 'after'>;
  /** Told of every reload that the file's folder caused, and if it can't be watched any more. */
  readonly told: (outcome: Outcome) => void;
}

// Editors write a file in several steps, and a folder may be busy: one reload for all of that.
const SETTLE_MS = 100;

/** Said in place of a file's name where there is none. */
const NO_FILE = 'everfresh';

// A megabyte of rules is no configuration; a wrong path may be anything.
const FILE_BYTES_MAX = 1024 ** 2;

/** Reads and judges the file once. */
export async function loadConfig(from: ConfigOrigin): Promise<Parsed> {
  return (await loadText(from)).parsed;
}

async function loadText(
  { file, env, overrides = {} }: ConfigOrigin,
): Promise<{ readonly text: string; readonly parsed: Parsed }> {
  const parse = (text: string, name: string) =>
    ({ text, parsed: parseRules(text, { file: name, env, overrides }) });
  if (file === undefined) return parse('', NO_FILE);
  try {
    const bytes = await readFile(file);
    if (bytes.length <= FILE_BYTES_MAX) return parse(bytes.toString('utf8'), file);
    return { text: '', parsed: unreadable(file, 'is larger than 1mb') };
  } catch (error) {
    return { text: '', parsed: unreadable(file, `can't be read: ${sayError(error)}`) };
  }
}

/** The configuration of a gateway that runs, kept up to date until it is closed. */
export async function openConfig(watching: Watching): Promise<Opened> {
  const { text, parsed: first } = await loadText(watching);
  if (first.kind === 'wrong') return first;
  const source = new WatchedConfig(watching, first.config, text);
  return { kind: 'opened', source, warnings: first.warnings };
}

function unreadable(file: string, message: string): Parsed {
  const problem: Problem = { file, line: 0, column: 0, message, severity: 'error' };
  return { kind: 'wrong', problems: [problem] };
}

function sayError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'it may not be read';
  if (code === 'EISDIR') return 'it is a folder';
  return error instanceof Error ? error.message : String(error);
}

class WatchedConfig implements ConfigSource {
  readonly #watching: Watching;
  readonly #callbacks = new Set<(config: Config) => void>();
  readonly #watcher: FSWatcher | undefined;
  #current: Config;
  #text: string;
  #last: Promise<unknown> = Promise.resolve();
  #forget: (() => void) | undefined;
  #closed = false;
  /** The refusal that was told last, if nothing better was told since. */
  #refusal: string | undefined;

  constructor(watching: Watching, config: Config, text: string) {
    this.#watching = watching;
    this.#current = config;
    this.#text = text;
    this.#watcher = this.#watch();
  }

  current(): Config {
    return this.#current;
  }

  origin(): Origin {
    const { file = NO_FILE, overrides = {} } = this.#watching;
    return { text: this.#text, file, overrides };
  }

  onChange(callback: (config: Config) => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  /** One after the other, so that an older reading never wins. */
  reload(): Promise<Outcome> {
    const next = this.#last.then(() => this.#load());
    this.#last = next.catch(() => undefined);
    return next;
  }

  close(): void {
    this.#closed = true;
    this.#forget?.();
    this.#watcher?.close();
    this.#callbacks.clear();
  }

  async #load(): Promise<Outcome> {
    const { text, parsed } = await loadText(this.#watching);
    if (parsed.kind === 'wrong') return { ...parsed, kind: 'refused', because: 'wrong' };
    const { config, warnings, keys } = parsed;
    const { file = NO_FILE } = this.#watching;
    const problems = restarts(this.#current, config, keys, file);
    if (problems.length > 0) return { kind: 'refused', because: 'needs-restart', problems };
    if (sameConfig(this.#current, config)) {
      return { kind: 'loaded', because: 'same', config: this.#current, warnings };
    }
    if (!this.#closed) {
      this.#current = config;
      this.#text = text;
      for (const callback of this.#callbacks) callback(config);
    }
    return { kind: 'loaded', because: 'changed', config, warnings };
  }

  /** The folder, not the file: editors and mounted volumes put another file in its place. */
  #watch(): FSWatcher | undefined {
    const { file } = this.#watching;
    if (file === undefined) return undefined;
    try {
      const watcher = watch(dirname(resolve(file)), { persistent: false }, () => this.#stir());
      watcher.on('error', (error) => this.#unwatched(error));
      return watcher;
    } catch (error) {
      this.#unwatched(error);
      return undefined;
    }
  }

  #unwatched(error: unknown): void {
    const { file = NO_FILE, told } = this.#watching;
    const message = `is not watched, a signal still reloads it: ${sayError(error)}`;
    const problem: Problem = { file, line: 0, column: 0, message, severity: 'warning' };
    told({ kind: 'refused', because: 'wrong', problems: [problem] });
  }

  #stir(): void {
    if (this.#closed || this.#forget !== undefined) return;
    this.#forget = this.#watching.clock.after(SETTLE_MS, () => {
      this.#forget = undefined;
      this.reload().then(
        (outcome) => this.#tell(outcome), (error: unknown) => this.#unwatched(error));
    });
  }

  /**
   * A folder stirs for many reasons, a log beside the file among them: what was told last is not
   * told again, nor that nothing changed, unless the last word was a refusal.
   */
  #tell(outcome: Outcome): void {
    if (this.#closed) return;
    const refusal = outcome.kind === 'refused' ? JSON.stringify(outcome.problems) : undefined;
    const news = outcome.kind === 'loaded' && outcome.because === 'changed';
    if (!news && refusal === this.#refusal) return;
    this.#refusal = refusal;
    this.#watching.told(outcome);
  }
}

const FIXED = [
  ['listen', 'listen'], ['admin', 'admin'], ['store', 'store'], ['workers', 'workers'],
  ['tls', 'tls'], ['secret', 'secret'],
  ['credentials_key', 'credentialsKey'], ['memory', 'memoryBytes'],
  ['lease', 'leaseMs'], ['fast_path', 'fastPath'],
] as const;

/** Those of `limits` that the listener and the store are opened with; the others are asked anew. */
const FIXED_LIMITS = [
  ['header', 'headerBytes'], ['request_timeout', 'requestTimeoutMs'],
  ['headers_timeout', 'headersTimeoutMs'], ['keep_alive_timeout', 'keepAliveTimeoutMs'],
  ['streams', 'streams'],
  ['connections', 'connections'], ['touched', 'touched'], ['remembered', 'remembered'],
  ['entry_life', 'entryLifeMs'], ['store_budget', 'storeBudgetMs'], ['quarantine', 'quarantineMs'],
] as const;

/** What can't be changed while the gateway runs; the whole change is then refused. */
function restarts(
  old: Config, next: Config, keys: ReadonlyMap<string, Place>, file: string,
): Problem[] {
  const changed = FIXED.filter(([, name]) =>
    JSON.stringify(old[name]) !== JSON.stringify(next[name])).map(([key]) => key);
  const limits = FIXED_LIMITS.filter(([, name]) => old.limits[name] !== next.limits[name])
    .map(([key]) => `limits.${key}`)
    // Where the file does not say it, it follows from the longest `ttl`, and that may change.
    .filter((key) => key !== 'limits.entry_life' || keys.has(key));
  return [...changed, ...limits].map((key) => ({
    ...(keys.get(key) ?? { file, line: 1, column: 1 }),
    message: `a change of \`${key}\` needs a restart`,
    severity: 'error',
  }));
}

function sameConfig(a: Config, b: Config): boolean {
  return JSON.stringify(plain(a)) === JSON.stringify(plain(b));
}

const MASK = '***';
const SECRETS = new Set(['secret', 'adminToken', 'credentialsKey', 'password', 'service']);

/** The applied configuration as JSON for the admin listener: nothing in it opens any door. */
export function maskedConfig(config: Config): Record<string, unknown> {
  return mask(plain(config)) as Record<string, unknown>;
}

/** Maps as objects and sets as lists. */
function plain(value: unknown): unknown {
  if (value instanceof Set) return [...value].map(plain);
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, item]) => [String(key), plain(item)]));
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

function mask(value: unknown): unknown {
  if (typeof value === 'string') return maskUrl(value);
  if (Array.isArray(value)) return value.map(mask);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) =>
    [key, SECRETS.has(key) && !isEmpty(item) ? MASK : mask(item)]));
}

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** Passwords in URLs, before the host and in the query. */
function maskUrl(text: string): string {
  return text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#@]*?):.*@/i, `$1:${MASK}@`)
    .replaceAll(/([?&](?:password|pass|token)=)[^&#]*/gi, `$1${MASK}`);
}
