/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * Two established hosts that both move, an unbounded number of times.
 *
 * What it models: mobile.pml without version numbers. Versions are only compared and incremented,
 *   and only the mover makes them, so what matters is their order relative to the mover's
 *   current version. Per mover i:
 *     candcur   the peer has seen the newest RSYN (cand == ver)
 *     pend      the peer's candidate is not validated yet (cand != val)
 *     st        the RSYN packets still in flight with cand < v < ver, oldest first, at most L
 *   A move makes "newest" stale. The state space is finite: SPIN reaches a fixed point.
 * Exact while at most L stale RSYNs are in flight; `check` compares the reachable states with the
 *   projected ones of mobile.pml, as sets (projection.py).
 * Leaves out: what mobile.pml leaves out.
 * Rules: R1 R2 R3 R4 R5 R6 R7 R11 R14.
 *
 * Switches: P=1 every move takes a FRESH address (a record of an address that was left is DEAD),
 *   P>=2 addresses return, from a pool of P; M0=0 or M1=0 host 0 or 1 stays; ALT0 ALT1 RDV NOOVERLAP
 *   SOFT SOFT_UNTIL_ACKED as in mobile.pml; LIVENESS the property as a formula.
 */
#ifndef P
#define P 1
#endif
#ifndef L
#define L 2
#endif
#define B(a)  (1<<(a))
#define DEAD  7
#define DEADS 6               /* 'from an address that was left' in a source mask */
#define ALTA  P
#define J     (1-i)
#ifdef ALT0
#define ALTM0 B(ALTA)
#else
#define ALTM0 0
#endif
#ifdef ALT1
#define ALTM1 B(ALTA)
#else
#define ALTM1 0
#endif
#define ALTM(i) ((i==0) -> ALTM0 : ALTM1)


#ifndef STEP
#define STEP d_step
#endif
typedef Stale { byte src[L]; byte rs[L] };   /* source and destinations of a stale RSYN */
Stale st[2];
byte cur[2], held[2];         /* of host i: current address, addresses it answers at */
byte candA[2], valA[2];       /* the peer's record of host i: candidate and validated address */
byte rv[2], ra[2], ak[2];     /* in flight: destinations of the newest RSYN, sources of its RSYN-ACK, destinations of the candidate's ACK */
bit candcur[2], pend[2], acked[2], proved[2], calm;
#ifdef RDV
byte regA[2]; bit regcur[2];
#endif

#define UPTODATE       (valA[0]==cur[0] && valA[1]==cur[1])
#define HOLDS(h,a) ((a) != DEAD && (held[h] & B(a)) != 0)
#define REACH(h)   (HOLDS(h,valA[h]) || HOLDS(h,candA[h]) || ALTM(h))
#ifdef NOOVERLAP
#define MAY_MOVE (REACH(J))
#else
#define MAY_MOVE 1
#endif
#ifndef M0
#define M0 1
#endif
#ifndef M1
#define M1 1
#endif
#define MOBILE(i) ((i==0) -> M0 : M1)

inline squeeze(x) {              /* drop dead entries, keep order */
  _k = 0; _n = 0;
  do
  :: _k < L ->
     if
     :: st[x].rs[_k] != 0 ->
        if
        :: _n != _k -> st[x].rs[_n] = st[x].rs[_k]; st[x].src[_n] = st[x].src[_k];
                       st[x].rs[_k] = 0; st[x].src[_k] = 0
        :: else
        fi;
        _n++
     :: else -> st[x].src[_k] = 0
     fi;
     _k++
  :: else -> break
  od;
  _k = 0; _n = 0
}
/* forget the address that is being left (fresh addresses only) */
#if P == 1
#define KILL(x) if :: x == 0 -> x = DEAD :: else fi
inline leave(i) {
  KILL(candA[i]); KILL(valA[i]);
#ifdef RDV
  KILL(regA[i]);
#endif
  _k = 0; do :: _k < L -> KILL(st[i].src[_k]); st[J].rs[_k] = st[J].rs[_k] & ALTM(i); _k++ :: else -> break od;
  /* messages of the other mover that were on their way to the address just left */
  rv[J] = rv[J] & ALTM(i); ak[J] = ak[J] & ALTM(i);
  /* RSYN-ACKs that I sent from the address just left: the ACK reply would be lost */
  if :: ra[J] != 0 -> ra[J] = B(DEADS) :: else fi;
  squeeze(J)
}
#else
inline leave(i) { skip }
#endif

