/* A store that nobody can reach for a while, and who may join afterwards.

   Covers: two instances; renewals, calls, answers and JOINs that the store executes late, or whose replies come late (it was
   frozen, the network was); a write that waits and is then answered without a touch, and remembered; the same write when the
   store went between intent and touch; lapsing; the CALL and its ANSWER; watching beats and the new epoch; LEAVE, and a
   restart after it; EXPEL; with CUT, instance 0 alone is cut off, and only what it answers itself is promised.
   Leaves out: lost messages and late acknowledgements (bus.pml; here a replica follows all at once at any moment), loading in
   steps (join.pml), a store that lost data meanwhile (store.pml). One outage, and none that ends unnoticed by the writer.

   Time is discrete; a tick may come between any two steps. LEASE and OUTAGE are in ticks, OUTAGE being 1.25 leases or more;
   EPOCHS bounds how many there are. LEAVES lets a member leave cleanly, EXPELS lets it remove another.
   Without BOTH, instance 0 stays out once it has lapsed; with CUT instance 1 always holds its lease.
   One nonce a call: an answer to an earlier call is none to this one, so a call that is given up leaves nothing behind. */
#ifndef LEASE
#define LEASE 2
#endif
#ifndef EPOCHS
#define EPOCHS 2
#endif
#ifdef ANSWERED_TOO_SOON
#define OUTAGE 1
#else
#ifndef OUTAGE
#define OUTAGE 3
#endif
#endif

#define BIT(i) (1 << (i))
#define MAX(x, y) ((x) > (y) -> (x) : (y))

/* An instance: out; calling, and the call's way; believes to be a member. */
mtype = { OUT, CALLED, PUBLISHED, REPLYING, JOINING, ENTERED, IN };
/* A renewal: none, sent, executed and its answer on the way. */
mtype = { IDLE, SENT, EXECUTED };

typedef Instance {
  mtype state;
  byte alive;                    /* in: ticks until it has lapsed; out: until the call no longer counts */
  bool equal;                    /* a renewal found the replica equal: it has a lease as long as it is alive */
  byte epoch; byte seq; byte touched; bool loaded;
  mtype renewal; byte ahead; byte renewalSeq; byte renewalEpoch;
  bool late;                     /* the store may still execute a renewal under this id */
  byte watch; bool same;         /* ticks until a lease of watching is over; whether the roster stood still */
  byte answerEpoch
};

bool up = true, cut;             /* the store; instance 0 alone cut off from it */
byte epoch = 1, seq, touched, members = 3;
byte val, answered, own;         /* own: what instance 0 has answered while it alone was cut off */
bool has; byte ePoch, eAsOf, eV; /* the entry in the store */
Instance n[2];
bool remembered;                 /* instance 0 owes a touch */
bool owing = true;               /* instance 0 has a write before it, or under way */
bool failing; byte failed;       /* the outage as instance 0 knows it: ticks until it may answer */
byte waited;                     /* ticks of a writer's wait for acknowledgements */

#define REACHES(i) (up && !(cut && (i) == 0))
#define LEASED(i) (n[i].state == IN && n[i].equal && n[i].alive > 0)
#ifdef REMEMBERED_LATE
#define MAY_USE(i) LEASED(i)
#else
#define MAY_USE(i) (LEASED(i) && !((i) == 0 && remembered))
#endif
#define USABLE(i) (MAY_USE(i) && has && ePoch == n[i].epoch && n[i].touched <= eAsOf)

inline rosterMoved() { n[0].same = false; n[1].same = false }

inline lapse(i) {
  n[i].state = OUT; n[i].alive = 0; n[i].equal = false; n[i].loaded = false;
  n[i].epoch = 0; n[i].seq = 0; n[i].touched = 0;
  if :: n[i].renewal == SENT -> n[i].late = true :: else fi;
  n[i].renewal = IDLE; n[i].ahead = 0; n[i].renewalSeq = 0; n[i].renewalEpoch = 0;
  n[i].watch = 0; n[i].same = false; n[i].answerEpoch = 0
}

inline believe(i) {
  n[i].state = IN; n[i].watch = 0; n[i].same = false; n[i].answerEpoch = 0; n[i].equal = false
}

inline pong(i) {
#ifdef LAPSE_FROM_ANSWER
  if :: true ->
        n[i].alive = LEASE;
        n[i].equal = (n[i].ahead > 0 && n[i].loaded && n[i].epoch == n[i].renewalEpoch && n[i].seq >= n[i].renewalSeq)
  fi;
#else
#ifdef LAPSE_UNSEEN
  if :: n[i].ahead > 0 ->
#else
  if :: n[i].alive > 0 && n[i].ahead > 0 ->
#endif
        n[i].alive = MAX(n[i].alive, n[i].ahead);
        n[i].equal = n[i].loaded && n[i].epoch == n[i].renewalEpoch && n[i].seq >= n[i].renewalSeq
     :: else
  fi;
#endif
  n[i].renewal = IDLE; n[i].ahead = 0; n[i].renewalSeq = 0; n[i].renewalEpoch = 0
}

