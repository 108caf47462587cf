/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * A NAT that forgets an established flow, and whom the peer then believes.
 *
 * What it models: M sits behind a NAT that gives it another address at any time, which neither end is told.
 *   S hears M's data from a source that it does not know, and asks (R22): a challenge to that source and
 *   one to the address on record, up to TRIES times. It follows the source if that has answered and the
 *   address on record has not, once both have had the time to. Then it asks the address before once more,
 *   and takes it back if that answers after all. M may move once as well, with a version.
 *   X is somebody on the way: he sends copies of M's data from an address of his own, and passes the challenge
 *   that comes there on to M, and M's answer back. He cannot hold anything up (LOSSLESS), or packets get
 *   lost as well. From `calm` on nothing is lost, the NAT keeps still and X has gone.
 * Properties: data goes only to an address from which a challenge was returned; a question of an older
 *   version decides nothing; X is not followed while the address on record works (LOSSLESS); after calm
 *   S sends to where M is.
 * Leaves out: several sources at once (one is looked at at a time), X in the handshake of a move, late
 *   packets of older handshakes (mobile.pml), the time itself: that the address on record had the time to
 *   answer means that neither its challenge nor its answer is on the way any more.
 * Rules: R4 R9 R10 R10b R15 R22 (docs/models.md).
 *
 * Mutants: MUT_NO_QUESTION nobody is asked, and nothing is followed but a move; MUT_UNASKED the source of data is followed at once; MUT_ONE_SIDED only the new source is asked;
 *   MUT_HASTY it is decided before the address on record can have answered; MUT_OLD_QUESTION a move does not
 *   end the question; MUT_ONCE a question without an answer is the last; MUT_LATE_APPEAL a move does not end the asking of
 *   the address before.
 */
#ifndef STEP
#define STEP d_step
#endif
#ifndef NR
#define NR    3               /* addresses that NATs give M, one after the other; 4 at most */
#endif
#define X     4
#define NONE  7
#define TRIES 2
#define B(a)  (1 << (a))
byte ext;                     /* M's address as the world sees it */
byte ver; bit acked = 1;      /* M's version, and whether S has answered it */
byte adr;                     /* S: the address on record */
byte val, cand;               /* S: the version that it belongs to, and the newest that was heard */
byte from;                    /* S: sources of the newest, while it is not validated */
byte stray = NONE, tries;     /* S: the source that is asked about */
bit  proven, tired;           /* it has answered; a question was given up */
byte before = NONE;           /* S: the address on record before, while it can take the flow back */
bit  aping, apong;            /* in flight: the challenge to it, and its answer */
bit  asked_before;
byte asked_back;              /* ghost: the version that this is about */
byte asked;                   /* ghost: the version that the question is about */
byte data, pings, pongs;      /* in flight: data by source; the challenges of the open question and their answers */
byte rsyns, synacks, acks;    /* the handshake of the move, by M's address */
byte returned = 1;            /* ghost: addresses from which a challenge was returned */
bit  calm;

#ifdef LOSSLESS
#define LOSES 0
#else
#define LOSES (!calm)
#endif
#ifdef MUT_ONE_SIDED
#define ASKS (B(stray))
#else
#define ASKS (B(stray) | B(adr))
#endif
#ifdef MUT_HASTY
#define ANSWERABLE 0
#else
#define ANSWERABLE ((pings | pongs) & B(adr))
#endif
#ifdef MUT_ONCE
#define LISTENS (!tired)
#elif defined(MUT_NO_QUESTION)
#define LISTENS 0
#else
#define LISTENS 1
#endif

inline rest() { asked_back = 0; before = NONE; aping = 0; apong = 0; asked_before = 0 }
inline forget() { stray = NONE; tries = 0; proven = 0; pings = 0; pongs = 0; asked = 0 }
inline follow(a) { assert(returned & B(a)); adr = a; printf("@ S follow to a%d\n", a) }
inline hear(s) {
  data = data & ~B(s);
  if
  :: s == adr -> skip
#ifdef MUT_UNASKED
  :: s != adr -> follow(s)
#else
  :: s != adr -> rest(); stray = s; asked = val; printf("@ S get data from a%d\n", s)
#endif
  fi
}
#define GET_DATA(s) \
  :: STEP { (data & B(s)) && stray == NONE && cand == val && LISTENS -> hear(s) }
#define GET_PONG(s) \
  :: STEP { (pongs & B(s)) && s == adr -> printf("@ S get PONG from a%d, which is on record\n", s); forget() } \
  :: STEP { (pongs & B(s)) && s == stray -> pongs = pongs & ~B(s); proven = 1; printf("@ S get PONG from a%d\n", s) }
#define LOSE(s) \
  :: STEP { LOSES && (pongs & B(s)) -> pongs = pongs & ~B(s); printf("@ PONG from a%d lost\n", s) } \
  :: STEP { (pings & B(s)) && (LOSES || (s != ext && (s != X || calm))) -> pings = pings & ~B(s); printf("@ PING to a%d lost\n", s) }
