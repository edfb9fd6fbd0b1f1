/* Leases in time, over a bus that loses messages.

   Covers: two instances with a memory tier; touches of two tags; messages that are slow or lost, in any number; gaps in seq; a
   renewal sent, executed by the store and answered at any later time, or never; one that its sender has given up and that
   the store still executes; acknowledgements that are slow or lost; waiting for a lease; EXPEL by compare of the beat; an
   instance that lapses, is removed, and joins under a new id; a replica that is lost and loaded anew.
   Leaves out: how a replica is loaded step by step (join.pml), the call before joining and unreachable stores (outage.pml),
   epochs (store.pml), unknown outcomes and flights (fills.pml). Clocks do not drift.

   Time is discrete: each timer counts down at a tick, and a tick may come between any two steps. A nonce is modelled by
   taking an answer that nobody waits for out of the channel; a beat, by what a writer can tell of it: whether it moved.

   Sizes: LEASE in ticks; NW writers on the first instance, of tags T0, T1, T2 (0 is the entry's); the second instance has a
   cache, with BOTH the first has one as well. */
#ifndef LEASE
#define LEASE 2
#endif
#ifndef NW
#define NW 2
#endif
#ifndef T0
#define T0 0
#endif
#ifndef T1
#define T1 0
#endif
#ifndef T2
#define T2 0
#endif
#define DEPTH 3

mtype = { TOUCHED, PONG };
mtype = { IDLE, SENT, EXECUTED };

byte val, answered;
byte seq, touched;                /* the store: all touches, and that of the entry's tag */
#ifdef BOTH
byte members = 3;                 /* one bit for each instance */
#else
byte members = 2;
#endif
chan bus[2] = [DEPTH] of { mtype, byte, bit };

typedef Instance {
  bool loaded; byte seq; byte touched;          /* the replica */
  byte lease;                                   /* ticks that it still runs; 0: none */
  mtype renewal; byte renewalLease;             /* the one under way, and the lease it would give */
  bool late;                                    /* the store may still execute one that was given up */
  bool has; byte v; byte asOf;                  /* the entry */
  bool fetching; byte fetchedV; byte fetchedAsOf
};
Instance n[2];

typedef Wait { bool on; byte s; byte lease; byte acks; byte moved };
Wait w[NW];

#define BIT(i) (1 << (i))
#define IS_MEMBER(i) (members & BIT(i))
#ifdef BOTH
#define CALLER_IS_MEMBER IS_MEMBER(i)
#else
#define CALLER_IS_MEMBER (true)
#endif
#define USABLE(i) (n[i].lease > 0 && n[i].loaded && n[i].has && n[i].touched <= n[i].asOf)

inline say(i, what, s, tag) {
  if :: nfull(bus[i]) -> bus[i]!what,s,tag :: full(bus[i]) fi
}

/* What is sent to a writer arrives, or does not. */
inline acknowledge(i) {
  k = 0;
  do
  :: k < NW ->
     if :: w[k].on && n[i].seq >= w[k].s -> w[k].acks = w[k].acks | BIT(i)
        :: true
     fi;
     k++
  :: else -> k = 0; break
  od
}

inline lose(i) { n[i].lease = 0; n[i].loaded = false; n[i].seq = 0; n[i].touched = 0 }

#if NW > 2
#define THIRD(x) x
#else
#define THIRD(x)
#endif

#define SAW(k) w[k].moved = w[k].moved | BIT(i);
inline moveBeat(i) { SAW(0) SAW(1) THIRD(SAW(2)) }

inline forgetRenewal(i) {
  n[i].renewal = IDLE; n[i].renewalLease = 0
}

inline hearTouch(i) {
  if
#ifdef NO_GAP
  :: s > n[i].seq && n[i].loaded ->
#else
  :: s == n[i].seq + 1 && n[i].loaded ->
#endif
     n[i].seq = s;
     if :: tag == 0 -> n[i].touched = s :: else fi;
     acknowledge(i)
  :: s <= n[i].seq || !n[i].loaded
  :: else -> lose(i)
  fi
}

inline hearPong(i) {
  assert(n[i].renewal == EXECUTED);
  if
#ifdef NO_COMPARE
  :: n[i].loaded ->
#else
  :: n[i].loaded && n[i].seq == s ->
#endif
#ifdef LEASE_FROM_PONG
     n[i].lease = LEASE
#else
     if :: n[i].renewalLease > n[i].lease -> n[i].lease = n[i].renewalLease :: else fi
#endif
  :: else -> lose(i)
  fi;
  forgetRenewal(i)
}

