// The control part of a store that several instances share, as the stories ask for it: looks are
// answered at once from what this instance knows while it holds its lease, and a touch is over when
// nobody can use any more what it has ended.
import type { Epoch } from '../../core/entry/entry.ts';
import type { Control, Known, Said, StoreNews, StoreTrouble, Touch, Turns } from '../ports.ts';
import type { Heard } from './shared.ts';
import { Member, type MemberOptions } from './member.ts';

export interface Fleet {
  readonly control: Control;
  readonly turns: Turns;
  /** Why the cache may not be used now; undefined if it may. */
  trouble(): StoreTrouble | undefined;
  /** The longest lease that anybody may hold, as far as is known. */
  leaseMsMax(): number;
  /** When the store last took something of this instance's, in monotonic milliseconds. */
  wroteAt(): number;
  /** The rules in force changed, and what they make readable has been touched. */
  rules(rules: string): void;
  /** `clean`: what was kept may be trusted by whoever comes next. */
  close(clean: boolean): Promise<void>;
}

export type FleetOptions = MemberOptions & { readonly onNews: (news: StoreNews) => void };

export function joinFleet(options: FleetOptions): Fleet {
  const member = new Member(options);
  tellNews(member, options);
  return {
    control: {
      look: (tags) => look(member, tags),
      mark: () => (member.trouble() === undefined ? member.mark : undefined),
      intend: (id, tags) => intend(member, options, id, tags),
      abandon: (id) => abandon(member, options, id),
      touch: (touch) => touchThrough(member, options, touch),
    },
    turns: member.turns,
    trouble: () => member.trouble(),
    leaseMsMax: () => member.leaseMsMax,
    wroteAt: () => member.wroteAt,
    rules: (rules) => member.rules(rules),
    close: (clean) => member.close(clean),
  };
}

/** To whoever did not know: what ends and is mended while the store is there is no news. */
function tellNews(member: Member, { clock, leaseMs, onNews, shared }: FleetOptions): void {
  let last: Epoch | 'down' | undefined;
  member.onStanding = () => {
    const { epoch, begun } = member.epoch;
    if (!shared.up && last !== 'down') onNews({ state: last = 'down' });
    if (!shared.up || member.trouble() !== undefined || epoch === undefined) return;
    if (epoch === last) return;
    last = epoch;
    onNews({ state: 'ready', epoch, begun });
  };
  // Where nobody answered from the start.
  clock.after(leaseMs / 2, () => member.onStanding());
}

function look(member: Member, tags: readonly string[]): Known {
  const because = member.trouble();
  if (because !== undefined) return { kind: 'unknown', because };
  return { kind: 'known', ...member.look(tags) };
}

async function intend(
  member: Member, { shared }: MemberOptions, id: string, tags: readonly string[],
): Promise<Said> {
  member.mine.set(id, { tags, state: 'open' });
  const heard = await member.write((me) => shared.intend(me, id, tags));
  if (heard.kind === 'heard') return said(heard);
  // A later version's store has no place for it; the touch will reach everything.
  if (heard.because === 'store-newer') return said(await member.ask((me) => shared.bump(me)));
  // It may still be recorded, late: then it is one that nobody knows, and is swept.
  member.mine.delete(id);
  return said(heard);
}

async function abandon(member: Member, { shared }: MemberOptions, id: string): Promise<Said> {
  member.mine.delete(id);
  return said(await member.write((me) => shared.abandon(me, id)));
}

async function touchThrough(
  member: Member, options: MemberOptions, touch: Touch,
): Promise<Said> {
  const { shared, limits } = options;
  const { intent, tags, then, holdMs } = touch;
  if (intent !== undefined) {
    if (then === 'done') member.mine.delete(intent);
    else member.mine.set(intent, { tags, state: then, holdMs });
  }
  const heard = await member.write((me) => shared.touch(me, touch));
  if (heard.kind === 'heard') {
    if (tags === 'everything' || heard.said.remembered > limits.touched) member.tooMany();
    await member.everybodyKnows(heard);
    return said(heard);
  }
  if (heard.because === 'store-newer') return bump(member, options);
  if (intent !== undefined) member.mine.delete(intent);
  return said(heard);
}

/** Whatever a later version keeps is ended whole, and by the time it has compared what it knows. */
async function bump(member: Member, { shared, clock }: MemberOptions): Promise<Said> {
  const heard = await member.ask((me) => shared.bump(me));
  if (heard.kind === 'heard') {
    await new Promise<void>((resolve) => void clock.after(member.leaseMsMax, resolve));
  }
  return said(heard);
}

function said(heard: Heard): Said {
  if (heard.kind === 'failed') {
    const { because } = heard;
    return { kind: 'unsaid', because: because === 'store-newer' ? 'store-down' : because };
  }
  return { kind: 'said', epoch: heard.head.epoch, seq: heard.head.seq };
}
