/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * A host that changes its own flow ID at every move.
 *
 * What it models: RSYN carries M's new flow ID. S uses the ID that goes with the address it has
 *   validated, so the old one until the ACK. M hears a packet only if its ID is one that M still
 *   answers to; demultiplexing is by nothing else. M moves make-before-break, so the old address
 *   still hears too. S itself may move once, and then needs M to hear its RSYN.
 *   KEEP_UNTIL_USED: M forgets an old ID when a packet with the newest one has shown that S uses it,
 *   and no older packet is in flight any more (the bounded time of draining).
 *   MUT_FORGET_AT_MOVE: M forgets it with the move. MUT_FORGET_AT_RSYNACK: with the RSYN-ACK.
 * Leaves out: more than two moves of M and one of S; the values of IDs (random, never re-used).
 * Rules: R1 R2 R3 R4 R5 R11 R16 (docs/models.md).
 */
#ifndef STEP
#define STEP d_step
#endif
#ifndef N
#define N 2
#endif
#define B(w) (1 << (w))
byte ver;                 /* M's version, address and flow ID are one number */
bit  acked = 1;
byte live = 1;            /* IDs that M answers to */
bit  used = 1;            /* S has used the newest ID for data */
byte cand, val;           /* S's record of M */
bit  smoved, sacked = 1, scand, sval;  /* S's own move: made, answered; M's record of it */
byte rsyn;                /* RSYN(v) of M in flight */
byte rsynack, ack;        /* their answers */
byte data;                /* data of S in flight, by the ID it carries */
byte srsyn;               /* RSYN of S in flight, by the ID it carries */
bit  srsynack, sack, calm;

#if defined(MUT_FORGET_AT_MOVE)
#define FORGETS_AT_MOVE B(ver)
#else
#define FORGETS_AT_MOVE live
#endif
#define HEARS(w) ((live & B(w)) != 0)

#define GET_RSYN(v) \
  :: STEP { v <= N && (rsyn & B(v)) && v > cand -> cand = v; rsyn = rsyn & ~B(v); printf("@ S get RSYN v%d with flow ID %d\n", v, v) }
#define GET_ACK(v) \
  :: STEP { v <= N && (ack & B(v)) && v == cand && cand != val -> val = v; ack = ack & ~B(v); printf("@ S get ACK v%d, use flow ID %d\n", v, v) }
#define GET_DATA(w) \
  :: STEP { w <= N && (data & B(w)) -> data = data & ~B(w); printf("@ M get data with flow ID %d\n", w); \
       assert(HEARS(w));  /* no data is lost by the change of an ID */ \
       if :: w == ver -> used = 1 :: else fi }
#define GET_SRSYN(w) \
  :: STEP { w <= N && (srsyn & B(w)) && HEARS(w) && !scand -> scand = 1; srsyn = srsyn & ~B(w); printf("@ M get RSYN of S with flow ID %d\n", w) }

proctype M() {
end:
  do
  :: STEP { !calm && ver < N && acked && used -> ver++; acked = 0; used = 0; live = live | B(ver); live = FORGETS_AT_MOVE; printf("@ M move, new flow ID %d\n", ver) }
  :: STEP { !acked && !(rsyn & B(ver)) && cand != ver && (!smoved || scand || sval) -> rsyn = rsyn | B(ver); printf("@ M send RSYN v%d\n", ver) }
  :: STEP { (rsynack & B(ver)) && HEARS(ver) && (!acked || (cand == ver && cand != val && !(ack & B(ver)))) ->
       acked = 1; ack = ack | B(ver);
#ifdef MUT_FORGET_AT_RSYNACK
       live = B(ver);
#endif
       printf("@ M get RSYNACK v%d, send ACK\n", ver) }
  :: STEP { !calm && (rsynack & B(ver)) && !acked -> acked = 1; rsynack = 0;
#ifdef MUT_FORGET_AT_RSYNACK
       live = B(ver);
#endif
       printf("@ M get RSYNACK v%d, ACK lost\n", ver) }
#ifndef MUT_FORGET_AT_MOVE
  :: STEP { used && live != B(ver) && !(data & ~B(ver)) && !(srsyn & ~B(ver)) && val == ver -> live = B(ver); printf("@ M forget the older flow IDs\n") }
#endif
  GET_DATA(0)
  GET_DATA(1)
  GET_DATA(2)
  GET_SRSYN(0)
  GET_SRSYN(1)
  GET_SRSYN(2)
  :: STEP { scand && !sval && !srsynack -> srsynack = 1; printf("@ M send RSYNACK to S\n") }
  :: STEP { scand && !sval && sack -> sval = 1; printf("@ M get ACK of S\n") }
  od
}

proctype S() {
end:
  do
  GET_RSYN(1)
  GET_RSYN(2)
  :: STEP { cand != val && cand == ver && !(rsynack & B(cand)) -> rsynack = rsynack | B(cand); printf("@ S send RSYNACK v%d\n", cand) }
  GET_ACK(1)
  GET_ACK(2)
  :: STEP { !(data & B(val)) && (!calm || (val == ver && !used)) -> data = data | B(val); printf("@ S send data with flow ID %d\n", val) }
  :: STEP { !calm && !smoved && acked -> smoved = 1; sacked = 0; printf("@ S move\n") }
  :: STEP { smoved && !sacked && !scand && !(srsyn & B(val)) -> srsyn = srsyn | B(val); printf("@ S send RSYN with flow ID %d\n", val) }
  :: STEP { smoved && !sacked && !scand && cand != val && !(srsyn & B(cand)) -> srsyn = srsyn | B(cand); printf("@ S send RSYN with flow ID %d\n", cand) }
  :: STEP { srsynack && (!sacked || (!sval && !sack)) -> sacked = 1; sack = 1; printf("@ S get RSYNACK, send ACK\n") }
  od
}

init {
  atomic { run M(); run S() };
  calm = 1;
  timeout ->
  assert(val == ver && acked && used);
  assert(!smoved || (sacked && sval))
}
