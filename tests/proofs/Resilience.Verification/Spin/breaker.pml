/* The circuit breaker of src/Resilience.Core/CircuitBreaker, as a model that Spin explores completely within small bounds.

   The truth is one reference, epoch: here its number, which is only ever swapped for the next one. Each epoch has words of its own, as in CircuitEpoch.cs:
   state, row (failures in a row; full = opened), probes out, probes good, givenUp, lease, successor. Each compare-and-swap and each volatile read is one
   step (d_step); between two of them any other thread may run. Callers may die after they were admitted. A clock ends breaks and leases.

   With -DUPDATE_PROBES another process lowers the number of probes to 1 meanwhile; each operation goes by the number that it read first.
   With -DUPDATE another process lowers the number of failures that open to 1 meanwhile, as CircuitBreaker.Update does. The run has its mark "full" then.

   One flaw each: -DBUG_LOST_FAILURE  -DBUG_TWO_PROBES  -DBUG_STALE_COUNTS  -DBUG_LOSER_PASSES  -DBUG_EARLY_EVENT  -DBUG_NO_HANDOVER,
   with -DPATIENT, -DBUG_NO_LEASE, with -DPATIENT and -DUPDATE_PROBES, -DBUG_NO_CLOSE, and with -DUPDATE, -DBUG_NO_SETTLE  -DBUG_OLD_LIMIT */
#ifndef CALLERS
#define CALLERS 2
#endif
#ifndef CALLS
#define CALLS 2
#endif
#ifndef FULL
#define FULL 2          /* failures in a row that open */
#endif
#ifndef PLACES
#define PLACES 1        /* probes at once; so many must succeed */
#endif
#ifndef EPOCHS
#define EPOCHS 10         /* more than the calls can bring about: asserted */
#endif
#define NO_CALLER 255

mtype:state = { CLOSED, OPEN, HALF };
mtype:state state[EPOCHS];
bool due[EPOCHS];         /* open: the break is over; half open: the lease of the probe sent last is over */
byte row[EPOCHS], out[EPOCHS], good[EPOCHS];
bool givenUp[EPOCHS], hasSuccessor[EPOCHS];
byte epoch;               /* CircuitBreaker._epoch */
byte delivered;         /* _delivered */
bool delivering;        /* _delivering */

/* Ghosts: what really happened. */
byte sent[EPOCHS], back[EPOCHS], reported[EPOCHS];
byte told;              /* the last epoch that listeners heard of */
byte maxOut;
#ifdef UPDATE_PROBES
byte probes = PLACES;   /* CircuitBreaker._settings: probes at once now */
#else
#define probes PLACES
#endif
#ifdef UPDATE
byte limit = FULL;      /* CircuitBreaker._settings: failures in a row that open now */
bool sealed[EPOCHS];        /* FailureRun.Full: it has opened, by whatever limit */
byte calls = CALLERS + 1;
#define LIMIT limit
#else
byte calls = CALLERS;   /* callers that have not finished */
#define LIMIT FULL
#endif

/* TryChange: the one compare-and-swap, then the successor, then the event. */
inline change(from, to, first) {
#ifdef BUG_EARLY_EVENT
    d_step { assert(from + 1 == told + 1); told = from + 1 }
#endif
    d_step {
        won = (epoch == from);
        if
        :: won ->
            assert(from + 1 < EPOCHS);
            state[from + 1] = to; out[from + 1] = first; due[from + 1] = false;
            sent[from + 1] = first;
            epoch = from + 1;
        :: else
        fi
    }
    if
    :: won ->
#ifndef BUG_EARLY_EVENT
        hasSuccessor[from] = true;
        deliver()
#else
        skip
#endif
    :: else
    fi
}

/* DeliverEvents: one thread at a time walks to the newest epoch, steps down, and looks once more. */
inline deliver() {
    do
    :: d_step { stands = !delivering; if :: stands -> delivering = true :: else fi }
       if :: !stands -> break :: else fi;
       d_step { at = delivered };
       do
       :: d_step { more = hasSuccessor[at] }
          if :: !more -> break :: else fi;
          d_step { delivered = at + 1; hasSuccessor[at] = false }
          tell(at + 1);
          at = at + 1
       od;
       delivering = false;
#ifdef BUG_NO_HANDOVER
       break
#else
       d_step { more = hasSuccessor[at] }
       if :: !more -> break :: else fi
#endif
    od
}

/* Once and in order. */
inline tell(number) { d_step { assert(number == told + 1); assert(number <= epoch); told = number } }

inline sendProbe(number) {
    d_step {
        if
        :: (out[number] == o && good[number] == g && !givenUp[number]) -> out[number] = o + 1; due[number] = false; sent[number]++; won = true
        :: else -> won = false
        fi;
        if :: (sent[number] - back[number] > maxOut) -> maxOut = sent[number] - back[number] :: else fi
    }
}

