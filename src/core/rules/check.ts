// What is allowed in a configuration and still looks like a mistake: shadowed routes, writes that
// refresh nothing, targets that nobody reads. Warns; never refuses.
import { identitiesOf } from '../key/reader.ts';
import type { Config, Identity, Route, Target, Template, WriteRule } from './config.ts';
import { PatternTree } from './pattern.ts';
import { nearest, Notes } from './problem.ts';
import type { Place, Problem } from './problem.ts';
import type { Places } from './rule.ts';

const SECRET_CHARS_MIN = 32;
const TOKEN_CHARS_MIN = 16;
const USUAL = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

export function warnings(
  config: Config, places: Places, placeOf: (key: string) => Place,
): Problem[] {
  const notes = new Notes();
  warnOfShadows(config.routes, places, notes);
  const read = config.routes.filter(({ reads }) => reads.size > 0);
  const reads = new Set(read.map(({ pattern }) => pattern));
  for (const { writes } of config.routes) {
    for (const write of writes.values()) {
      warnOfWrite(write, reads, places, notes);
      warnOfTags(write, config.routes, places, notes);
      warnOfSelf(write, config.routes, places, notes);
    }
  }
  for (const identity of config.identities) warnOfIdentity(identity, config, places, notes);
  if (config.secret !== undefined && config.secret.length < SECRET_CHARS_MIN) {
    const advice = `take at least ${SECRET_CHARS_MIN} random characters`;
    notes.warn(placeOf('secret'), `\`secret\` is short: ${advice}`);
  }
  if (config.adminToken !== undefined && config.adminToken.length < TOKEN_CHARS_MIN) {
    const at = { file: 'EVERFRESH_ADMIN_TOKEN', line: 0, column: 0 };
    notes.warn(at, `is short: take at least ${TOKEN_CHARS_MIN} random characters`);
  }
  return notes.problems;
}

/** What may stand in a file and still must not be served. */
export function unfitToServe(
  { admin, adminToken, identities, secret, store, credentialsKey }: Config,
): Problem[] {
  const missing = (variable: string, message: string): Problem =>
    ({ file: variable, line: 0, column: 0, message: `is needed: ${message}`, severity: 'error' });
  const problems: Problem[] = [];
  if (admin !== 'off' && adminToken === undefined && !isLoopback(admin.host)) {
    problems.push(missing('EVERFRESH_ADMIN_TOKEN',
      `the admin listener on \`${admin.host}\` can be reached by others`));
  }
  if (identities.length > 0 && store.kind === 'redis' && secret === undefined) {
    problems.push(missing('EVERFRESH_SECRET',
      'all instances that share a store tell readers apart by the same one'));
  }
  const sealed = store.kind === 'redis' && identities.some(({ hold }) => hold === 'store');
  if (sealed && keyOf(credentialsKey) === undefined) {
    problems.push(missing('EVERFRESH_CREDENTIALS_KEY',
      '32 random bytes in base64 or hex, by which credentials in the store are encrypted'));
  }
  return problems;
}

/** The bytes of a key of 256 bits, said in base64 or hex. */
export function keyOf(text: string | undefined): Buffer | undefined {
  const hex = text !== undefined && /^[0-9a-f]{64}$/i.test(text);
  const bytes = text === undefined ? undefined : Buffer.from(text, hex ? 'hex' : 'base64');
  return bytes?.length === 32 ? bytes : undefined;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.[0-9]+){3}$/.test(host);
}

// They name somebody, and prove nothing.
const SAID_BY_PROXIES = new Set([
  'x-user-id', 'x-user', 'remote-user', 'x-remote-user', 'x-forwarded-user', 'x-forwarded-email',
]);

function warnOfIdentity(
  identity: Identity, { routes, store }: Config, places: Places, notes: Notes,
): void {
  const { name, from } = identity;
  const at = places.get(identity)!;
  const warn = (message: string): void => notes.warn(at, message);
  const read = routes.some(({ reads }) =>
    [...reads.values()].some(({ per }) => Array.isArray(per) && per.includes(identity)));
  if (!read) warn(`no \`per\` names the identity \`${name}\``);
  if (identity.hold === 'store' && store.kind === 'memory') {
    warn(`\`hold: store\` of \`${name}\` has no effect without a Redis \`store\``);
  }
  if (from.kind === 'header' && SAID_BY_PROXIES.has(from.name)) {
    warn(`anybody may set \`${from.name}\`: say by \`trusted_from\` whose word counts`);
  }
  if (from.kind !== 'jwt') return;
  if (from.audience.length === 0) {
    warn(`\`${name}\` has no \`audience\`: tokens that were made for others are taken as well`);
  }
  if (from.issuer.length === 0) warn(`\`${name}\` has no \`issuer\`: its keys alone are believed`);
  if (/^http:\/\/(?!localhost[:/]|127\.|\[::1\])/.test(from.jwks)) {
    warn(`\`jwks\` of \`${name}\` comes in clear text, so that anybody on the way may change it`);
  }
}

