/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * The whole life of one flow between two mobile hosts, with explicit versions.
 *
 * What it models: two ends of endpoint.pml. Host 0 opens the flow to host 1 (or both open it at
 *   once), both move by losing and gaining addresses, close with FIN, or reset. The network
 *   loses, duplicates and reorders; at most Q packets are in flight each way.
 * calm: from some moment on nothing is lost and nobody moves. Then a timer fires only when
 *   nothing is in flight, and all timers fire in turn; so "every handshake ends" and "each host
 *   can ping its peer" are the plain assertion that everything is done after TICKS such rounds.
 * Leaves out: other flows of the connection (full.pml), NAT (nat.pml), address reuse (mobile.pml),
 *   a late copy of a SYN that reaches the listener again after the flow has closed.
 * Rules: those of endpoint.pml, and R11 with SOFT.
 *
 * Switches: M0=k M1=k moves of each host; BOTH_OPEN; SOFT make-before-break; NOOVERLAP a host
 *   moves only while it knows where its peer is; NACKING host 1 refuses its first address;
 *   SHOW_MOVE hosts move when the flow is up, for the charts; CLOSING both close with FIN; ABORTING host 0 may reset; ANYTIME host 1 may also move in
 *   SYN_RCVD, and handshakes may time out; OPEN_BY_ANY a half-open flow also opens at data or a ping.
 */
#ifndef M0
#define M0 1
#endif
#ifndef M1
#define M1 0
#endif
#ifndef STEP
#define STEP d_step       /* atomic shows in the unreached list what no packet ever did */
#endif
#ifndef Q
#define Q 3
#endif
#if defined(BOTH_OPEN) || defined(ABORTING) || defined(ANYTIME)
#define TIMEOUTS
#endif
#ifndef TICKS
#if defined(TIMEOUTS) || defined(CLOSING)
#define TICKS 5
#else
#define TICKS 3
#endif
#endif
#define NADDR 8
#define J (1-i)
#define HELD(h,a) ((held[h] & B(a)) != 0)

/* A packet in flight is one number, so that a set of them is a sorted array without holes. */
#define PACKET(t,s,d,v,k) ((t) << 11 | (s) << 8 | (d) << 5 | (v) << 3 | (k))
#define TYPE(p)    ((p) >> 11)
#define FROM(p)    (((p) >> 8) & 7)
#define TO(p)      (((p) >> 5) & 7)
#define VERSION(p) (((p) >> 3) & 3)
#define TOKEN(p)   ((p) & 7)

/* Sent from the current address; nobody to hear it or no room: lost. */
#define EMIT(i,t,d,v,k) \
  if \
  :: ME.addr != 0 && HELD(J,d) -> \
     printf("@ host%d send %e v%d tok%d from a%d to a%d\n", i, t, v, k, ME.addr, d); pkt = PACKET(t,ME.addr,d,v,k); put(J) \
  :: else -> printf("@ host%d lose %e v%d tok%d from a%d to a%d\n", i, t, v, k, ME.addr, d) \
  fi
#define VALIDATING(i,v,a) assert(got[J] & B(a)); assert(ME.valA == 0 || v > ME.val)
#define PONGED(i)         pinged[i] = calm
#ifdef MUT_DATA_LEARNS    /* R9 */
#define DELIVERED(i,s)    ME.valA = s
#else
#define DELIVERED(i,s)    skip
#endif
#define FINNED(i,s)       finseen[i] = 1; EMIT(i, FINACK, ME.valA, 0, 0)
#define FINACKED(i)       finacked[i] = fin[i]
#include "endpoint.pml"

typedef Set { short p[Q] };
Set net[2];                /* packets on their way to host i */
short pkt;
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
inline drop(h, n) {        /* removes packet number n */
  _x = n;
  do :: _x < Q-1 -> net[h].p[_x] = net[h].p[_x+1]; _x++ :: else -> break od;
  net[h].p[Q-1] = 0; _x = 0
}
#define EMPTY (net[0].p[0] == 0 && net[1].p[0] == 0)