inline popto(x, k) {             /* RSYNs up to slot k are now stale */
  _k = 0;
  do :: _k <= k -> st[x].rs[_k] = 0; st[x].src[_k] = 0; _k++ :: else -> break od;
  squeeze(x)
}
#define FULL(i) (st[i].rs[L-1] != 0)
/* push RSYN(ver) of mover i, now superseded, if it may still be in flight */
inline push(i) {
  if
  :: !candcur[i] && rv[i] != 0 ->
     _k = 0;
     do :: _k < L && st[i].rs[_k] != 0 -> _k++ :: else -> break od;
     if :: _k < L -> st[i].rs[_k] = rv[i]; st[i].src[_k] = cur[i] :: else fi;
     _k = 0
  :: else
  fi
}
#if P == 1
#define NEWADDR(k) 0
#else
#define NEWADDR(k) ((cur[i]+k) % P)
#endif
#ifdef SOFT
#define NEWHELD (held[i] | B(cur[i]))
#else
#define NEWHELD (B(cur[i]) | ALTM(i))
#endif
#ifdef SOFT_UNTIL_ACKED       /* R11 */
#define MAY_RELEASE acked[i]
#else
#define MAY_RELEASE 1
#endif
/* keep: the superseded RSYN is still in flight */
#define MOVE(k,keep) \
  :: STEP { !calm && MOBILE(i) && MAY_MOVE && ((keep) -> (!candcur[i] && rv[i] && !FULL(i)) : 1) -> \
     if :: keep -> push(i) :: else fi; \
     leave(i); \
     cur[i] = NEWADDR(k); held[i] = NEWHELD; rv[i] = 0; ra[i] = 0; acked[i] = 0; proved[i] = 0; candcur[i] = 0; \
     if :: !pend[i] -> ak[i] = 0 :: else fi; \
     RDVMOVE; \
     printf("@ host%d move a%d\n", i, cur[i]) }
#ifdef RDV
#define RDVMOVE regcur[i] = 0
#else
#define RDVMOVE skip
#endif

#define RSYN_TO(a) :: STEP { !acked[i] && !candcur[i] && WORTH(a) && !(rv[i] & B(a)) -> \
     rv[i] = rv[i] | B(a); printf("@ host%d send RSYN to a%d\n", i, a) }
#if P == 1
#define WORTH(a) HOLDS(J,a)
#else
#define WORTH(a) ((a) != DEAD)
#endif

#define GET_STALE(k) \
  :: STEP { k < L && (st[J].rs[k] & held[i]) -> \
     candA[J] = st[J].src[k]; pend[J] = 1; ak[J] = 0; candcur[J] = 0; \
     printf("@ host%d gets stale RSYN, candidate addr%d\n", i, candA[J]); popto(J,k) }

#define GERSYN_TOACK(s) \
  :: STEP { (s <= P || s == DEADS) && (ra[i] & B(s)) && !calm && !acked[i] -> \
       acked[i] = 1; proved[i] = 1; ra[i] = ra[i] & ~B(s); printf("@ host%d gets RSYN-ACK from addr%d; ACK lost\n", i, s) } \
  :: STEP { (s <= P || s == DEADS) && (ra[i] & B(s)) && (!acked[i] || (candcur[i] && pend[i] && !(ak[i] & B(s)) && HEARS(s))) -> \
       acked[i] = 1; proved[i] = 1; \
       if :: candcur[i] && pend[i] && HEARS(s) -> ak[i] = ak[i] | B(s) :: else fi; \
       printf("@ host%d gets RSYN-ACK; ACK to addr%d\n", i, s) }
