/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * Two established hosts that both move, with explicit versions, and what makes them find
 * each other again.
 *
 * What it models: index i is the mover. ver, cur, held and acked belong to host i; cand and val
 *   are what its PEER has recorded of it (seen in an RSYN, and validated). The network is a
 *   set of packets: delivery may keep a packet (unlimited duplication), any packet may be next
 *   (reordering), and what is never delivered is lost. Timers repeat. From `calm` on nothing
 *   is lost and nobody moves.
 * An option is enabled only if it changes the state. So every state without a successor is
 *   quiescent, and "no deadlock" is an assertion about those; base.pml and pair.pml confirm the
 *   verdicts with timers that fire at any time and packets that are consumed.
 * Leaves out: establishment, flows, NAT; GC forgets packets that can never matter again (exact;
 *   the runner compares verdicts with and without).
 * Rules: R1 R2 R3 R4 R5 R6 R7 R9 R11 R14.
 *
 * Switches: N0=k N1=k moves of each host. FRESH: every move takes a new address, else addresses
 *   come from a pool of P and return. One of these makes simultaneous moves recoverable:
 *   ALT0/ALT1 host 0/1 has a stable alternative address; RDV both hosts register at a rendezvous
 *   (RDV_ONLY1: only host 1); SOFT_UNTIL_ACKED with SOFT make-before-break (SOFT_ONLY1: only host 1);
 *   NOOVERLAP a host moves only while its peer's address is on record.
 *   SEQUENCE: numbering as in HIP and TCP-Migrate.
 */
#ifndef STEP
#define STEP d_step
#endif
#ifndef N0
#define N0 2
#endif
#ifndef N1
#define N1 0
#endif
#if N0 > N1
#define NV (N0+1)
#else
#define NV (N1+1)
#endif
#ifdef FRESH
#define P NV
#else
#ifndef P
#define P 2
#endif
#endif
#define B(a)  (1 << (a))
#define ALTA  P               /* the stable alternative address */
#define J     (1-i)
#define NB(i) ((i == 0) -> N0 : N1)
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
#define ALTM(i) ((i == 0) -> ALTM0 : ALTM1)

typedef Packets {
  byte  src[NV];              /* source address of RSYN(v) */
  short rs[NV];               /* RSYN(v): destinations in flight */
  short ra[NV];               /* RSYN-ACK(v): sources in flight; it goes to src[v] */
  short ak[NV]                /* ACK(v): destinations in flight */
};
Packets m[2];
byte ver[2], cand[2], val[2], cur[2], candA[2], valA[2];
short held[2], proved[2];     /* ghost: versions whose RSYN-ACK was received */
bit  acked[2], calm;
#ifdef MUT_DATA_LEARNS
short da[2];                  /* data of host i in flight: sources */
#endif
#ifdef RDV
byte regv[2], regA[2];
#endif

#define PEND(i)    (cand[i] != val[i])
#define UPTODATE   (valA[0] == cur[0] && valA[1] == cur[1])
#define HOLDS(h,a) ((held[h] & B(a)) != 0)
#define REACH(h)   (HOLDS(h,valA[h]) || HOLDS(h,candA[h]) || ALTM(h))
#if defined(FRESH) && !defined(SOFT)
#define ONCE                  /* an address, once left, is never held again */
#define LIVE(h,a)  HOLDS(h,a)
#else
#define LIVE(h,a)  1
#endif

inline gc() {                 /* exact: drop packets that can never matter again */
#ifdef GC
  _k = 0;
  do
  :: _k < 2 ->
     _v = 0;
     do
     :: _v < NV ->
        if :: _v <= cand[_k] -> m[_k].rs[_v] = 0 :: else fi;
        if :: _v < ver[_k] -> m[_k].ra[_v] = 0 :: else fi;
        if :: _v != cand[_k] || !PEND(_k) -> m[_k].ak[_v] = 0 :: else fi;
#ifdef ONCE
        m[_k].rs[_v] = m[_k].rs[_v] & held[1-_k];
        m[_k].ak[_v] = m[_k].ak[_v] & held[1-_k];
#elif !defined(RDV)
        if :: m[_k].rs[_v] == 0 && m[_k].ra[_v] == 0 && _v != ver[_k] -> m[_k].src[_v] = 0 :: else fi;
#endif
        _v++
     :: else -> break
     od;
     _k++
  :: else -> break
  od;
  _k = 0; _v = 0
#else
  skip
#endif
}

