// For each kind of fault of the store itself, a mistake that shows with this kind only.
import type { Mutant } from './mutant.ts';

const server = 'test/sim/server.ts';
const network = 'test/sim/network.ts';
const OURS = 'const ours = found?.replid === this.#history;';

export const OF_STORE: readonly Mutant[] = [
  {
    name: 'a join of unknown outcome is tried again',
    by: ['stop'], onlyWith: 'stop', seed: 8822, file: 'src/flow/fleet/entrance.ts',
    changes: [["if (heard.kind === 'failed') return { kind: 'late' };",
      "if (heard.kind === 'failed') return { kind: 'out', because: 'store' };"]],
  },
  {
    name: 'nobody waits in a store that has just started with nothing',
    by: ['kill'], onlyWith: 'kill', seed: 332, file: server,
    changes: [
      [
        '    const hash = emptyHash();\n',
        '    const had = this.hash;\n    const hash = emptyHash();\n',
      ],
      ['hash.young = fresh;',
        'hash.young = had === undefined && this.about.asked < 5 ? undefined : fresh;'],
    ],
  },
  {
    name: 'the epoch is bound to the number of fail-overs',
    by: ['roll-back'], onlyWith: 'roll-back', seed: 1, file: server,
    changes: [['return this.replid;', 'return String(this.about.failovers);']],
  },
  {
    name: 'a promoted replica goes on with the history of the one before',
    by: ['promote'], onlyWith: 'promote', seed: 1, file: server,
    changes: [[OURS, 'const ours = found?.replid === this.#history\n'
      + '      || (found !== undefined && found.replid === this.about.replid2);']],
  },
  {
    name: 'the epoch is bound to the process',
    by: ['promote-again'], onlyWith: 'promote-again', seed: 1, file: server,
    changes: [['return this.replid;', 'return this.about.runId;']],
  },
  {
    name: 'leases are renewed by one that is not the primary',
    by: ['demote'], onlyWith: 'demote', seed: 1, file: server,
    changes: [
      ['Reply<Renewed> {\n    return this.#step(caller, (hash) => {\n',
        'Reply<Renewed> {\n    const { role } = this;\n    this.role = "primary";\n'
        + '    return this.#step(caller, (hash) => {\n      this.role = role;\n'],
    ],
  },
  {
    name: 'leases are renewed while it loads',
    by: ['loading'], onlyWith: 'loading', seed: 1, file: network,
    changes: [["|| store.state === 'loading'\n",
      "|| (store.state === 'loading' && name !== 'renew')\n"]],
  },
  {
    name: 'leases are renewed where no touch has room',
    by: ['out-of-memory'], onlyWith: 'out-of-memory', seed: 1, file: network,
    changes: [["new Set(['load', 'roster', 'settle'])",
      "new Set(['load', 'roster', 'settle', 'renew'])"]],
  },
  {
    name: 'an empty store is taken for a new one',
    by: ['flush'], onlyWith: 'flush', seed: 1, file: 'test/sim/store.ts',
    changes: [['    this.#epochs += 1;\n', '    this.#epochs += 1;\n'
      + '    const { entries, turns } = this.data;\n'
      + '    if (this.server.hash === undefined && entries.size + turns.size === 0) {\n'
      + '      return this.server.replid;\n    }\n']],
  },
  {
    name: 'the epoch is taken up again from a key of its own',
    by: ['evict-control'], onlyWith: 'evict-control', seed: 1, file: 'test/sim/store.ts',
    changes: [['    this.#epochs += 1;\n', '    this.#epochs += 1;\n'
      + '    const { server: { hash, replid }, data: { turns } } = this;\n'
      + '    const spare = turns.get("spare" as never) as any;\n'
      + '    if (hash !== undefined && hash.replid === replid) {\n'
      + '      const endsAt = Infinity;\n'
      + '      turns.set("spare" as never, { endsAt, replid, epoch: hash.epoch } as never);\n'
      + '    }\n'
      + '    if (hash === undefined && spare?.replid === replid) return spare.epoch;\n']],
  },
  {
    name: 'what is not there any more is as it was',
    by: ['evict-entry'], onlyWith: 'evict-entry', seed: 1, file: 'test/sim/data-link.ts',
    changes: [['() => this.#store.data.get(key), undefined),', `() => {
      const had = (this.#store as { had?: Map<Key, Kept> }).had ??= new Map();
      const found = this.#store.data.get(key);
      if (this.#store.clockOff !== 0) had.clear();
      else if (found !== undefined) had.set(key, found);
      const former = had.get(key);
      if (found !== undefined || former?.kind !== 'answer') return found ?? former;
      const { epoch } = this.#store.server.hash ?? {};
      return former.epoch === epoch ? { ...former, asOf: 1e9 } : undefined;
    }, undefined),`]],
  },
  {
    name: 'a turn is waited for until it is over',
    by: ['store-clock', 'killed-after-commit'], onlyWith: 'store-clock', seed: 840,
    file: 'src/flow/turn.ts',
    changes: [['waits < WAITS_MAX;', 'waits < Infinity;'],
      ['    anew = true;\n', "    anew = true;\n    if (ending === 'unheard') anew = true;\n"]],
  },
];