byte held[2];              /* addresses at which host i still receives */
byte got[2];               /* addresses of host i at which something has arrived that only a holder of it can show */
bit crossed;               /* ghost: both moves were unanswered at the same time */
bit pinged[2], fin[2], finseen[2], finacked[2], reset, calm;
byte ticks;

#define KNOWS(i)   (e[J].addr != 0 && (ME.valA == e[J].addr || (ME.srcs & B(e[J].addr)) || (ME.st == SYN_SENT && ME.dest == e[J].addr)))
#ifdef NOOVERLAP
#define MAY_LEAVE(i) KNOWS(i)
#else
#define MAY_LEAVE(i) 1
#endif
#ifdef SHOW_MOVE
#define MOVABLE(i) (LIVE(0) && LIVE(1) && e[0].valA != 0 && e[1].valA != 0)
#elif defined(ANYTIME)
#define MOVABLE(i) (ME.st >= SYN_SENT)
#else
#define MOVABLE(i) (ISOPEN || ME.st == SYN_SENT)
#endif
#define MOVES(i)   (i == 0 -> M0 : M1)
#define HOME(i)    (i == 0 -> 1 : 4)

/* Host h has nothing left to do: its peer has pinged back, or both have closed. */
#define LIVE(h)     (e[h].st == OPEN)
#ifdef SHOW_MOVE
#define WATCH cross()
#else
#define WATCH skip
#endif
#define DRAINED(h)  (e[h].st == CLOSED || e[h].drain)
#define UPTODATE(h) (e[h].st == OPEN && (fin[h] -> DRAINED(0) && DRAINED(1) : e[h].acked && !e[h].pend && pinged[h]))
#define DONE        ((UPTODATE(0) || e[0].st == CLOSED) && (UPTODATE(1) || e[1].st <= LISTEN) && \
                     (fin[0] || fin[1] || (e[0].st == OPEN) == (e[1].st == OPEN)))

inline purge(i) {          /* what was on its way to an address that is no longer held */
  _n = 0;
  do
  :: _n < Q && net[i].p[_n] != 0 && !HELD(i,TO(net[i].p[_n])) -> drop(i, _n)
  :: _n < Q && net[i].p[_n] != 0 && HELD(i,TO(net[i].p[_n])) -> _n++
  :: else -> break
  od;
  _n = 0
}

inline deliver(i, p) {
  if :: TYPE(p) == SYN || TYPE(p) == SYNACK || TYPE(p) == RSYNACK -> got[i] = got[i] | B(TO(p)) :: else fi;
  if :: TYPE(p) == RST && ISOPEN && !ME.drain -> assert(reset) :: else fi;
  if
#ifdef NACKING
  :: TYPE(p) == SYN && ME.st == LISTEN && TO(p) == 4 -> ME.addr = 4; EMIT(i, NACK, FROM(p), 0, 5); ME.addr = 5
#endif
  :: else -> receive(i, TYPE(p), FROM(p), VERSION(p), TOKEN(p))
  fi;
  if :: ISOPEN && fin[i] && finacked[i] && finseen[i] -> ME.drain = 1 :: else fi
}

inline give_up(i) {        /* the time-outs of a handshake, and that of an application whose peer has gone for good */
  if
  :: ME.st == SYN_SENT -> reset = 1; forget(i)
  :: ME.st == SYN_RCVD -> reset = 1; abort_flow(i)
  :: ISOPEN && reset && !HELD(J,ME.valA) -> forget(i)
  :: else
  fi
}

inline cross() {
  if :: LIVE(0) && LIVE(1) && !e[0].acked && !e[1].acked && e[0].ver > 0 && e[1].ver > 0 -> crossed = 1 :: else fi
}

inline ring(i) {           /* every timer of host i, and of the transport above it */
#ifdef TIMEOUTS
  if :: calm && ticks > 2 -> give_up(i) :: else fi;
#endif
  if :: ISOPEN && finseen[i] -> fin[i] = 1 :: else fi;
  timer(i);
  if
  :: ISOPEN && ME.valA != 0 ->
     if :: calm && !pinged[i] && !ME.drain -> EMIT(i, PING, ME.valA, 0, 0) :: else fi;
     if :: fin[i] && !finacked[i] -> EMIT(i, FIN, ME.valA, 0, 0) :: else fi;
#ifdef MUT_DATA_LEARNS
     if :: !calm -> EMIT(i, DATA, ME.valA, 0, 0) :: else fi
#endif
  :: else
  fi
}

