// Twenty users over two instances that share a Redis: they read, write, log in and out at random,
// by cookie and by token. Every answer is looked at: whose it is, and that no write or logout that
// was answered before the reader asked is missing from it. A program of its own, since what watches
// over a test costs more than all that it does: `node test/story/reader-run.ts SEED ANSWERS`.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Pool } from 'undici';
import { random, type Random } from '../chaos/random.ts';
import { json } from '../play.ts';
import { front } from '../raw.ts';
import { startRedis, until } from '../redis.ts';

const [SEED = 1, ANSWERS = 1000] = process.argv.slice(2).map(Number);
const USERS = Array.from({ length: 20 }, (_, i) => `user-${i}`) as [string, ...string[]];
const CLIENTS = 32;
const PATHS = ['/unread', '/unread?page=2', '/me', '/items/1', '/items/2'] as const;

const RULES = `
limits: { writes_per_client: 1000 }
identities:
  session: { from: { cookie: sid }, forget_on: ["POST /logout"], recheck: 2s }
  token:   { from: { header: authorization }, forget_on: ["POST /logout"], recheck: 2s }
defaults: { ttl: 1h, per: [session, token] }
routes:
  /unread:    { GET: {} }
  /me:        { GET: {} }
  /items/:id:
    GET: {}
    PUT: { refresh: [/items/:id, /unread] }
  /posts:     { POST: { refresh: [/unread] } }
  /read:      { POST: { refresh: ["/unread @self", "/me @self"] } }
`;

interface Session {
  readonly sid: string;
  readonly user: string;
  readonly by: 'cookie' | 'token';
  /** Its logout was answered. */
  over: boolean;
  /** Its logout is under way, or was answered. */
  ending: boolean;
}

/** What the API has: a version of each thing, which writes raise. */
class Truth {
  readonly users = new Map<string, string>();
  readonly versions = new Map<string, number>();
  #sids = 0;

  of(thing: string): number {
    return this.versions.get(thing) ?? 0;
  }

  raise(thing: string): void {
    this.versions.set(thing, this.of(thing) + 1);
  }

  login(user: string): string {
    this.#sids += 1;
    const sid = `${user}.${this.#sids}`;
    this.users.set(sid, user);
    return sid;
  }
}

/**
 * The things of which an answer shows the versions; a write raises them. What one session has read
 * is its own: `@self` of a cookie or a token reaches this session.
 */
function thingsOf(line: string, sid: string): string[] {
  const [method, path] = line.split(' ') as [string, string];
  if (path.startsWith('/unread')) return ['posts', 'items', `read ${sid}`];
  if (path === '/me' || path === '/read') return [`read ${sid}`];
  if (path === '/posts') return ['posts'];
  if (path === '/logout') return [];
  return method === 'PUT' ? [path, 'items'] : [path];
}

function sidOf({ headers }: IncomingMessage): string {
  return /(?:^|; )sid=([^;]+)/.exec(headers.cookie ?? '')?.[1]
    ?? /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
}

async function api(
  truth: Truth, chance: Random, request: IncomingMessage, response: ServerResponse,
): Promise<void> {
  const line = `${request.method!} ${request.url!}`;
  await text(request);
  const later = async (): Promise<void> => {
    for (let i = chance.next() * 3; i > 0; i -= 1) {
      await new Promise((soon) => void setImmediate(soon));
    }
  };
  await later();
  const sid = sidOf(request);
  const user = truth.users.get(sid);
  const login = /^POST \/login\?(.+)$/.exec(line)?.[1];
  if (login !== undefined) return json(response, { sid: truth.login(login) });
  if (user === undefined) return json(response, { refused: true }, { status: 401 });
  if (line === 'POST /logout') truth.users.delete(sid);
  const things = thingsOf(line, sid);
  if (request.method !== 'GET') for (const thing of things) truth.raise(thing);
  const shown = Object.fromEntries(things.map((thing) => [thing, truth.of(thing)]));
  await later();
  json(response, { user, shown }, { headers: { 'cache-control': 'private, max-age=0' } });
}

interface Answered {
  readonly status: number;
  readonly cache: string;
  readonly value: { user?: string; sid?: string; shown?: Record<string, number> };
}

interface World {
  readonly chance: Random;
  readonly sessions: Map<string, Session>;
  /** The version that every read from now on has to show. */
  readonly answered: Map<string, number>;
  readonly truth: Truth;
  ask(method: string, path: string, session?: Session): Promise<Answered>;
  readonly counts: { reads: number; hits: number; refused: number; writes: number; logins: number };
  readonly wrong: string[];
}

