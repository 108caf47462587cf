/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * The full protocol: a connection of two flows with everything that may happen to it at once.
 *
 * What it models: four ends of endpoint.pml. Host 0 opens flow 0; host ADDER adds flow 1 whenever
 *   it likes. A host moves all its flows at once, each flow by its own handshake. The called host may
 *   refuse an address with NACK and name another. Own flow IDs change with every move, and a
 *   packet whose ID is not known any more is answered with a stateless reset. Paths break silently,
 *   and data goes over whichever flow works (backup). FIN is the transport's: it goes over the flow in
 *   use, and when both directions are done all flows drain. A reset closes its flow alone, an abort
 *   resets every flow. The network loses, duplicates and reorders; at most Q packets are in flight each way.
 * calm: as in pair.pml; a round rings the timers of one flow, and the flows take turns.
 * Leaves out: more than two flows; numbers of moves beyond M0 and M1 (full.pml has no bound, but fewer
 *   features); NAT (nat.pml); hysteresis of going back (backup.pml).
 * Rules: those of endpoint.pml, R11 with SOFT, R12 for flow 1, R16 and R18 to R21 of docs/models.md.
 *
 * Switches: M0=k M1=k moves; SOFT, NOOVERLAP as in pair.pml; ADDER=0|1; CROSS addresses learnt on one flow are
 *   tried for the other; ONE_FLOW; BOTH_OPEN the first flow; NACKING; IDS flow IDs change; BACKUP paths break; CLOSING; ABORTING; TIMEOUTS handshakes
 *   may time out; Q, TICKS.
 */
#ifndef M0
#define M0 1
#endif
#ifndef M1
#define M1 0
#endif
#ifndef ADDER
#define ADDER 0
#endif
#ifndef STEP
#define STEP d_step
#endif
#ifndef Q
#define Q 2
#endif
#if defined(ABORTING) || defined(BOTH_OPEN)
#define TIMEOUTS
#endif
#ifndef TICKS
#define TICKS 20
#endif
#define PATIENCE 10
#define NADDR 8
#define ENDS  4
#define SECOND 7                   /* host 1's other interface, which never moves; it wants flow 1 there */

/* End x is flow x/2 at host x%2. */
#define X(f,h)  (2*(f)+(h))
#define HOST(x) ((x) & 1)
#define FLOW(x) ((x) >> 1)
#define J       (i ^ 1)
#define HELD(h,a) ((held[h] & B(a)) != 0)

#define PACKET(t,f,s,d,v,k,w) ((t) << 14 | (f) << 13 | (s) << 10 | (d) << 7 | (v) << 5 | (k) << 2 | (w))
#define TYPE(p)    ((p) >> 14)
#define FLOWOF(p)  (((p) >> 13) & 1)
#define FROM(p)    (((p) >> 10) & 7)
#define TO(p)      (((p) >> 7) & 7)
#define VERSION(p) (((p) >> 5) & 3)
#define TOKEN(p)   (((p) >> 2) & 7)

/* Which of the peer's flow IDs a packet carries: that of the candidate only in handshakes with it (R19). */
#ifdef IDS
#ifdef MUT_PONG_TO_CANDIDATE
#define SHAKES(t) (t == RSYN || t == RSYNACK || t == SYNACK || t == ACK || t == PONG)
#else
#define SHAKES(t) (t == RSYN || t == RSYNACK || t == SYNACK || t == ACK)
#endif
#define NAMES(i,t,d) (SHAKES(t) && ME.pend && (ME.srcs & B(d)) -> ME.cand : ME.val)
#else
#define NAMES(i,t,d) 0
#endif
/* SYN carries a token of the address that it goes to, and SYN-ACK from there echoes it (R18): that
 * bit stands in place of the flow ID, which is that of the version answered. */
