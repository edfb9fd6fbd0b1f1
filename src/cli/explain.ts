// `everfresh explain METHOD PATH`: what a gateway with this file would do with a request, and why,
// by the same code. Asks no upstream, no store and no running gateway.
import { parseArgs } from 'node:util';
import { isUrl, readField } from '../admin/asked.ts';
import { type Reason, REASONS } from '../core/http/cache-status.ts';
import type { Config } from '../core/rules/config.ts';
import { isToken } from '../core/rules/formats.ts';
import { printProblem } from '../core/rules/problem.ts';
import { printDuration } from '../core/units.ts';
import { explain, type Explanation, type Question } from '../flow/explain.ts';
import { liveOf } from '../compose/live.ts';
import { realClock } from '../io/clock.ts';
import { loadConfig } from '../io/config.ts';
import { openTokens } from '../io/tokens.ts';
import { usageOf } from './help.ts';
import { DEFAULT_FILE, EXIT_OK, EXIT_WRONG, type World } from './world.ts';

interface Asked {
  readonly question: Question;
  readonly file: string;
  readonly json: boolean;
}

export async function run(argv: readonly string[], world: World): Promise<number> {
  const asked = readArguments(argv);
  if (typeof asked === 'string') {
    world.err(`everfresh explain: ${asked}`);
    world.err(usageOf('explain'));
    return EXIT_WRONG;
  }
  const parsed = await loadConfig({ file: asked.file, env: world.env });
  if (parsed.kind === 'wrong') {
    for (const problem of parsed.problems) world.err(printProblem(problem));
    return EXIT_WRONG;
  }
  const { config } = parsed;
  const ear = { trouble: (_: string, detail: object) => world.err(JSON.stringify(detail)) };
  const tokens = openTokens({ clock: realClock, ear });
  const live = liveOf(config, config.secret ?? '', tokens);
  const said = await explain(asked.question, { live, tokens });
  world.out(asked.json ? JSON.stringify(said, null, 2) : explanationText(said, config));
  return EXIT_OK;
}

function readArguments(argv: readonly string[]): Asked | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        header: { type: 'string', short: 'H', multiple: true },
        data: { type: 'string', short: 'd' },
        config: { type: 'string', short: 'c' },
        json: { type: 'boolean' },
      },
    });
    const [method = '', url = '', ...more] = positionals;
    if (method === '' || url === '') return 'a method and a path are needed';
    if (more.length > 0) return `unexpected argument: ${more[0]!}`;
    if (!isToken(method)) return `\`${method}\` is no method`;
    if (!isUrl(url)) return `\`${url}\` is no path: it begins with \`/\``;
    const fields: string[] = [];
    for (const line of values.header ?? []) {
      const field = readField(line);
      if (field === undefined) return `\`${line}\` is no header such as 'accept: text/html'`;
      fields.push(...field);
    }
    const { data, config: file = DEFAULT_FILE, json = false } = values;
    const body = data === undefined ? {} : { body: new TextEncoder().encode(data) };
    return { question: { method, url, fields, ...body }, file, json };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The explanation for people: a sentence, then one labelled line for each thing to know. */
export function explanationText(said: Explanation, { mode }: Pick<Config, 'mode'>): string {
  const lines = [said.request, `  ${sentence(said)}`];
  if (mode === 'observe') lines.push('  mode: observe, so that it is passed and only judged');
  if (mode === 'off') lines.push('  mode: off, so that it is passed');
  if (said.kind === 'read') lines.push(...readLines(said));
  if (said.kind === 'write') lines.push(...touchLines(said.touches ?? []));
  const ends = (said.ends ?? []).map((name) => `the ${name} that it shows`);
  lines.push(...labelled('ends', ends));
  return lines.join('\n');
}

function sentence({ kind, because, route, unclear }: Explanation): string {
  const told = unclear === undefined
    ? meaningOf(because ?? '') : `Nobody knows whose it is: ${unclear}.`;
  const why = because === undefined ? '' : `: ${because}. ${told}`;
  const by = route === undefined ? '' : ` of ${route}`;
  switch (kind) {
    case 'refuse': return `refused${why}`;
    case 'pass': return `passed through${by}${why}`;
    case 'write':
      return `a write${by || ' that no rule names'}: forwarded; after success it reaches`;
    case 'read': return because === undefined
      ? `a read${by}: answered from the cache, or fetched and kept`
      : `a read${by}, passed${why}`;
  }
}

function meaningOf(because: string): string {
  return Object.hasOwn(REASONS, because) ? REASONS[because as Reason] : '';
}

function readerLine(reader: string | undefined): string[] {
  if (reader === undefined) return [];
  return [reader === 'nobody' ? 'nobody in particular: who shows no credential' : `one ${reader}`];
}

function readLines({ key = '', ttlMs, tags = [], fetch, reader }: Explanation): string[] {
  const ttl = typeof ttlMs === 'number'
    ? printDuration(ttlMs)
    : 'as HTTP allows: the upstream says how long';
  return [
    ...labelled('reader', readerLine(reader)),
    ...labelled('key', [key]),
    ...labelled('ttl', [ttl]),
    ...labelled('tags', tags),
    ...(fetch === undefined ? [] : labelled('fetch', [`${fetch.method} ${fetch.target}`])),
    ...labelled('with', pairs(fetch?.fields ?? [])),
  ];
}

type Touches = NonNullable<Explanation['touches']>;

function touchLines(touches: Touches): string[] {
  const of = (then: string): string[] =>
    touches.filter((touch) => touch.then === then)
      .map(({ tag, because }) => `${tag}  (${sayWhy(because)})`);
  return [...labelled('refresh', of('refresh')), ...labelled('purge', of('purge'))];
}

const WHY: Readonly<Record<string, string>> = {
  'own-path': 'its own path, as HTTP says',
  'location': 'named by the answer, as HTTP says',
  'convention': 'the collection above it, by the REST convention',
};

function sayWhy(because: string): string {
  if (Object.hasOwn(WHY, because)) return WHY[because]!;
  const later = because.includes('{response.') ? '; less, once the answer says which' : '';
  return `the rule's target ${because}${later}`;
}

const LABEL_COLUMNS = 9;

/** The label stands before the first line only; no lines, no label. */
function labelled(label: string, lines: readonly string[]): string[] {
  return lines.map((line, i) => `  ${(i === 0 ? label : '').padEnd(LABEL_COLUMNS)}${line}`);
}

function pairs(fields: readonly string[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < fields.length; i += 2) lines.push(`${fields[i]!}: ${fields[i + 1]!}`);
  return lines;
}