proctype Run(bit i) {
  mtype what; byte s; bit tag; byte k;
end:
  do
  :: atomic {
       bus[i]?what,s,tag ->
       if :: what == TOUCHED -> hearTouch(i)
          :: what == PONG -> hearPong(i)
          :: what == TOUCHED               /* lost on its way */
          :: what == PONG -> forgetRenewal(i)
       fi;
       what = 0; s = 0; tag = 0
     }
  :: atomic {                              /* load anew; what is in the bus still is older */
       !n[i].loaded && IS_MEMBER(i) ->
       n[i].loaded = true; n[i].seq = seq; n[i].touched = touched; acknowledge(i)
     }
  :: atomic {
       n[i].renewal == IDLE && n[i].loaded && IS_MEMBER(i) && n[i].lease < LEASE ->
       n[i].renewal = SENT; n[i].renewalLease = LEASE
     }
  :: atomic {
       n[i].renewal == SENT ->
       if
#ifdef RENEWED_WITHOUT_BEING_MEMBER
       :: true ->
#else
       :: IS_MEMBER(i) ->
#endif
          moveBeat(i);
          if :: nfull(bus[i]) -> bus[i]!PONG,seq,0; n[i].renewal = EXECUTED
             :: true -> forgetRenewal(i)
          fi
#ifndef RENEWED_WITHOUT_BEING_MEMBER
       :: else -> forgetRenewal(i); lose(i)
#endif
       fi
     }
  :: atomic {                              /* given up: a lease from it would be over */
       n[i].renewal != IDLE && n[i].renewalLease == 0 ->
       if :: n[i].renewal == SENT -> n[i].late = true
          :: else -> bus[i]??PONG,s,tag; s = 0; tag = 0
       fi;
       forgetRenewal(i)
     }
  :: atomic {
       n[i].late -> n[i].late = false;
       if :: IS_MEMBER(i) -> moveBeat(i) :: else fi
     }
  :: atomic {                              /* lapsed: a new id, and the former one goes */
       n[i].lease == 0 && n[i].renewal == IDLE ->
       lose(i); members = members | BIT(i); moveBeat(i); n[i].late = false
     }
  :: atomic {
       !n[i].fetching && n[i].lease > 0 && n[i].loaded && !USABLE(i) ->
       n[i].fetching = true; n[i].fetchedV = val; n[i].fetchedAsOf = n[i].seq
     }
  :: atomic {
       n[i].fetching ->
       if :: n[i].lease > 0 && n[i].loaded && n[i].touched <= n[i].fetchedAsOf ->
             n[i].has = true; n[i].v = n[i].fetchedV; n[i].asOf = n[i].fetchedAsOf
          :: else
       fi;
       n[i].fetching = false; n[i].fetchedV = 0; n[i].fetchedAsOf = 0
     }
  od
}

#define DOWN(t) t = (t > 0 -> t - 1 : 0)

active proctype Clock() {
end:
  do
  :: d_step {
       DOWN(n[0].lease); DOWN(n[1].lease); DOWN(n[0].renewalLease); DOWN(n[1].renewalLease);
       DOWN(w[0].lease); DOWN(w[1].lease); THIRD(DOWN(w[2].lease))
     }
  od
}

#ifdef STORE_TIME
/* The wait is by the store's clock, and that is put forward. */
active proctype Jump() {
  d_step { w[0].lease = 0; w[1].lease = 0; THIRD(w[2].lease = 0) }
}
#endif

#define WAITED(i) (!(asked & BIT(i)) || (w[me].acks & BIT(i)) || w[me].lease == 0)

#ifdef EXPEL_BLIND
#define STOOD_STILL(j) (true)
#else
#define STOOD_STILL(j) (!(w[me].moved & BIT(j)))
#endif

/* Compared and removed in one step: a renewal in between would be a lease that nobody waits for. */
inline expel(j) {
#ifndef EXPEL_IN_TWO_STEPS
  atomic {
#endif
  if :: j != i && CALLER_IS_MEMBER && (asked & BIT(j)) && !(w[me].acks & BIT(j)) && STOOD_STILL(j) ->
        members = members & ~BIT(j)
     :: else
  fi
#ifndef EXPEL_IN_TWO_STEPS
  }
#endif
}

proctype Writer(byte me; bit i; bit tag) {
  byte mine, asked;
  atomic { if :: tag == 0 -> val++; mine = val :: else fi };
  atomic {
    seq++;
    if :: tag == 0 -> touched = seq :: else fi;
    w[me].on = true; w[me].s = seq; w[me].lease = LEASE; w[me].moved = 0;
    asked = members;
    #ifdef BOTH
    say(0, TOUCHED, seq, tag);
#endif
    say(1, TOUCHED, seq, tag)
  }
#ifndef NO_ACK
  (WAITED(0) && WAITED(1));
  expel(0); expel(1);
#endif
  atomic {
    if :: mine > answered -> answered = mine :: else fi;
    w[me].on = false; w[me].s = 0; w[me].lease = 0; w[me].acks = 0; w[me].moved = 0; asked = 0; mine = 0
  }
}

/* Any read from memory, at any moment. */
active proctype Read() {
end:
  do
  :: d_step { USABLE(0) -> assert(n[0].v >= answered) }
  :: d_step { USABLE(1) -> assert(n[1].v >= answered) }
  od
}

init {
  atomic {
    n[0].loaded = true; n[1].loaded = true; n[0].renewal = IDLE; n[1].renewal = IDLE;
#ifdef BOTH
    run Run(0);
#endif
    run Run(1);
    run Writer(0, 0, T0); run Writer(1, 0, T1);
#if NW > 2
    run Writer(2, 0, T2)
#endif
  }
}
