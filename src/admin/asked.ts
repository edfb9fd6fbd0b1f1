// What the admin listener is asked, read and checked: orders, modes, questions. All problems are
// told at once. It acts on nothing.
import type { Mode } from '../core/rules/config.ts';
import { isToken } from '../core/rules/formats.ts';
import type { Question } from '../flow/explain.ts';
import type { OperatorOrder } from '../flow/purge.ts';

export type Read<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'wrong'; readonly problems: readonly string[] };

/** Targets and tags of one order together. */
export const ORDER_MAX = 1000;
const TEXT_LENGTH_MAX = 8192;
const FIELDS_MAX = 100;

const MODES: readonly Mode[] = ['on', 'observe', 'off'];
const PARAMETERS: readonly string[] = ['method', 'url', 'header'];

/** The body of `POST /refresh` and `POST /purge`. */
export function readOrder(body: unknown): Read<OperatorOrder> {
  if (!isObject(body)) return wrong(['the body must be an object such as {"targets":["/posts"]}']);
  const problems = unknownKeys(body, ['targets', 'tags']);
  const targets = readTexts(body, 'targets', problems);
  const tags = readTexts(body, 'tags', problems);
  const count = targets.length + tags.length;
  if (count > ORDER_MAX) problems.push(`${count} are too many: at most ${ORDER_MAX} at once`);
  return problems.length > 0 ? wrong(problems) : { kind: 'ok', value: { targets, tags } };
}

/** The body of `POST /mode`. */
export function readMode(body: unknown): Read<Mode> {
  if (!isObject(body)) return wrong(['the body must be an object such as {"mode":"observe"}']);
  const problems = unknownKeys(body, ['mode']);
  const mode = MODES.find((known) => known === body['mode']);
  if (mode === undefined) problems.push('`mode` must be `on`, `observe` or `off`');
  return mode === undefined || problems.length > 0 ? wrong(problems) : { kind: 'ok', value: mode };
}

/** The query of `GET /explain`. */
export function readQuestion(query: string): Read<Question> {
  const parameters = new URLSearchParams(query);
  const problems: string[] = [];
  for (const name of new Set(parameters.keys())) {
    if (!PARAMETERS.includes(name)) {
      problems.push(`unknown parameter \`${name}\`; a \`&\` inside of \`url\` is written %26`);
    } else if (name !== 'header' && parameters.getAll(name).length > 1) {
      problems.push(`\`${name}\` is given more than once`);
    }
  }
  const method = parameters.get('method') ?? 'GET';
  if (!isToken(method)) problems.push('`method` is no method');
  const url = parameters.get('url') ?? '';
  if (!isUrl(url)) problems.push('`url` must be a path such as /posts?page=1, or an http URL');
  const lines = parameters.getAll('header');
  if (lines.length > FIELDS_MAX) problems.push(`more than ${FIELDS_MAX} headers`);
  const fields = lines.slice(0, FIELDS_MAX).flatMap((line) => {
    const field = readField(line);
    if (field === undefined) problems.push(`\`${line}\` is no header such as \`accept:text/html\``);
    return field ?? [];
  });
  return problems.length > 0 ? wrong(problems) : { kind: 'ok', value: { method, url, fields } };
}

/** `name: value`, with or without the blank; undefined where that is no field line. */
export function readField(line: string): readonly [name: string, value: string] | undefined {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(0, colon));
  const value = line.slice(colon + 1).trim();
  return isToken(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value) ? [name, value] : undefined;
}

/** A path, or a URL of which the path counts. */
export function isUrl(text: string): boolean {
  return text.startsWith('/') || /^https?:\/\/./.test(text);
}

function readTexts(body: Record<string, unknown>, key: string, problems: string[]): string[] {
  const given = body[key];
  if (given === undefined) return [];
  if (!Array.isArray(given)) {
    problems.push(`\`${key}\` must be a list`);
    return [];
  }
  const texts = given.filter((text: unknown): text is string =>
    typeof text === 'string' && text !== '' && text.length <= TEXT_LENGTH_MAX);
  if (texts.length < given.length) {
    problems.push(`\`${key}\` must hold texts, none empty or longer than ${TEXT_LENGTH_MAX}`);
  }
  return texts;
}

function unknownKeys(body: Record<string, unknown>, known: readonly string[]): string[] {
  return Object.keys(body)
    .filter((key) => !known.includes(key))
    .map((key) => `unknown key \`${key}\``);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(problems: readonly string[]): { kind: 'wrong'; problems: readonly string[] } {
  return { kind: 'wrong', problems };
}
