// How a write ends: what its answer says it reached is touched, now, and once more after a while
// where the upstream may still be at work (an outcome that nobody knows) or where its reads lag
// behind its writes (`settle`). Each last touch is followed by the refresh of what is in use.
import { outcomeOf } from '../core/promise/outcome.ts';
import type { Reach } from '../core/plan/reach.ts';
import type { Gateway, Told } from './gateway.ts';
import { type FetchedAnswer, problemTold } from './pass.ts';
import type { ByteStream, Touch } from './ports.ts';
import { refreshAfter, usesUnder } from './purge.ts';
import { discard, streamOf } from './spool.ts';
import { touchOrRemember } from './touching.ts';
import { within } from './within.ts';
import { finishing, gatherAnswer, type GatheredAnswer } from './write-bodies.ts';
import type { Writing } from './write-plan.ts';

/** Touches for a write whose answer never came. False: nobody could be told, and that matters. */
export async function touchUnanswered(gateway: Gateway, writing: Writing): Promise<boolean> {
  return touch(gateway, holding(gateway, writing), { reach: writing.reaches(), then: 'unknown' });
}

/** What no intent spoke of is held under an id as well, which the later touches release. */
function holding(gateway: Gateway, writing: Writing): Writing {
  return { ...writing, intent: writing.intent ?? gateway.newId() };
}

/** What the writer is told; `over` where its answer is still under way then. Never rejects. */
export interface EndedWrite {
  readonly told: Told;
  readonly over?: Promise<void>;
}

/** Touches for an answer that says, or leaves open, that the write was applied; then answers. */
export async function endWrite(
  gateway: Gateway,
  planned: Writing,
  { fetched, deadlineAt }: { fetched: FetchedAnswer; deadlineAt: number },
): Promise<EndedWrite> {
  const outcome = outcomeOf(fetched.status) === 'unknown' ? 'unknown' : 'applied';
  const { responseBodyBytes } = gateway.live.config.limits;
  const gathered = await gatherAnswer(gateway, fetched.body, {
    bytesMax: responseBodyBytes,
    patient: planned.readsAnswer,
  });
  const reach = planned.reaches(fetched, gathered.kind === 'whole' ? gathered.bytes : undefined);
  const whole = outcome === 'applied' && gathered.kind === 'whole';
  const lastly = planned.settleMs > 0 ? 'settling' : 'done';
  const end: End = { reach, then: whole ? lastly : 'unknown' };
  const writing = end.then === 'done' ? planned : holding(gateway, planned);
  // Where it streams, the intent is held until the last chunk, which touches again.
  const confirmed = await touch(gateway, writing, end, gathered.kind === 'streaming');
  const { body, over } = bodyOf(gateway, writing, {
    gathered, outcome, end: { reach, then: lastly }, deadlineAt,
  });
  if (!confirmed) {
    // Nobody gets the rest, but its end is still to be touched for.
    if (gathered.kind === 'streaming') discard(body as ByteStream);
    const because = 'touch-unconfirmed';
    return { told: problemTold(gateway, writing.asked, { kind: 'fail', because }), ...over };
  }
  const refreshing = end.then === 'done'
    ? await refreshed(gateway, writing, reach)
    : usesUnder(gateway, reach.refresh, reach.readsMin).length;
  const told = writing.told(fetched, { outcome, refreshing });
  // What was gathered goes out as it came where something comes after it.
  const ends = body instanceof Uint8Array && fetched.trailers().length > 0;
  const answer = { ...told.answer, body: ends ? streamOf(body) : body };
  return { told: { ...told, answer }, ...over };
}

interface End {
  readonly reach: Reach;
  readonly then: Touch['then'];
}

function bodyOf(
  gateway: Gateway,
  writing: Writing,
  { gathered, outcome, end, deadlineAt }: {
    gathered: GatheredAnswer;
    outcome: 'applied' | 'unknown';
    end: End;
    deadlineAt: number;
  },
): { body: Told['answer']['body']; over?: Pick<EndedWrite, 'over'> } {
  switch (gathered.kind) {
    case 'whole':
      return { body: gathered.bytes };
    case 'broken':
      return { body: brokenBody(gathered.error) };
    case 'streaming': {
      // What touches nothing goes on for as long as it likes.
      if (end.reach.refresh.size + end.reach.purge.size === 0) return { body: gathered.body };
      const { promise: over, resolve } = Promise.withResolvers<void>();
      const finish = async (how: 'whole' | 'broken'): Promise<void> => {
        const applied = how === 'whole' && outcome === 'applied';
        const last: End = applied ? end : { ...end, then: 'unknown' };
        await touch(gateway, writing, last);
        if (last.then === 'done') await refreshed(gateway, writing, last.reach);
      };
      const body = finishing(gateway, gathered.body, {
        ms: deadlineAt - gateway.clock.mono(),
        finish: (how) => finish(how).finally(resolve),
      });
      return { body, over: { over } };
    }
  }
}

// The upstream broke off inside its answer, and so do we: nobody may take it for whole.
async function* brokenBody(error: unknown): AsyncGenerator<Uint8Array> {
  yield await Promise.reject(error instanceof Error ? error : new Error('broken body'));
}

/** Touches; what is then held is touched again in its time. False under `refuse` if unconfirmed. */
async function touch(
  gateway: Gateway,
  writing: Writing,
  { reach, then }: End,
  streaming = false,
): Promise<boolean> {
  const tags = [...new Set([...reach.refresh, ...reach.purge])];
  if (tags.length === 0) return true;
  const { intent } = writing;
  const said = await touchOrRemember(gateway, {
    tags,
    then,
    refreshes: reach.refresh.size,
    ...(intent === undefined ? {} : { intent, holdMs: holdMs(gateway, writing, then) }),
  });
  if (!streaming && then !== 'done') touchAgainLater(gateway, writing, { reach, then });
  const { store } = gateway.live.config;
  return said.kind === 'said' || store.kind === 'memory' || store.whenDown === 'pass';
}

function holdMs(gateway: Gateway, { settleMs }: Writing, then: Touch['then']): number {
  if (then !== 'unknown') return settleMs;
  return Math.max(gateway.live.config.limits.quarantineMs, settleMs);
}

function touchAgainLater(gateway: Gateway, writing: Writing, { reach, then }: End): void {
  gateway.writers.held += 1;
  gateway.clock.after(holdMs(gateway, writing, then), () => {
    touch(gateway, writing, { reach, then: 'done' })
      .then(() => refreshAfter(gateway, reach.refresh, reach.readsMin))
      .catch((error: unknown) => gateway.ear.trouble('assertion', { error }))
      .finally(() => void (gateway.writers.held -= 1));
  });
}

/** With `wait` the writer is answered after the refreshes, or when its patience ends. */
async function refreshed(gateway: Gateway, writing: Writing, reach: Reach): Promise<number> {
  const { clock, refresher } = gateway;
  if (!writing.wait || gateway.mode !== 'on') {
    return refreshAfter(gateway, reach.refresh, reach.readsMin);
  }
  const uses = usesUnder(gateway, reach.refresh, reach.readsMin);
  await within(clock, writing.waitTimeoutMs, refresher.orderAndWait(uses));
  return uses.length;
}
