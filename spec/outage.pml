/* A store that nobody can reach for a while, and who may join afterwards.

   Covers: two instances; renewals, JOINs and LEAVEs that the store executes late, or whose replies
   come late (it was frozen, the network was); a write that waits and is then answered without a
   touch, and remembered; the same write when the store went between intent and touch; a writer that
   dies with what it remembers; lapsing; the CALL and its ANSWER; watching beats and the new epoch;
   entering where everybody left; a young store; EXPEL and who is missing; with CUT, instance 0 alone
   is cut off, and only what it answers itself is promised.
   Leaves out: lost messages and late acknowledgements (bus.pml; here a replica follows all at once
   at any moment), loading in steps (join.pml), a store that lost data, and that touches wait while
   it is young (store.pml). One outage, and none that ends unnoticed by the writer.

   Assumed: who remembers a write tells the store of it within a lease of reaching it again, or
   dies; and if it dies, not everybody else had left before (DIES_ALONE: they had, and the store
   knows of nobody who may have missed it, or written past it).

   Time is discrete; a tick may come between any two steps. LEASE and OUTAGE are in ticks, OUTAGE
   being 1.25 leases or more; EPOCHS bounds how many there are. LEAVES lets a member leave cleanly,
   LEAVES_AFTER only after the outage, EXPELS lets it remove another, DIES lets the writer die.
   Instance 0 is out at the beginning: AWAY, having lapsed; STRANGER, never having joined. Without
   BOTH it stays out; with CUT instance 1 always holds its lease. One bit an instance is the id that the store
   knows it by: its own, or while it is out, its former one, which its next JOIN removes. One nonce a
   call: an answer to an earlier call is none to this one. */
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

/* An instance: out; asking or calling, and how far that is; believes to be a member; leaving. */
mtype = { OUT, ASKING, CALLED, REPLYING, JOINING, BEGINNING, ENTERED, IN, LEAVING };
/* A renewal: none, sent, executed and its answer on the way. */
mtype = { IDLE, SENT, EXECUTED };

typedef Instance {
  mtype state;
  byte alive;                    /* in: ticks until it has lapsed; out: until an answer is too late */
  bool equal;                    /* a renewal counted: it has a lease as long as it is alive */
  byte epoch; byte seq; byte touched; bool loaded;
  mtype renewal; byte ahead; byte renewalSeq; byte renewalEpoch; bool inVain;
  bool late;                     /* the store may still execute a renewal under this id */
  byte watch; bool same;         /* ticks until a lease of watching is over; whether all stood still */
  byte answerEpoch;
  bool sees; byte seenFor        /* knows by which name the store is young; ticks until it is old */
};

bool up = true, cut;             /* the store; instance 0 alone cut off from it */
byte epoch = 1, seq, touched, members = 3, missing;
bool young;
byte val, answered, own;         /* own: what instance 0 has answered while it alone was cut off */
bool has; byte ePoch, eAsOf, eV; /* the entry in the store */
Instance n[2];
bool remembered;                 /* instance 0 owes a touch */
bool unsaid; byte soon;          /* the store has not heard of it; ticks until it must have */
bool owing = true;               /* instance 0 has a write before it, or under way */
bool failing; byte failed;       /* the outage as instance 0 knows it: ticks until it may answer */
byte waited;                     /* ticks of a writer's wait for acknowledgements */
bool over;                       /* the outage has been */
#ifdef LEAVE_OWING
bool gone;                       /* instance 0 ended with what it owed */
#endif

#define REACHES(i) (up && !(cut && (i) == 0))
#define LEASED(i) (n[i].state == IN && n[i].equal && n[i].alive > 0)
#ifdef REMEMBERED_LATE
#define MAY_USE(i) LEASED(i)
#else
#define MAY_USE(i) (LEASED(i) && !((i) == 0 && remembered))
#endif
#define USABLE(i) (MAY_USE(i) && has && ePoch == n[i].epoch && n[i].touched <= eAsOf)

