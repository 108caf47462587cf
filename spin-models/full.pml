/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * The whole control plane of a connection, an unbounded number of moves.
 *
 * What it models: establishment (SYN, SYN-ACK, ACK), F flows of one connection of which flow 1 is
 *   added later by host ADDER, both hosts mobile with fresh addresses and hard handover. A move
 *   of a host changes the address under all its flows, and every flow moves on its own.
 *   Versions are relative, as in unbounded.pml: a fixed point, so any number of moves.
 *   Index X(f,i): host i's address on flow f, as its peer has recorded it.
 * Leaves out: NACK, close, reset and simultaneous open (pair.pml); tokens (nat.pml); a move of the
 *   responder before the first flow is up (pair.pml with ANYTIME).
 * Rules: R1 R2 R3 R4 R5 R6 R7 R8 R12 R13 R14.
 *
 * Switches: F flows; ADDER=0|1; CROSS addresses learnt on one flow are tried for the other;
 *   NOOVERLAP a host moves only while the peer's address is on record; RDV a rendezvous instead;
 *   NM=k at most k moves a host (for comparison with the paper); LIVENESS as a formula.
 */
#ifndef STEP
#define STEP d_step
#endif
#ifndef F
#define F 2
#endif
#ifndef ADDER
#define ADDER 1
#endif
#ifndef L
#define L 1
#endif
#define X(f,i) (2*(f)+(i))
#define NX (2*F)
#define J (1-i)
/* endpoint state of host i on flow f */
#define NONE    0
#define SYNSENT 1
#define SYNRCVD 2
#define EST     3
byte est[NX];                 /* endpoint state of host i on flow f */
bit candcur[NX], pend[NX];    /* the peer has seen the newest version; its candidate is not validated */
bit hasval[NX];               /* the peer has validated some version */
bit acked[NX], proved[NX];    /* the newest version is answered; ghost: at this address */
bit synat[NX];                /* that SYN has come to the peer's current address, from which it may answer */
/* Packets in flight: newest (R)SYN; (R)SYN-ACK from the peer's current address; one from an address
 * that it has left; ACK; number of stale (R)SYNs. */
bit rv[NX], ra[NX], rad[NX], ak[NX];
byte st[NX];
bit calm;
#ifdef NM
byte mv[2];
#define MORE(i) (mv[i] < NM)
#define COUNT mv[i]++
#else
#define MORE(i) 1
#define COUNT skip
#endif
#ifdef RDV
bit regcur[2];
#define REG(j) regcur[j]
#else
#define REG(j) 0
#endif
/* host J's current address is in the set that host i tries for flow f */
#if defined(CROSS) && F == 2
#define KNOWN(f,j) (candcur[X(0,j)] || candcur[X(1,j)] || REG(j))
#else
#define KNOWN(f,j) (candcur[X(f,j)] || REG(j))
#endif
#define INITIATOR(f) ((f) == 0 -> 0 : ADDER)
/* where the initiator's first SYN of a flow goes: flow 0: name resolution; later flows: the connection's addresses */
#define SYNDST(f,i) ((f) == 0 -> (est[X(0,J)] != EST || KNOWN(0,J)) : (candcur[X(0,J)] || KNOWN(f,J)))
#define OKX(f,i) (candcur[X(f,i)] && !pend[X(f,i)] && hasval[X(f,i)])
#define UP(f) (est[X(f,0)] == EST && est[X(f,1)] == EST && OKX(f,0) && OKX(f,1))
#if F == 2
#define OPENED1 (est[X(1,0)] || est[X(1,1)])
#define UPTODATE (UP(0) && (!OPENED1 || UP(1)))
#else
#define UPTODATE UP(0)
#endif
#ifdef NOOVERLAP
#if F == 2
#define MAY_MOVE (KNOWN(0,J) && (!OPENED1 || KNOWN(1,J) || est[X(1,J)] < SYNRCVD || est[X(1,i)] == SYNSENT))
#else
#define MAY_MOVE KNOWN(0,J)
#endif
#else
#define MAY_MOVE 1
#endif