/** One session is not all that a person has open. */
function warnOfSelf(
  write: WriteRule, routes: readonly Route[], places: Places, notes: Notes,
): void {
  for (const target of [...write.refresh, ...write.purge]) {
    if (target.kind !== 'route' || !target.self) continue;
    const { reads } = routes.find(({ pattern }) => pattern === target.pattern)!;
    const session = [...reads.values()].flatMap(identitiesOf)
      .find(({ from }) => from.kind === 'cookie' || from.kind === 'header');
    if (session === undefined) continue;
    notes.warn(places.get(target)!, `\`@self\` reaches this ${session.from.kind === 'cookie'
      ? 'session' : 'token'} only, not all that \`${session.name}\` has open elsewhere`);
  }
}

/** A path belongs to one route, the narrowest: a method that only a wider one has isn't reached. */
function warnOfShadows(routes: readonly Route[], places: Places, notes: Notes): void {
  const tree = new PatternTree(routes);
  const order = new Map(routes.map((route, i) => [route, i]));
  for (const wide of routes) {
    const covered = tree.coveredBy(wide.segments).filter((narrow) => narrow !== wide);
    for (const narrow of covered.sort((a, b) => order.get(a)! - order.get(b)!)) {
      const methods = [...wide.reads.keys(), ...wide.writes.keys()]
        .filter((method) => !narrow.reads.has(method) && !narrow.writes.has(method));
      if (methods.length === 0) continue;
      const said = methods.map((method) => `\`${method}\``).join(', ');
      notes.warn(
        places.get(narrow)!,
        `\`${narrow.pattern}\` shadows \`${wide.pattern}\` and has no ${said} of its own`);
    }
  }
}

function warnOfWrite(
  write: WriteRule, reads: ReadonlySet<string>, places: Places, notes: Notes,
): void {
  const meant = USUAL.includes(write.method) ? undefined : nearest(write.method, USUAL);
  if (meant !== undefined) {
    notes.warn(places.get(write)!, `\`${write.method}\` is an unusual method`, meant);
  }
  const targets = [...write.refresh, ...write.purge];
  if (targets.length === 0) {
    const name = `${write.method} ${write.pattern}`;
    notes.warn(places.get(write)!, `\`${name}\` refreshes nothing but its own URL`);
  }
  for (const target of targets) {
    if (target.kind === 'tag' || reads.has(target.pattern)) continue;
    notes.warn(places.get(target)!, `nobody reads \`${sayTarget(target)}\`: it has no \`GET\``);
  }
}

/** A tag that no read of the file can carry; the upstream may still give it. */
function warnOfTags(
  write: WriteRule, routes: readonly Route[], places: Places, notes: Notes,
): void {
  const given = routes.flatMap(({ reads }) => [...reads.values()]).flatMap(({ tags }) => tags);
  for (const target of [...write.refresh, ...write.purge]) {
    if (target.kind !== 'tag' || target.tag.parts.some((part) => part.kind === 'value')) continue;
    if (given.some((template) => couldSay(template, target.tag.text))) continue;
    const near = nearest(target.tag.text, given.map(({ text }) => text));
    notes.warn(places.get(target)!, `no read has the tag \`${target.tag.text}\``, near);
  }
}

function couldSay({ parts }: Template, tag: string): boolean {
  let at = 0;
  for (const part of parts) {
    if (part.kind === 'value') continue;
    const found = tag.indexOf(part.text, at);
    if (found < 0) return false;
    at = found + part.text.length;
  }
  return parts.some((part) => part.kind === 'value') || at === tag.length;
}

function sayTarget(target: Target): string {
  return target.kind === 'tag' || target.text === target.pattern
    ? target.text : `${target.text} (${target.pattern})`;
}