/* Whoever watches the other sees its beat move; and its own, where that was late. */
inline moved(i) {
  n[1 - i].watch = 0; n[1 - i].same = false;
  if :: n[i].state != IN -> n[i].watch = 0; n[i].same = false :: else fi
}

inline lapse(i) {
  n[i].state = OUT; n[i].alive = 0; n[i].equal = false; n[i].loaded = false;
  n[i].epoch = 0; n[i].seq = 0; n[i].touched = 0;
  if :: n[i].renewal == SENT -> n[i].late = true :: else fi;
  n[i].renewal = IDLE; n[i].ahead = 0; n[i].renewalSeq = 0; n[i].renewalEpoch = 0; n[i].inVain = false;
  n[i].watch = 0; n[i].same = false; n[i].answerEpoch = 0
}

inline believe(i, ticks) {
  n[i].state = IN; n[i].alive = ticks; n[i].ahead = 0;
  n[i].watch = 0; n[i].same = false; n[i].answerEpoch = 0
}

/* Young by a new name, or not any more; with every answer one hears of it. */
inline beYoung(is) {
  young = is;
  n[0].sees = false; n[0].seenFor = 0; n[1].sees = false; n[1].seenFor = 0
}
inline note(i) {
  if :: young && !n[i].sees -> n[i].sees = true; n[i].seenFor = LEASE :: else fi
}

/* JOIN, executed: the former id is no member any more, and not missing. */
inline enter(i) {
  if :: members == 0 -> beYoung(true) :: else fi;
  members = members | BIT(i); missing = missing & ~BIT(i);
  n[i].late = false; n[i].state = ENTERED; moved(i); note(i)
}

#ifdef LAPSE_UNSEEN
#define IN_TIME(i) (n[i].ahead > 0)
#else
#define IN_TIME(i) (n[i].alive > 0 && n[i].ahead > 0)
#endif
#define COUNTS(i) (!n[i].inVain && n[i].loaded && n[i].epoch == n[i].renewalEpoch && n[i].seq >= n[i].renewalSeq)

inline pong(i) {
#ifdef LAPSE_FROM_ANSWER
  n[i].equal = (n[i].ahead > 0 && COUNTS(i));
  n[i].alive = LEASE;
#else
  if :: IN_TIME(i) -> n[i].alive = MAX(n[i].alive, n[i].ahead); n[i].equal = COUNTS(i)
     :: else
  fi;
#endif
  n[i].renewal = IDLE; n[i].ahead = 0; n[i].renewalSeq = 0; n[i].renewalEpoch = 0; n[i].inVain = false
}

