/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * The conformance table: one end of a flow in an environment that may do anything.
 *
 * What it models: endpoint.pml with every packet (also impossible ones), command and timer
 *   offered in every reachable state. Each step prints the state before, the event, what was
 *   sent, and the state after; `check --export` makes conformance.tsv of it.
 *   A later flow has first states of its own: one end adds it, the other is asked for it at an
 *   address where it does not want it, and names its second.
 *   Own addresses are 1 to 3, one a version; the peer's are 4 to 6, one a version, and 7 is
 *   the same peer seen through a NAT that has rebound.
 * Leaves out: more than two moves of either side (versions are only compared, R14).
 * Rules: those of endpoint.pml.
 */
#define NADDR 8
#define EMIT(i,t,d,v,k) \
  if :: ME.addr != 0 -> printf("OUT %d %d %d %d\n", t, d, v, k) :: else fi
#define VALIDATING(i,v,a) skip
#define PONGED(i)       skip
#define DELIVERED(i,s)  printf("OUT DELIVER\n")
#define FINNED(i,s)     printf("OUT DELIVER\n")
#define FINACKED(i)     printf("OUT DELIVER\n")
bit returned = 1;             /* the SYN-ACK brings back the token of the SYN to its source */
#define RETURNS(i)      (!ME.later || returned)
#define REFUSES(i)      (ME.later)
#define PREFERRED(i)    2
#include "endpoint.pml"

mtype = { CONNECT, LOSE_ADDRESS, NEW_ADDRESS, TIMER, DRAIN, DRAIN_END, ABORT, GIVE_UP };
#define MAXVER 1
#define SHOW(w) printf("%d %d %d %d %d %d %d %d %d %d %d %d %d\n", w, e[0].st, e[0].later, e[0].drain, e[0].addr, e[0].ver, e[0].acked, \
  e[0].dest, e[0].cand, e[0].pend, e[0].srcs, e[0].val, e[0].valA)

/* The peer's address of version w, or its NAT alias. */
#define PEER(w,nat) ((nat) -> 7 : 4 + (w))
#define RX(t,s,v,k) :: d_step { SHOW(1); printf("EV %d %d %d %d\n", t, s, v, k); receive(0, t, s, v, k); SHOW(2) }
#define RX_VERSIONS(t,nat) RX(t,PEER(0,nat),0,0) RX(t,PEER(1,nat),1,0) RX(t,PEER(2,nat),2,0)
/* Answers to us carry the token made for the address that we had at that version. */
#define RX_ANSWERS(t,s)  RX(t,s,0,1) RX(t,s,1,2) RX(t,s,2,3)
/* A SYN-ACK whose sender was not reached at the address that it comes from (R18). */
#define RX_UNHEARD(s)    :: d_step { SHOW(1); printf("EV %d %d 0 1 0\n", SYNACK, s); returned = 0; receive(0, SYNACK, s, 0, 1); returned = 1; SHOW(2) }
#define RX_ACKS(s)       RX(ACK,s,0,4) RX(ACK,s,1,5) RX(ACK,s,2,6) RX(ACK,s,0,7) RX(ACK,s,1,7) RX(ACK,s,2,7)
#define DO(name,guard,action) :: d_step { guard -> SHOW(1); printf("EV %d\n", name); action; SHOW(2) }

active proctype Environment() {
  d_step { e[0].addr = 1 };
  if
  :: d_step { e[0].st = LISTEN }
  :: d_step { e[0].st = LISTEN; e[0].later = 1 }
  :: d_step { e[0].st = CLOSED }
  :: d_step { e[0].st = CLOSED; e[0].later = 1 }
  fi;
  printf("INIT\n");
  do
  RX_VERSIONS(SYN,0)
  RX_VERSIONS(SYN,1)
  RX_VERSIONS(RSYN,0)
  RX_VERSIONS(RSYN,1)
  RX_ANSWERS(SYNACK,4)
  RX_ANSWERS(SYNACK,5)
  RX_UNHEARD(4)
  RX_UNHEARD(5)
  RX_ANSWERS(RSYNACK,4)
  RX_ANSWERS(RSYNACK,5)
  RX_ANSWERS(RSYNACK,7)
  RX_ACKS(4)
  RX(NACK,4,0,5)
  RX(NACK,5,0,4)
  RX(NACK,7,0,4)
  RX(RST,4,0,0)
  RX(PING,4,0,0)
  RX(PING,7,0,0)
  RX(PONG,4,0,0)
  RX(DATA,4,0,0)
  RX(DATA,7,0,0)
  DO(CONNECT, e[0].st == CLOSED && e[0].ver == 0 && e[0].addr == 1, open_flow(0, 4))
  DO(LOSE_ADDRESS, e[0].st > LISTEN && e[0].addr != 0, lose_address(0))
  DO(NEW_ADDRESS, e[0].st > LISTEN && e[0].addr == 0 && e[0].ver < MAXVER, gain_address(0, e[0].ver + 2))
  DO(TIMER, e[0].st > LISTEN, timer(0))
  DO(DRAIN, e[0].st == OPEN && !e[0].drain, e[0].drain = 1)
  DO(DRAIN_END, e[0].st == OPEN && e[0].drain, forget(0))
  DO(ABORT, e[0].st > LISTEN, abort_flow(0))
  DO(GIVE_UP, e[0].st == SYN_SENT, forget(0))
  DO(GIVE_UP, e[0].st == SYN_RCVD, abort_flow(0))
  od
}
