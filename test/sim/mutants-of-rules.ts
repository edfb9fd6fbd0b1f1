// Ways to break the rules of touches, leases, joining and writing, each found out with the faults
// that are named with it.
import type { Mutant } from './mutant.ts';

const fleet = (name: string): string => `src/flow/fleet/${name}.ts`;

export const OF_RULES: readonly Mutant[] = [
  {
    name: 'fill without comparing', by: [], seed: 1,
    file: 'src/core/promise/validity.ts',
    changes: [['return known.newest <= entry.asOf ? VALID : TOUCHED;',
      'return VALID;']],
  },
  {
    name: 'entries of any epoch are used', by: ['flush'], seed: 2,
    file: 'src/core/promise/validity.ts',
    changes: [['if (entry.epoch !== known.epoch) return OTHER_EPOCH;',
      '']],
  },
  {
    name: 'as of the end of the fetch', by: [], seed: 6,
    file: 'src/flow/keep.ts',
    changes: [["asOf: known.kind === 'known' ? known.seq : (0 as Seq),",
      'asOf: (gateway.store.control.look([]) as { seq?: Seq }).seq ?? (0 as Seq),']],
  },
  {
    name: 'held tags are kept', seed: 943,
    by: ['upstream-late', 'upstream-lagging', 'killed-after-touch'],
    file: 'src/flow/keep.ts',
    changes: [["if (after.held) return answer(true, 'held');",
      '']],
  },
  {
    name: 'a touch changes nothing', by: [], seed: 1,
    file: 'src/core/promise/touches.ts',
    changes: [['for (const tag of tags) this.#touchOne(tag);',
      '']],
  },
  {
    name: 'the store forgets what was touched', by: ['cut'], seed: 6,
    file: 'test/sim/server.ts',
    changes: [['hash.touched.set(tag, hash.seq);',
      '']],
  },
  {
    name: 'forward without intent', by: ['killed-after-commit', 'cut-off'], seed: 51,
    file: 'src/flow/write.ts',
    changes: [['if (intent === undefined) return true;',
      'if (intent !== "") return true;']],
  },
  {
    name: 'answer before the touch', by: [], seed: 2,
    file: 'src/flow/write-end.ts',
    changes: [['const said = await touchOrRemember(gateway, {',
      'void 0; const said = { kind: "said" } as never; void touchOrRemember(gateway, {']],
  },
  {
    name: 'no acknowledgements are waited for', by: [], seed: 9,
    file: fleet('member'),
    changes: [['const missing = await this.#acks.everybody(head, said.members, this.leaseMsMax);',
      'const missing: Beats = new Map();']],
  },
  {
    name: 'waits for less than a lease', by: ['bus-lost'], seed: 1,
    file: fleet('member'),
    changes: [['said.members, this.leaseMsMax);',
      'said.members, this.leaseMsMax / 4);']],
  },
  {
    name: 'lease counted from the reply', by: ['slow', 'bus-lost'], seed: 33,
    file: fleet('member'),
    changes: [['lease.ask(nonce, at);',
      'const put = { get mono() { return clock.mono(); },'
        + ' get wall() { return clock.now(); } };'
        + ' lease.ask(nonce, put);']],
  },
  {
    name: 'a gap is not seen', by: ['bus-lost'], seed: 41,
    file: 'src/core/promise/replica.ts',
    changes: [['touch.seq === this.#live.seq + 1',
      'touch.seq > this.#live.seq']],
  },
  {
    name: 'counted from the last page of a load', by: ['bus-lost'], seed: 70,
    file: 'src/core/promise/replica.ts',
    changes: [['loading.floor = page.floor;',
      'loading.floor = page.floor; (loading as { seq: number }).seq = page.seq;']],
  },
  {
    name: 'epoch not bound to a history', by: ['roll-back', 'promote', 'promote-again'], seed: 1,
    file: 'test/sim/server.ts',
    changes: [['const ours = found?.replid === this.#history;',
      'const ours = found !== undefined;']],
  },
  {
    name: 'the same epoch after an eviction', by: ['evict-control'], seed: 2,
    file: 'test/sim/server.ts',
    changes: [['hash.epoch = fresh as Epoch;',
      "hash.epoch = 'epoch' as Epoch;"]],
  },
  {
    name: 'no hold in a young epoch', by: ['evict-control', 'bus-lost'], seed: 11,
    file: fleet('member'),
    changes: [['const holdMs = this.#membership.youngForMs(head.young);',
      'const holdMs = 0;']],
  },
  {
    name: 'joining any flight', by: ['slow', 'answer-lost'], seed: 296,
    file: 'src/flow/crowd.ts',
    changes: [['&& await untouched(gateway, landing.entry, seat.meaning)',
      '']],
  },
  {
    name: 'conditional refresh by date', by: [], seed: 5,
    file: 'src/core/http/conditional.ts',
    changes: [["  if (strength === 'strong' || etag !== undefined) return [];\n",
      '  const date = fieldLines(fields, "last-modified")[0];\n'
        + '  return date === undefined ? [] : ["If-Modified-Since", date];\n'],
    ["if (strength === 'strong' && (etag", "if (strength === 'never' && (etag"]],
  },
  {
    name: 'an outage is answered at once', by: ['stop'], seed: 1,
    file: 'src/flow/touching.ts',
    changes: [[
      'if (outage.seen(evidence(gateway)) >= longestLease(gateway) * LEASE_MARGIN) return said;',
      'return said;']],
  },
  {
    name: 'expelled whatever its beat', by: ['bus-lost'], seed: 1151,
    file: 'test/sim/server.ts',
    changes: [['if (!hash.beats.has(id) || String(hash.beats.get(id)) !== beat) return;',
      '']],
  },
  {
    name: 'an outage goes on for who is not let in', by: ['demote'], seed: 106,
    file: fleet('member'),
    changes: [['ask: (step) => this.write(step)', 'ask']],
  },
  {
    name: 'nobody is asked before joining', by: ['stop'], seed: 112,
    file: fleet('entrance'),
    changes: [['const epoch = await this.#call(me, beats, leaseMs / 4);',
      'const epoch: Epoch | undefined = asked.head.epoch;']],
  },
  {
    name: 'sweeper without a second touch', by: ['killed-after-commit'], seed: 3,
    file: fleet('steward'),
    changes: [['clock.mono() + heldMs', 'Infinity']],
  },
  {
    name: 'no sweeper', by: ['killed-before-forward'], seed: 3,
    file: fleet('steward'),
    changes: [['for (const intent of lost.slice(0, TAKEN_AT_ONCE)) {',
      'for (const intent of []) {']],
  },
  {
    name: 'own quarantine without a second touch', by: ['upstream-late'], seed: 4,
    file: 'src/flow/write-end.ts',
    changes: [[
      "if (!streaming && then !== 'done') touchAgainLater(gateway, writing, { reach, then });",
      '']],
  },
  {
    name: 'an unknown outcome touches nothing', by: ['upstream-late'], seed: 4,
    file: 'src/flow/write.ts',
    changes: [['const confirmed = await touchUnanswered(gateway, writing);',
      'const confirmed = true;']],
  },
  {
    name: 'floor is not loaded', by: ['cut'], seed: 9,
    file: 'src/core/promise/replica.ts',
    changes: [['loading.floor = page.floor;',
      'loading.floor = 0;']],
  },
  {
    name: 'dropped without a floor', by: ['cut'], seed: 9,
    file: 'test/sim/server.ts',
    changes: [['if (median !== undefined && median > hash.floor) hash.floor = median;',
      'if (median !== undefined) for (const [tag, seq] of hash.touched) '
        + 'if (seq <= median) { hash.touched.delete(tag); hash.count -= 1; }']],
  },
  {
    name: 'a hold dies with its writer', by: ['killed-after-touch', 'upstream-lagging'], seed: 1769,
    file: 'test/sim/server.ts',
    changes: [['else putIn(hash, id, { owner: caller.me, state: then, holdMs, tags });',
      'else takeOut(hash, id);']],
  },
  {
    name: 'writes that came late are nobody\'s',
    by: ['answer-lost', 'slow', 'out-of-memory'], seed: 8,
    file: 'src/flow/fleet/steward.ts',
    changes: [['return !this.#o.mine.has(id) && !this.#adopted.has(id);',
      'return false;']],
  },
  {
    name: 'the cache is used while the store is young', by: ['kill', 'stop'], seed: 4991,
    file: fleet('member'),
    changes: [['const old = this.#membership.young === undefined;',
      'const old = true;']],
  },
  {
    name: 'who lapsed unseen goes on', by: ['stop', 'slow'], seed: 2667,
    file: fleet('membership'),
    changes: [['if (!this.#joined || this.sinceBeatMs < this.#o.leaseMs) return false;',
      'return false;']],
  },
];