proctype Host(byte i) {
  byte _n; bit keep, lost; short got_p;
end:
  do
  :: atomic { net[i].p[0] != 0 ->
     do :: _n + 1 < Q && net[i].p[_n+1] != 0 -> _n++ :: break od;
     if :: true :: !calm -> keep = 1 :: !calm -> lost = 1 fi;
     STEP {
       got_p = net[i].p[_n];
       if :: !keep -> drop(i, _n) :: else fi;
       if
       :: !lost -> printf("@ host%d get %e v%d tok%d from a%d to a%d\n", i, TYPE(got_p), VERSION(got_p), TOKEN(got_p), FROM(got_p), TO(got_p)); deliver(i, got_p)
       :: else -> printf("@ host%d miss %e v%d tok%d from a%d to a%d\n", i, TYPE(got_p), VERSION(got_p), TOKEN(got_p), FROM(got_p), TO(got_p))
       fi;
       _n = 0; keep = 0; lost = 0; got_p = 0
     } }
  :: STEP { !calm && ME.st >= SYN_SENT -> ring(i) }
  :: STEP { ME.addr != 0 && !calm && MOVABLE(i) && ME.ver < MOVES(i) && MAY_LEAVE(i) ->
#ifdef SOFT
     printf("@ host%d move a%d\n", i, HOME(i) + ME.ver + 1); gain_address(i, HOME(i) + ME.ver + 1); held[i] = held[i] | B(ME.addr); WATCH }
#ifdef MUT_EARLY_RELEASE   /* R11 */
  :: STEP { held[i] != B(ME.addr) -> held[i] = B(ME.addr); purge(i) }
#else
  :: STEP { held[i] != B(ME.addr) && ME.acked -> held[i] = B(ME.addr); purge(i) }
#endif
#else
     printf("@ host%d leave a%d\n", i, ME.addr); lose_address(i); held[i] = 0; purge(i) }
  :: STEP { ME.addr == 0 -> printf("@ host%d arrive a%d\n", i, HOME(i) + ME.ver + 1); held[i] = B(HOME(i) + ME.ver + 1); gain_address(i, HOME(i) + ME.ver + 1); WATCH }
#endif
#ifdef CLOSING
  :: STEP { !calm && ISOPEN && ME.valA != 0 && !fin[i] -> fin[i] = 1 }
  :: STEP { calm && EMPTY && ME.drain && (e[J].drain || e[J].st == CLOSED) -> forget(i) }
#endif
#ifdef ABORTING
  :: STEP { i == 0 && !calm && ME.st >= SYN_SENT -> reset = 1; abort_flow(i) }
#endif
#ifdef TIMEOUTS
  :: STEP { !calm && (ME.st == SYN_SENT || ME.st == SYN_RCVD) -> give_up(i) }
#endif
  od
}

init {
  byte i;
  STEP {
    e[0].addr = 1; e[1].addr = 4; held[0] = B(1); held[1] = B(4);
#ifdef NACKING
    e[1].addr = 5; held[1] = B(4) | B(5); e[0].later = 1;
#endif
    open_flow(0, 4);
#ifdef BOTH_OPEN
    i = 1; open_flow(i, 1); i = 0
#else
    e[1].st = LISTEN
#endif
  };
  atomic { run Host(0); run Host(1) };
  STEP { e[0].addr != 0 && e[1].addr != 0 -> calm = 1 };
  do
  :: STEP { EMPTY && !DONE -> ticks++; printf("@ round %d\n", ticks); assert(ticks <= TICKS); ring(0); ring(1) }
  :: timeout -> break
  od;
  assert(DONE);
#ifdef SHOW_MOVE        /* must fail: never do all moves happen and succeed */
  assert(!(LIVE(0) && LIVE(1) && e[0].ver == M0 && e[1].ver == M1 && crossed == (M1 > 0)))
#endif
}
