/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * A move between two hosts that are both behind NATs which let in only what was asked for.
 *
 * What it models: paper section VIII. Host A moves to a new address behind a new NAT; B stays behind
 *   its own. Each NAT lets a packet in only from an address to which its host has sent. So A's RSYN
 *   stops at B's NAT. A asks through another way that still works (another flow of the
 *   connection, or a rendezvous): HOLE-PUNCH names A's new address; B answers with
 *   HOLE-PUNCH-ACK from its flow's address to that new address, which opens B's own NAT. Then the
 *   ordinary handshake RSYN, RSYN-ACK, ACK gets through.
 *   Until `calm` packets are lost and a NAT may forget; then keepalives hold it open.
 *   SYMMETRIC: both NATs use another external address for each peer, so the address that
 *   HOLE-PUNCH names is not the one that B sees: no hole can be punched, a relay is needed.
 * Leaves out: versions (one move), tokens (nat.pml).
 * Rules: R4 R6 R17 R23 (docs/models.md), protocol.md 7.9.
 *
 * Mutants: MUT_PUNCH_ONCE HOLE-PUNCH is not repeated; MUT_NO_PUNCH RSYN alone; MUT_WRONG_SOURCE B
 *   answers from the other way, not from the flow's address; MUT_STOP_AT_PUNCHACK A stops asking
 *   when the HOLE-PUNCH-ACK has come instead of the RSYN-ACK.
 */
#ifndef STEP
#define STEP d_step
#endif
bit calm;
bit aopen, bopen;           /* A's NAT lets in B; B's NAT lets in A's new address */
bit punched;                /* A has heard a HOLE-PUNCH-ACK */
bit seen, valid, acked;     /* B: RSYN seen, validated; A: answered */
bit punch, rsyn, rsynack, ack;   /* packets in flight, past the filters */
bit tried;
#if defined(SYMMETRIC) || defined(MUT_WRONG_SOURCE)
#define OPENS 0             /* B's packet opens its NAT for an address, or from one, that is not the flow's */
#else
#define OPENS 1
#endif
#if defined(MUT_PUNCH_ONCE)
#define MAY_PUNCH !tried
#elif defined(MUT_NO_PUNCH)
#define MAY_PUNCH 0
#elif defined(MUT_STOP_AT_PUNCHACK)
#define MAY_PUNCH !punched
#else
#define MAY_PUNCH 1
#endif

proctype A() {
end:
  do
  /* RSYN opens A's NAT for B, whether it arrives or not. */
  :: STEP { !acked && !aopen -> aopen = 1; printf("@ A send RSYN to B, which opens A's NAT\n") }
  :: STEP { !acked && bopen && !rsyn && !seen -> rsyn = 1; printf("@ A send RSYN to B\n") }
  :: STEP { !acked && !seen && !bopen && !punch && MAY_PUNCH -> punch = 1; tried = 1; printf("@ A send HOLEPUNCH the other way\n") }
  :: STEP { !calm && !acked && MAY_PUNCH && !tried -> tried = 1; printf("@ A send HOLEPUNCH the other way, lost\n") }
  :: STEP { rsynack && aopen && (!acked || (!valid && !ack && bopen)) -> acked = 1; ack = bopen; printf("@ A get RSYNACK, send ACK\n") }
  :: STEP { rsynack && aopen && !calm && !acked -> acked = 1; rsynack = 0; printf("@ A get RSYNACK, ACK lost\n") }
  od
}
proctype B() {
end:
  do
  /* The HOLE-PUNCH-ACK opens B's NAT, and may stop at A's. */
  :: STEP { punch && !bopen && OPENS -> bopen = 1; punch = 0; punched = aopen; printf("@ B get HOLEPUNCH, send HOLEPUNCHACK to the new address\n") }
  :: STEP { punch && !bopen && OPENS && !calm -> bopen = 1; punch = 0; printf("@ B get HOLEPUNCH, HOLEPUNCHACK lost behind its NAT\n") }
  :: STEP { rsyn && !seen -> seen = 1; rsyn = 0; printf("@ B get RSYN\n") }
  :: STEP { seen && !valid && !rsynack && aopen -> bopen = 1; rsynack = 1; printf("@ B send RSYNACK to the new address\n") }
  :: STEP { ack && !valid -> assert(acked); valid = 1; ack = 0; printf("@ B get ACK, data to the new address\n") }
  od
}
proctype Nats() {
end:
  do
  :: STEP { !calm && aopen && !acked -> aopen = 0; rsynack = 0; printf("@ A's NAT forgets B\n") }
  :: STEP { !calm && bopen && !seen -> bopen = 0; rsyn = 0; printf("@ B's NAT forgets A\n") }
  od
}
init {
  atomic { run A(); run B(); run Nats() };
  calm = 1;
  timeout -> assert(valid && acked)
}
#ifdef WITNESS_REACHED
ltl witness { [] !valid }
#endif
