// The writes that this instance looks after, as the store was told of them, and telling it again
// where it has forgotten them, or knows them under the id of one who lapsed.
import type { Touch } from '../ports.ts';
import type { Heard, MemberId, Steps } from './shared.ts';

export type Mine = Map<
  string,
  | { readonly state: 'open'; readonly tags: readonly string[] }
  | {
      readonly state: 'unknown' | 'settling';
      readonly tags: Touch['tags'];
      readonly holdMs: number | undefined;
    }
>;

export type Ask = <Said>(step: (me: MemberId) => Promise<Heard<Said>>) => Promise<Heard<Said>>;

/** False where the store could not be told of all. `between`: called before each. */
export async function claim(
  mine: Mine, ask: Ask, steps: Steps, between: () => Promise<unknown>,
): Promise<boolean> {
  for (const [id, write] of [...mine]) {
    await between();
    if (mine.get(id) !== write) continue; // it went on meanwhile
    const heard = write.state === 'open'
      ? await ask((me) => steps.intend(me, id, write.tags))
      : await ask((me) => steps.touch(me, {
        intent: id, tags: write.tags, then: write.state,
        ...(write.holdMs === undefined ? {} : { holdMs: write.holdMs }),
      }));
    if (heard.kind === 'failed') return false;
  }
  return true;
}
