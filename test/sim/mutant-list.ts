// Ways to break the promise, each as a small change of one file of the production code, or of the
// simulated server where the real rule lives in a script. What is changed exists in memory only.

export interface Mutant {
  readonly name: string;
  /** From the root of the tree. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** With these faults it is found out; none: by reading and writing alone. */
  readonly by: readonly string[];
  /** A seed from which on that takes few histories. */
  readonly seed: number;
  /** And with all others it is not. */
  readonly only?: true;
  /** It takes more histories than there is time for in a test: looked for by hand. */
  readonly rare?: true;
}

const fleet = (name: string): string => `src/flow/fleet/${name}.ts`;

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'fill without comparing', by: [], seed: 1,
    file: 'src/core/promise/validity.ts',
    find: 'return known.newest <= entry.asOf ? VALID : TOUCHED;', replace: 'return VALID;',
  },
  {
    name: 'entries of any epoch are used', by: ['flush'], seed: 2,
    file: 'src/core/promise/validity.ts',
    find: 'if (entry.epoch !== known.epoch) return OTHER_EPOCH;', replace: '',
  },
  {
    name: 'as of the end of the fetch', by: [], seed: 6,
    file: 'src/flow/fill.ts',
    find: "asOf: known.kind === 'known' ? known.seq : (0 as Seq),",
    replace: 'asOf: (gateway.store.control.look([]) as { seq?: Seq }).seq ?? (0 as Seq),',
  },
  {
    name: 'held tags are kept', seed: 349,
    by: ['upstream-late', 'upstream-lagging', 'killed-after-touch'],
    file: 'src/flow/fill.ts',
    find: "if (after.held) return answer(true, 'held');", replace: '',
    rare: true,
  },
  {
    name: 'a touch changes nothing', by: [], seed: 1,
    file: 'src/core/promise/touches.ts',
    find: 'for (const tag of tags) this.#touchOne(tag);', replace: '',
  },
  {
    name: 'the store forgets what was touched', by: ['cut'], seed: 6,
    file: 'test/sim/server.ts',
    find: 'hash.touched.set(tag, hash.seq);', replace: '',
  },
  {
    name: 'forward without intent', by: ['killed-after-commit', 'cut-off'], seed: 51, only: true,
    file: 'src/flow/write.ts',
    find: 'if (intent === undefined) return true;', replace: 'if (intent !== "") return true;',
  },
  {
    name: 'answer before the touch', by: [], seed: 2,
    file: 'src/flow/write-end.ts',
    find: 'const said = await touchOrRemember(gateway, {',
    replace: 'void 0; const said = { kind: "said" } as never; void touchOrRemember(gateway, {',
  },
  {
    name: 'no acknowledgements are waited for', by: [], seed: 9,
    file: fleet('member'),
    find: 'const missing = await this.#acks.everybody(head, said.members, this.leaseMsMax);',
    replace: 'const missing: Beats = new Map();',
  },
  {
    name: 'waits for less than a lease', by: ['bus-lost'], seed: 1,
    file: fleet('member'),
    find: 'said.members, this.leaseMsMax);', replace: 'said.members, this.leaseMsMax / 4);',
  },
  {
    name: 'lease counted from the reply', by: ['slow', 'bus-lost'], seed: 33,
    file: fleet('member'),
    find: 'lease.ask(nonce, at);',
    replace: 'const put = { get mono() { return clock.mono(); },'
      + ' get wall() { return clock.now(); } };'
      + ' lease.ask(nonce, put);',
  },
  {
    name: 'lease by the monotonic clock only', by: ['paused'], seed: 3, only: true,
    file: 'src/core/promise/lease.ts',
    find: 'return Math.max(now.mono - then.mono, now.wall - then.wall);',
    replace: 'return now.mono - then.mono;',
  },
  {
    name: 'lease by the wall clock only', by: ['wall-clock', 'bus-lost'], seed: 119, only: true,
    file: 'src/core/promise/lease.ts',
    find: 'return Math.max(now.mono - then.mono, now.wall - then.wall);',
    replace: 'return now.wall - then.wall;',
  },
  {
    name: 'renewal that does not compare', by: ['bus-lost'], seed: 2,
    file: fleet('knowledge'),
    find: 'if (this.#replica.live && !this.#replica.agrees(epoch, seq)) this.lose();', replace: '',
  },
  {
    name: 'a gap is not seen', by: ['bus-lost'], seed: 41,
    file: 'src/core/promise/replica.ts',
    find: 'touch.seq === this.#live.seq + 1', replace: 'touch.seq > this.#live.seq',
  },
  {
    name: 'counted from the last page of a load', by: ['bus-lost'], seed: 459,
    file: 'src/core/promise/replica.ts',
    find: 'loading.floor = page.floor;',
    replace: 'loading.floor = page.floor; (loading as { seq: number }).seq = page.seq;',
    rare: true,
  },
  {
    name: 'epoch not bound to a history', by: ['roll-back', 'promote', 'promote-again'], seed: 1,
    file: 'test/sim/server.ts',
    find: 'const ours = found?.replid === this.replid;',
    replace: 'const ours = found !== undefined;',
  },
  {
    name: 'the same epoch after an eviction', by: ['evict-control'], seed: 2,
    file: 'test/sim/server.ts',
    find: 'hash.epoch = fresh as Epoch;', replace: "hash.epoch = 'epoch' as Epoch;",
  },
  {
    name: 'no hold in a young epoch', by: ['evict-control', 'bus-lost'], seed: 11,
    file: fleet('member'),
    find: 'const holdMs = this.#membership.youngForMs(head.young);', replace: 'const holdMs = 0;',
  },
  {
    name: 'joining any flight', by: [], seed: 6,
    file: 'src/flow/crowd.ts',
    find: '&& await untouched(gateway, landing.entry)', replace: '',
    rare: true,
  },
  {
    name: 'conditional refresh by date', by: [], seed: 5,
    file: 'src/core/http/conditional.ts',
    find: "  if (strength === 'strong' || etag !== undefined) return [];\n",
    replace: '  const date = fieldLines(fields, "last-modified")[0];\n'
      + '  return date === undefined ? [] : ["If-Modified-Since", date];\n',
  },
  {
    name: 'an outage is answered at once', by: ['stop'], seed: 1,
    file: 'src/flow/touching.ts',
    find: 'if (clock.mono() - outage.since >= graceMs) return said;', replace: 'return said;',
  },
  {
    name: 'remembered but used', by: ['cut-off'], seed: 394, only: true,
    file: 'src/flow/touching.ts',
    find: 'look: (tags) => (remembered.pending ? joining : control.look(tags)),',
    replace: 'look: (tags) => (joining && control.look(tags)),',
  },
  {
    name: 'expelled whatever its beat', by: ['bus-lost'], seed: 470,
    file: 'test/sim/server.ts',
    find: 'if (!hash.beats.has(id) || String(hash.beats.get(id)) !== beat) return;', replace: '',
    rare: true,
  },
  {
    name: 'a join of unknown outcome is tried again', by: ['stop'], seed: 2030, only: true,
    file: fleet('entrance'),
    find: "if (heard.kind === 'failed') return { kind: 'late' };",
    replace: "if (heard.kind === 'failed') return { kind: 'out', because: 'store' };",
    rare: true,
  },
  {
    name: 'nobody is asked before joining', by: ['stop'], seed: 112,
    file: fleet('entrance'),
    find: 'const epoch = await this.#call(me, beats, leaseMs / 4);',
    replace: 'const epoch: Epoch | undefined = asked.head.epoch;',
  },
  {
    name: 'sweeper without a second touch', by: ['killed-after-commit'], seed: 3,
    file: fleet('steward'),
    find: 'clock.mono() + Math.max(quarantineMs, heard.said.holdMs)', replace: 'Infinity',
  },
  {
    name: 'no sweeper', by: ['killed-before-forward'], seed: 3,
    file: fleet('steward'),
    find: 'for (const intent of lost.slice(0, TAKEN_AT_ONCE)) {',
    replace: 'for (const intent of []) {',
  },
  {
    name: 'own quarantine without a second touch', by: ['upstream-late'], seed: 4,
    file: 'src/flow/write-end.ts',
    find: "if (!streaming && then !== 'done') touchAgainLater(gateway, writing, { reach, then });",
    replace: '',
  },
  {
    name: 'an unknown outcome touches nothing', by: ['upstream-late'], seed: 4,
    file: 'src/flow/write.ts',
    find: 'const confirmed = await touchUnanswered(gateway, writing);',
    replace: 'const confirmed = true;',
  },
  {
    name: 'a 5xx is not applied', by: ['upstream-failing'], seed: 16, only: true,
    file: 'src/core/promise/outcome.ts',
    find: "if (status === 202 || status === 408 || status >= 500) return 'unknown';",
    replace: "if (status >= 500) return 'not-applied';",
  },
  {
    name: 'floor is not loaded', by: ['cut'], seed: 9,
    file: 'src/core/promise/replica.ts',
    find: 'loading.floor = page.floor;', replace: 'loading.floor = 0;',
  },
  {
    name: 'dropped without a floor', by: ['cut'], seed: 9,
    file: 'test/sim/server.ts',
    find: 'if (median !== undefined && median > hash.floor) hash.floor = median;',
    replace: 'if (median !== undefined) for (const [tag, seq] of hash.touched) '
      + 'if (seq <= median) { hash.touched.delete(tag); hash.count -= 1; }',
  },
  {
    name: 'a deaf one keeps its replica', by: ['cut'], seed: 35,
    file: fleet('member'),
    find: '    this.#knowledge.lose();\n    this.#knowledge.lease.forget();\n', replace: '',
  },
  {
    name: 'settling is done', by: ['upstream-lagging'], seed: 5, only: true,
    file: 'src/flow/write-end.ts',
    find: "const lastly = planned.settleMs > 0 ? 'settling' : 'done';",
    replace: "const lastly = 'done';",
  },
  {
    name: 'acknowledgements are counted, not named', by: ['bus-repeated', 'bus-lost'], seed: 120,
    only: true, file: 'src/core/promise/acks.ts',
    find: '    if (before?.epoch === epoch && before.seq >= seq) return;\n',
    replace: '    if (before?.epoch === epoch && before.seq >= seq) {\n'
      + '      for (const waiting of this.#waiting) {\n'
      + '        if (waiting.epoch !== epoch || waiting.seq > seq) continue;\n'
      + '        for (const one of waiting.missing) { waiting.missing.delete(one); break; }\n'
      + '        if (waiting.missing.size === 0) waiting.all();\n      }\n      return;\n    }\n',
  },
  {
    name: 'a hold dies with its writer', by: ['killed-after-touch', 'upstream-lagging'], seed: 1,
    file: 'test/sim/server.ts',
    find: 'else putIn(hash, id, { owner: caller.me, state: then, holdMs, tags });',
    replace: 'else takeOut(hash, id);',
  },
  {
    name: 'a quarantine that is too short', by: ['upstream-late'], seed: 4, only: true,
    file: 'src/flow/write-end.ts',
    find: 'return Math.max(gateway.live.config.limits.quarantineMs, settleMs);',
    replace: 'return 1;',
  },
  {
    name: 'an answer that breaks off is none', by: ['upstream-broken'], seed: 6, only: true,
    file: 'src/flow/write-end.ts',
    find: 'const confirmed = await touch(', replace: "const confirmed = gathered.kind === 'broken' "
      + '|| await touch(',
  },
  {
    name: 'writes that came late are nobody\'s',
    by: ['answer-lost', 'slow', 'out-of-memory'], seed: 8,
    file: 'src/flow/fleet/steward.ts',
    find: 'return !this.#o.mine.has(id) && !this.#adopted.has(id);', replace: 'return false;',
  },
  {
    name: 'the cache is used while the store is young', by: ['kill', 'stop'], seed: 1,
    file: fleet('member'),
    find: 'const old = this.#membership.young === undefined;', replace: 'const old = true;',
    rare: true,
  },
  {
    name: 'who lapsed unseen goes on', by: ['stop', 'slow'], seed: 1,
    file: fleet('membership'),
    find: 'if (!this.#joined || this.sinceBeatMs < this.#o.leaseMs) return false;',
    replace: 'return false;',
    rare: true,
  },
];