/* ---- the rules, each with the mutant that breaks it ---- */
#ifdef SEQUENCE               /* R1 */
#define NEWER(i,v) (v == val[i] + 1 && !PEND(i))
#else
#define NEWER(i,v) (v > cand[i])
#endif
#ifdef MUT_RSYNACK_ONCE       /* R3 */
#define ANSWERS    (!acked[i])
#else
#define ANSWERS    1
#endif
#ifdef MUT_ACK_TO_RECORD      /* R6 */
#define BACK(s)    valA[J]
#else
#define BACK(s)    s
#endif

/* ---- moves ---- */
#ifdef SOFT_ONLY1
#define NEWHELD ((i == 1) -> (held[i] | B(cur[i])) : (B(cur[i]) | ALTM(i)))
#elif defined(SOFT)
#define NEWHELD (held[i] | B(cur[i]))
#else
#define NEWHELD (B(cur[i]) | ALTM(i))
#endif
#ifdef SOFT_UNTIL_ACKED       /* R11 */
#define MAY_RELEASE acked[i]
#else
#define MAY_RELEASE 1
#endif
#ifdef FRESH
#define NEWADDR(k) ver[i]
#else
#define NEWADDR(k) ((cur[i] + k) % P)
#endif
#ifdef NOOVERLAP
#define MAY_MOVE REACH(J)
#else
#define MAY_MOVE 1
#endif
#define MOVE(k) \
  :: STEP { !calm && ver[i] < NB(i) && MAY_MOVE -> \
       ver[i]++; cur[i] = NEWADDR(k); m[i].src[ver[i]] = cur[i]; held[i] = NEWHELD; acked[i] = 0; \
       printf("@ host%d move v%d a%d\n", i, ver[i], cur[i]); gc() }

/* ---- timers ---- */
#define RSYN_TO(a) \
  :: STEP { !acked[i] && !(m[i].rs[ver[i]] & B(a)) && LIVE(J,a) && cand[i] != ver[i] -> \
       m[i].rs[ver[i]] = m[i].rs[ver[i]] | B(a); printf("@ host%d send RSYN v%d to a%d\n", i, ver[i], a); gc() }
/* with SEQUENCE every older number is repeated too, and names the address that was left */
#define OLD_RSYN(w) \
  :: STEP { !acked[i] && w < NV && w < ver[i] && w > cand[i] && !(m[i].rs[w] & B(valA[J])) && LIVE(J,valA[J]) -> \
       m[i].rs[w] = m[i].rs[w] | B(valA[J]); printf("@ host%d send RSYN v%d to a%d\n", i, w, valA[J]); gc() }

/* ---- deliveries ---- */
#ifdef MUT_NO_RSYNACK_TIMER   /* R4: RSYN-ACK only as a reply, which may be lost */
#define GET_RSYN(w) \
  :: STEP { w < NV && (m[J].rs[w] & held[i]) && NEWER(J,w) && !calm -> \
       cand[J] = w; candA[J] = m[J].src[w]; m[J].rs[w] = 0; printf("@ host%d get RSYN v%d, answer lost\n", i, w); gc() } \
  :: STEP { w < NV && (m[J].rs[w] & held[i]) && NEWER(J,w) -> \
       cand[J] = w; candA[J] = m[J].src[w]; m[J].ra[w] = m[J].ra[w] | B(cur[i]); m[J].rs[w] = 0; \
       printf("@ host%d get RSYN v%d, send RSYNACK\n", i, w); gc() } \
  :: STEP { w < NV && (m[J].rs[w] & held[i]) && PEND(J) && cand[J] == w && !(m[J].ra[w] & B(cur[i])) -> \
       m[J].ra[w] = m[J].ra[w] | B(cur[i]); gc() }