#if defined(BOTH)
#define JOINS(i) true
#elif defined(CUT)
#define JOINS(i) ((i) == 0)
#else
#define JOINS(i) ((i) == 1)
#endif
#if defined(CUT) && !defined(BOTH)
#define BEATS_MAY_STOP false
#else
#define BEATS_MAY_STOP true
#endif
#define STILL_IN(i) (n[i].alive > 0)
#ifdef LEAVE_OWING
#define NOTHING_OWED(i) true
#else
#define NOTHING_OWED(i) !((i) == 0 && (remembered || owing))
#endif
#ifdef EXPEL_BY_ANYBODY
#define MAY_EXPEL(i) true
#else
#define MAY_EXPEL(i) (n[i].state == IN && (members & BIT(i)))
#endif

/* A member follows what is touched; an entry is filled, and used. */
#define FOLLOW_AND_USE(i) \
  :: atomic { n[i].state == IN && REACHES(i) && !(n[i].loaded && n[i].epoch == epoch && n[i].seq == seq) -> \
              if :: n[i].loaded && n[i].epoch != epoch -> lapse(i) \
                 :: else -> n[i].loaded = true; n[i].epoch = epoch; n[i].seq = seq; n[i].touched = touched \
              fi } \
  :: atomic { MAY_USE(i) && !USABLE(i) -> has = true; ePoch = n[i].epoch; eAsOf = n[i].seq; eV = val } \
  :: d_step { USABLE(i) -> assert(eV >= answered && (i == 1 || eV >= own)) }