async function read(w: World, session: Session): Promise<void> {
  const path = w.chance.pick(PATHS);
  const { over } = session;
  const wanted = thingsOf(`GET ${path}`, session.sid).map((thing) =>
    [thing, w.answered.get(thing) ?? 0] as const);
  const { status, value, cache } = await w.ask('GET', path, session);
  w.counts.reads += 1;
  if (/; hit;/.test(cache)) w.counts.hits += 1;
  const told = `${session.sid} ${path} ${status} ${cache} ${JSON.stringify(value)}`;
  if (status === 401) {
    w.counts.refused += 1;
    if (!session.ending) w.wrong.push(`refused: ${told}`);
    return;
  }
  if (over) w.wrong.push(`after its logout: ${told}`);
  if (value.user !== session.user) w.wrong.push(`crossed: ${told}`);
  for (const [thing, version] of wanted) {
    if ((value.shown?.[thing] ?? -1) < version) w.wrong.push(`stale, ${thing} ${version}: ${told}`);
  }
}

async function write(w: World, session: Session): Promise<void> {
  const line = w.chance.pick(['POST /posts', 'POST /read', 'PUT /items/1', 'PUT /items/2']);
  const [method, path] = line.split(' ') as [string, string];
  const { status, value } = await w.ask(method, path, session);
  if (status !== 200) return;
  w.counts.writes += 1;
  for (const [thing, version] of Object.entries(value.shown!)) {
    w.answered.set(thing, Math.max(w.answered.get(thing) ?? 0, version));
  }
}

async function login(w: World, user: string): Promise<void> {
  const { value } = await w.ask('POST', `/login?${user}`);
  const by = w.chance.next() < 0.5 ? 'cookie' : 'token';
  w.counts.logins += 1;
  w.sessions.set(value.sid!, { sid: value.sid!, user, by, over: false, ending: false });
}

async function logout(w: World, session: Session): Promise<void> {
  session.ending = true;
  const { status } = await w.ask('POST', '/logout', session);
  if (status === 200) session.over = true;
  // Somebody still tries it for a while.
  if (w.chance.next() < 0.9) w.sessions.delete(session.sid);
}

async function client(w: World): Promise<void> {
  while (w.counts.reads < ANSWERS && w.wrong.length < 10) {
    const user = w.chance.pick(USERS);
    const mine = [...w.sessions.values()].filter((session) => session.user === user);
    const open = mine.filter(({ ending }) => !ending);
    const draw = w.chance.next();
    if (open.length === 0 || draw < 0.002) await login(w, user);
    else if (draw < 0.004) await logout(w, w.chance.pick(open as [Session, ...Session[]]));
    else if (draw < 0.008) await write(w, w.chance.pick(open as [Session, ...Session[]]));
    else await read(w, w.chance.pick(mine as [Session, ...Session[]]));
    if (mine.length > 4) w.sessions.delete(mine[0]!.sid);
  }
}

async function main(): Promise<void> {
  const ends: (() => unknown)[] = [];
  const t = { teardown: (end: () => Promise<void> | void) => void ends.unshift(end) };
  const chance = random(SEED);
  const truth = new Truth();
  const upstream = createServer((request, response) => {
    void api(truth, chance.fork(), request, response);
  });
  await new Promise<void>((resolve) => void upstream.listen(0, '127.0.0.1', resolve));
  ends.unshift(() => upstream.closeAllConnections(), () => upstream.close());
  const redis = await startRedis();
  ends.unshift(() => redis.stop());
  const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const rules = `store: "${redis.url}"\nsecret: a secret of the test that is long enough\n${RULES}`;
  const instances = [await front(t, url, { rules }), await front(t, url, { rules })];
  await until(() => instances.every(({ composed: { gateway } }) =>
    gateway.store.state().state === 'ready'), { what: 'both instances' });
  const pools = instances.map((one) => new Pool(one.url, { connections: CLIENTS })) as
    [Pool, ...Pool[]];
  ends.unshift(() => Promise.all(pools.map((pool) => pool.destroy())));
  const w: World = {
    chance, truth, sessions: new Map(), answered: new Map(), wrong: [],
    counts: { reads: 0, hits: 0, refused: 0, writes: 0, logins: 0 },
    async ask(method, path, session) {
      const headers = session === undefined ? {}
        : session.by === 'cookie' ? { cookie: `theme=x; sid=${session.sid}` }
          : { authorization: `Bearer ${session.sid}` };
      const { statusCode, headers: told, body } = await chance.pick(pools).request({
        method: method, path, headers,
      });
      const value = await body.json() as Answered['value'];
      return { status: statusCode, cache: String(told['cache-status']), value };
    },
  };
  for (const user of USERS) await login(w, user);
  await Promise.all(Array.from({ length: CLIENTS }, () => client(w)));
  const troubles = instances.map(({ composed: { metrics } }) => metrics.text());
  const told = (await Promise.all(troubles)).flatMap(({ text: lines }) =>
    lines.split('\n').filter((line) => /^everfresh_troubles_total.*assertion/.test(line)));
  for (const end of ends) await end();
  console.log(JSON.stringify({ ...w.counts, wrong: w.wrong, assertions: told }));
}

await main();
