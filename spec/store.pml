/* A store that fails over, rolls back or loses its control part.

   Covers: two instances with memory (L1) and a store (L2) that falls back to an older copy of itself, members and entries
   included, or loses the control part alone, at any moment, NF times; epochs that are bound to the server's history; the
   hold of a young epoch and its end; leases in time; renewals executed before the store fell back and answered after.
   Leaves out: an old primary that goes on taking renewals (not promised); a writer that dies while the store falls back
   (its write was not answered, and its intent is lost with the store: bounded by the ttl); lost messages and EXPEL
   (bus.pml), joining step by step (join.pml).

   Sizes: LEASE in ticks, NW writers, NF faults, MEMORY for the memory tiers beside the store; the first writer is on instance 0, the others on 1. */
#ifndef LEASE
#define LEASE 2
#endif
#ifndef NW
#define NW 1
#endif
#ifndef NF
#define NF 1
#endif

#define BIT(i) (1 << (i))
#define MAX(x, y) ((x) > (y) -> (x) : (y))

mtype = { TOUCHED, PONG };

typedef Entry { bool has; byte v; byte asOf; byte epoch };
typedef Control { byte epoch; byte seq; byte touched; byte members; bool young };
typedef Instance {
  bool loaded; byte epoch; byte seq; byte touched;   /* the replica */
  byte lease; bool renewing; byte renewalLease;
  byte seenEpoch; byte seenFor;                      /* the newest epoch heard of; ticks until that is a lease ago */
  Entry e;
  bool fetching; Entry f
};
typedef Wait { byte lease };

byte val, answered;
byte epochs = 1;                /* epochs ever begun, so that each has its own id */
bool strange;                   /* the control part is missing, or belongs to another history */
Control c;
Entry l2;
Instance n[2];
Wait w[NW];
chan bus[2] = [3] of { mtype, byte, byte };

#ifdef EPOCH_NOT_JUDGED
#define VALID(i, x) (x.has && n[i].touched <= x.asOf)
#else
#define VALID(i, x) (x.has && x.epoch == n[i].epoch && n[i].touched <= x.asOf)
#endif
#define HELD(i) (n[i].lease > 0 && n[i].loaded)

inline copy(from, to) { to.has = from.has; to.v = from.v; to.asOf = from.asOf; to.epoch = from.epoch }
inline copyControl(from, to) {
  to.epoch = from.epoch; to.seq = from.seq; to.touched = from.touched; to.members = from.members;
  to.young = from.young
}
inline clear(x) { x.has = false; x.v = 0; x.asOf = 0; x.epoch = 0 }

inline lose(i) {
  n[i].lease = 0; n[i].loaded = false; n[i].epoch = 0; n[i].seq = 0; n[i].touched = 0
}

/* Every script begins with this, and every reply names the epoch. */
inline script(i) {
  if :: strange ->
        strange = false; epochs++; c.epoch = epochs; c.seq = 0; c.touched = 0; c.members = BIT(i);
        c.young = true
     :: else
  fi;
  if :: n[i].seenEpoch != c.epoch -> n[i].seenEpoch = c.epoch; n[i].seenFor = LEASE :: else fi;
  if :: n[i].loaded && n[i].epoch != c.epoch -> lose(i) :: else fi
}

inline say(i, what) {
  if :: nfull(bus[i]) -> bus[i]!what,c.epoch,c.seq
     :: full(bus[i])                       /* so slow that it is as good as lost */
  fi
}

#ifdef SETTLED_AT_ONCE
#define HOLD_OVER(i) (true)
#else
#define HOLD_OVER(i) (n[i].seenFor == 0)
#endif

