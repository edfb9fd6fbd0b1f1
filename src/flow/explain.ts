// Says what everfresh would do with a request, and why, without doing it: the same decisions as the
// stories take.
import { atTheDoor } from '../core/http/door.ts';
import { field, type Fields, hasField } from '../core/http/message.ts';
import { type Cacheable, meaningOf } from '../core/key/meaning.ts';
import { queryOf } from '../core/key/query.ts';
import { identitiesOf } from '../core/key/reader.ts';
import { askingWith } from '../core/key/shown.ts';
import { reachOf, writeRules } from '../core/plan/reach.ts';
import { extraTag } from '../core/plan/tags.ts';
import { parseBody, texts } from '../core/plan/values.ts';
import type { Gateway, Live } from './gateway.ts';
import { lookAside } from './look.ts';
import type { Tokens } from './ports.ts';
import { usesUnder } from './purge.ts';
import { forgottenBy, isAccepted, selfOf, verified } from './reader.ts';

export interface Question {
  readonly method: string;
  /** Path and query, or a URL of which only those count. */
  readonly url: string;
  readonly fields: Fields;
  readonly body?: Uint8Array;
}

/** Plain JSON, for people and for the admin listener. */
export interface Explanation {
  readonly request: string;
  readonly kind: 'read' | 'write' | 'pass' | 'refuse';
  readonly because?: string;
  readonly route?: string;
  readonly key?: string;
  readonly asking?: string;
  /** The identity as which it is asked for, or that it is nobody's in particular. */
  readonly reader?: string;
  /** Why nobody can say which reader asks. */
  readonly unclear?: string;
  readonly fetch?: {
    readonly method: string; readonly target: string; readonly fields: readonly string[];
  };
  readonly tags?: readonly string[];
  readonly ttlMs?: number | null;
  readonly cached?: {
    readonly standing: string;
    readonly asOf?: number;
    readonly ageMs?: number;
    /** The upstream has accepted this reader lately. */
    readonly accepted?: boolean;
  };
  /** Identities of which it ends the reader that it shows. */
  readonly ends?: readonly string[];
  readonly touches?: readonly {
    readonly tag: string;
    readonly because: string;
    readonly then: string;
    readonly inUse?: number;
  }[];
}

const SAFE = new Set(['OPTIONS', 'TRACE']);

/** Where there is no gateway that runs, nobody is asked what is kept. */
export interface Explaining {
  readonly live: Pick<Live, 'config' | 'finder' | 'readers' | 'forgets'>;
  readonly tokens: Tokens;
  readonly gateway?: Gateway;
}

