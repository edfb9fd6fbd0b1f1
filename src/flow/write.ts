// The second story: a writer writes. Record the intent, forward once, see what came of it, touch
// whatever it reaches, answer, and fetch again what is in use. The answer's first byte never goes
// out before the touch, and nothing that fails on the way makes an old entry valid again.
import { outcomeOf } from '../core/promise/outcome.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
import { failed, problemTold, throughFetch } from './pass.ts';
import type { Fetched } from './ports.ts';
import { persist, remember } from './touching.ts';
import { gatherRequest } from './write-bodies.ts';
import { type EndedWrite, endWrite, touchUnanswered } from './write-end.ts';
import { planWrite, type Writing } from './write-plan.ts';

export async function write(gateway: Gateway, asked: Asked): Promise<Told> {
  if (!admit(gateway, asked)) return refused(gateway, asked, 'too-many-writes');
  let over: EndedWrite['over'];
  try {
    // The whole body first, where it is small: a slow client cannot hold an intent open with it.
    const body = await gatherRequest(asked, gateway.live.config.limits.writeBodyBytes);
    const writing = planWrite(gateway, asked, body);
    if (!(await intend(gateway, writing))) return refused(gateway, asked, 'store-down');
    const ended = await carriedOut(gateway, writing);
    ({ over } = ended);
    return ended.told;
  } finally {
    if (over === undefined) release(gateway, asked);
    else void over.then(() => release(gateway, asked));
  }
}

/** From here on the upstream may have applied it, whatever of ours fails. */
async function carriedOut(gateway: Gateway, writing: Writing): Promise<EndedWrite> {
  try {
    const deadlineAt = gateway.clock.mono() + gateway.live.config.writeDeadlineMs;
    const fetched = await forward(gateway, writing);
    return await concluded(gateway, writing, { fetched, deadlineAt });
  } catch (error) {
    await touchUnanswered(gateway, writing).catch((also: unknown) => {
      gateway.ear.trouble('assertion', { error: also });
      remember(gateway, writing.tags);
    });
    throw error;
  }
}

/** Records what the write may reach; false where the operator wants no write without that. */
async function intend(gateway: Gateway, { intent, tags }: Writing): Promise<boolean> {
  if (intent === undefined) return true;
  const said = await persist(gateway, () => gateway.store.control.intend(intent, tags));
  if (said.kind === 'said') return true;
  const { store } = gateway.live.config;
  if (store.kind === 'redis' && store.whenDown === 'refuse') return false;
  // Nobody else would touch for it, so this instance trusts nothing until it has.
  remember(gateway, tags);
  return true;
}

/** Once, whatever happens. */
function forward(
  gateway: Gateway, { asked, route, body, identityCoding, intent }: Writing,
): Promise<Fetched> {
  const request = throughFetch(gateway, asked, route, 'write');
  // An answer that targets must read is asked for uncoded.
  const fields = identityCoding
    ? [
      ...request.fields.filter((_, i, all) => !codes(all[i - (i % 2)]!)), 'Accept-Encoding',
      'identity',
    ]
    : request.fields;
  const { writeDeadlineMs: deadlineMs } = gateway.live.config;
  const bounded = intent === undefined ? {} : { deadlineMs };
  return gateway.upstream.fetch({ ...request, fields, body, ...bounded });
}

async function concluded(
  gateway: Gateway,
  writing: Writing,
  { fetched, deadlineAt }: { fetched: Fetched; deadlineAt: number },
): Promise<EndedWrite> {
  const { asked, intent, route } = writing;
  if (fetched.kind === 'failed' && fetched.sent) {
    const confirmed = await touchUnanswered(gateway, writing);
    const because = 'touch-unconfirmed';
    if (!confirmed) return { told: problemTold(gateway, asked, { kind: 'fail', because }) };
    return { told: failed(gateway, asked, fetched.because, route) };
  }
  const applied = fetched.kind === 'answer' && outcomeOf(fetched.status) !== 'not-applied';
  if (applied) return endWrite(gateway, writing, { fetched, deadlineAt });
  if (intent !== undefined) abandonBehind(gateway, intent);
  if (fetched.kind === 'failed') return { told: failed(gateway, asked, fetched.because, route) };
  return { told: writing.told(fetched, { outcome: 'not-applied', refreshing: 0 }) };
}

// Nothing was changed and nobody waits for this: an intent that stays a while harms nothing.
function abandonBehind(gateway: Gateway, intent: string): void {
  void persist(gateway, () => gateway.store.control.abandon(intent)).catch((error: unknown) => {
    gateway.ear.trouble('assertion', { error });
  });
}

function refused(gateway: Gateway, asked: Asked, because: 'too-many-writes' | 'store-down'): Told {
  return problemTold(gateway, asked, { kind: 'refuse', because });
}

const codes = (name: string): boolean => name.toLowerCase() === 'accept-encoding';

/** Writes under way are bounded, in all and for each client, so that nobody can hold them all. */
function admit({ writers, live }: Gateway, { remote }: Asked): boolean {
  const mine = writers.byClient.get(remote) ?? 0;
  const { writes, writesPerClient } = live.config.limits;
  if (writers.all >= writes || mine >= writesPerClient) return false;
  writers.all += 1;
  writers.byClient.set(remote, mine + 1);
  return true;
}

function release({ writers }: Gateway, { remote }: Asked): void {
  writers.all -= 1;
  const mine = writers.byClient.get(remote)! - 1;
  if (mine === 0) writers.byClient.delete(remote);
  else writers.byClient.set(remote, mine);
}
