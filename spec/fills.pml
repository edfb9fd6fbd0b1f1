/* Fills and writes: the one rule of validity, with a bus that loses nothing and leases that never end.

   Covers: two instances, each with memory (L1) and a replica, one store (L2); one entry that carries two tags; flights (one
   fetch for all who wait); slow fetches; intents; writes that are applied, of unknown outcome (the upstream may apply them
   at any time before the quarantine's end), or that settle (the upstream's reads lag); a touch repeated because its
   reply was lost; a writer that dies at any point, and the sweeper; the refresh after a write; a reload that adds a rule.
   Leaves out: leases, lost messages and expelling (bus.pml), joining and pruning (join.pml), a store that loses
   or reverts its data (store.pml), a store that cannot be reached (outage.pml), and freshness by time.

   Promised: a read returns nothing older than what was answered before it began, or, where the upstream's own reads
   lag behind, than what the upstream showed when the read began. At rest, whatever is valid equals the upstream.

   Sizes: W0, W1 kinds of the two writers (OK, UNKNOWN, SETTLES), MASK1 the tags of the second (1 is A, 2 is B, 3 both),
   R0, R1 readers on each instance; DIES, REPEATS (the first's touches; LAST_ONLY: but for the one that holds), RELOADS,
   REFRESHES let these happen; FINE takes memory and store in two steps where they are one otherwise. The first writer
   has tag A. */
#define OK 0
#define UNKNOWN 1
#define SETTLES 2
#ifndef W0
#define W0 OK
#endif
#ifndef W1
#define W1 OK
#endif
#ifndef MASK1
#define MASK1 2
#endif
#ifndef R0
#define R0 1
#endif
#ifndef R1
#define R1 1
#endif

#define KIND(w) ((w) == 0 -> W0 : W1)
#define MASK(w) ((w) == 0 -> 1 : MASK1)
#define LAGS(t) ((W0 == SETTLES && (t) == 0) || (W1 == SETTLES && (MASK1 & (1 << (t)))))
#define MAX(x, y) ((x) > (y) -> (x) : (y))
#define MIN(x, y) ((x) < (y) -> (x) : (y))

typedef Entry { bool has; byte asOf; byte v[2]; bool tagB };
typedef Replica { byte seq; byte heard; byte touched[2]; byte held };
typedef Flight { bool runs; byte begun; byte landed; byte asOf; byte v[2] };

byte val[2], shown[2];           /* written, and what reads of the upstream show */
byte answered[2];                /* the newest version whose success was answered */
byte calls;                      /* touches made: a member has acknowledged when it heard as many */
byte intents;                    /* one bit for each write that is recorded */
byte gone;                       /* one bit for each writer that died */
byte atWork;                     /* one bit for each write that the upstream may still apply */
byte writing = 2;                /* writers that still run */
bool reloaded;
Entry l2, l1[2];
Replica r[2];
Flight f[2];
chan bus[2] = [8] of { bit, bit };   /* which write, whether it is held from now on */

#ifdef TAGS_OF_TODAY
#define UNTOUCHED(i, e) (r[i].touched[0] <= e.asOf && (!e.tagB || r[i].touched[1] <= e.asOf))
#define TAG_B reloaded
#else
#define UNTOUCHED(i, e) (r[i].touched[0] <= e.asOf && r[i].touched[1] <= e.asOf)
#define TAG_B true
#endif
#if defined(DELETE_BEFORE) || defined(DELETE_AFTER) || defined(DELETE_BOTH)
#define VALID(i, e) (e.has)
#define MAY_KEEP(i, e) (true)
#else
#define VALID(i, e) (e.has && UNTOUCHED(i, e))
#ifdef KEEP_HELD
#define MAY_KEEP(i, e) UNTOUCHED(i, e)
#else
#define MAY_KEEP(i, e) (UNTOUCHED(i, e) && r[i].held == 0)
#endif
#endif

inline touch(w, hold) {
  atomic {
    bus[0]!w,hold; bus[1]!w,hold; calls++; s = calls;
    if :: hold -> intents = intents | (1 << w)
       :: else -> intents = intents & ~(1 << w)
    fi
  }
}

/* The script ran, its reply was lost, and it is sent once more. */
#ifdef LAST_ONLY
#define REPEATED(w, hold) ((w) == 0 && !(hold))
#else
#define REPEATED(w, hold) ((w) == 0)
#endif
inline touchPerhapsTwice(w, hold) {
  touch(w, hold);
#ifdef REPEATS
  if :: REPEATED(w, hold) -> touch(w, hold) :: skip fi
#endif
}

inline deleteAll() { atomic { l2.has = false; l1[0].has = false; l1[1].has = false } }

inline copy(from, to) {
  to.has = true; to.asOf = from.asOf; to.v[0] = from.v[0]; to.v[1] = from.v[1]; to.tagB = from.tagB
}