#if defined(BOTH)
#define JOINS(i) (true)
#elif defined(CUT)
#define JOINS(i) ((i) == 0)
#else
#define JOINS(i) ((i) == 1)
#endif
#if defined(CUT) && !defined(BOTH)
#define STEADY
#endif
#ifdef STEADY
#define BEATS_MAY_STOP false
#else
#define BEATS_MAY_STOP true
#endif
#ifdef LEAVE_OWING
#define NOTHING_OWED(i) true
#define WITH_WHAT_IT_OWES(i) if :: (i) == 0 -> gone = true; remembered = false; unsaid = false :: else fi;
#define ENDS_WITH_IT :: gone -> goto done
#else
#define NOTHING_OWED(i) !((i) == 0 && (remembered || owing))
#define WITH_WHAT_IT_OWES(i)
#define ENDS_WITH_IT
#endif
#ifdef LEAVE_LAPSED
#define MAY_LEAVE(i) NOTHING_OWED(i)
#else
#define MAY_LEAVE(i) (n[i].alive > 0 && NOTHING_OWED(i))
#endif
#ifdef LEAVES_AFTER
#define LEAVES
#define MAY_LEAVE_NOW over
#else
#define MAY_LEAVE_NOW true
#endif
#ifdef MISSING_FORGOTTEN
#define ALL_LEFT (members == 0)
#else
#define ALL_LEFT (members == 0 && missing == 0)
#endif
#ifdef USED_WHILE_YOUNG
#define IN_VAIN false
#else
#define IN_VAIN young
#endif
#ifdef SETTLED_AT_ONCE
#define OLD_ENOUGH(i) true
#else
#define OLD_ENOUGH(i) (n[i].sees && n[i].seenFor == 0)
#endif
#ifdef ANSWER_WITHOUT_LEASE
#define MAY_ANSWER(i) (n[i].state == IN && n[i].loaded)
#else
#define MAY_ANSWER(i) LEASED(i)
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
  :: atomic { n[i].state == IN && n[i].renewal == IDLE && n[i].alive > 0 && n[i].alive < LEASE ->
              n[i].renewal = SENT; n[i].ahead = LEASE }
  :: atomic { n[i].renewal == SENT && REACHES(i) ->
              if :: (members & BIT(i)) ->
                    n[i].renewal = EXECUTED; n[i].renewalSeq = seq; n[i].renewalEpoch = epoch;
                    n[i].inVain = IN_VAIN; moved(i); note(i)
                 :: else -> lapse(i)
              fi }
  :: atomic { n[i].renewal == EXECUTED -> pong(i) }
  :: atomic { n[i].late && up ->
              n[i].late = false;
              if :: members & BIT(i) -> moved(i) :: else fi }
  FOLLOW_AND_USE(i)
  :: atomic { n[i].state == IN && n[i].alive == 0 -> lapse(i) }
  :: atomic { n[i].state == IN && REACHES(i) && young && OLD_ENOUGH(i) -> beYoung(false) }
  /* One that is out: enters where everybody left, or finds out whether somebody lives. */
  :: atomic { n[i].state == OUT && JOINS(i) -> n[i].state = ASKING; n[i].alive = LEASE }
  :: atomic { n[i].state == ASKING && REACHES(i) ->
              if :: ALL_LEFT -> n[i].ahead = n[i].alive; enter(i)
                 :: else -> n[i].state = CALLED
              fi }
  :: atomic { n[i].state == CALLED && MAY_ANSWER(1 - i) ->
              n[i].state = REPLYING; n[i].answerEpoch = n[1 - i].epoch }
  :: atomic { n[i].state == REPLYING && REACHES(1 - i) -> n[i].state = JOINING; n[i].ahead = LEASE }
#ifdef CALLED_BUT_NOT_ASKED
  :: atomic { n[i].state == CALLED -> n[i].state = JOINING; n[i].ahead = LEASE; n[i].answerEpoch = epoch }
#endif
  :: atomic { n[i].state == JOINING && REACHES(i) ->
              if :: n[i].answerEpoch == epoch -> enter(i)
                 :: else -> lapse(i)
              fi }
#ifdef JOINED_HOWEVER_LATE
  :: atomic { n[i].state == ENTERED -> believe(i, LEASE) }
#else
  :: atomic { n[i].state == ENTERED ->
              if :: n[i].alive > 0 -> believe(i, n[i].ahead) :: else -> lapse(i) fi }
#endif
  :: atomic { (n[i].state == CALLED || n[i].state == REPLYING) && n[i].alive == 0 -> lapse(i) }
  /* All stand still for a lease: a new epoch. */
  :: atomic { n[i].state == OUT && JOINS(i) && REACHES(i) && members != 0 && !n[i].same && BEATS_MAY_STOP ->
              n[i].watch = LEASE; n[i].same = true }
  :: atomic { n[i].state == OUT && JOINS(i) && ((n[i].watch == 0 && n[i].same) || (REACHES(i) && members == 0)) ->
              n[i].state = BEGINNING; n[i].same = true; n[i].alive = LEASE; n[i].ahead = LEASE }
  :: atomic { n[i].state == BEGINNING && REACHES(i) ->
              if :: n[i].same && epoch < EPOCHS ->
                    epoch++; seq = 0; touched = 0; members = 0; missing = 0; enter(i)
                 :: else -> lapse(i)
              fi }