export async function explain(question: Question, world: Explaining): Promise<Explanation> {
  const { config, finder, readers } = world.live;
  const method = question.method.toUpperCase();
  const target = question.url.replace(/^https?:\/\/[^/?#]*(?=[/?#]|$)/, '') || '/';
  const request = `${method} ${target}`;
  const host = field(question.fields, 'host') ?? config.hosts[0] ?? 'localhost';
  const fields = [
    ...question.fields.filter((_, i, all) => all[i - (i % 2)]!.toLowerCase() !== 'host'),
    'Host',
    host,
  ];
  const hasBody = question.body !== undefined;
  const door = atTheDoor(
    { method, target, fields, httpVersion: '1.1', hasBody },
    {
      limits: config.limits,
      hosts: config.hosts,
      credentials: config.credentials.headers,
    },
  );
  if (door.kind === 'refuse') return { request, kind: 'refuse', because: door.because };
  const { path, query, authority } = door;
  await verified(world, fields);
  const scheme = config.tls === undefined ? 'http' : 'https';
  const { body } = question;
  const asked = { method, target, fields, path, query, authority, hasBody, scheme, body } as const;
  if (method !== 'GET' && method !== 'HEAD' && method !== 'QUERY') {
    if (SAFE.has(method)) return { request, kind: 'pass', because: 'safe-method' };
    const explained = explainWrite({ ...asked, request }, question, world);
    const ends = forgottenBy(world.live, asked).map(({ name }) => name);
    return ends.length === 0 ? explained : { ...explained, ends };
  }
  const meaning = meaningOf(asked, config, (at) => finder.match(at), readers);
  if (meaning.kind === 'pass') {
    const route = meaning.route?.pattern;
    return {
      request,
      kind: 'pass',
      because: meaning.because,
      ...(meaning.unclear === undefined ? {} : { unclear: meaning.unclear }),
      ...(route === undefined ? {} : { route }),
    };
  }
  const { rule, recipe, tags, key, credential } = meaning;
  const { gateway } = world;
  const asking = askingWith(fields, config.credentials);
  const quarantined = gateway?.quarantine.holds(rule) === true;
  const passes = asking !== 'none' && rule.per === undefined;
  return {
    request,
    kind: 'read',
    ...(quarantined ? { because: 'quarantined' } : passes ? { because: 'credentials' } : {}),
    route: rule.pattern,
    key,
    asking,
    ...readerOf(meaning),
    fetch: {
      method: recipe.method, target: recipe.target,
      fields: [
        ...recipe.fields, ...hidden(rule.service), ...hidden(credential?.fields ?? []),
      ],
    },
    tags: [...tags, ...ownTagsKnown(meaning)].map(nameless),
    ttlMs: rule.ttlMs ?? null,
    ...(gateway === undefined ? {} : { cached: await cachedNow(gateway, meaning) }),
  };
}

/** As what somebody reads, never who it is. */
function readerOf({ rule, reader }: Cacheable): Pick<Explanation, 'reader'> {
  if (identitiesOf(rule).length === 0) return {};
  return { reader: reader === undefined ? 'nobody' : reader.identity.name };
}

const HIDDEN = '…';

function hidden(fields: Fields): string[] {
  return fields.map((text, i) => (i % 2 === 0 ? text : HIDDEN));
}

/** A tag without whom it is about. */
function nameless(tag: string): string {
  return tag.replace(/(^| @)(who:[A-Za-z][\w-]*):[\w-]{43}$/, `$1$2:${HIDDEN}`);
}

/** The rule's own tags; one that takes the answer to compute stands as the file says it. */
function ownTagsKnown({ rule, params, recipe }: Cacheable): string[] {
  const { body, fields: requestFields } = recipe;
  const requestBody = body && parseBody(requestFields, body);
  const said = { params, query: queryOf(recipe.target), requestFields, requestBody };
  return rule.tags.flatMap((template) =>
    texts(template, said)?.map(extraTag) ?? [`tag:${template.text}`],
  );
}

async function cachedNow(
  gateway: Gateway,
  meaning: Cacheable,
): Promise<NonNullable<Explanation['cached']>> {
  const { standing, entry } = await lookAside(gateway, meaning);
  const accepted = meaning.reader === undefined ? {} : { accepted: isAccepted(gateway, meaning) };
  if (entry === undefined) return { standing, ...accepted };
  const ageMs = gateway.clock.now() - entry.receivedAt;
  return { standing, asOf: entry.asOf, ageMs, ...accepted };
}

function explainWrite(
  asked: {
    method: string;
    path: string;
    query: string | undefined;
    fields: Fields;
    request: string;
  },
  { body }: Question,
  { live, gateway }: Explaining,
): Explanation {
  const { config, finder } = live;
  const { request } = asked;
  const rules = writeRules(asked, finder);
  const typed = hasField(asked.fields, 'content-type')
    ? asked.fields
    : [...asked.fields, 'Content-Type', 'application/json'];
  const said = { requestFields: asked.fields, requestBody: body && parseBody(typed, body) };
  const selfOn = selfOf({ live }, asked);
  const { refresh, purge, why } = reachOf(asked, rules, { config, finder, said, selfOn });
  const inUse = (tag: string): { inUse?: number } =>
    gateway === undefined
      ? {}
      : { inUse: usesUnder(gateway, [tag]).length };
  const touches = [
    ...[...refresh].map((tag) => ({
      tag: nameless(tag), because: why.get(tag)!, then: 'refresh', ...inUse(tag),
    })),
    ...[...purge].map((tag) => ({
      tag: nameless(tag), because: why.get(tag)!, then: 'purge', ...inUse(tag),
    })),
  ];
  const route = rules.rules[0]?.rule.pattern;
  if (touches.length === 0) return { request, kind: 'pass', because: 'no-touchable-route' };
  return { request, kind: 'write', ...(route === undefined ? {} : { route }), touches };
}
