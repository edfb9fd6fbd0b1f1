// For each kind of fault on the way to the store, of an instance or of the upstream, a mistake that
// shows with this kind only.
import type { Mutant } from './mutant.ts';

const network = 'test/sim/network.ts';
const member = 'src/flow/fleet/member.ts';

export const OF_WAYS: readonly Mutant[] = [
  {
    // From its answer alone is hardly more than what is counted less for clocks that differ.
    name: 'a lease counts from ten times as late as its answer', by: ['slow', 'bus-lost'],
    onlyWith: 'slow', seed: 3082, file: member,
    changes: [['const heard = await this.ask((self) => shared.renew(self, nonce, news));',
      'const heard = await this.ask((self) => shared.renew(self, nonce, news));\n'
      + '    const lateMs = 10 * (clock.mono() - at.mono);\n'
      + '    Object.assign(at, { mono: at.mono + lateMs, wall: at.wall + lateMs });']],
  },
  {
    name: 'a step has no deadline once it has arrived',
    by: ['answer-lost'], onlyWith: 'answer-lost', seed: 1, file: network,
    changes: [["|| store.has('answer-lost', host)) {\n        this.#late(call);\n",
      "|| store.has('answer-lost', host)) {\n        if (this.#away) this.#late(call);\n"]],
  },
  {
    name: 'what was taken already is somebody else\'s',
    by: ['answer-repeated', 'killed-after-commit'], onlyWith: 'answer-repeated', seed: 1,
    file: 'src/flow/fleet/steward.ts',
    changes: [['if (heard.said === undefined) return true; // it moved meanwhile',
      'if (heard.said === undefined) {\n      this.#adopted.set(intent.id, Infinity);\n'
      + '      return true;\n    }']],
  },
  {
    name: 'what was under way when it was cut is still waited for', by: ['cut'], onlyWith: 'cut',
    seed: 1, file: network,
    changes: [["host.enter(() => this.#trip('store-down'), 'link');",
      "host.enter(() => this.#trip('store-slow'), 'link');"]],
  },
  {
    name: 'remembered but used', by: ['cut-off'], onlyWith: 'cut-off', seed: 698,
    file: 'src/flow/touching.ts',
    changes: [["(known.kind === 'known' && remembered.pending ? JOINING : known);", 'known;']],
  },
  {
    name: 'renewal that does not compare', by: ['bus-lost'], onlyWith: 'bus-lost', seed: 1,
    file: 'src/flow/fleet/knowledge.ts',
    changes: [
      ['if (this.#replica.live && !this.#replica.agrees(epoch, seq)) this.lose();', '']],
  },
  {
    name: 'a lease counts from when it is heard of', by: ['bus-delayed'], onlyWith: 'bus-delayed',
    seed: 1, file: member,
    changes: [
      ['lease.ask(nonce, at);', 'Object.assign(this, { [nonce]: at });\n    lease.ask(nonce, at);'],
      ['        const old = this.#membership.young === undefined;\n',
        '        const old = this.#membership.young === undefined;\n'
        + '        const asked = (this as never as Record<string, object>)[message.nonce];\n'
        + '        if (asked !== undefined) Object.assign(asked, momentOf(this.#o.clock));\n'],
      ['>= leaseMs / 4) this.#deaf();', '>= leaseMs * 2) this.#deaf();'],
    ],
  },
  {
    name: 'a touch that comes late counts when it comes', by: ['bus-reordered'],
    onlyWith: 'bus-reordered', seed: 1, file: 'src/core/promise/replica.ts',
    changes: [
      ['    if (this.#live === undefined) return this.#keepForLater(touch);\n',
        '    const came = ((this as any).came ??= new Map()).get(touch.epoch) ?? new Set();\n'
        + '    (this as any).came.set(touch.epoch, came);\n'
        + '    const late = touch.seq < Math.max(...came) && !came.has(touch.seq);\n'
        + '    came.add(touch.seq);\n'
        + '    if (this.#live === undefined) return this.#keepForLater(touch);\n'],
      ['    if (touch.epoch === this.#live.epoch && touch.seq <= this.#live.seq) return true;\n',
        '    if (touch.epoch === this.#live.epoch && touch.seq <= this.#live.seq) {\n'
        + '      if (late) this.#live.touch(touch);\n      return true;\n    }\n'],
    ],
  },
  {
    name: 'acknowledgements are counted, not named', by: ['bus-repeated', 'bus-lost'],
    onlyWith: 'bus-repeated', seed: 1, file: 'src/core/promise/acks.ts',
    changes: [['    if (before?.epoch === epoch && before.seq >= seq) return;\n',
      '    if (before?.epoch === epoch && before.seq >= seq) {\n'
      + '      for (const waiting of this.#waiting) {\n'
      + '        if (waiting.epoch !== epoch || waiting.seq > seq) continue;\n'
      + '        for (const one of waiting.missing) { waiting.missing.delete(one); break; }\n'
      + '        if (waiting.missing.size === 0) waiting.all();\n      }\n      return;\n    }\n']],
  },
  {
    name: 'what the dead left is dropped untouched', by: ['killed-after-commit'],
    onlyWith: 'killed-after-commit', seed: 1, file: 'test/sim/server.ts',
    changes: [["      const taken = { ...intent, owner: me, state: 'unknown' } as const;\n",
      "      if (intent.state === 'open') {\n        takeOut(hash, id);\n"
      + "        this.#touch(hash, undefined, { intent: id, then: 'done', tags: [] });\n"
      + '        return undefined;\n      }\n'
      + "      const taken = { ...intent, owner: me, state: 'unknown' } as const;\n"]],
  },
  {
    name: 'what is held is recorded by a step of its own',
    by: ['killed-after-touch', 'upstream-lagging'], onlyWith: 'killed-after-touch', seed: 718,
    file: network,
    changes: [["    this.#call('touch', me, (by) => this.#server.touch(by, touch));",
      "    this.#call('touch', me, (by) => this.#server.touch(by, { ...touch, then: 'done' }))\n"
      + "      .then((heard) => (heard.kind === 'failed' || touch.then === 'done' ? heard\n"
      + "        : this.#call('touch', me, (by) => this.#server.touch(by, touch))));"]],
  },
  {
    name: 'lease by the monotonic clock only', by: ['paused'], onlyWith: 'paused', seed: 1,
    file: 'src/core/promise/lease.ts',
    changes: [['return Math.max(now.mono - then.mono, now.wall - then.wall);',
      'return now.mono - then.mono;']],
  },
  {
    name: 'an outage goes on while nobody looks', by: ['blocked', 'stop'], onlyWith: 'blocked',
    seed: 17947, file: 'src/core/promise/outage.ts',
    changes: [['&& since(this.#last, now) <= gapMsMax', '&& since(this.#last, now) <= Infinity']],
  },
  {
    name: 'lease by the wall clock only', by: ['wall-clock', 'bus-lost'], onlyWith: 'wall-clock',
    seed: 1, file: 'src/core/promise/lease.ts',
    changes: [['return Math.max(now.mono - then.mono, now.wall - then.wall);',
      'return now.wall - then.wall;']],
  },
  {
    name: 'a slow fetch counts as of its end', by: ['upstream-slow'], onlyWith: 'upstream-slow',
    seed: 1, file: 'src/flow/keep.ts',
    changes: [["asOf: known.kind === 'known' ? known.seq : (0 as Seq),",
      'asOf: gateway.clock.mono() - timing.startedAt > 1000\n'
      + '      ? (gateway.store.control.look([]) as { seq?: Seq }).seq ?? (0 as Seq)\n'
      + "      : known.kind === 'known' ? known.seq : (0 as Seq),"]],
  },
  {
    name: 'a quarantine that is too short', by: ['upstream-late'], onlyWith: 'upstream-late',
    seed: 1, file: 'src/flow/write-end.ts',
    changes: [
      ['return Math.max(gateway.live.config.limits.quarantineMs, settleMs);', 'return 1000;'],
    ],
  },
  {
    name: 'an answer that breaks off is none', by: ['upstream-broken'],
    onlyWith: 'upstream-broken', seed: 1, file: 'src/flow/write-end.ts',
    changes: [['const confirmed = await touch(', "const confirmed = gathered.kind === 'broken' "
      + '|| await touch(']],
  },
  {
    name: 'a 5xx is not applied', by: ['upstream-failing'], onlyWith: 'upstream-failing', seed: 1,
    file: 'src/core/promise/outcome.ts',
    changes: [["if (status === 202 || status === 408 || status >= 500) return 'unknown';",
      "if (status >= 500) return 'not-applied';"]],
  },
  {
    name: 'settling is done', by: ['upstream-lagging'], onlyWith: 'upstream-lagging', seed: 1,
    file: 'src/flow/write-end.ts',
    changes: [["const lastly = planned.settleMs > 0 ? 'settling' : 'done';",
      "const lastly = 'done';"]],
  },
];