#else
#define GET_RSYN(w) \
  :: STEP { w < NV && (m[J].rs[w] & held[i]) && NEWER(J,w) -> \
       assert(w > cand[J]); cand[J] = w; candA[J] = m[J].src[w]; \
       printf("@ host%d get RSYN v%d from a%d\n", i, w, candA[J]); gc() }
#endif
#define GET_RSYNACK(s) \
  :: STEP { s <= P && (m[i].ra[ver[i]] & B(s)) && HOLDS(i, m[i].src[ver[i]]) && !calm && !acked[i] -> \
       acked[i] = 1; proved[i] = proved[i] | B(ver[i]); m[i].ra[ver[i]] = m[i].ra[ver[i]] & ~B(s); \
       printf("@ host%d get RSYNACK v%d from a%d, ACK lost\n", i, ver[i], s); gc() } \
  :: STEP { s <= P && (m[i].ra[ver[i]] & B(s)) && HOLDS(i, m[i].src[ver[i]]) && (ANSWERS) && \
            (!acked[i] || (PEND(i) && !(m[i].ak[ver[i]] & B(BACK(s))) && LIVE(J,BACK(s)))) -> \
       acked[i] = 1; proved[i] = proved[i] | B(ver[i]); m[i].ak[ver[i]] = m[i].ak[ver[i]] | B(BACK(s)); \
       printf("@ host%d get RSYNACK v%d from a%d, send ACK to a%d\n", i, ver[i], s, BACK(s)); gc() }
/* an old RSYN-ACK can still arrive at an address that is held on */
#define GET_OLD_RSYNACK(w) \
  :: STEP { w < NV && w < ver[i] && m[i].ra[w] && HOLDS(i, m[i].src[w]) && !acked[i] -> \
       acked[i] = 1; printf("@ host%d get RSYNACK v%d, stop\n", i, w); gc() }
#define GET_DATA(s) \
  :: STEP { s < NV && (da[J] & B(s)) -> \
       printf("@ host%d get DATA from a%d, learn it\n", i, s); assert(s >= valA[J]); valA[J] = s; da[J] = da[J] & ~B(s) }