inline move1(f, keep) {       /* what a move of host i does to flow f */
  if
  :: est[X(f,i)] != NONE ->
     if
     :: keep && rv[X(f,i)] && !candcur[X(f,i)] && st[X(f,i)] < L -> st[X(f,i)]++
     :: else
     fi;
     rv[X(f,i)] = 0; ra[X(f,i)] = 0; rad[X(f,i)] = 0; acked[X(f,i)] = 0; proved[X(f,i)] = 0; candcur[X(f,i)] = 0;
     if :: !pend[X(f,i)] -> ak[X(f,i)] = 0 :: else fi;
     /* the other direction: what was on its way to the address just left is lost */
     rv[X(f,J)] = 0; st[X(f,J)] = 0; ak[X(f,J)] = 0; synat[X(f,J)] = 0;
     if :: ra[X(f,J)] -> ra[X(f,J)] = 0; rad[X(f,J)] = 1 :: else fi
  :: else
  fi
}
/* k0, k1: the superseded (R)SYN of that flow is still in flight */
#define STALEABLE(f) (rv[X(f,i)] && !candcur[X(f,i)] && st[X(f,i)] < L)
#if F == 2
#define MOVEALL(k0,k1) move1(0,k0); move1(1,k1)
#else
#define MOVEALL(k0,k1) move1(0,k0)
#endif
#ifdef RDV
#define REGM regcur[i] = 0
#else
#define REGM skip
#endif
#define MOVE(k0,k1,g) :: STEP { !calm && MORE(i) && (g) && est[X(0,i)] != NONE && (i == 0 || est[X(0,1)] == EST) && MAY_MOVE -> \
   MOVEALL(k0,k1); REGM; COUNT; printf("@ host%d move\n", i) }

#ifdef MUT_NO_RSYN_IN_SYN_RCVD
#define RSYN_OK(f) (est[X(f,i)] == EST)
#else
#define RSYN_OK(f) (est[X(f,i)] >= SYNRCVD)
#endif
/* may host i process a SYN (or RSYN) of host J on flow f? */
#define RX_OK(f) (est[X(f,J)] == SYNSENT -> (est[X(f,i)] == NONE || est[X(f,i)] == SYNRCVD) : RSYN_OK(f))

#ifdef MUT_SYN_NOT_REPEATED   /* R12: SYN goes to the addresses known when it was first sent, not to those learnt later */
#define AGAIN(f) (!candcur[X(f,i)])
#else
#define AGAIN(f) (!candcur[X(f,i)] || !synat[X(f,i)])
#endif
#ifdef MUT_KNOWN_RSYN_UNANSWERED /* R13 */
#define KNOWN_OK 0
#else
#define KNOWN_OK 1
#endif

