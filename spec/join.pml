/* Joining step by step, while others write and the store prunes.

   Covers: one instance that joins (subscribe, be a member, buffer, load page by page in any order with the floor last, apply,
   renew) and falls out as often as it likes; writers; pruning that raises the floor; fetches of a third party that are
   put into the store (L2); a store that is flushed in between, so that a new epoch begins.
   Leaves out: time (a writer waits until the joiner has acknowledged, or has neither a lease nor a renewal that could still
   give it one; bus.pml shows that waiting for a lease comes to this), lost messages, held intents (they are fields that are
   loaded as touches are), who may join at all (outage.pml).

   Sizes: NW writers, the first of tag 0, the others of either; NP prunings; FLUSH. */
#ifndef NW
#define NW 2
#endif
#ifndef NP
#define NP 1
#endif

#define MAX(x, y) ((x) > (y) -> (x) : (y))

mtype = { TOUCHED, PONG };

byte val[2], answered[2];
byte epoch = 1, seq, floor, touched[2];
bool member, subscribed;
bool strange;                             /* flushed: the next script begins a new epoch */
bool lease;                               /* the joiner's */
byte renewing;                            /* the epoch of a renewal whose answer is on its way, or 0 */
byte rEpoch, rSeq, rFloor, rTouched[2];   /* its replica */
chan bus = [NW + 2] of { mtype, byte, byte, bit };
bool has; byte ePoch, eAsOf, eV[2];       /* the entry in the store, of both tags */

#define VALID(t) (MAX(rTouched[t], rFloor) <= eAsOf)
#define USABLE (lease && has && ePoch == rEpoch && VALID(0) && VALID(1))

/* Every script begins with this; who begins an epoch is its only member. */
inline script(isJoiner) {
  if :: strange ->
        strange = false; epoch++; seq = 0; floor = 0; touched[0] = 0; touched[1] = 0; member = isJoiner
     :: else
  fi
}

inline forget() {
  lease = false; rEpoch = 0; rSeq = 0; rFloor = 0; rTouched[0] = 0; rTouched[1] = 0
}

#ifdef FLOOR_FIRST
#define FLOOR_ON_FIRST_PAGE rFloor = floor;
#define FLOOR_ON_LAST_PAGE
#else
#define FLOOR_ON_FIRST_PAGE
#define FLOOR_ON_LAST_PAGE rFloor = floor;
#endif

inline enter() {
  atomic { subscribed = true };
  atomic { script(true); member = true }
#ifdef LEASE_AT_JOIN
  ; atomic { lease = true }
#endif
}

active proctype Joiner() {
  mtype what; byte e, s; bit tag, first;
again:
  atomic { forget(); first = 0; what = 0; e = 0; s = 0; tag = 0 };
#ifndef LOAD_FIRST
  enter();
#endif
  atomic {
    script(true);
    rEpoch = epoch; rSeq = seq; FLOOR_ON_FIRST_PAGE
    if :: first = 0 :: first = 1 fi;
    rTouched[first] = touched[first]
  }
  atomic {
    script(true);
#ifdef MIX_EPOCHS
    rEpoch = epoch;
#else
    if :: rEpoch != epoch -> goto again :: else fi;
#endif
#ifdef SEQ_OF_LAST_PAGE
    rSeq = seq;
#endif
    rTouched[1 - first] = touched[1 - first]; FLOOR_ON_LAST_PAGE
    first = 0
  }
#ifdef LOAD_FIRST
  enter();
#endif
end:
  do
  :: atomic {
       bus?what,e,s,tag ->
       if :: what == TOUCHED && e == rEpoch && s <= rSeq
          :: what == TOUCHED && e == rEpoch && s == rSeq + 1 -> rSeq = s; rTouched[tag] = s
          :: what == TOUCHED && e != rEpoch -> goto again
          :: what == TOUCHED && e == rEpoch && s > rSeq + 1 -> goto again
          :: what == PONG ->
             renewing = 0;
             if :: e == rEpoch && s == rSeq -> lease = true :: else -> goto again fi
       fi;
       what = 0; e = 0; s = 0; tag = 0
     }
  :: atomic { !renewing && !lease && (member || strange) ->
       script(true); renewing = epoch; bus!PONG,epoch,seq,0 }
  :: atomic { !member && !strange && !renewing -> goto again }
  :: atomic { lease && !renewing -> goto again }      /* the lease ran out */
  :: d_step { USABLE -> assert(eV[0] >= answered[0] && eV[1] >= answered[1]) }
  od
}

/* No lease of the epoch before runs, as the hold of a young epoch sees to; and the joiner has this touch. */
#define TOLD (!asked || (rEpoch == e && rSeq >= s) || (!lease && !renewing))
#define NO_OLD_LEASE (!(lease && rEpoch != e) && (!renewing || renewing == e))

proctype Writer(bit tag) {
  byte mine, e, s; bool asked;
  atomic { val[tag]++; mine = val[tag] };
  atomic {
    script(false);
    seq++; touched[tag] = seq; e = epoch; s = seq; asked = member;
    if :: subscribed -> bus!TOUCHED,epoch,seq,tag :: else fi
  }
  atomic {
    (TOLD && NO_OLD_LEASE);
    answered[tag] = MAX(answered[tag], mine);
    mine = 0; e = 0; s = 0; asked = false
  }
}

active proctype Prune() {
  byte k; bit tag;
  do
  :: k < NP ->
     atomic {
       if :: !strange && touched[0] > 0 -> tag = 0 :: !strange && touched[1] > 0 -> tag = 1 fi;
#ifndef PRUNE_WITHOUT_FLOOR
       floor = MAX(floor, touched[tag]);
#endif
       touched[tag] = 0; tag = 0
     }
     k++
  :: break
  od
}

#ifdef FLUSH
active proctype Flush() {
  strange = true
}
#endif

/* Somebody whose replica is perfect fetches slowly and keeps what is valid still. */
active proctype Fetch() {
  byte e, asOf, v[2];
end:
  do
  :: atomic { !strange -> e = epoch; asOf = seq; v[0] = val[0]; v[1] = val[1] };
     atomic {
       if :: !strange && e == epoch && MAX(touched[0], floor) <= asOf && MAX(touched[1], floor) <= asOf ->
             has = true; ePoch = e; eAsOf = asOf; eV[0] = v[0]; eV[1] = v[1]
          :: else
       fi;
       e = 0; asOf = 0; v[0] = 0; v[1] = 0
     }
  od
}

init {
  byte k = 1;
  atomic {
    run Writer(0);
    do
    :: k < NW -> if :: run Writer(0) :: run Writer(1) fi; k++
    :: else -> break
    od;
    k = 0
  }
}