#define LAST(i,t,d) (t == SYNACK -> (asked[i] & B(ME.addr)) != 0 : NAMES(i,t,d))
#define ID(p)      (TYPE(p) == SYNACK -> VERSION(p) : (p) & 3)
#define ECHOES(p)  ((p) & 1)
#define EMIT(i,t,d,v,k) \
  if \
  :: ME.addr != 0 && HELD(HOST(J),d) && works[FLOW(i)] -> \
     printf("@ host%d send %e v%d tok%d from a%d to a%d on flow %d\n", HOST(i), t, v, k, ME.addr, d, FLOW(i)); \
     pkt = PACKET(t,FLOW(i),ME.addr,d,v,k,LAST(i,t,d)); put(HOST(J)) \
  :: else -> printf("@ host%d lose %e v%d tok%d from a%d to a%d on flow %d\n", HOST(i), t, v, k, ME.addr, d, FLOW(i)) \
  fi
#define VALIDATING(i,v,a) assert(got[J] & B(a)); assert(ME.valA == 0 || v > ME.val)
#define PONGED(i)         pinged[i] = calm; if :: calm && !pinged[X(use[HOST(i)],HOST(i))] -> use[HOST(i)] = FLOW(i) :: else fi
#define DELIVERED(i,s)    skip
#define FINNED(i,s)       finseen[HOST(i)] = 1; EMIT(i, FINACK, ME.valA, 0, 0)
#define FINACKED(i)       finacked[HOST(i)] = fin[HOST(i)]
#ifdef CROSS
#define LEARNT(i) (e[i ^ 2].st == OPEN -> B(e[i ^ 2].valA) | e[i ^ 2].srcs : 0)
#endif
byte asked[ENDS];          /* addresses of end x to which a SYN has come */
byte use[2];               /* the flow that host h sends on */
bit works[2] = 1;          /* the path of flow f */
#include "endpoint.pml"

typedef Set { int p[Q] };
Set net[2];
int pkt;
byte _x, _y;
inline put(h) {
  _x = 0;
  do :: _x < Q && net[h].p[_x] > pkt -> _x++ :: else -> break od;
  if
  :: _x < Q && net[h].p[_x] != pkt && net[h].p[Q-1] == 0 ->
     _y = Q-1;
     do :: _y > _x -> net[h].p[_y] = net[h].p[_y-1]; _y-- :: else -> break od;
     net[h].p[_x] = pkt
  :: else
  fi;
  _x = 0; _y = 0; pkt = 0
}
inline drop(h, n) {
  _x = n;
  do :: _x < Q-1 -> net[h].p[_x] = net[h].p[_x+1]; _x++ :: else -> break od;
  net[h].p[Q-1] = 0; _x = 0
}
#define EMPTY (net[0].p[0] == 0 && net[1].p[0] == 0)

byte moves[2], at[2];      /* moves so far, current address or 0 */
byte held[2];              /* addresses at which host h still receives */
byte got[ENDS];            /* addresses of end x at which something has arrived that only their holder can show */
#ifdef IDS
byte ids[ENDS];            /* own flow IDs that end x answers to, one for each version */
bit used[ENDS];            /* the peer has used the newest for data */
#endif
bit told;                  /* the initiator of flow 1 was told where it is wanted */
bit pinged[ENDS], fin[2], finseen[2], finacked[2], reset, calm;
byte ticks;
bit added;

#define MOVES(h)    (h == 0 -> M0 : M1)
#define HOME(h)     (h == 0 -> 1 : 4)
#define LIVE(x)     (e[x].st == OPEN)
#define FREE(x)     (e[x].addr != SECOND)          /* its address is the one that moves */
#define ANSWERED(x) (e[x].st < SYN_SENT || !FREE(x) || e[x].acked)
#define KNOWS(x)    (e[x].st < SYN_SENT || e[x].valA == at[HOST(x ^ 1)] || (e[x].srcs & B(at[HOST(x ^ 1)])) || !FREE(x ^ 1))
#ifdef NOOVERLAP
#define MAY_LEAVE(h) (at[1-h] != 0 && KNOWS(X(0,h)) && KNOWS(X(1,h)))
#else
#define MAY_LEAVE(h) 1
#endif
#define MOVABLE(h)  (LIVE(X(0,h)) || LIVE(X(1,h)) || (h == 0 && e[0].st == SYN_SENT))