proctype Host(byte i) {
  byte _k, _v;
end:
  do
  MOVE(1)
#if !defined(FRESH) && P > 2
  MOVE(2)
#endif
#ifdef SOFT
  :: STEP { held[i] != (B(cur[i]) | ALTM(i)) && MAY_RELEASE -> held[i] = B(cur[i]) | ALTM(i); printf("@ host%d release\n", i); gc() }
#endif
#ifdef MUT_DATA_LEARNS        /* R9 */
  :: STEP { !calm && HOLDS(J,valA[J]) && !(da[i] & B(cur[i])) -> da[i] = da[i] | B(cur[i]); printf("@ host%d send DATA from a%d\n", i, cur[i]) }
  GET_DATA(0)
  GET_DATA(1)
  GET_DATA(2)
#endif
#ifdef MUT_OLD_ACK            /* R5 */
  :: STEP { PEND(J) && (m[J].ak[cand[J]-1] & held[i]) ->
       printf("@ host%d get ACK v%d, validate v%d\n", i, cand[J]-1, cand[J]); assert(proved[J] & B(cand[J]));
       val[J] = cand[J]; valA[J] = candA[J] }
#endif
#ifdef MUT_OLD_RSYNACK        /* R2 */
  GET_OLD_RSYNACK(0)
  GET_OLD_RSYNACK(1)
#if NV > 2
  GET_OLD_RSYNACK(2)
#endif
#endif
  RSYN_TO(valA[J])
#ifndef MUT_RSYN_TO_VALID_ONLY /* R7 */
  RSYN_TO(candA[J])
#endif
#ifdef SEQUENCE
  OLD_RSYN(1)
#if NV > 3
  OLD_RSYN(2)
#endif
#endif
#if defined(ALT0) || defined(ALT1)
  :: STEP { ALTM(J) && !acked[i] && !(m[i].rs[ver[i]] & ALTM(J)) && cand[i] != ver[i] ->
       m[i].rs[ver[i]] = m[i].rs[ver[i]] | ALTM(J); printf("@ host%d send RSYN v%d to the alternative\n", i, ver[i]); gc() }
#endif
#ifdef RDV
  RSYN_TO(regA[J])
#ifdef RDV_ONLY1
#define REGISTERS (i == 1)
#else
#define REGISTERS 1
#endif
  :: STEP { REGISTERS && regv[i] < ver[i] -> regv[i] = ver[i]; regA[i] = cur[i]; printf("@ host%d register a%d\n", i, cur[i]) }
  :: STEP { REGISTERS && regv[i] + 1 < ver[i] -> regv[i]++; regA[i] = m[i].src[regv[i]] }
#endif
#ifndef MUT_NO_RSYNACK_TIMER
  :: STEP { PEND(J) && cand[J] == ver[J] && !(m[J].ra[cand[J]] & B(cur[i])) ->
       m[J].ra[cand[J]] = m[J].ra[cand[J]] | B(cur[i]);
       printf("@ host%d send RSYNACK v%d from a%d to a%d\n", i, cand[J], cur[i], candA[J]); gc() }
#endif
#ifdef MORE_OPTIONS           /* redirect.pml */
  MORE_OPTIONS
#endif
  GET_RSYN(1)
#if NV > 2
  GET_RSYN(2)
#endif
#if NV > 3
  GET_RSYN(3)
#endif
#if NV > 4
  GET_RSYN(4)
#endif
#if NV > 5
  GET_RSYN(5) GET_RSYN(6)
#endif
#if NV > 7
  GET_RSYN(7) GET_RSYN(8)
#endif
#if NV > 9
  GET_RSYN(9) GET_RSYN(10)
#endif
  GET_RSYNACK(0)
  GET_RSYNACK(1)
  GET_RSYNACK(2)
#if P > 2
  GET_RSYNACK(3)
#endif
#if P > 3
  GET_RSYNACK(4)
#endif
#if P > 4
  GET_RSYNACK(5) GET_RSYNACK(6)
#endif
#if P > 6
  GET_RSYNACK(7) GET_RSYNACK(8)
#endif
#if P > 8
  GET_RSYNACK(9) GET_RSYNACK(10)
#endif
  /* ACK of exactly the candidate */
  :: STEP { PEND(J) && (m[J].ak[cand[J]] & held[i]) ->
       assert(cand[J] > val[J]);                /* stale never overwrites newer */
       assert(proved[J] & B(cand[J]));          /* data only to a proven address */
       val[J] = cand[J]; valA[J] = candA[J]; printf("@ host%d get ACK v%d, data to a%d\n", i, val[J], valA[J]); gc() }
  od
}

init {
  STEP { held[0] = 1 | ALTM(0); held[1] = 1 | ALTM(1);
         acked[0] = 1; acked[1] = 1; proved[0] = 1; proved[1] = 1 };
  atomic { run Host(0); run Host(1) };
  calm = 1;
  timeout ->
  assert(UPTODATE);                             /* the address records converge, each host can ping the other */
  assert(acked[0] && acked[1] && !PEND(0) && !PEND(1))  /* nobody repeats anything for ever */
}

#ifdef LIVENESS
ltl live { [] (calm -> <>[] UPTODATE) }
#endif
#ifdef WITNESS_BOTH_PENDING   /* must fail: never are both moves in progress */
ltl witness { [] !(cand[0] < ver[0] && cand[1] < ver[1]) }
#endif
#ifdef WITNESS_MOVED          /* must fail: the last move is never completed */
ltl witness { [] !(calm && UPTODATE && ver[0] == N0) }
#endif