#define HANDSHAKE(a) \
  :: STEP { (rsyns & B(a)) && cand != val && !(from & B(a)) -> from = from | B(a); printf("@ S get RSYN from a%d\n", a) } \
  :: STEP { (rsyns & B(a)) && cand != ver -> cand = ver; from = B(a); printf("@ S get RSYN from a%d\n", a); move_begins() } \
  :: STEP { cand != val && (from & B(a)) && ext == a && !(synacks & B(a)) -> synacks = synacks | B(a); printf("@ S send RSYNACK to a%d\n", a) } \
  :: STEP { cand != val && (acks & B(a)) -> val = cand; from = 0; follow(a) }
#ifdef MUT_OLD_QUESTION
inline move_begins() { rest() }
#elif defined(MUT_LATE_APPEAL)
inline move_begins() { forget() }
#else
inline move_begins() { forget(); rest() }
#endif

proctype M() {
end:
  do
  :: STEP { !calm && ext < NR-1 -> ext++; printf("@ NAT rebinds to a%d\n", ext) }
  :: STEP { !calm && ext < NR-1 && !ver -> ext++; ver = 1; acked = 0; printf("@ M move to a%d\n", ext) }
  :: STEP { adr != ext && !(data & B(ext)) -> data = data | B(ext); printf("@ M send data, seen from a%d\n", ext) }
  :: STEP { pings & B(ext) -> pings = pings & ~B(ext); pongs = pongs | B(ext); returned = returned | B(ext);
       printf("@ M get PING at a%d, send PONG\n", ext) }
  :: STEP { aping && before == ext -> aping = 0; apong = 1; returned = returned | B(ext); printf("@ M get PING at a%d, send PONG\n", ext) }
  :: STEP { !acked && !(rsyns & B(ext)) -> rsyns = rsyns | B(ext); printf("@ M send RSYN, seen from a%d\n", ext) }
  :: STEP { (synacks & B(ext)) && (!acked || (val != ver && !(acks & B(ext)))) ->
       acked = 1; acks = acks | B(ext); returned = returned | B(ext); printf("@ M get RSYNACK at a%d, send ACK\n", ext) }
  /* R10b: the answer came, and then nothing. */
  :: STEP { acked && cand == ver && val != ver && !(from & B(ext)) && acks == 0 ->
       ver++; acked = 0; rsyns = 0; synacks = 0; printf("@ M start version %d\n", ver) }
  :: STEP { LOSES && (synacks & B(ext)) && !acked -> acked = 1; synacks = synacks & ~B(ext); printf("@ M get RSYNACK at a%d, ACK lost\n", ext) }
  od
}
proctype Attacker() {
end:
  do
  :: STEP { !calm && adr != X && !(data & B(X)) -> data = data | B(X); printf("@ X send a copy of M's data\n") }
  :: STEP { !calm && (pings & B(X)) -> pings = pings & ~B(X); pongs = pongs | B(X); returned = returned | B(X);
       printf("@ X pass PING on to M, and its PONG\n") }
  :: STEP { !calm && aping && before == X -> aping = 0; apong = 1; printf("@ X pass PING on to M, and its PONG\n") }
  od
}
proctype S() {
end:
  do
  GET_DATA(0)
  GET_DATA(1)
  GET_DATA(2)
  GET_DATA(3)
  GET_DATA(X)
  :: STEP { stray != NONE && !proven && tries < TRIES && pings == 0 && pongs == 0 ->
       tries++; pings = ASKS; printf("@ S send PING to a%d, which is unknown\n", stray) }
  GET_PONG(0)
  GET_PONG(1)
  GET_PONG(2)
  GET_PONG(3)
  GET_PONG(X)
  LOSE(0)
  LOSE(1)
  LOSE(2)
  LOSE(3)
  LOSE(X)
  :: STEP { proven && !ANSWERABLE ->
#ifdef LOSSLESS
       assert(stray != X || adr != ext);
#endif
#ifdef SHOW_REBOUND
       assert(stray == X || val == 0);
#endif
       assert(asked == val && cand == val);
       before = adr; asked_back = val; asked_before = 0; follow(stray); forget() }
  :: STEP { before != NONE && !asked_before -> asked_before = 1; aping = 1; printf("@ S send PING to a%d, which was on record\n", before) }
  :: STEP { aping && (LOSES || (before != ext && (before != X || calm))) -> aping = 0; printf("@ PING to a%d lost\n", before) }
  :: STEP { LOSES && apong -> apong = 0; printf("@ PONG from a%d lost\n", before) }
  :: STEP { apong ->
       assert(asked_back == val && cand == val);
#ifdef SHOW_REVERTED
       assert(before != ext);
#endif
       follow(before); rest() }
  :: STEP { asked_before && !aping && !apong -> rest() }
  :: STEP { stray != NONE && !proven && tries == TRIES && pings == 0 && pongs == 0 ->
       printf("@ S give the question up\n"); forget(); tired = 1 }
  HANDSHAKE(0)
  HANDSHAKE(1)
  HANDSHAKE(2)
  HANDSHAKE(3)
  od
}
init {
  atomic { run M(); run Attacker(); run S() };
  calm = 1;
  timeout -> assert(adr == ext && val == ver && acked)
}