#define OVER        (fin[0] || fin[1])
#define UPTODATE(x) (LIVE(x) && e[x].acked && !e[x].pend && e[x].valA == e[x ^ 1].addr && pinged[x])
#define GONE(x)     (e[x].st <= LISTEN)
#define FLOWDONE(f) (!works[f] || (OVER -> (GONE(X(f,0)) || e[X(f,0)].drain) && (GONE(X(f,1)) || e[X(f,1)].drain) \
                                        : (UPTODATE(X(f,0)) && UPTODATE(X(f,1))) || (GONE(X(f,0)) && GONE(X(f,1)))))
#define SERVED(h)   (OVER || reset || (works[use[h]] && LIVE(X(use[h],h))))
#define DONE        (FLOWDONE(0) && FLOWDONE(1) && SERVED(0) && SERVED(1))

inline purge(h) {
  _n = 0;
  do
  :: _n < Q && net[h].p[_n] != 0 && !HELD(h,TO(net[h].p[_n])) -> drop(h, _n)
  :: _n < Q && net[h].p[_n] != 0 && HELD(h,TO(net[h].p[_n])) -> _n++
  :: else -> break
  od;
  _n = 0
}

inline drain_all(h) {      /* the transport is done: every flow drains, a half-open one too (R20) */
  x = X(0,h);
  do
  :: x < ENDS ->
     if
#ifdef MUT_FORGET_HALF_OPEN
     :: LIVE(x) -> e[x].drain = 1
     :: !LIVE(x) -> i = x; forget(i)
#else
     :: e[x].st >= SYN_RCVD -> e[x].drain = 1
     :: e[x].st < SYN_RCVD -> i = x; forget(i)
#endif
     fi;
     x = x + 2
  :: else -> break
  od
}
/* A later flow cannot be opened when the connection has gone. */
inline last_flow(h) {
  if :: e[X(0,h)].st == CLOSED && e[X(1,h)].st <= SYN_SENT -> i = X(1,h); forget(i) :: else fi
}

inline deliver(h, p) {
  i = X(FLOWOF(p),h);
  if :: TYPE(p) == SYN || TYPE(p) == SYNACK || TYPE(p) == RSYNACK -> got[i] = got[i] | B(TO(p)) :: else fi;
  if :: TYPE(p) == RST && ISOPEN && !ME.drain -> assert(reset) :: else fi;
#ifdef SHOW_OLD_ID
  assert(!(TYPE(p) == FIN && ISOPEN && ID(p) != ME.ver));
#endif
#ifdef SHOW_NACK_MOVED
  assert(!(TYPE(p) == NACK && moves[1] > 0 && ME.st == SYN_SENT));
#endif
#ifdef SHOW_BACKUP_FIN
  assert(!(TYPE(p) == FIN && FLOWOF(p) == 1 && !works[0] && moves[0] > 0));
#endif
#ifdef SHOW_ADDED_LATE
  assert(!(TYPE(p) == SYN && FLOWOF(p) == 1 && ME.st == LISTEN && fin[0] && finseen[0]));
#endif
  if
#ifdef NACKING
  :: TYPE(p) == SYN && i == 3 && ME.st == LISTEN && TO(p) != SECOND ->
     x = ME.addr; ME.addr = TO(p); EMIT(i, NACK, FROM(p), 0, SECOND); ME.addr = x
#endif
#ifndef MUT_SYNACK_FROM_NEW
  :: TYPE(p) == SYNACK && ME.st == SYN_SENT && !ECHOES(p)
#endif
#ifdef IDS
  :: TYPE(p) != SYN && !GONE(i) && !(ids[i] & B(ID(p))) -> EMIT(i, RST, FROM(p), 0, 0)
#endif
  :: else ->
     if :: TYPE(p) == SYN -> asked[i] = asked[i] | B(TO(p)) :: else fi;
#ifdef NACKING
     if :: TYPE(p) == SYN && i == 3 && ME.st == LISTEN -> ME.addr = SECOND :: else fi;
     if :: TYPE(p) == NACK && ME.st == SYN_SENT -> told = 1 :: else fi;
#endif
#ifdef IDS
#ifdef MUT_USED_BY_ANY
     if :: ID(p) == ME.ver -> used[i] = 1 :: else fi;
#else
     if :: ID(p) == ME.ver && (TYPE(p) == DATA || TYPE(p) == PONG || TYPE(p) == PING || TYPE(p) == FIN || TYPE(p) == FINACK) -> used[i] = 1 :: else fi;
#endif
#endif
#ifdef MUT_RESET_ALL
     if :: TYPE(p) == RST && !GONE(i) -> i = i ^ 2; forget(i); i = i ^ 2 :: else fi;
#endif
     receive(i, TYPE(p), FROM(p), VERSION(p), TOKEN(p))
  fi;
  if :: fin[h] && finacked[h] && finseen[h] -> drain_all(h) :: else fi;
  last_flow(h);
  i = 0; x = 0
}