/* What a fetch brought is kept in both tiers, if it may be; the store is another step than memory. */
inline keep(i, e) {
  atomic {
    if :: MAY_KEEP(i, e) && (!l2.has || l2.asOf <= e.asOf) -> copy(e, l2) :: else fi;
#ifdef FINE
  }
  atomic {
#endif
    if :: MAY_KEEP(i, e) && (!l1[i].has || l1[i].asOf <= e.asOf) -> copy(e, l1[i]) :: else fi
  }
}

inline apply(w) {
  atomic {
    atWork = atWork & ~(1 << w);
    if :: MASK(w) & 1 -> val[0]++; mine[0] = val[0]; if :: LAGS(0) -> skip :: else -> shown[0] = val[0] fi
       :: else fi;
    if :: MASK(w) & 2 -> val[1]++; mine[1] = val[1]; if :: LAGS(1) -> skip :: else -> shown[1] = val[1] fi
       :: else fi
  }
}

/* The upstream applies it when its sender no longer listens, or never. */
proctype Late(bit w) {
  byte mine[2];
  if :: apply(w) :: atomic { atWork = atWork & ~(1 << w) } fi
}

/* The reads of the upstream follow its writes after some time. */
active proctype CatchUp() {
end:
  do
  :: atomic { val[0] != shown[0] -> shown[0] = val[0] }
  :: atomic { val[1] != shown[1] -> shown[1] = val[1] }
  od
}

proctype Hear(bit i) {
  bit w, hold;
end:
  do
  :: atomic {
       bus[i]?w,hold ->
       r[i].heard++;
#ifndef TOUCH_NOTHING
       r[i].seq++;
#endif
       if :: MASK(w) & 1 -> r[i].touched[0] = r[i].seq :: else fi;
       if :: MASK(w) & 2 -> r[i].touched[1] = r[i].seq :: else fi;
#ifdef COUNTED
       if :: hold -> r[i].held++ :: !hold && r[i].held > 0 -> r[i].held-- :: else fi
#else
       if :: hold -> r[i].held = r[i].held | (1 << w) :: else -> r[i].held = r[i].held & ~(1 << w) fi
#endif
     }
  od
}

#define DIE_BEFORE atomic { gone = gone | (1 << w); writing--; goto died }
#ifdef DIES
#define MAY_DIE if :: w == 0 -> DIE_BEFORE :: skip fi;
#else
#define MAY_DIE
#endif

inline answer() {
  atomic { answered[0] = MAX(answered[0], mine[0]); answered[1] = MAX(answered[1], mine[1]) }
}

inline refresh(i) {
  atomic { e.asOf = r[i].seq; e.tagB = TAG_B };
  atomic {
    e.v[0] = shown[0]; e.v[1] = shown[1];
#ifdef REFRESH_BY_DATE
    /* written within the same second: "not modified", and the old body stays */
    if :: l1[i].has -> e.v[0] = l1[i].v[0]; e.v[1] = l1[i].v[1] :: skip fi
#endif
  }
  keep(i, e);
  e.asOf = 0; e.v[0] = 0; e.v[1] = 0; e.tagB = false
}

#define HOLDS(w) (KIND(w) != OK)

proctype Writer(bit w, i) {
  byte mine[2]; byte s;
#ifdef REFRESHES
  Entry e;
#endif
#ifdef RELOADS
  if :: w == 1 -> reloaded :: else fi;
#endif
#ifndef NO_INTENT
  atomic { intents = intents | (1 << w) };
#endif
#if defined(DELETE_BEFORE) || defined(DELETE_BOTH)
  deleteAll();
#endif
  MAY_DIE
  atomic { atWork = atWork | (1 << w) };
#ifdef DIES
  if :: w == 0 -> atomic { gone = gone | 1; writing--; run Late(w); goto died } :: skip fi;
#endif
  if :: KIND(w) == UNKNOWN -> run Late(w)
     :: KIND(w) != SETTLES || true -> apply(w)
  fi;
  MAY_DIE
#ifdef ANSWER_FIRST
  if :: KIND(w) != UNKNOWN -> answer() :: else fi;
#endif
#if defined(DELETE_AFTER) || defined(DELETE_BOTH)
  deleteAll();
#endif
#ifdef SETTLE_IN_MEMORY
  touch(w, 0);
#else
  if :: HOLDS(w) -> touchPerhapsTwice(w, 1) :: else -> touchPerhapsTwice(w, 0) fi;
#endif
  MAY_DIE
#ifndef NO_ACK
  (r[0].heard >= s && r[1].heard >= s);
#else
  (r[i].heard >= s);
#endif
  if :: KIND(w) != UNKNOWN -> answer() :: else fi;
  MAY_DIE
#ifdef REFRESHES
  refresh(i);
#endif
  if :: HOLDS(w) ->
       /* the quarantine, or the time to settle */
       (!(atWork & (1 << w)) && shown[0] >= mine[0] && shown[1] >= mine[1]);
       MAY_DIE
#ifdef NO_SECOND_TOUCH
       atomic { intents = intents & ~(1 << w); r[0].held = r[0].held & ~(1 << w);
                r[1].held = r[1].held & ~(1 << w) }
#else
       touchPerhapsTwice(w, 0)
#endif
     :: else
  fi;
  writing--;
died: skip
}

