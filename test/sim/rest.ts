// The end of a history: everything has healed, and goes on until nothing is owed to anybody. Then
// every instance shows what the upstream has, from the cache, and nothing is left over.
import type { Checker } from './check.ts';
import type { Clients } from './crowd.ts';
import { LEASE_MS, QUARANTINE_MS } from './settings.ts';
import type { Stage } from './stage.ts';
import type { World } from './world.ts';

export interface RestOptions {
  readonly stage: Stage;
  readonly check: Checker;
  readonly clients: Clients;
  /** Also what nobody was promised is there: no writer is gone whose intent the store forgot. */
  readonly strict: boolean;
}

/** By then every hold is over, and everybody has joined anew. */
const REST_MS_MAX = 2 * QUARANTINE_MS + 6 * LEASE_MS;
const LOOK_MS = 400;

export async function atRest(world: World, options: RestOptions): Promise<void> {
  const { stage, check, clients, strict } = options;
  const { upstream } = stage;
  const end = world.now + REST_MS_MAX;
  // Twice: what the store has done last may not have been heard of.
  for (let quiet = 0; quiet < 2 && world.now < end;) {
    await world.run(world.now + LOOK_MS);
    quiet = owed(stage) === undefined ? quiet + 1 : 0;
  }
  const late = owed(stage);
  if (late !== undefined) check.violation(`it does not come to rest: ${late}`);
  check.everybody();
  world.note(() => 'at rest');
  const anyItem = world.chance.below(upstream.commits.length);
  const paths = ['/all', '/some', `/items/${anyItem}`];
  const ask = (path: string, again: boolean): void => {
    for (const instance of stage.living) {
      clients.readBy(instance, path, ({ shown, verdict }) => {
        const where = `at rest, ${instance.host.name} GET ${path}`;
        if (shown === undefined) {
          check.violation(`${where} breaks off`);
          return;
        }
        for (const item of upstream.itemsOf(path)) {
          const version = upstream.version(item);
          if (!strict || shown.get(item) === version) continue;
          check.violation(`${where} shows ${item}:${shown.get(item)}, not ${version}`);
        }
        const wrong = again && late === undefined && !verdict.startsWith('hit');
        if (wrong) check.violation(`${where} is no hit again, but ${verdict}`);
      }, true);
    }
  };
  for (const path of paths) ask(path, false);
  // The turn of one whose end was not heard of goes on for its time; where the store's clock was
  // set back, for longer than anybody waits.
  await world.run(world.now + 2500);
  const fetching = (): boolean => stage.living.some(({ gateway }) => gateway.flights.size > 0);
  for (let i = 0; i < 10 && fetching(); i += 1) await world.run(world.now + LOOK_MS);
  ask(world.chance.of(paths), true);
  await world.run(world.now + 500);
  // Somebody's turn may still be waited for in vain.
  if (owed(stage) !== undefined) await world.run(world.now + 6000);
  still(world, options);
}

/** What is still to be done before there is rest. */
function owed({ instances, living, store, upstream }: Stage): string | undefined {
  if (living.length < instances.length) return 'not all live';
  if (upstream.pending > 0) return 'a write is to be applied';
  const intents = [...store.server.hash?.intents.keys() ?? []];
  if (intents.length > 0) return `intents ${intents.join()}`;
  for (const { gateway, host, store: its } of living) {
    const { flights, writers, remembered, refresher: { backlog } } = gateway;
    if (its.state().state !== 'ready') return `${host.name} has no lease`;
    if (flights.size > 0) return `${host.name} has flights`;
    if (writers.all > 0) return `${host.name} has writers`;
    if (writers.held > 0) return `${host.name} holds writes`;
    if (remembered.pending) return `${host.name} remembers touches`;
    if (backlog.waiting + backlog.running > 0) return `${host.name} has refreshes`;
  }
  return undefined;
}

function still(world: World, { stage, check }: RestOptions): void {
  const { instances, mistakes } = stage;
  const left = owed(stage);
  if (left !== undefined) check.violation(`at rest, ${left}`);
  for (const instance of instances) mistakes.push(...instance.mistakes);
  // Turns that are extended, renewals, what a write may still be waiting for: few for each.
  if (world.waiting > 30 * instances.length) check.violation(`${world.waiting} events wait`);
  for (const mistake of mistakes) check.violation(mistake);
}
