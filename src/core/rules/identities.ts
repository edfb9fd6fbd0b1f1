// Compiles who may ask: where a reader's name is read from, and what may be done as one. What
// decides about a reader's entries goes into the identity's hash, which is in the key.
import { createHash } from 'node:crypto';
import type { ForgetOn, Identity, IdentitySource, ServiceField } from './config.ts';
import { isToken } from './formats.ts';
import type { fromOptions, identityOptions } from './grammar.ts';
import type { Named, Placed, Values } from './kinds.ts';
import { readPattern } from './pattern.ts';
import { nearest } from './problem.ts';
import type { Notes } from './problem.ts';

type Given = Values<typeof identityOptions>;
type From = Values<typeof fromOptions>;

export function compileIdentities(
  given: readonly Named<Given>[] | undefined, notes: Notes,
): Identity[] {
  return (given ?? []).flatMap((one) => compileIdentity(one, notes) ?? []);
}

function compileIdentity({ name, at, value }: Named<Given>, notes: Notes): Identity | undefined {
  const from = value.from && sourceOf(name, value.from, (message) => notes.wrong(at, message));
  const forgetOn = (value.forget_on ?? []).flatMap((placed) => forgetting(placed, notes) ?? []);
  if (from === undefined) return undefined;
  return {
    name,
    from,
    recheckMs: value.recheck,
    keepMs: value.keep,
    replayAs: value.replay_as,
    hold: value.hold,
    service: serviceOf({ name, at, value }, from, notes),
    forgetOn,
    max: { identities: value.max.identities, variantsEach: value.max.variants_each },
    hash: hashOf([name, from]),
  };
}

function hashOf(decides: unknown): string {
  return createHash('sha256').update(JSON.stringify(decides)).digest('base64url').slice(0, 16);
}

function sourceOf(
  name: string, { cookie, header, jwt, trusted_from: trustedFrom }: From,
  wrong: (message: string) => void,
): IdentitySource | undefined {
  const given = [cookie, header, jwt].filter((one) => one !== undefined);
  if (given.length !== 1) {
    wrong(`\`from\` of \`${name}\` must have exactly one of \`cookie\`, \`header\` and \`jwt\``);
    return undefined;
  }
  if (trustedFrom !== undefined && header === undefined) {
    wrong(`\`trusted_from\` of \`${name}\` goes with \`header\``);
  }
  if (cookie !== undefined) return { kind: 'cookie', name: cookie };
  if (header !== undefined) return sourceOfHeader(name, header, trustedFrom, wrong);
  if (jwt?.jwks === undefined) return undefined;
  const { claims, jwks, issuer = [], audience = [] } = jwt;
  return {
    kind: 'jwt', header: jwt.header, claims: [...new Set(claims)].sort(), jwks, issuer, audience,
  };
}

/** Fields that say something else, of which no reader can be made. */
const NO_NAMES = new Set(['cookie', 'host', 'dpop', 'connection', 'content-length']);

function sourceOfHeader(
  identity: string, name: string, trustedFrom: readonly string[] | undefined,
  wrong: (message: string) => void,
): IdentitySource | undefined {
  if (NO_NAMES.has(name)) {
    const instead = name === 'cookie' ? ': say `cookie:` and its name' : '';
    wrong(`\`header\` of \`${identity}\` can't be \`${name}\`${instead}`);
    return undefined;
  }
  if (trustedFrom === undefined) return { kind: 'header', name };
  if (trustedFrom.length === 0) wrong(`\`trusted_from\` of \`${identity}\` names nobody`);
  return { kind: 'trusted', name, trustedFrom };
}

function forgetting({ text, at }: Placed, notes: Notes): ForgetOn | undefined {
  const [, method = '', pattern = ''] = /^(\S+) +(\S+)$/.exec(text) ?? [];
  if (!isToken(method) || method !== method.toUpperCase()) {
    notes.wrong(at, `\`${text}\` must be a method and a path, such as \`POST /logout\``);
    return undefined;
  }
  const read = readPattern(pattern);
  if (read.kind === 'pattern') return { method, pattern, ...read.pattern };
  for (const { message, suggestion } of read.faults) notes.wrong(at, message, suggestion);
  return undefined;
}

/** A service speaks for a reader: without a word of which one, its answer would be anybody's. */
function serviceOf(
  { name, at, value }: Named<Given>, from: IdentitySource, notes: Notes,
): ServiceField[] {
  const { service = [], replay_as: replayAs } = value;
  if ((replayAs === 'service') !== service.length > 0) {
    notes.wrong(at, `\`service\` and \`replay_as: service\` of \`${name}\` go together`);
    return [];
  }
  const named = from.kind === 'jwt' ? from.claims : from.kind === 'trusted' ? [from.name] : [];
  if (service.length > 0 && named.length === 0) {
    notes.wrong(at, `\`service\` of \`${name}\` needs a name of the reader, which only `
      + '`jwt`, or `header` with `trusted_from`, gives');
    return [];
  }
  const fields = service.map((field) => fieldOf(field, named, notes));
  const said = new Set(fields.flatMap(({ holes }) => holes));
  const unsaid = named.find((one) => !said.has(one));
  if (service.length > 0 && unsaid !== undefined) {
    notes.wrong(at, `\`service\` of \`${name}\` must say \`{${unsaid}}\`: whose answer it is`);
  }
  return fields;
}

function fieldOf(
  { name, at, value }: Named<string>, named: readonly string[], notes: Notes,
): ServiceField {
  const pieces = value.split(/\{([^{}]*)\}/);
  const holes = pieces.filter((_, i) => i % 2 === 1);
  for (const hole of holes.filter((one) => !named.includes(one))) {
    notes.wrong(at, `\`{${hole}}\` in \`${name}\` must be one of ${listed(named)}`);
  }
  return { name: name.toLowerCase(), texts: pieces.filter((_, i) => i % 2 === 0), holes };
}

const listed = (names: readonly string[]): string =>
  names.map((name) => `\`{${name}}\``).join(', ');

/** Where a reader of this identity shows who it is. */
function placeOf({ from }: Identity): string {
  if (from.kind === 'cookie') return `cookie ${from.name}`;
  return from.kind === 'jwt' ? from.header : from.name;
}

/** The identities that a `per` names, or that it is everyone's; undefined where it is wrong. */
export function perOf(
  given: readonly Placed[], identities: readonly Identity[], notes: Notes,
): 'everyone' | readonly Identity[] | undefined {
  const everyone = given.find(({ text }) => text === 'everyone');
  if (everyone !== undefined) {
    if (given.length === 1) return 'everyone';
    notes.wrong(everyone.at, '`per`: what everyone shares is nobody\'s own: it stands alone');
    return undefined;
  }
  const found: Identity[] = [];
  for (const { text, at } of given) {
    const identity = identities.find(({ name }) => name === text);
    if (identity !== undefined) {
      found.push(identity);
    } else {
      const names = ['everyone', ...identities.map(({ name }) => name)];
      notes.wrong(at, `\`per\` may be \`everyone\` or an identity: \`${text}\` is none`,
        nearest(text, names));
    }
  }
  const same = found.find((one, i) =>
    found.some((other, j) => j < i && other !== one && placeOf(other) === placeOf(one)));
  if (same !== undefined) {
    notes.wrong(given[0]!.at, `\`per\`: \`${same.name}\` and another are read from the same place, `
      + 'so that nobody could tell which one is meant');
  }
  return found.length === given.length && found.length > 0 ? [...new Set(found)] : undefined;
}
