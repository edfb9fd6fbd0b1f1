// Compiles the rule of a read. What decides about an entry goes into the rule's hash, which is in
// the key: a changed rule starts afresh.
import { createHash } from 'node:crypto';
import type { Fields } from '../http/message.ts';
import type { ReadRule, Template } from './config.ts';
import { readOptions, writeOptions } from './grammar.ts';
import { perOf } from './identities.ts';
import type { Placed, Values } from './kinds.ts';
import { nearest } from './problem.ts';
import type { Notes } from './problem.ts';
import { readRule } from './rule.ts';
import type { Rule, RoutesContext } from './rule.ts';
import { entryOf } from './tree.ts';
import { holesOf, readTemplate } from './template.ts';
import type { Hole } from './template.ts';

type Given = Values<typeof readOptions>;

export function compileRead(rule: Rule, context: RoutesContext): ReadRule {
  const given = readRule(readOptions, writeOptions, rule, context);
  const { ttl, stale_while_revalidate: revalidateMs, stale_if_error: errorMs } = given;
  const per = given.per && perOf(given.per, context.identities, context.notes);
  const service = serviceOf(given, rule, context.notes);
  const { recent, top, concurrency } = given.keep_fresh;
  checkHeaders(given, rule, context);
  const tags = (given.tags ?? []).flatMap((tag) => readTag(tag, rule, given, context.notes));
  checkWarm(given, rule, context.notes);
  const decides = {
    pattern: rule.route.text,
    query: sorted(given.query ?? 'all'),
    order: given.order,
    override: [...new Set(given.override)].sort(),
    tags: tags.map((tag) => tag.text).sort(),
    ...(given.headers === undefined ? {} : { headers: [...new Set(given.headers)].sort() }),
    ...(per === undefined ? {} : { per: namesOf(per) }),
    ...(service.length === 0 ? {} : { service: digestOf(service) }),
    ...(rule.method === 'GET' ? {} : { method: rule.method }),
  };
  const read: ReadRule = {
    pattern: rule.route.text,
    ...(ttl === undefined ? {} : { ttlMs: ttl }),
    negativeTtlMs: given.negative_ttl,
    override: new Set(given.override),
    ...(revalidateMs === undefined ? {} : { staleWhileRevalidateMs: revalidateMs }),
    ...(errorMs === undefined ? {} : { staleIfErrorMs: errorMs }),
    query: unique(given.query ?? 'all'),
    ...(given.headers === undefined ? {} : { headers: [...new Set(given.headers)] }),
    order: given.order,
    clientCache: clientCacheOf(given, rule, { per, notes: context.notes }),
    maxVariants: given.max_variants,
    ...(per === undefined ? {} : { per }),
    service,
    tags,
    warm: (given.warm ?? []).map(({ text }) => text),
    keepFresh: { recentMs: recent, top, concurrency },
    maxBodyBytes: given.max_body,
    hash: hashOf({ ...decides, ttl: ttl !== undefined }),
  };
  context.places.set(read, rule.at);
  return read;
}

type Per = ReadRule['per'];

const namesOf = (per: NonNullable<Per>): readonly string[] | string =>
  (per === 'everyone' ? per : per.map(({ hash }) => hash).sort());

/** Answers to another credential may be others; the key says which it was, and never what it is. */
function digestOf(service: Fields): string {
  return createHash('sha256').update(JSON.stringify(service)).digest('base64url').slice(0, 16);
}

/** What all share may be asked for as the operator. */
function serviceOf({ service = [], per }: Given, { at }: Rule, notes: Notes): Fields {
  if (service.length > 0 && (per?.length !== 1 || per[0]!.text !== 'everyone')) {
    notes.wrong(at, '`service` is for what all share: it goes with `per: everyone`');
  }
  for (const { name, at: place } of service) {
    if (NO_SERVICE.has(name.toLowerCase())) {
      notes.wrong(place, `\`service\` can't say \`${name}\``);
    }
  }
  return service.flatMap(({ name, value }) => [name.toLowerCase(), value]);
}