#ifdef LEAVES
  :: atomic { n[i].state == IN && MAY_LEAVE(i) && MAY_LEAVE_NOW ->
              lapse(i); n[i].state = LEAVING; WITH_WHAT_IT_OWES(i) }
  :: atomic { n[i].state == LEAVING && REACHES(i) ->
              members = members & ~BIT(i); n[i].late = false; n[i].state = OUT }
#endif
#ifdef EXPELS
  :: atomic { n[i].state == IN && REACHES(i) && (members & BIT(1 - i)) && !n[i].same ->
              n[i].watch = LEASE; n[i].same = true }
  :: atomic { n[i].watch == 0 && n[i].same && REACHES(i) && (members & BIT(1 - i)) ->
              members = members & ~BIT(1 - i); missing = missing | BIT(1 - i); n[i].same = false }
#endif
  od
}

#ifdef STEADY
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
    REACHES(0) ->
    seq++; touched = seq; e = epoch; s = seq; asked = members; waited = LEASE; failing = false; failed = 0;
    unsaid = false
  }
  atomic { (TOLD(0) && TOLD(1)); waited = 0; asked = 0; s = 0; e = 0 }
}

inline fail() { atomic { !REACHES(0) && !failing -> failing = true; failed = OUTAGE } }
#define GIVES_UP (!REACHES(0) && failing && failed == 0)

#ifdef DIES_ALONE
#define DIES
#define SOMEBODY_STAYS true
#else
#define LEAVERS ((n[0].state == LEAVING) + 2 * (n[1].state == LEAVING))
#define SOMEBODY_STAYS ((missing | (members & ~LEAVERS)) != 0)
#endif

inline passed() {
  atomic {
    owing = false;
#ifdef CUT
    own = val;
#else
    answered = val;
#endif
    if
    :: remembered = true; unsaid = true
#ifdef DIES
    :: SOMEBODY_STAYS -> lapse(0); goto done
#endif
    fi
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
  ENDS_WITH_IT
  fi;
  val++;
touching:
  if
  :: touch(); atomic { answered = val; owing = false; goto done }
  :: fail(); goto touching
  :: atomic { GIVES_UP -> passed() }
  ENDS_WITH_IT
  fi;
#ifndef REMEMBERED_NEVER
  if
  :: touch()
  ENDS_WITH_IT
  fi;
#endif
  atomic { remembered = false; unsaid = false; answered = val };
done: skip
}

proctype Store() {
  if
#ifdef CUT
  :: cut = true; cut = false
#else
  :: up = false; atomic { up = true; failing = false; failed = 0; over = true; soon = LEASE - 1 }
#endif
  :: skip
  fi
}

#define DOWN(t) t = (t > 0 -> t - 1 : 0)
#ifdef CUT
#define MAY_TICK true
#else
#define MAY_TICK !(unsaid && up && soon == 0)
#endif

proctype Clock() {
end:
  do
  :: d_step {
       MAY_TICK ->
       DOWN(n[0].alive); DOWN(n[0].ahead); DOWN(n[0].watch); DOWN(n[0].seenFor);
#ifndef STEADY
       DOWN(n[1].alive); DOWN(n[1].ahead); DOWN(n[1].watch); DOWN(n[1].seenFor);
#endif
       DOWN(failed); DOWN(waited); DOWN(soon)
     }
  od
}

init {
  atomic {
    n[0].loaded = true; n[0].state = IN; n[0].epoch = 1; n[0].renewal = IDLE; n[0].alive = LEASE; n[0].equal = true;
    n[1].loaded = true; n[1].state = IN; n[1].epoch = 1; n[1].renewal = IDLE; n[1].alive = LEASE; n[1].equal = true;
#if defined(AWAY) || defined(STRANGER)
    lapse(0);
#endif
#ifdef STRANGER
    members = 2;
#endif
    run Run(0); run Clock(); run Writer(); run Store();
#ifdef STEADY
    run Steady()
#else
    run Run(1)
#endif
  }
}
