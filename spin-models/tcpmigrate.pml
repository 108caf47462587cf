/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * TCP-Migrate, message by message, and ECCP in the same scenario.
 *
 * What it models: Snoeren and Balakrishnan, "An End-to-End Approach to Host Mobility", MobiCom 2000.
 *   The mobile host M tells its peer S, which is stationary:
 *     M -> S  Migrate SYN(token, request number r), from the new address
 *     S -> M  SYN/ACK, to that address
 *     M -> S  ACK, and S sends data to that address
 *   The request number only grows, and an old Migrate SYN is refused. But the SYN re-uses the
 *   sequence number of the last byte that was sent, so SYN/ACK and ACK are the same for every
 *   request. S knows the connection by its address pair, so an ACK must come from the address
 *   that S migrates to. M's addresses come from a pool of P and return (A to B to A).
 *   The network is a set of packets: any may be lost, doubled or late; from `calm` on none is lost.
 * ECCP: the same moves and network; SYN/ACK and ACK carry the version (R2, R3, R5).
 * Leaves out: data, the key exchange of the token, moves of S.
 */
#ifndef STEP
#define STEP d_step
#endif
#ifndef N
#define N 3
#endif
#ifndef P
#define P 2
#endif
#define B(n)    (1 << (n))
#define AT(r)   ((r) % P)        /* M's address at request r */

byte req;                 /* M's newest request */
bit  done = 1;            /* M has been answered */
byte seen, where;         /* S: newest request, and the address data goes to */
bit  waiting;             /* S: SYN/ACK sent, ACK not yet here */
byte syns, synacks, acks; /* packets in flight, by the request that made them */
bit  calm;

#ifdef ECCP
#define ANSWER(r) (r == req)
#define PROOF(r)  (r == seen)
#else                     /* all that a SYN/ACK or an ACK shows is where it went */
#define ANSWER(r) (AT(r) == AT(req))
#define PROOF(r)  (AT(r) == AT(seen))
#endif

#define GET_SYN(r) \
  :: STEP { r <= N && (syns & B(r)) && r > seen -> \
       seen = r; waiting = 1; syns = syns & ~B(r); printf("@ S get SYN %d from a%d\n", r, AT(r)) }
#define GET_SYNACK(r) \
  :: STEP { r <= N && (synacks & B(r)) && ANSWER(r) && (!done || (waiting && PROOF(r) && !(acks & B(r)))) -> \
       done = 1; acks = acks | B(r); printf("@ M get SYNACK of %d at a%d, send ACK\n", r, AT(r)) } \
  :: STEP { !calm && r <= N && (synacks & B(r)) && ANSWER(r) && !done -> \
       done = 1; synacks = synacks & ~B(r); printf("@ M get SYNACK of %d at a%d, ACK lost\n", r, AT(r)) }
#define GET_ACK(r) \
  :: STEP { r <= N && (acks & B(r)) && waiting && PROOF(r) -> \
       waiting = 0; where = AT(seen); acks = acks & ~B(r); printf("@ S get ACK, data to a%d\n", where) }

proctype M() {
end:
  do
  :: STEP { !calm && req < N -> req++; done = 0; printf("@ M move to a%d\n", AT(req)) }
  :: STEP { !done && !(syns & B(req)) && seen < req -> syns = syns | B(req); printf("@ M send SYN %d from a%d\n", req, AT(req)) }
  GET_SYNACK(1)
  GET_SYNACK(2)
  GET_SYNACK(3)
  od
}

proctype S() {
end:
  do
  GET_SYN(1)
  GET_SYN(2)
  GET_SYN(3)
  :: STEP { waiting && !(synacks & B(seen)) -> synacks = synacks | B(seen); printf("@ S send SYNACK of %d to a%d\n", seen, AT(seen)) }
  GET_ACK(1)
  GET_ACK(2)
  GET_ACK(3)
  od
}

init {
  atomic { run M(); run S() };
  calm = 1;
  timeout ->
  assert(where == AT(req))  /* S can send to M */
}
