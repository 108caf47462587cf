/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * One move of a host behind a NAT that rebinds while the handshake runs.
 *
 * What it models: RSYN is repeated with the SAME version, and every rebinding of the NAT shows it
 *   to S from another address. What may S take for M's address, and where does it answer?
 *   RULE 1 the first source, for good            RULE 2 the latest source, with a plain ACK
 *   RULE 3 the latest, and ACK must come from it RULE 4 a token bound to (version, source): the ACK echoes
 *     it, the token's address is validated, and RSYN-ACK is repeated to every source (R10, R15)
 *   RULE 5 as 4, but RSYN-ACK is repeated to the latest source only
 *   The NAT rebinds only until M has its answer; after that it is R10b's new version.
 *   NR external addresses; from `calm` on the NAT keeps still and nothing is lost.
 * Leaves out: other versions (mobile.pml), filtering NATs (holepunch.pml).
 * Rules: R3 R4 R6 R10 R10b R15.
 */
#ifndef STEP
#define STEP d_step
#endif
#ifndef RULE
#define RULE 4
#endif
#ifndef NR
#define NR 3
#endif
#define NOWHERE 9
#define TOKEN (RULE >= 4)
#define B(a) (1 << (a))
byte ext;                     /* M's address as the world sees it */
byte latest = NOWHERE, valid = NOWHERE;
bit done, acked, calm;
byte rsyns, synacks, acks;    /* packets in flight: RSYN by source, RSYN-ACK by destination (its token), ACK by token */
byte from;                    /* S: sources of the RSYN */
byte proved;                  /* ghost: addresses at which an RSYN-ACK arrived */
byte acksrc;                  /* ACKs in flight by source, for the rules without a token */

#define NEWS(s) (RULE == 4 -> !(from & B(s)) : (RULE == 1 -> latest == NOWHERE : latest != s))
#define TELLS(a) (RULE == 4 -> (from & B(a)) != 0 : latest == a)
#define GET_RSYN(s) \
  :: STEP { s < NR && (rsyns & B(s)) && !done && NEWS(s) -> \
       from = from | B(s); latest = s; rsyns = rsyns & ~B(s); printf("@ S get RSYN from a%d\n", s) } \
  :: STEP { s < NR && (rsyns & B(s)) && !done && !calm && NEWS(s) -> \
       from = from | B(s); latest = s; printf("@ S get RSYN from a%d, a copy is still on its way\n", s) }
#define SEND_RSYNACK(a) \
  :: STEP { a < NR && from && !done && TELLS(a) && ext == a && !(synacks & B(a)) -> \
       synacks = synacks | B(a); printf("@ S send RSYNACK to a%d\n", a) }
#define GET_ACK(a) \
  :: STEP { a < NR && TOKEN && !done && (acks & B(a)) -> \
       done = 1; valid = a; printf("@ S get ACK with the token of a%d\n", a); assert(proved & B(valid)) } \
  :: STEP { a < NR && !TOKEN && !done && from && (acksrc & B(a)) && (RULE != 3 || latest == a) -> \
       done = 1; valid = latest; printf("@ S get ACK from a%d, validate a%d\n", a, valid); assert(proved & B(valid)) }

proctype M() {
end:
  do
  :: STEP { !calm && !acked && ext < NR-1 -> ext++; synacks = 0; printf("@ NAT rebinds to a%d\n", ext) }
  :: STEP { !acked && !(rsyns & B(ext)) && !(RULE == 4 -> (from & B(ext)) != 0 : latest == ext) ->
       rsyns = rsyns | B(ext); printf("@ M send RSYN, seen from a%d\n", ext) }
  :: STEP { (synacks & B(ext)) && (!acked || !(acks & B(ext))) ->
       acked = 1; proved = proved | B(ext); acks = acks | B(ext); acksrc = acksrc | B(ext); printf("@ M get RSYNACK at a%d, send ACK\n", ext) }
  :: STEP { (synacks & B(ext)) && !acked && !calm ->
       acked = 1; proved = proved | B(ext); synacks = 0; printf("@ M get RSYNACK at a%d, ACK lost\n", ext) }
  od
}
proctype S() {
end:
  do
  GET_RSYN(0)
  GET_RSYN(1)
  GET_RSYN(2)
  SEND_RSYNACK(0)
  SEND_RSYNACK(1)
  SEND_RSYNACK(2)
  GET_ACK(0)
  GET_ACK(1)
  GET_ACK(2)
  od
}
init {
  atomic { run M(); run S() };
  calm = 1;
  timeout -> assert(valid == ext)
}
