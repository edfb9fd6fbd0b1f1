// The promise over many interleavings: readers and writers at random, an upstream that answers when
// it pleases and out of order. Seeded: a run that fails prints what to run again.
import { setImmediate as soon } from 'node:timers/promises';
import t from 'tap';
import { json, type Script, stage } from '../play.ts';

const RULES = `
limits: { writes_per_client: 200, quarantine: 30ms }
routes:
  /list:      { GET: { ttl: 1h, query: [page] } }
  /items/:id:
    GET:  { ttl: 1h }
    PUT:  { refresh: [/items/:id, /list] }
    POST: { refresh: [/list], purge: [/items/:id] }
  /byowner/:owner: { GET: { ttl: 1h, stale_while_revalidate: 1h } }
  /hook/:owner: { POST: { refresh: ["/byowner/{request.body.owner}"], settle: 5ms } }
`;
const READERS = 6;
const WRITERS = 2;
const READS_EACH = 850;

type Draw = (below: number) => number;

/** mulberry32: small, and the same everywhere. */
function seeded(seed: number): Draw {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** What a path shows is the version of each thing that it is made of. */
const PARTS: Record<string, readonly string[]> = {
  '/list': ['1', '2'], '/list?page=2': ['1', '2'], '/items/1': ['1'], '/items/2': ['2'],
  '/byowner/ann': ['ann'], '/byowner/bob': ['bob'],
};
const PATHS = Object.keys(PARTS);

async function steps(count: number): Promise<void> {
  for (let step = 0; step < count; step += 1) await soon();
}

interface World {
  readonly truth: Map<string, number>;
  readonly script: Script;
}

/** Applies and reads at one moment, and answers at a later one. */
function world(draw: Draw): World {
  const truth = new Map<string, number>();
  const script: Script = async (request, response, body) => {
    await steps(draw(4));
    if (request.method !== 'GET') {
      const { owner } = JSON.parse(body) as { owner?: string };
      const thing = owner ?? request.url!.split('/')[2]!;
      const version = (truth.get(thing) ?? 0) + 1;
      truth.set(thing, version);
      await steps(draw(6));
      // Now and then nobody learns how the write ended.
      if (draw(40) === 0) return json(response, {}, { status: 500 });
      return json(response, { [thing]: version });
    }
    const shown = Object.fromEntries(
      PARTS[request.url!]!.map((thing) => [thing, truth.get(thing) ?? 0]),
    );
    await steps(draw(10));
    if (draw(50) === 0) return json(response, {}, { status: 503 });
    if (draw(80) === 0) return void response.socket!.destroy();
    return json(response, shown);
  };
  return { truth, script };
}

for (const seed of [1, 777_777]) {
  t.test(`no read is older than a write answered before it (seed ${seed})`, async (t) => {
    const draw = seeded(seed);
    const { script } = world(draw);
    const s = await stage(t, { rules: RULES, script });
    const acknowledged = new Map<string, number>();
    const wrong: string[] = [];
    let [hits, reads] = [0, 0];
    const still = { writing: true };

    const reader = async (): Promise<void> => {
      for (let nth = 0; nth < READS_EACH; nth += 1) {
        const path = PATHS[draw(PATHS.length)]!;
        const least = PARTS[path]!.map((thing) => [thing, acknowledged.get(thing) ?? 0] as const);
        const reply = await s.get(path).catch(() => undefined);
        reads += 1;
        if (reply?.status !== 200) continue;
        if (/hit/.test(reply.cache)) hits += 1;
        const shown = JSON.parse(reply.body) as Record<string, number>;
        for (const [thing, version] of least) {
          if (shown[thing]! < version) wrong.push(
            `${path}: ${thing} is ${shown[thing]}, not ${version} (${reply.cache})`,
          );
        }
      }
    };
    const writer = async (): Promise<void> => {
      while (still.writing) {
        const [thing, path, method, body] = aWrite(draw);
        const reply = await s.send(method, path, body).catch(() => undefined);
        if (reply?.status === 200) {
          const version = (JSON.parse(reply.body) as Record<string, number>)[thing]!;
          acknowledged.set(thing, Math.max(acknowledged.get(thing) ?? 0, version));
        }
        await steps(draw(60));
      }
    };
    const writers = Array.from({ length: WRITERS }, writer);
    await Promise.all(Array.from({ length: READERS }, reader));
    still.writing = false;
    await Promise.all(writers);
    t.same(wrong, []);
    t.ok(reads > 5000, `${reads} reads`);
    t.ok(hits > 100, `${hits} of them from the cache`);
    t.ok(
      [...acknowledged.values()].reduce((sum, version) => sum + version, 0) > 50,
      'and writes among them',
    );
  });
}

function aWrite(draw: Draw): [thing: string, path: string, method: string, body: unknown] {
  const id = String(1 + draw(2));
  const owner = ['ann', 'bob'][draw(2)]!;
  switch (draw(3)) {
    case 0: return [id, `/items/${id}`, 'PUT', {}];
    case 1: return [id, `/items/${id}`, 'POST', {}];
    default: return [owner, '/hook/x', 'POST', { owner }];
  }
}