inline give_up() {
  if
  :: ME.st == SYN_SENT -> reset = 1; forget(i)
  :: ME.st == SYN_RCVD -> reset = 1; abort_flow(i)
  :: ISOPEN && reset && !HELD(HOST(J),ME.valA) -> forget(i)
  :: else
  fi
}

inline ring(n) {           /* every timer of end n */
  i = n;
#ifdef TIMEOUTS
  if :: calm && ticks > PATIENCE -> give_up() :: else fi;
#endif
#ifndef MUT_SYN_NOT_REPEATED /* R12 */
  if :: ME.st == SYN_SENT && FLOW(i) == 1 && !told && LIVE(i ^ 2) -> ME.dest = e[i ^ 2].valA :: else fi;
#endif
  timer(i);
  last_flow(HOST(n));
  i = 0
}

#ifdef MUT_NO_BACKUP
#define CARRIES(x) (FLOW(x) == 0)
#else
#define CARRIES(x) (FLOW(x) == use[HOST(x)])
#endif
inline transport(n) {      /* what the transport above end n sends */
  i = n;
  if :: ISOPEN && finseen[HOST(i)] -> fin[HOST(i)] = 1 :: else fi;
  if
  :: ISOPEN && ME.valA != 0 ->
     if
     :: fin[HOST(i)] && !finacked[HOST(i)] && CARRIES(i) -> EMIT(i, FIN, ME.valA, 0, 0)
     :: calm && !pinged[i] && !(fin[HOST(i)] && CARRIES(i)) -> EMIT(i, PING, ME.valA, 0, 0)
#ifdef IDS
     :: !calm && !fin[HOST(i)] -> EMIT(i, PING, ME.valA, 0, 0)
#endif
     :: else
     fi
  :: else
  fi;
  i = 0
}

#ifdef IDS
#define OLDER(h,n,f) (net[h].p[n] != 0 && FLOWOF(net[h].p[n]) == f && TYPE(net[h].p[n]) != SYN && ID(net[h].p[n]) != e[X(f,h)].ver)
#if Q == 2
#define ANY_OLDER(h,f) (OLDER(h,0,f) || OLDER(h,1,f))
#else
#define ANY_OLDER(h,f) (OLDER(h,0,f) || OLDER(h,1,f) || OLDER(h,2,f))
#endif
#define NEW_ID(x) ids[x] = ids[x] | B(e[x].ver); used[x] = 0
#else
#define NEW_ID(x) skip
#endif
inline arrive(h, a) {
  held[h] = held[h] | B(a);
  at[h] = a;
  x = X(0,h);
  do
  :: x < ENDS ->
     i = x;
     if
     :: FREE(i) && e[i].st >= SYN_SENT ->
        gain_address(i, a);
#ifdef MUT_FORGET_AT_MOVE
        ids[i] = 0;
#endif
        NEW_ID(i)
     :: FREE(i) && e[i].st < SYN_SENT -> e[i].addr = a
     :: else
     fi;
     x = x + 2
  :: else -> break
  od;
  moves[h]++; x = 0; i = 0
}