#if P == 1
#define HEARS(s) (s != DEADS && HOLDS(J,s))
#else
#define HEARS(s) 1
#endif

proctype Host(byte i) {
  byte _k, _n;
end:
  do
  MOVE(1,0)
  MOVE(1,1)
#if P > 2
  MOVE(2,0)
  MOVE(2,1)
#endif
#ifdef SOFT
  :: STEP { (held[i] != (B(cur[i])|ALTM(i))) && MAY_RELEASE -> held[i] = B(cur[i])|ALTM(i) }
#endif
  RSYN_TO(valA[J])
  RSYN_TO(candA[J])
#if defined(ALT0) || defined(ALT1)
  :: STEP { ALTM(J) && !acked[i] && !candcur[i] && !(rv[i] & ALTM(J)) -> rv[i] = rv[i] | ALTM(J);
     printf("@ host%d sends RSYN to ALT\n", i) }
#endif
#ifdef RDV
  RSYN_TO(regA[J])
  :: STEP { !regcur[i] -> regcur[i] = 1; regA[i] = cur[i]; printf("@ rdv: host%d at addr%d\n", i, cur[i]) }
#if P == 1
  :: STEP { !calm && !regcur[i] && regA[i] != DEAD -> regA[i] = DEAD }   /* stale registration arrives */
#else
  :: STEP { !calm && !regcur[i] -> regA[i] = (regA[i]+1) % P }          /* over-approximation */
#endif
#endif
  /* RSYN-ACK timer for mover J's candidate */
  :: STEP { pend[J] && candcur[J] && !(ra[J] & B(cur[i])) -> ra[J] = ra[J] | B(cur[i]);
     printf("@ host%d sends RSYN-ACK from addr%d to addr%d\n", i, cur[i], candA[J]) }
  /* RSYN(ver) of mover J */
  :: STEP { !candcur[J] && (rv[J] & held[i]) ->
     candcur[J] = 1; pend[J] = 1; candA[J] = cur[J]; rv[J] = 0; ak[J] = 0; ra[J] = 0;
     printf("@ host%d gets RSYN, candidate addr%d\n", i, candA[J]); popto(J, L-1) }
  GET_STALE(0)
#if L > 1
  GET_STALE(1)
#endif
#if L > 2
  GET_STALE(2)
#endif
#if L > 3
  GET_STALE(3)
#endif
#if L > 4
  GET_STALE(4)
#endif
  GERSYN_TOACK(0)
  GERSYN_TOACK(1)
#if P == 1
  GERSYN_TOACK(DEADS)
#endif
#if P > 1
  GERSYN_TOACK(2)
#endif
#if P > 2
  GERSYN_TOACK(3)
#endif
  /* ACK(cand) of mover J */
  :: STEP { pend[J] && (ak[J] & held[i]) ->
     pend[J] = 0; valA[J] = candA[J]; ak[J] = 0;
     if :: candcur[J] -> assert(proved[J]); ra[J] = 0 :: else fi;
     printf("@ host%d gets ACK: validates addr%d\n", i, valA[J]) }
  od
}

init {
  STEP { held[0] = 1 | ALTM(0); held[1] = 1 | ALTM(1);
           acked[0]=1; acked[1]=1; candcur[0]=1; candcur[1]=1; proved[0]=1; proved[1]=1;
#ifdef RDV
           regcur[0]=1; regcur[1]=1;
#endif
         };
  atomic { run Host(0); run Host(1) };
  calm = 1;
  timeout ->
  assert(UPTODATE);
  assert(acked[0] && acked[1] && !pend[0] && !pend[1] && candcur[0] && candcur[1])
}
#ifdef LIVENESS
ltl live { [] (calm -> <>[] UPTODATE) }
#endif
#ifdef WITNESS_STALE          /* must fail: a stale RSYN never arrives */
ltl witness { [] !(pend[0] && !candcur[0]) }
#endif