#ifdef UPDATE
#define LOCALS byte permit, at, e, r, o, g, p, lim, latest; bool won, stands, more, isDue, lost, isProbe; mtype:state s

/* OpenAfterRun: the run is marked in the word where it is counted, and the thread that finds it full opens. */
inline openIfFull(number, by) {
    d_step { won = (sealed[number] || row[number] >= by); if :: won -> sealed[number] = true :: else fi }
    if :: won -> change(number, OPEN, 0) :: else fi
}
#else
#define LOCALS byte permit, at, e, r, o, g, p; bool won, stands, more, isDue, lost, isProbe; mtype:state s
#endif

inline tryEnter() {
    permit = NO_CALLER; isProbe = false;
    do
    :: d_step { e = epoch; s = state[e] };
       if
       :: s == CLOSED ->
#ifdef UPDATE
           d_step { lim = limit };
           d_step { stands = (sealed[e] || row[e] >= lim) };
           if
           :: stands -> openIfFull(e, lim)
           :: else -> permit = e; break
           fi
#else
           d_step { r = row[e] };
           if
           :: r >= FULL ->
              change(e, OPEN, 0)            /* the row is full: open for the call that filled it */
           :: else -> permit = e; break
           fi
#endif
       :: s == OPEN ->
           d_step { isDue = due[e] };
           if
           :: !isDue -> break               /* rejected */
           :: else ->
#ifdef BUG_TWO_PROBES
              d_step { if :: state[epoch] == OPEN -> e = epoch; state[e] = HALF; out[e] = 1; due[e] = false :: else fi;
                       sent[e]++; if :: sent[e] - back[e] > maxOut -> maxOut = sent[e] - back[e] :: else fi }
              permit = e; isProbe = true; break
#else
              change(e, HALF, 1);
#ifdef BUG_LOSER_PASSES
              atomic { if :: !won -> sent[epoch]++; if :: sent[epoch] - back[epoch] > maxOut -> maxOut = sent[epoch] - back[epoch] :: else fi;
                           won = true; e = epoch - 1 :: else fi }
#endif
              if :: won -> permit = e + 1; isProbe = true; break :: else fi
#endif
           fi
       :: s == HALF ->
           d_step { o = out[e]; g = good[e]; lost = givenUp[e] || (o > 0 && due[e]); stands = givenUp[e]; p = probes };
#ifdef BUG_NO_LEASE
           lost = false;
#endif
           if
#ifndef BUG_NO_CLOSE
           :: g >= p -> change(e, CLOSED, 0)                 /* the last probe has done it, or fewer are asked for now: close for it */
#else
           :: g >= p && !lost -> break                       /* rejected: there are probes enough */
#endif
           :: g < p && lost ->
               d_step {                                      /* the probes are given up in the word where successes are counted */
                   won = stands || (out[e] == o && good[e] == g && due[e] && !givenUp[e]);
                   if :: won -> givenUp[e] = true; out[e] = 0; good[e] = 0 :: else fi
               }
               if
               :: won -> change(e, HALF, 1); if :: won -> permit = e + 1; isProbe = true; break :: else fi
               :: else
               fi
           :: g < p && !lost && (o >= p || g + o >= p) -> break   /* rejected: all places are taken */
           :: else -> sendProbe(e); if :: won -> permit = e; isProbe = true; break :: else fi
           fi
       fi
    od;
}