#ifdef IDS
#define SENDS(x) LIVE(x)
#else
#define SENDS(x) (LIVE(x) && finseen[HOST(x)] + fin[HOST(x)] > 0 && CARRIES(x))
#endif
proctype Host(byte h) {
  byte _n; bit keep, lost; int got_p;
  byte i, x;
end:
  do
  :: atomic { net[h].p[0] != 0 ->
     do :: _n + 1 < Q && net[h].p[_n+1] != 0 -> _n++ :: break od;
     if :: true :: !calm -> keep = 1 :: !calm -> lost = 1 fi;
     STEP {
       got_p = net[h].p[_n];
       if :: !keep -> drop(h, _n) :: else fi;
       if
       :: !lost -> printf("@ host%d get %e v%d tok%d from a%d to a%d on flow %d\n", h, TYPE(got_p), VERSION(got_p), TOKEN(got_p), FROM(got_p), TO(got_p), FLOWOF(got_p)); deliver(h, got_p)
       :: else -> printf("@ host%d miss %e v%d tok%d from a%d to a%d on flow %d\n", h, TYPE(got_p), VERSION(got_p), TOKEN(got_p), FROM(got_p), TO(got_p), FLOWOF(got_p))
       fi;
       _n = 0; keep = 0; lost = 0; got_p = 0
     } }
  :: STEP { !calm && e[X(0,h)].st >= SYN_SENT -> ring(X(0,h)) }
  :: STEP { !calm && e[X(1,h)].st >= SYN_SENT -> ring(X(1,h)) }
  :: STEP { !calm && SENDS(X(0,h)) -> transport(X(0,h)) }
  :: STEP { !calm && SENDS(X(1,h)) -> transport(X(1,h)) }
#ifndef ONE_FLOW
  :: STEP { h == ADDER && !calm && LIVE(X(0,h)) && !e[X(0,h)].drain && e[X(1,h)].st == CLOSED && !added && at[h] != 0 ->
       i = X(1,h); added = 1; ME.later = 1; printf("@ host%d open flow 1\n", h); open_flow(i, e[X(0,h)].valA); i = 0 }
#endif
  :: STEP { at[h] != 0 && !calm && MOVABLE(h) && moves[h] < MOVES(h) && MAY_LEAVE(h) ->
#ifdef SOFT
     printf("@ host%d move a%d\n", h, HOME(h) + moves[h] + 1); arrive(h, HOME(h) + moves[h] + 1) }
  :: STEP { (held[h] & ~(B(at[h]) | B(SECOND))) != 0 && ANSWERED(X(0,h)) && ANSWERED(X(1,h)) ->
       held[h] = held[h] & (B(at[h]) | B(SECOND)); purge(h) }
#else
     printf("@ host%d leave a%d\n", h, at[h]); held[h] = held[h] & B(SECOND); at[h] = 0;
     if :: FREE(X(0,h)) -> i = X(0,h); lose_address(i) :: else fi;
     if :: FREE(X(1,h)) -> i = X(1,h); lose_address(i) :: else fi;
     i = 0; purge(h) }
  :: STEP { at[h] == 0 -> printf("@ host%d arrive a%d\n", h, HOME(h) + moves[h] + 1); arrive(h, HOME(h) + moves[h] + 1) }
