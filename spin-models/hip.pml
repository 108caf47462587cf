/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * HIP's UPDATE, message by message, and ECCP in the same scenario.
 *
 * What it models: RFC 7401 6.11 and 6.12, RFC 8046 3.2. A mobile host M tells its peer S:
 *     M -> S  UPDATE(ESP_INFO, LOCATOR_SET, SEQ n)       names M's new address
 *     S -> M  UPDATE(ESP_INFO, SEQ m, ACK n, ECHO_REQUEST)   to the address that is being verified
 *     M -> S  UPDATE(ACK m, ECHO_RESPONSE)               S may now send data there
 *   An UPDATE is repeated until its number is acknowledged, and one that is not the next in
 *   sequence is dropped, as a receiver whose window is one must; so a sender has one in flight.
 *   Every move takes a fresh address (address n is named by UPDATE n) and leaves the old one.
 *   The network is a set of packets: any may be lost, doubled or late; from `calm` on none is lost.
 * ECCP: the same moves and network with the rules R1 R2 R3 R4 R5.
 * SKIPPING: M gives up UPDATE n once it names an address that was left, and sends n+1.
 * Leaves out: rekeying, several locators in one UPDATE, a rendezvous server (RFC 8004), windows
 *   larger than one, moves of S.
 */
#ifndef STEP
#define STEP d_step
#endif
#ifndef N
#define N 3
#endif
#define B(n) (1 << (n))

byte ver;                 /* M's newest UPDATE and its address */
byte una = 1;             /* M's oldest UPDATE without an ACK; una > ver when there is none */
byte seen, verified;      /* S: last UPDATE taken; last address verified */
byte locators, replies, acks;   /* packets in flight, by n */
bit calm;

#ifdef ECCP
#define SENDS     ver
#define TAKES(n)  (n > seen)
#elif defined(SKIPPING)
#define SENDS     ver
#define TAKES(n)  (n == seen + 1)
#else
#define SENDS     una
#define TAKES(n)  (n == seen + 1)
#endif

#define GET_LOCATOR(n) \
  :: STEP { n <= N && (locators & B(n)) && TAKES(n) -> \
       seen = n; locators = locators & ~B(n); printf("@ S get UPDATE %d (naming a%d)\n", n, n) }
#define GET_ACK(n) \
  :: STEP { n <= N && (acks & B(n)) && n == seen && verified != n -> \
       assert(verified < n); verified = n; acks = acks & ~B(n); printf("@ S get ECHO_RESPONSE %d, data to a%d\n", n, n) }

proctype M() {
end:
  do
  :: STEP { !calm && ver < N -> ver++; printf("@ M move to a%d\n", ver) }
  :: STEP { una <= ver && !(locators & B(SENDS)) && seen < SENDS -> locators = locators | B(SENDS); printf("@ M send UPDATE %d (naming a%d)\n", SENDS, SENDS) }
  /* A reply reaches M only at the address that it still has; the ACK may be lost. */
  :: STEP { (replies & B(ver)) && ver > 0 && verified != ver && !(acks & B(ver)) -> una = ver + 1; acks = acks | B(ver); printf("@ M get ECHO_REQUEST %d, send ECHO_RESPONSE\n", ver) }
  :: STEP { !calm && (replies & B(ver)) && ver > 0 && una <= ver -> una = ver + 1; replies = replies & ~B(ver); printf("@ M get ECHO_REQUEST %d, ECHO_RESPONSE lost\n", ver) }
  od
}

proctype S() {
end:
  do
  GET_LOCATOR(1)
  GET_LOCATOR(2)
  GET_LOCATOR(3)
  :: STEP { seen != verified && !(replies & B(seen)) -> replies = replies | B(seen); printf("@ S send ECHO_REQUEST %d to a%d\n", seen, seen) }
  GET_ACK(1)
  GET_ACK(2)
  GET_ACK(3)
  od
}

init {
  atomic { run M(); run S() };
  calm = 1;
  timeout ->
  assert(verified == ver)   /* S can send to M */
}
