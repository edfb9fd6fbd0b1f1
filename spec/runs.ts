// Which model is run with which flags: as it is, at a size for every day or a larger one, and once
// for each rule that is broken. What the flags of a size mean stands at the head of each model.

export interface Run {
  readonly model: string;
  readonly flags: readonly string[];
  /** The rule that is broken, one of the flags; none: the model as it is. */
  readonly mutant?: string;
  readonly seconds: number;
  readonly megabytes: number;
  readonly depth: number;
  readonly hashBits: number;
}

type Lines = Readonly<Record<string, readonly string[]>>;

/** One line a run: its sizes. */
const EVERY_DAY: Lines = {
  'fills.pml': [
    '', 'DIES', 'W0=SETTLES R0=2 R1=0', 'W0=UNKNOWN R0=1 R1=0', 'DIES W0=SETTLES R1=0',
    'DIES W0=UNKNOWN R1=0', 'REFRESHES R0=0', 'RELOADS', 'REPEATS R0=2 R1=0',
    'W0=SETTLES W1=SETTLES MASK1=1 REPEATS R1=0',
  ],
  'bus.pml': ['', 'T1=1'],
  'join.pml': ['', 'FLUSH'],
  'store.pml': [''],
  'outage.pml': ['', 'CUT', 'LEAVES', 'DIES', 'STRANGER', 'LEAVES_AFTER DIES'],
};

const LARGE: Lines = {
  'fills.pml': ['FINE', 'W0=SETTLES', 'W0=UNKNOWN', 'R0=2 R1=1 DIES', 'REPEATS MASK1=3'],
  'bus.pml': ['NW=3 T1=1', 'LEASE=3 T1=1'],
  'join.pml': ['NW=3', 'NP=2 FLUSH'],
  'store.pml': ['NW=2', 'MEMORY', 'NF=2'],
  'outage.pml': [
    'EXPELS LEAVES DIES', 'BOTH', 'BOTH CUT', 'LEASE=3 OUTAGE=4', 'CUT LEASE=3 OUTAGE=4',
  ],
};

/** One line a broken rule: the rule first, then the sizes at which it shows. */
const MUTANTS: Lines = {
  'fills.pml': [
    'DELETE_BEFORE', 'DELETE_AFTER', 'DELETE_BOTH', 'AS_OF_AT_THE_END', 'TOUCH_NOTHING',
    'NO_INTENT DIES', 'NO_SWEEPER DIES', 'EXPIRY_TOUCHES_NOTHING DIES', 'ANSWER_FIRST', 'NO_ACK',
    'KEEP_HELD W0=SETTLES', 'NO_SECOND_TOUCH W0=UNKNOWN', 'JOIN_ANY R0=2 R1=0',
    'JOIN_HELD R0=2 R1=0 W0=SETTLES', 'TAGS_OF_TODAY RELOADS', 'REFRESH_BY_DATE REFRESHES',
    'SETTLE_IN_MEMORY DIES W0=SETTLES',
    'COUNTED W0=SETTLES W1=SETTLES MASK1=1 REPEATS LAST_ONLY R0=2 R1=0',
  ],
  'bus.pml': [
    'NO_ACK', 'LEASE_FROM_PONG', 'NO_COMPARE', 'NO_GAP T1=1', 'STORE_TIME', 'EXPEL_BLIND',
    'EXPEL_IN_TWO_STEPS', 'RENEWED_WITHOUT_BEING_MEMBER',
  ],
  'join.pml': [
    'LOAD_FIRST LEASE_AT_JOIN', 'FLOOR_FIRST', 'SEQ_OF_LAST_PAGE', 'PRUNE_WITHOUT_FLOOR',
    'MIX_EPOCHS FLUSH',
  ],
  'store.pml': [
    'NO_HOLD', 'NO_HISTORY', 'COUNTER_AGAIN', 'SPLIT_KEYS', 'NO_ACK', 'SETTLED_AT_ONCE',
    'EPOCH_NOT_JUDGED',
  ],
  'outage.pml': [
    'ANSWERED_TOO_SOON', 'JOINED_HOWEVER_LATE', 'ANSWER_WITHOUT_LEASE', 'CALLED_BUT_NOT_ASKED',
    'LAPSE_FROM_ANSWER', 'LAPSE_UNSEEN LEASE=3 OUTAGE=4', 'LEAVE_LAPSED LEAVES DIES',
    'LEAVE_OWING LEAVES BOTH EPOCHS=1', 'MISSING_FORGOTTEN EXPELS LEAVES DIES',
    'USED_WHILE_YOUNG LEAVES', 'SETTLED_AT_ONCE LEAVES',
    'REMEMBERED_LATE CUT', 'REMEMBERED_NEVER CUT',
  ],
};

const CI = { seconds: 120, megabytes: 1400, depth: 3_000_000, hashBits: 22 } as const;
const BIG = { seconds: 3600, megabytes: 9000, depth: 20_000_000, hashBits: 26 } as const;

export function runsOf(large: boolean): readonly Run[] {
  if (large) return each(LARGE, (model, flags) => ({ model, flags, ...BIG }));
  return [
    ...each(EVERY_DAY, (model, flags) => ({ model, flags, ...CI })),
    ...each(MUTANTS, (model, flags) => ({ model, flags, mutant: flags[0]!, ...CI })),
  ];
}

function each(lines: Lines, make: (model: string, flags: readonly string[]) => Run): Run[] {
  return Object.entries(lines).flatMap(([model, sizes]) =>
    sizes.map((line) => make(model, line.split(' ').filter((flag) => flag !== ''))));
}