const NO_SERVICE = new Set(['host', 'content-length', 'connection', 'transfer-encoding']);

/** What one reader alone may see is never said to be for all. */
function clientCacheOf(
  { client_cache: said }: Given, { at, options }: Rule, { per, notes }: { per: Per; notes: Notes },
): string {
  if (per === undefined || per === 'everyone') return said;
  if (said === 'pass' || said === 'no-cache') return PRIVATE;
  if (!/\b(?:private|no-store)\b/i.test(said)) {
    notes.wrong(entryOf(options, 'client_cache')?.at ?? at,
      '`client_cache` of what differs by reader must say `private` or `no-store`');
  }
  return said;
}

/** Kept by its reader's own client alone, and asked for each time. */
const PRIVATE = 'private, no-cache';

/** A key that held a credential would keep one answer for each reader. */
function checkHeaders(
  { headers = [] }: Given, { options, at }: Rule, { defaults, credentials, notes }: RoutesContext,
): void {
  const named = entryOf(options, 'headers') ?? (defaults && entryOf(defaults, 'headers'));
  for (const name of headers.filter((name) => credentials.has(name))) {
    const message = `\`headers\` names \`${name}\`, which says who is asking: `
      + 'name it in `identities`, and that in `per`';
    notes.wrong(named?.at ?? at, message);
  }
}

/** What a QUERY asks is in its content, which no URL has. */
function checkWarm({ warm = [] }: Given, { method }: Rule, notes: Notes): void {
  if (method === 'GET') return;
  for (const { at } of warm) notes.wrong(at, `\`warm\`: a \`${method}\` can't be asked by a URL`);
}

function unique<W extends string>(given: W | readonly string[]): W | readonly string[] {
  return typeof given === 'string' ? given : [...new Set(given)];
}

function sorted<W extends string>(given: W | readonly string[]): W | readonly string[] {
  return typeof given === 'string' ? given : [...new Set(given)].sort();
}

/** Of a flat map whose lists are sorted already. */
function hashOf(decides: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(decides).sort();
  const canonical = JSON.stringify(names.map((name) => [name, decides[name]]));
  return createHash('sha256').update(canonical).digest('base64url').slice(0, 16);
}

/** A tag may hang only on what the entry's key holds, or on the answer. */
function readTag(
  { text, at }: Placed, { route, method }: Rule, given: Given, notes: Notes,
): Template[] {
  if (/\s/.test(text)) notes.wrong(at, `the tag \`${text}\` has a space in it`);
  const read = readTemplate(text);
  if (read.kind === 'wrong') {
    notes.wrong(at, read.message);
    return [];
  }
  for (const hole of holesOf(read.template)) {
    const ofContent = hole.from === 'request.body' && method === 'QUERY';
    const because = ofContent ? undefined : unknownTo(hole, route.params, given);
    if (because === undefined) continue;
    const name = hole.path[0]!;
    const meant = hole.from === 'params' ? nearest(name, route.params) : undefined;
    notes.wrong(at, `in \`${text}\`: \`${name}\` ${because}`, meant);
  }
  return [read.template];
}

/** Why a read can't give the value of this hole. */
function unknownTo(
  { from, path }: Hole, params: readonly string[], given: Given,
): string | undefined {
  const { query = 'all', headers = [] } = given;
  const name = path[0]!;
  switch (from) {
    case 'params': return params.includes(name) ? undefined : 'is no parameter of this path';
    case 'query':
      return query === 'all' || (query !== 'none' && query.includes(name))
        ? undefined : 'is not in this rule\'s `query`';
    case 'request.headers':
      return headers.includes(name) ? undefined : 'is not in this rule\'s `headers`';
    case 'request.body': return 'is of a body, and a `GET` has none';
    case 'response.body': case 'response.headers': return undefined;
  }
}
