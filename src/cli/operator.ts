// The operator's orders from the command line: finds the admin listener of a running gateway, posts
// the targets there and prints what was done. Holds no gateway itself.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Agent, request } from 'undici';
import type { Config } from '../core/rules/config.ts';
import { hostPortOrOff } from '../core/rules/formats.ts';
import { variableOf } from '../core/rules/overrides.ts';
import { printProblem } from '../core/rules/problem.ts';
import { loadConfig } from '../io/config.ts';
import { usageOf } from './help.ts';
import { DEFAULT_FILE, EXIT_OK, EXIT_WRONG, type World } from './world.ts';

export type Act = 'refresh' | 'purge';

/** The gateway refuses, or can't be reached. */
const EXIT_FAILED = 1;

const CONNECT_MS_MAX = 5000;
// An order waits for its touch, at most a little more than the longest lease.
const ANSWER_MS_MAX = 90_000;
const ANSWER_BYTES_MAX = 4 * 1024 ** 2;

export interface Asked {
  readonly targets: readonly string[];
  readonly admin: string | undefined;
  readonly config: string | undefined;
}

export type Address =
  | { readonly kind: 'found'; readonly host: string; readonly port: number }
  | { readonly kind: 'wrong'; readonly lines: readonly string[] };

interface Done {
  readonly touched: readonly string[];
  readonly refreshing: number;
  readonly confirmed: boolean;
}

type Answered =
  | { readonly kind: 'done'; readonly done: Done }
  | { readonly kind: 'failed'; readonly lines: readonly string[] };

export async function orderGateway(
  act: Act, argv: readonly string[], world: World,
): Promise<number> {
  const tell = (lines: readonly string[]): void => {
    for (const line of lines) world.err(`everfresh ${act}: ${line}`);
  };
  const asked = readArguments(argv);
  if (typeof asked === 'string') {
    tell([asked]);
    world.err(usageOf(act));
    return EXIT_WRONG;
  }
  const address = await findAdmin(asked, world.env);
  if (address.kind === 'wrong') {
    tell(address.lines);
    return EXIT_WRONG;
  }
  const token = world.env[variableOf('admin_token')] || undefined;
  const answered = await post(act, asked.targets, { ...address, token });
  if (answered.kind === 'failed') {
    tell(answered.lines);
    return EXIT_FAILED;
  }
  const { touched, refreshing, confirmed } = answered.done;
  const again = act === 'refresh' ? `; entries being fetched again: ${refreshing}` : '';
  world.out(`tags made invalid: ${touched.length}${again}`);
  for (const tag of touched) world.out(`  ${tag}`);
  if (confirmed) return EXIT_OK;
  tell(['the store can\'t be told now: the gateway remembers it until the store is back, '
    + 'and other gateways may still serve what they hold']);
  return EXIT_FAILED;
}

function readArguments(argv: readonly string[]): Asked | string {
  try {
    const { values, positionals: targets } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { admin: { type: 'string' }, config: { type: 'string', short: 'c' } },
    });
    if (targets.length === 0) return 'name at least one target, such as `/posts` or `tag:posts`';
    return { targets, admin: values.admin, config: values.config };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The flag, or the variable, or what the gateway itself would take from the file. */
export async function findAdmin(
  { admin, config }: Pick<Asked, 'admin' | 'config'>,
  env: World['env'],
): Promise<Address> {
  const variable = variableOf('admin');
  const told = admin ?? (env[variable] || undefined);
  if (told !== undefined) {
    const read = hostPortOrOff(told);
    const name = admin === undefined ? variable : '--admin';
    if (read.kind === 'value') return reachable(read.value, name);
    const meant = read.suggestion === undefined ? '' : ` (did you mean \`${read.suggestion}\`?)`;
    return { kind: 'wrong', lines: [`${name}: must be \`host:port\`${meant}`] };
  }
  const file = config ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  const parsed = file === undefined
    // No file at all: any upstream will do, only the default address counts.
    ? await loadConfig({ file, env: {}, overrides: { upstream: 'http://localhost' } })
    : await loadConfig({ file, env });
  if (parsed.kind === 'ok') return reachable(parsed.config.admin, file ?? 'everfresh');
  const lines = parsed.problems.map(printProblem);
  return { kind: 'wrong', lines: [...lines, 'or say `--admin host:port`'] };
}

function reachable(admin: Config['admin'], from: string): Address {
  if (admin === 'off') return { kind: 'wrong', lines: [`${from}: the admin listener is off`] };
  const { host, port } = admin;
  if (port === 0) return { kind: 'wrong', lines: [`${from}: port 0 is any; say \`--admin\``] };
  // Bound to every address: this machine's own is one of them.
  const near = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return { kind: 'found', host: near, port };
}

async function post(
  act: Act,
  targets: readonly string[],
  { host, port, token }: { host: string; port: number; token: string | undefined },
): Promise<Answered> {
  const place = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const failed = (line: string): Answered => ({ kind: 'failed', lines: [line] });
  const dispatcher = new Agent({
    connect: { timeout: CONNECT_MS_MAX },
    headersTimeout: ANSWER_MS_MAX,
    bodyTimeout: CONNECT_MS_MAX,
    maxResponseSize: ANSWER_BYTES_MAX,
  });
  try {
    const { statusCode, body } = await request(`http://${place}/${act}`, {
      dispatcher,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ targets }),
    });
    const answer = parse(await body.text());
    if (statusCode === 202 && isDone(answer)) return { kind: 'done', done: answer };
    if (statusCode === 401) {
      return failed(`${place}: ${variableOf('admin_token')} must be the gateway's own token`);
    }
    const problems = problemsOf(answer);
    if (problems.length > 0) return { kind: 'failed', lines: problems };
    return failed(`${place}: answers ${statusCode}, not like everfresh's admin listener`);
  } catch (error) {
    return failed(`can't reach the admin listener at ${place}: ${sayError(error)}`);
  } finally {
    await dispatcher.destroy();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isDone(answer: unknown): answer is Done {
  if (typeof answer !== 'object' || answer === null) return false;
  const { touched, refreshing, confirmed } = answer as Record<string, unknown>;
  return isTexts(touched) && typeof refreshing === 'number' && typeof confirmed === 'boolean';
}

/** What problem details (RFC 9457) say, one by one where there are several. */
function problemsOf(answer: unknown): readonly string[] {
  if (typeof answer !== 'object' || answer === null) return [];
  const { problems, detail } = answer as Record<string, unknown>;
  if (isTexts(problems)) return problems;
  return typeof detail === 'string' ? [detail] : [];
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

const CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'there is no such host',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'no answer in time',
};

function sayError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return CODES[code] ?? (error.message || code);
}