/* The other instance, when it has seen for a lease that the owner is gone. */
#if defined(DIES) && !defined(NO_SWEEPER)
#define SWEPT
proctype Sweeper() {
  byte s;
  if :: (gone & 1) && (intents & 1) ->
#ifdef EXPIRY_TOUCHES_NOTHING
       atomic { intents = intents & ~1; r[0].held = r[0].held & ~1; r[1].held = r[1].held & ~1 }
#else
       touch(0, 1);
       (!(atWork & 1) && shown[0] == val[0] && shown[1] == val[1]);
       touch(0, 0)
#endif
     :: writing == 0 && !(gone & intents & 1)
  fi
}
#endif

/* A reader takes an answer that it waited for if that began after the reader came, or if it may be kept at this moment:
   then no tag of it was touched since before it began, and none is held. */
#ifdef JOIN_ANY
#define SHARED(i) (true)
#else
#ifdef JOIN_HELD
#define SHARED(i) (r[i].touched[0] <= f[i].asOf && r[i].touched[1] <= f[i].asOf)
#else
#define SHARED(i) (r[i].touched[0] <= f[i].asOf && r[i].touched[1] <= f[i].asOf && r[i].held == 0)
#endif
#endif

proctype Reader(bit i) {
  byte least[2]; byte own; Entry e; bool told;
  atomic {
    least[0] = MIN(answered[0], shown[0]); least[1] = MIN(answered[1], shown[1]);
    if :: VALID(i, l1[i]) -> copy(l1[i], e); told = true
       :: else
    fi
  }
  if :: told -> goto tell :: else fi;
  atomic {
    if :: l2.has -> copy(l2, e) :: else fi;
#ifdef FINE
  }
  atomic {
#endif
    if :: VALID(i, e) -> copy(e, l1[i]); told = true
       :: else -> e.has = false; e.asOf = 0; e.v[0] = 0; e.v[1] = 0; e.tagB = false; own = f[i].begun
    fi
  }
  if :: told -> goto tell :: else fi;
  atomic {
    if :: !f[i].runs -> goto lead
       :: else -> own = f[i].begun
    fi
  }
ride:
  atomic {
    (f[i].landed >= own);
    if :: f[i].landed > own || SHARED(i) -> e.v[0] = f[i].v[0]; e.v[1] = f[i].v[1]; goto tell
       :: else -> if :: f[i].runs -> own = f[i].begun - 1;  goto rideLater :: else -> goto lead fi
    fi
  }
rideLater:
  atomic { (f[i].landed > own); e.v[0] = f[i].v[0]; e.v[1] = f[i].v[1]; goto tell }
lead:
  atomic {
    if :: f[i].runs -> own = f[i].begun - 1; goto rideLater
       :: else
    fi;
    f[i].runs = true; f[i].begun++; own = 0; e.asOf = r[i].seq; e.tagB = TAG_B
  }
  atomic { e.v[0] = shown[0]; e.v[1] = shown[1] };
#ifdef AS_OF_AT_THE_END
  e.asOf = r[i].seq;
#endif
  keep(i, e);
  atomic {
    f[i].runs = false; f[i].landed++; f[i].asOf = e.asOf; f[i].v[0] = e.v[0]; f[i].v[1] = e.v[1]
  }
tell:
  atomic { assert(e.v[0] >= least[0] && e.v[1] >= least[1]) }
}

init {
  atomic {
    run Hear(0); run Hear(1); run Writer(0, 0); run Writer(1, 1);
    byte k = 0;
    do :: k < R0 -> run Reader(0); k++ :: else -> break od;
    k = 0;
    do :: k < R1 -> run Reader(1); k++ :: else -> break od;
    k = 0;
#ifdef SWEPT
    run Sweeper()
#else
    skip
#endif
  }
#ifdef RELOADS
  reloaded = true;
#endif
  atomic {
    /* left are this one, the upstream and the two that hear */
    (_nr_pr == 4 && len(bus[0]) == 0 && len(bus[1]) == 0 && val[0] == shown[0] && val[1] == shown[1]);
    assert(!VALID(0, l2) || (l2.v[0] == val[0] && l2.v[1] == val[1]));
    assert(!VALID(0, l1[0]) || (l1[0].v[0] == val[0] && l1[0].v[1] == val[1]));
    assert(!VALID(1, l1[1]) || (l1[1].v[0] == val[0] && l1[1].v[1] == val[1]))
  }
}