proctype Run(bit i) {
  mtype what; byte e, s;
end:
  do
  :: atomic {
       bus[i]?what,e,s ->
       if :: what == TOUCHED && n[i].loaded ->
             if :: e == n[i].epoch && s == n[i].seq + 1 -> n[i].seq = s; n[i].touched = s
                :: e == n[i].epoch && s <= n[i].seq
                :: else -> lose(i)
             fi
          :: what == TOUCHED && !n[i].loaded
          :: what == PONG ->
             if :: n[i].renewing && n[i].loaded && e == n[i].epoch && s == n[i].seq ->
                   n[i].lease = MAX(n[i].lease, n[i].renewalLease)
                :: n[i].renewing && n[i].loaded && !(e == n[i].epoch && s == n[i].seq) -> lose(i)
                :: !n[i].renewing || !n[i].loaded
             fi;
             n[i].renewing = false; n[i].renewalLease = 0
       fi;
       what = 0; e = 0; s = 0
     }
  :: atomic {
       !n[i].renewing && n[i].loaded && n[i].lease < LEASE && nfull(bus[i]) ->
       script(i);
       if :: n[i].loaded && (c.members & BIT(i)) ->
             n[i].renewing = true; n[i].renewalLease = (c.young -> 0 : LEASE); bus[i]!PONG,c.epoch,c.seq
          :: else -> lose(i)
       fi
     }
  :: atomic { n[i].loaded && n[i].lease == 0 && !n[i].renewing -> lose(i) }    /* lapsed */
  :: atomic {                                /* joins, and loads */
       !n[i].loaded && !n[i].renewing ->
       script(i);
       c.members = c.members | BIT(i);
       n[i].loaded = true; n[i].epoch = c.epoch; n[i].seq = c.seq; n[i].touched = c.touched
     }
  :: atomic {                                /* the hold ends for those who touch from now on */
       c.young && !strange && (c.members & BIT(i)) && n[i].seenEpoch == c.epoch && HOLD_OVER(i) ->
       c.young = false
     }
  :: atomic {
       HELD(i) && !n[i].fetching && !VALID(i, n[i].e) && !VALID(i, l2) ->
       n[i].fetching = true;
       n[i].f.has = true; n[i].f.v = val; n[i].f.asOf = n[i].seq; n[i].f.epoch = n[i].epoch
     }
  :: atomic {
       n[i].fetching ->
       if :: HELD(i) && VALID(i, n[i].f) ->
#ifdef MEMORY
             copy(n[i].f, n[i].e);
#endif
             if :: !(l2.has && l2.epoch == n[i].f.epoch && l2.asOf > n[i].f.asOf) -> copy(n[i].f, l2)
                :: true
             fi
          :: else
       fi;
       n[i].fetching = false; clear(n[i].f)
     }
  :: d_step { HELD(i) && VALID(i, n[i].e) -> assert(n[i].e.v >= answered) }
  :: d_step { HELD(i) && VALID(i, l2) -> assert(l2.v >= answered) }
  od
}

#define DOWN(t) t = (t > 0 -> t - 1 : 0)

active proctype Clock() {
end:
  do
  :: d_step {
       DOWN(n[0].lease); DOWN(n[0].renewalLease); DOWN(n[0].seenFor);
       DOWN(n[1].lease); DOWN(n[1].renewalLease); DOWN(n[1].seenFor);
       DOWN(w[0].lease);
#if NW > 1
       DOWN(w[1].lease)
#endif
     }
  od
}

#define TOLD(j) (!(asked & BIT(j)) || (n[j].loaded && n[j].epoch == e && n[j].seq >= s) || w[me].lease == 0)
#ifdef NO_HOLD
#define HOLDS false
#else
#define HOLDS c.young
#endif

proctype Writer(byte me; bit i) {
  byte mine, e, s, asked; bool held;
  atomic { val++; mine = val };
  atomic {
    script(i);
    c.seq++; c.touched = c.seq; e = c.epoch; s = c.seq; asked = c.members; held = HOLDS;
    w[me].lease = LEASE;
    say(0, TOUCHED); say(1, TOUCHED)
  }
  atomic {
#ifndef NO_ACK
    (TOLD(0) && TOLD(1) && (!held || n[i].seenFor == 0));
#endif
    answered = MAX(answered, mine);
    w[me].lease = 0; mine = 0; e = 0; s = 0; asked = 0; held = false
  }
}

proctype Fault() {
  Control kept; Entry keptEntry; byte k;
  do
  :: k < NF ->
     atomic { copyControl(c, kept); copy(l2, keptEntry) };
     atomic {
       k++;
       if
       :: copyControl(kept, c); copy(keptEntry, l2);
#ifdef NO_HISTORY
          skip
#else
          strange = true
#endif
       :: c.members = 0; c.touched = 0;     /* the control part is evicted */
#ifdef SPLIT_KEYS
          c.members = 3                     /* but only the key of the touches */
#else
          c.seq = 0;
#ifdef COUNTER_AGAIN
          c.members = 0
#else
          strange = true
#endif
#endif
       fi;
       kept.epoch = 0; kept.seq = 0; kept.touched = 0; kept.members = 0; kept.young = false;
       clear(keptEntry)
     }
  :: else -> break
  od
}

init {
  byte k;
  atomic {
    c.epoch = 1; c.members = 3;
    n[0].loaded = true; n[0].epoch = 1; n[0].seenEpoch = 1;
    n[1].loaded = true; n[1].epoch = 1; n[1].seenEpoch = 1;
    run Run(0); run Run(1); run Fault();
    do :: k < NW -> run Writer(k, (k > 0)); k++ :: else -> k = 0; break od
  }
}