proctype Run(bit i) {
end:
  do
  /* A member renews. */
  :: atomic { n[i].state == IN && n[i].renewal == IDLE && STILL_IN(i) && n[i].alive < LEASE ->
              n[i].renewal = SENT; n[i].ahead = LEASE }
  :: atomic { n[i].renewal == SENT && REACHES(i) ->
              if :: (members & BIT(i)) && n[i].state == IN ->
                    n[i].renewal = EXECUTED; n[i].renewalSeq = seq; n[i].renewalEpoch = epoch; rosterMoved()
                 :: else -> lapse(i)
              fi }
  :: atomic { n[i].renewal == EXECUTED -> pong(i) }
  :: atomic { n[i].late && up ->
              n[i].late = false;
              if :: members & BIT(i) -> rosterMoved() :: else fi }
  FOLLOW_AND_USE(i)
  :: atomic { n[i].state == IN && n[i].alive == 0 -> lapse(i) }
  /* A joiner. */
  :: atomic { n[i].state == OUT && JOINS(i) && REACHES(i) && n[i].watch == 0 && !n[i].same && BEATS_MAY_STOP ->
              n[i].watch = LEASE; n[i].same = true }
  :: atomic { n[i].state == OUT && JOINS(i) -> n[i].state = CALLED; n[i].alive = LEASE }
  :: atomic { n[i].state == CALLED && REACHES(i) -> n[i].state = PUBLISHED }
#ifdef ANSWER_WITHOUT_LEASE
  :: atomic { n[i].state == PUBLISHED && n[1 - i].state == IN && n[1 - i].loaded ->
#else
  :: atomic { n[i].state == PUBLISHED && LEASED(1 - i) ->
#endif
              n[i].state = REPLYING; n[i].answerEpoch = n[1 - i].epoch }
  :: atomic { n[i].state == REPLYING && REACHES(1 - i) -> n[i].state = JOINING }
#ifdef CALLED_BUT_NOT_ASKED
  :: atomic { n[i].state == PUBLISHED -> n[i].state = JOINING; n[i].answerEpoch = epoch }
#endif
  :: atomic { n[i].state == JOINING && REACHES(i) ->
              if :: n[i].answerEpoch == epoch ->
                    n[i].state = ENTERED; members = members | BIT(i); n[i].late = false; rosterMoved()
                 :: else -> lapse(i)
              fi }
#ifdef JOINED_HOWEVER_LATE
  :: atomic { n[i].state == ENTERED -> believe(i); n[i].alive = LEASE }
#else
  :: atomic { n[i].state == ENTERED ->
              if :: n[i].alive > 0 -> believe(i) :: else -> lapse(i) fi }
#endif
  :: atomic { (n[i].state == CALLED || n[i].state == PUBLISHED || n[i].state == REPLYING) && n[i].alive == 0 ->
              n[i].state = OUT; n[i].answerEpoch = 0 }
  :: atomic { n[i].state == OUT && JOINS(i) && REACHES(i) && members == 0 ->
              members = BIT(i); n[i].late = false; rosterMoved(); believe(i); n[i].alive = LEASE }
  :: atomic { n[i].state == OUT && JOINS(i) && REACHES(i) && n[i].watch == 0 && n[i].same && epoch < EPOCHS ->
              epoch++; seq = 0; touched = 0; members = BIT(i); n[i].late = false; rosterMoved();
              believe(i); n[i].alive = LEASE }
#ifdef LEAVES
  :: atomic { n[i].state == IN && REACHES(i) && NOTHING_OWED(i) -> members = members & ~BIT(i); rosterMoved(); lapse(i) }
#endif
#ifdef EXPELS
  :: atomic { n[i].watch == 0 && n[i].same && REACHES(i) && MAY_EXPEL(i) && (members & BIT(1 - i)) ->
              members = members & ~BIT(1 - i); rosterMoved() }
#ifdef EXPEL_BY_ANYBODY
  :: atomic { n[i].watch == 0 && n[i].same && REACHES(i) && (members & BIT(i)) ->
              members = members & ~BIT(i); rosterMoved() }
#endif
  :: atomic { n[i].state == IN && REACHES(i) && n[i].watch == 0 && !n[i].same ->
              n[i].watch = LEASE; n[i].same = true }
#endif
  od
}

#if defined(CUT) && !defined(BOTH)
#define STEADY
/* Is never cut off, and renews always in time. */
proctype Steady() {
end:
  do
  FOLLOW_AND_USE(1)
  od
}
#endif

#define HAS_IT(i) (n[i].loaded && n[i].epoch == e && n[i].seq >= s)
#define TOLD(i) (!(asked & BIT(i)) || HAS_IT(i) || (waited == 0 && NOT_STEADY(i)))
#ifdef STEADY
#define NOT_STEADY(i) ((i) == 0)    /* whose renewals compare seq: it has a lease only if it has the touch */
#else
#define NOT_STEADY(i) true
#endif

inline touch() {
  atomic {
    REACHES(0);
    seq++; touched = seq; e = epoch; s = seq; asked = members; waited = LEASE; failing = false; failed = 0
  }
  atomic { (TOLD(0) && TOLD(1)); waited = 0; asked = 0; s = 0; e = 0 }
}

inline fail() { atomic { !REACHES(0) && !failing -> failing = true; failed = OUTAGE } }
#define GIVES_UP (!REACHES(0) && failing && failed == 0)

inline passed() {
  atomic {
    remembered = true; owing = false;
#ifdef CUT
    own = val
#else
    answered = val
#endif
  }
}

/* On instance 0. Its touch, when the store is back, is made whatever id and epoch it has by then. */
proctype Writer() {
  byte e, s, asked;
intending:
  if
  :: atomic { REACHES(0) -> failing = false; failed = 0 }
  :: fail(); goto intending
  :: GIVES_UP
  fi;
  val++;
touching:
  if
  :: touch(); atomic { answered = val; owing = false; goto done }
  :: fail(); goto touching
  :: atomic { GIVES_UP -> passed() }
  fi;
#ifndef REMEMBERED_NEVER
  touch();
#endif
  atomic { remembered = false; answered = val };
done: skip
}

proctype Store() {
  if
#ifdef CUT
  :: cut = true; cut = false
#else
  :: up = false; atomic { up = true; failing = false; failed = 0 }
#endif
  :: skip
  fi
}

#define DOWN(t) t = (t > 0 -> t - 1 : 0)

proctype Clock() {
end:
  do
  :: d_step {
       DOWN(n[0].alive); DOWN(n[0].ahead); DOWN(n[0].watch);
#ifndef STEADY
       DOWN(n[1].alive); DOWN(n[1].ahead); DOWN(n[1].watch);
#endif
       DOWN(failed); DOWN(waited)
     }
  od
}

init {
  atomic {
    n[0].state = IN; n[0].loaded = true; n[0].epoch = 1; n[0].renewal = IDLE; n[0].alive = LEASE; n[0].equal = true;
    n[1].state = IN; n[1].loaded = true; n[1].epoch = 1; n[1].renewal = IDLE; n[1].alive = LEASE; n[1].equal = true;
    run Run(0); run Clock(); run Writer(); run Store();
#ifdef STEADY
    run Steady()
#else
    run Run(1)
#endif
  }
}