#endif
#ifdef IDS
#ifndef MUT_FORGET_AT_MOVE
  :: STEP { used[X(0,h)] && ids[X(0,h)] != B(e[X(0,h)].ver) && !ANY_OLDER(h,0) -> ids[X(0,h)] = B(e[X(0,h)].ver); printf("@ host%d forget older IDs of flow 0\n", h) }
  :: STEP { used[X(1,h)] && ids[X(1,h)] != B(e[X(1,h)].ver) && !ANY_OLDER(h,1) -> ids[X(1,h)] = B(e[X(1,h)].ver); printf("@ host%d forget older IDs of flow 1\n", h) }
#endif
#endif
#ifdef BACKUP
  :: STEP { !calm && LIVE(X(1,h)) && e[X(1,h)].valA != 0 && LIVE(X(0,h)) -> use[h] = 1 - use[h] }
#endif
#ifdef CLOSING
  :: STEP { !calm && LIVE(X(use[h],h)) && e[X(use[h],h)].valA != 0 && !fin[h] -> fin[h] = 1; printf("@ host%d close\n", h) }
  :: STEP { calm && EMPTY && e[X(0,h)].drain && (e[X(0,1-h)].drain || GONE(X(0,1-h))) -> i = X(0,h); forget(i); i = 0 }
  :: STEP { calm && EMPTY && e[X(1,h)].drain && (e[X(1,1-h)].drain || GONE(X(1,1-h))) -> i = X(1,h); forget(i); i = 0 }
#endif
#ifdef ABORTING
  :: STEP { h == 0 && !calm && e[0].st >= SYN_SENT -> reset = 1; printf("@ host0 abort\n");
       i = 0; abort_flow(i); i = 2; if :: e[2].st >= SYN_SENT -> abort_flow(i) :: else -> forget(i) fi; i = 0 }
#endif
#ifdef TIMEOUTS
  :: STEP { !calm && (e[X(1,h)].st == SYN_SENT || e[X(1,h)].st == SYN_RCVD) -> i = X(1,h); give_up(); last_flow(h); i = 0 }
#endif
  od
}


#ifdef BACKUP
proctype Paths() {
end:
  do
  :: STEP { !calm && works[0] -> works[0] = 0; printf("@ path 0 breaks\n") }
  :: STEP { !calm && works[1] -> works[1] = 0; printf("@ path 1 breaks\n") }
  od
}
#define REACHABLE (works[0] || (works[1] && LIVE(2) && LIVE(3) && e[2].valA != 0 && e[3].valA != 0))
#else
#define REACHABLE 1
#endif

init {
  byte i, x;
  STEP {
    held[0] = B(1); held[1] = B(4); at[0] = 1; at[1] = 4;
#ifdef NACKING
    held[1] = B(4) | B(SECOND);
#endif
    e[0].addr = 1; e[2].addr = 1; e[1].addr = 4; e[3].addr = 4;
#ifdef IDS
    ids[0] = 1; ids[1] = 1; ids[2] = 1; ids[3] = 1;
#endif
    open_flow(i, 4);
#ifdef BOTH_OPEN
    i = 1; open_flow(i, 1); i = 0;
#else
    e[1].st = LISTEN;
#endif
    e[X(1,1-ADDER)].st = LISTEN
  };
  atomic {
    run Host(0); run Host(1)
#ifdef BACKUP
    ; run Paths()
#endif
  };
  STEP { at[0] != 0 && at[1] != 0 && REACHABLE -> calm = 1 };
  do
  :: STEP { EMPTY && !DONE -> printf("@ round %d\n", ticks); x = ticks & 1; ticks++; assert(ticks <= TICKS);
       if :: ticks & 2 -> ring(X(x,0)); ring(X(x,1)) :: else -> transport(X(x,0)); transport(X(x,1)) fi;
       x = 0 }
  :: timeout -> break
  od;
  assert(DONE)
}
