// Where every request comes in: refused at the door, or told as a read, a write, or a plain pass.
// Mistakes of our own are caught here, once: a read is then served without the cache, and a write
// is never sent twice.
import { atTheDoor, type Entered } from '../core/http/door.ts';
import { type Cacheable, readRuleOf } from '../core/key/meaning.ts';
import type { Route } from '../core/rules/config.ts';
import type { Asked, Gateway, Live, Told } from './gateway.ts';
import { pass, problemTold } from './pass.ts';
import { Broken, type Incoming } from './ports.ts';
import { read } from './read.ts';
import { endsFor, verified } from './reader.ts';
import { write } from './write.ts';
import { gatherRequest } from './write-bodies.ts';

// RFC 9110 §9.2.1, and RFC 10008 for QUERY: these change nothing, so that nothing is touched.
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY']);

/** `known`: what a request of the same head was found to mean before. */
export async function enter(
  gateway: Gateway, incoming: Incoming, known?: Known,
): Promise<Told> {
  const before = known?.live === gateway.live ? known : undefined;
  const asked = before === undefined ? askedOf(gateway, incoming) : askedAgain(incoming, before);
  if ('kind' in asked) return problemTold(gateway, incoming, asked);
  try {
    // Who a reader is, is asked anew whenever the upstream may be.
    const ofNobody = before?.meaning.reader === undefined;
    if (before !== undefined && ofNobody && gateway.mode !== 'off') {
      return await read(gateway, asked, before.meaning);
    }
    if (gateway.live.config.identities.length > 0) return await storyOfReader(gateway, asked);
    return await story(gateway, asked);
  } catch (error) {
    if (error instanceof Broken)
      return problemTold(gateway, asked, { kind: 'refuse', because: 'bad-framing' });
    gateway.ear.trouble('assertion', { error, id: asked.id });
    if (asked.method === 'GET' || asked.method === 'HEAD')
      return pass(gateway, asked, { because: 'internal' });
    return problemTold(gateway, asked, { kind: 'fail', because: 'internal' });
  }
}

/** A GET or HEAD that the door has let in, and that a rule reads, under one configuration. */
export interface Known {
  readonly live: Live;
  readonly reader: Pick<Asked, 'target' | 'path' | 'query'>;
  readonly meaning: Cacheable;
}

function askedAgain(incoming: Incoming, { reader: { target, path, query } }: Known): Asked {
  return { ...incoming, target, path, query, hasBody: false };
}

/** The request as the door lets it in, or why it does not. */
export function askedOf(
  { live: { config, believedFrom } }: Gateway, incoming: Incoming,
): Asked | Extract<Entered, { kind: 'refuse' }> {
  const hasBody = incoming.body !== undefined;
  const { method, httpVersion, authority } = incoming;
  const fields = believedFrom(incoming.fields, incoming.peer);
  const door = atTheDoor(
    { method, target: incoming.target, fields, httpVersion, authority, hasBody },
    { limits: config.limits, hosts: config.hosts, credentials: config.credentials.headers },
  );
  if (door.kind === 'refuse') return door;
  const { path, query } = door;
  // RFC 9112 §3.2.1: to the upstream goes the origin-form, in whatever form the target came.
  const target = query === undefined ? path : `${path}?${query}`;
  return { ...incoming, fields, target, path, query, hasBody };
}

/** Who asks may be one of many readers, and may be no more after this. */
async function storyOfReader(gateway: Gateway, asked: Asked): Promise<Told> {
  await verified(gateway, asked.fields);
  const ends = endsFor(gateway, asked);
  const told = await story(gateway, asked);
  await ends(told);
  return told;
}

function story(gateway: Gateway, asked: Asked): Promise<Told> {
  // Writes touch in every mode: another instance may be on, or this one soon.
  if (!SAFE.has(asked.method)) return write(gateway, asked);
  if (gateway.mode === 'off') {
    return pass(gateway, asked, { because: 'mode-off', route: routeOf(gateway, asked) });
  }
  if (asked.method === 'GET' || asked.method === 'HEAD') return read(gateway, asked);
  if (asked.method === 'QUERY' && readRuleOf(routeOf(gateway, asked), 'QUERY') !== undefined) {
    return query(gateway, asked);
  }
  return pass(gateway, asked, { because: 'safe-method', route: routeOf(gateway, asked) });
}

/** What a QUERY asks for is in its content, which is read first; one that is too long is passed. */
async function query(gateway: Gateway, asked: Asked): Promise<Told> {
  const given = await gatherRequest(asked, gateway.live.config.limits.queryBodyBytes);
  // A copy, since what came may be a small piece of a large buffer, which a key would keep.
  const body = given instanceof Uint8Array ? new Uint8Array(given) : given;
  return read(gateway, { ...asked, body });
}

function routeOf(gateway: Gateway, asked: Asked): Route | undefined {
  return gateway.live.finder.match(asked.path)?.route;
}