#define FLOW(f) \
  /* open the flow */ \
  :: STEP { est[X(f,i)] == NONE && INITIATOR(f) == i && (f == 0 || (est[X(0,i)] == EST && !calm)) -> \
       est[X(f,i)] = SYNSENT; acked[X(f,i)] = 0; printf("@ host%d open flow %d\n", i, f) } \
  /* SYN or RSYN timer */ \
  :: STEP { est[X(f,i)] != NONE && !acked[X(f,i)] && !rv[X(f,i)] && (est[X(f,i)] == SYNSENT -> (SYNDST(f,i) && AGAIN(f)) : (KNOWN(f,J) && (!candcur[X(f,i)] || (!pend[X(f,i)] && !ra[X(f,i)])))) -> \
       rv[X(f,i)] = 1; printf("@ host%d send (R)SYN on flow %d\n", i, f) } \
  /* SYN-ACK / RSYN-ACK timer for J's candidate */ \
  :: STEP { pend[X(f,J)] && candcur[X(f,J)] && !ra[X(f,J)] && (est[X(f,J)] != SYNSENT || synat[X(f,J)]) -> \
       ra[X(f,J)] = 1; printf("@ host%d send (R)SYN-ACK on flow %d\n", i, f) } \
  /* newest SYN / RSYN of J arrives */ \
  :: STEP { rv[X(f,J)] && RX_OK(f) && (!candcur[X(f,J)] || (est[X(f,J)] == SYNSENT && !synat[X(f,J)])) -> \
       if :: est[X(f,i)] == NONE -> est[X(f,i)] = SYNRCVD; acked[X(f,i)] = 1; proved[X(f,i)] = 1 \
          :: est[X(f,i)] == SYNRCVD && est[X(f,J)] == EST -> est[X(f,i)] = EST \
          :: else fi; \
       if :: !candcur[X(f,J)] -> candcur[X(f,J)] = 1; pend[X(f,J)] = 1; ak[X(f,J)] = 0; ra[X(f,J)] = 0; rad[X(f,J)] = 0 :: else fi; \
       synat[X(f,J)] = 1; rv[X(f,J)] = 0; st[X(f,J)] = 0; printf("@ host%d get (R)SYN on flow %d\n", i, f) } \
  /* RSYN of a version already validated (learnt from SYN-ACK): just answer */ \
  :: STEP { KNOWN_OK && rv[X(f,J)] && est[X(f,J)] >= SYNRCVD && est[X(f,i)] == EST && candcur[X(f,J)] && !pend[X(f,J)] && !acked[X(f,J)] && !ra[X(f,J)] -> \
       ra[X(f,J)] = 1; rv[X(f,J)] = 0; printf("@ host%d answer a known RSYN on flow %d\n", i, f) } \
  /* stale SYN / RSYN */ \
  :: STEP { st[X(f,J)] && !candcur[X(f,J)] && RX_OK(f) -> \
       if :: est[X(f,i)] == NONE -> est[X(f,i)] = SYNRCVD; acked[X(f,i)] = 1; proved[X(f,i)] = 1 \
          :: est[X(f,i)] == SYNRCVD && est[X(f,J)] == EST -> est[X(f,i)] = EST \
          :: else fi; \
       st[X(f,J)]--; pend[X(f,J)] = 1; ak[X(f,J)] = 0; printf("@ host%d get stale (R)SYN on flow %d\n", i, f) } \
  /* SYN-ACK for my newest SYN; reply ACK lost (g=0) or sent */ \
  :: STEP { ra[X(f,i)] && est[X(f,i)] == SYNSENT -> \
       est[X(f,i)] = EST; acked[X(f,i)] = 1; proved[X(f,i)] = 1; \
       hasval[X(f,J)] = 1; candcur[X(f,J)] = 1; pend[X(f,J)] = 0; st[X(f,J)] = 0; \
       printf("@ host%d get SYN-ACK on flow %d\n", i, f) } \
  /* RSYN-ACK (or repeated SYN-ACK): ACK lost */ \
  :: STEP { (ra[X(f,i)] || rad[X(f,i)]) && est[X(f,i)] >= SYNRCVD && !acked[X(f,i)] -> \
       acked[X(f,i)] = 1; proved[X(f,i)] = 1; printf("@ host%d get RSYN-ACK on flow %d\n", i, f) } \
  /* (R)SYN-ACK: ACK sent, again for every repetition */ \
  :: STEP { ra[X(f,i)] && est[X(f,i)] == EST && acked[X(f,i)] && candcur[X(f,i)] && pend[X(f,i)] && !ak[X(f,i)] -> \
       ak[X(f,i)] = 1; printf("@ host%d send ACK on flow %d\n", i, f) } \
  :: STEP { ra[X(f,i)] && !calm && acked[X(f,i)] && est[X(f,i)] >= SYNRCVD -> ra[X(f,i)] = 0 } \
  /* ACK validates J's candidate */ \
  :: STEP { pend[X(f,J)] && ak[X(f,J)] -> \
       if :: candcur[X(f,J)] -> assert(proved[X(f,J)]) :: else fi; \
       if :: est[X(f,i)] == SYNRCVD -> est[X(f,i)] = EST :: else fi; \
       pend[X(f,J)] = 0; hasval[X(f,J)] = 1; ak[X(f,J)] = 0; \
       if :: candcur[X(f,J)] -> ra[X(f,J)] = 0; rad[X(f,J)] = 0 :: else fi; \
       printf("@ host%d get ACK on flow %d\n", i, f) }

proctype Host(byte i) {
end:
  do
  MOVE(0,0,1)
  MOVE(1,0,STALEABLE(0))
#if F == 2
  MOVE(0,1,STALEABLE(1))
  MOVE(1,1,STALEABLE(0) && STALEABLE(1))
#endif
#ifdef RDV
  :: STEP { !regcur[i] -> regcur[i] = 1 }
#endif
  FLOW(0)
#if F == 2
  FLOW(1)
#endif
  od
}
init {
  STEP {
#ifdef RDV
    regcur[0] = 1; regcur[1] = 1;
#endif
    /* the initiator knows the responder's first address (name resolution) */
    acked[0] = 1 };
  atomic { run Host(0); run Host(1) };
  calm = 1;
  timeout -> assert(UPTODATE); assert(acked[0] && acked[1]);
#if F == 2
  assert(!OPENED1 || (acked[2] && acked[3]))
#endif
}
#ifdef LIVENESS
ltl live { [] (calm -> <>[] UPTODATE) }
#endif
#ifdef WITNESS_SECOND_FLOW   /* must fail: the second flow never comes up */
ltl witness { [] !(OPENED1 && UP(1)) }
#endif
#ifdef WITNESS_RESPONDER_MOVES /* must fail: nobody ever moves while its SYN-ACK is unanswered */
ltl witness { [] !(est[X(1,0)] == SYNRCVD && !acked[X(1,0)]) }
#endif