proctype Caller() {
    LOCALS; byte i;
    for (i : 1 .. CALLS) {
progress_call:
        tryEnter();
        /* The call, and Exit */
        if
        :: permit == NO_CALLER -> skip
        :: permit != NO_CALLER && isProbe -> skip                    /* the caller dies: its probe never reports */
        :: permit != NO_CALLER ->
            d_step { e = epoch; s = state[permit]; p = probes };
#ifdef BUG_STALE_COUNTS
            if :: e != permit -> permit = e; s = state[e] :: else fi;
#endif
            if
            :: e != permit -> skip                               /* stale */
            :: e == permit && s == HALF ->
                if
                :: d_step { reported[permit]++; back[permit]++ }
                   assert(isProbe);                              /* no other call has a permit of this epoch */
                   change(permit, OPEN, 0)                       /* a failure */
                :: do                                            /* a success */
                   :: d_step { o = out[permit]; g = good[permit]; lost = givenUp[permit] };
                      if :: o == 0 || lost -> break :: else fi;
                      d_step {
                          won = (out[permit] == o && good[permit] == g && !givenUp[permit]);
                          if :: won -> out[permit] = o - 1; good[permit] = g + 1; back[permit]++ :: else fi
                      }
                      if
                      :: won && g + 1 >= p -> assert(isProbe); change(permit, CLOSED, 0); break
                      :: won && g + 1 < p -> break
                      :: else
                      fi
                   od
                :: do                                            /* no news: the place is free again */
                   :: d_step { o = out[permit]; lost = givenUp[permit] };
                      if :: o == 0 || lost -> break :: else fi;
                      d_step { won = (out[permit] == o && !givenUp[permit]); if :: won -> out[permit] = o - 1; back[permit]++ :: else fi }
                      if :: won -> break :: else fi
                   od
                fi
            :: e == permit && s == CLOSED ->
#ifdef UPDATE
                d_step { lim = limit };
                if
                :: do                                            /* a failure */
                   :: d_step { r = row[permit]; stands = sealed[permit] };
                      won = false;
                      if :: stands || r >= lim -> break :: else fi;
                      d_step { won = (row[permit] == r && !sealed[permit]); if :: won -> row[permit] = r + 1; reported[permit]++ :: else fi }
                      if :: won -> break :: else fi
                   od;
#ifdef BUG_OLD_LIMIT
                   latest = lim;
#else
                   latest = limit;
#endif
                   if
                   :: !won || r + 1 >= lim -> openIfFull(permit, lim)
                   :: else -> openIfFull(permit, latest)
                   fi
                :: do                                            /* a success ends the run, unless it is full */
                   :: d_step { r = row[permit]; stands = sealed[permit] };
                      if
                      :: stands || r >= lim -> openIfFull(permit, lim); break
                      :: r == 0 && !stands -> break
                      :: else
                      fi;
                      d_step { won = (row[permit] == r && !sealed[permit]); if :: won -> row[permit] = 0; reported[permit] = 0 :: else fi }
                      if :: won -> break :: else fi
                   od
                fi
#else
                if
                :: do                                            /* a failure */
                   :: d_step { r = row[permit] };
                      if :: r >= FULL -> break :: else fi;
#ifdef BUG_LOST_FAILURE
                      d_step { row[permit] = r + 1; reported[permit]++; won = true }
#else
                      d_step { won = (row[permit] == r); if :: won -> row[permit] = r + 1; reported[permit]++ :: else fi }
#endif
                      if :: won -> break :: else fi
                   od;
                   if :: row[permit] >= FULL -> change(permit, OPEN, 0) :: else fi
                :: do                                            /* a success ends the run, unless it is full */
                   :: d_step { r = row[permit] };
                      if :: r == 0 || r >= FULL -> break :: else fi;
                      d_step { won = (row[permit] == r); if :: won -> row[permit] = 0; reported[permit] = 0 :: else fi }
                      if :: won -> break :: else fi
                   od
                fi
#endif
            :: else
            fi
        fi
    };
    calls--
}

#ifdef UPDATE
/* Update: what is full by the old limit opens first; then the new one is published, and what was counted may be enough for it. */
active proctype Updater() {
    LOCALS;
    do
    :: d_step { e = epoch; s = state[e] };
       if :: s != CLOSED -> break :: else fi;
       d_step { stands = (sealed[e] || row[e] >= FULL) };
       if :: !stands -> break :: else fi;
       openIfFull(e, FULL)
    od;
    limit = 1;
#ifndef BUG_NO_SETTLE
    d_step { e = epoch; s = state[e] };
    if :: s == CLOSED -> openIfFull(e, 1) :: else fi;
#endif
    calls--
}
#endif

#ifdef UPDATE_PROBES
/* Update of the number of probes: nothing is settled, the next who asks or reports goes by it. */
active proctype Prober() { probes = 1 }
#endif

/* Breaks and leases end, now or later. */
active proctype Clock() {
end:
    do
    :: d_step { (state[epoch] != CLOSED && !due[epoch]) -> due[epoch] = true }
    od
}

#ifdef PATIENT
/* A caller that asks until it is admitted. A lost probe that blocked the circuit would keep it asking for ever: a cycle without progress. */
active proctype Patient() {
    LOCALS;
    do
    :: tryEnter(); if :: permit != NO_CALLER -> break :: else fi
    od
}
#else
/* When all have gone: no failure is lost, every event was told. */
active proctype Judge() {
    d_step {
        (calls == 0);
        assert(told == epoch);
        assert(!delivering);
        assert(state[epoch] != CLOSED || reported[epoch] < LIMIT)
    }
}
#endif

init {
    byte i;
    d_step { state[0] = CLOSED; epoch = 0; delivered = 0; told = 0 };
    atomic { for (i : 1 .. CALLERS) { run Caller() } }
}

#ifndef PATIENT
ltl few_probes { [] (maxOut <= PLACES) }
#endif
