/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * One end of one flow: the complete reaction to every packet, command and timer.
 *
 * What it models: the flow states of protocol.md 5 (paper Fig. 3), establishment with
 *   simultaneous open, moves, NACK, draining and reset, with explicit versions. This text
 *   is included by pair.pml, which verifies two such ends against each other, and by
 *   table.pml, which prints the table that the shipping code is replayed against.
 * Leaves out: wire format, MACs (a packet here is one whose MAC was right), timer values,
 *   ILists, the rest of the connection.
 * Rules: R1 R2 R3 R4 R5 R6 R7 R8 R9 R10 R10b R12 R13 R14, and R15 and R18 of docs/models.md.
 *
 * The including file defines EMIT(i,t,d,v,k), which sends packet t from host i to address d
 * with version v and token k, and NADDR, one more than the largest address. Address 0 is
 * "none"; a token is the address that it was made for (R10).
 */
mtype = { SYN, SYNACK, ACK, NACK, RSYN, RSYNACK, RST, PING, PONG, DATA, FIN, FINACK };

#define CLOSED   0
#define LISTEN   1
#define SYN_SENT 2
#define SYN_RCVD 3
#define OPEN     4     /* ESTABLISHED and the six states of a move: acked, addr and pend tell which */

#define B(a)  (1 << (a))

typedef Endpoint {
  byte st;
  bit  later;        /* a flow added to a connection: NACK is possible */
  bit  drain;        /* the transport is done, the flow answers for a while (protocol.md 7.10) */
  byte addr;         /* own address, 0 while there is none */
  byte ver;          /* own version */
  bit  acked;        /* the peer has answered that version */
  byte dest;         /* SYN goes there */
  byte cand;         /* newest version of the peer that was seen */
  bit  pend;         /* that version is not validated yet */
  byte srcs;         /* addresses from which it came, while pend */
  byte val;          /* newest version of the peer that was validated */
  byte valA          /* data goes there and nowhere else; 0 before the first */
};
#ifndef ENDS
#define ENDS 2
#endif
Endpoint e[ENDS];
byte _a, _set;

#define ME     e[i]
#define ISOPEN (ME.st == OPEN)

/* ---- the rules, each with the mutant that breaks it ---- */
#ifdef MUT_SEQUENCE           /* R1: accept n+1 only, and only when n is complete */
#define NEWER(v)    ((v) == ME.val + 1 && !ME.pend)
#else
#define NEWER(v)    ((v) > ME.cand)
#endif
#ifdef MUT_OLD_RSYNACK        /* R2 */
#define MINE(v)     ((v) <= ME.ver)
#else
#define MINE(v)     ((v) == ME.ver)
#endif
#ifdef MUT_RSYNACK_ONCE       /* R3 */
#define ANSWERS     (!ME.acked)
#else
#define ANSWERS     1
#endif
#ifdef MUT_NO_RSYNACK_TIMER   /* R4 */
#define REPEATS     0
#else
#define REPEATS     1
#endif
#ifdef MUT_OLD_ACK            /* R5 */
#define PROVES(v)   ((v) <= ME.cand)
#else
#define PROVES(v)   ((v) == ME.cand)
#endif
#ifdef MUT_REPLY_TO_RECORD    /* R6 */
#define BACK(s)     (ME.valA != 0 -> ME.valA : (s))
#else
#define BACK(s)     (s)
#endif
#ifdef MUT_RSYN_TO_VALID_ONLY /* R7 */
#define ONRECORD    (B(ME.valA))
#else
#ifndef LEARNT                /* on other flows of the connection */
#define LEARNT(i)   0
#endif
#define ONRECORD    (B(ME.valA) | ME.srcs | LEARNT(i))
#endif
#ifdef MUT_NO_RSYN_IN_SYN_RCVD /* R8 */
#define OPENS       0
#else
#define OPENS       1
#endif
#ifdef MUT_SYNACK_FROM_ANYWHERE /* R12 */
#define ASKED(s)    1
#else
#define ASKED(s)    (ME.dest == (s))
#endif
#ifndef RETURNS               /* R18: the SYN-ACK brings back the token that went to its source */
#define RETURNS(i)  1
#endif
#ifdef MUT_DRAIN_IGNORES_MOVES /* protocol.md 7.10 */
#define OBEYS       (!ME.drain)
#else
#define OBEYS       1
#endif
#ifdef MUT_NO_RESET           /* protocol.md 7.10: a closed end must tell */
#define TELLS       0
#else
#define TELLS       1
#endif

/* t to every address of the set; a (R)SYN-ACK carries the token of the address that it goes to */
inline emit_each(i, kind, to, w) {
  _set = to;
  _a = 1;
  do
  :: _a < NADDR && (_set & B(_a)) ->
     if :: kind == RSYNACK || kind == SYNACK -> EMIT(i, kind, _a, w, _a) :: else -> EMIT(i, kind, _a, w, 0) fi;
     _a++
  :: _a < NADDR && !(_set & B(_a)) -> _a++
  :: _a >= NADDR -> break
  od;
  _a = 0; _set = 0
}

inline forget(i) {
  ME.st = CLOSED; ME.later = 0; ME.drain = 0; ME.acked = 0; ME.dest = 0; ME.cand = 0; ME.pend = 0;
  ME.srcs = 0; ME.val = 0; ME.valA = 0; ME.ver = 0
}

inline opened(i) { ME.st = OPEN; ME.dest = 0; ME.later = 0 }
inline candidate(i, v, s) { ME.cand = v; ME.pend = 1; ME.srcs = B(s) }
inline validate(i, v, a) { ME.val = v; ME.valA = a; ME.pend = 0; ME.srcs = 0 }

/* ---- packets: type t from address s with version v and token k ---- */
inline on_syn(i, s, v) {
  if
#ifdef REFUSES                /* a flow is wanted at another address */
  :: ME.st == LISTEN && REFUSES(i) -> EMIT(i, NACK, s, 0, PREFERRED(i))
  :: (ME.st == LISTEN && !REFUSES(i)) || (ME.st == SYN_SENT && ASKED(s)) ->
#else
  :: ME.st == LISTEN || (ME.st == SYN_SENT && ASKED(s)) ->
#endif
     /* A SYN that meets our own: our SYN-ACK says all that our SYN said. */
     ME.st = SYN_RCVD; ME.acked = 1; candidate(i, v, s); EMIT(i, SYNACK, s, v, s)
  :: ME.st == SYN_RCVD && v > ME.cand -> candidate(i, v, s); EMIT(i, SYNACK, s, v, s)
  :: ME.st == SYN_RCVD && v == ME.cand -> ME.srcs = ME.srcs | B(s); EMIT(i, SYNACK, s, v, s)
  :: else
  fi
}
inline on_synack(i, s, v, k) {
  if
  :: ME.st == SYN_SENT && v == ME.ver && ASKED(s) && RETURNS(i) ->
     opened(i); ME.acked = 1; ME.cand = 0; VALIDATING(i, 0, s); validate(i, 0, s); EMIT(i, ACK, s, v, k)
  :: ME.st == SYN_RCVD && v == ME.ver && ME.dest != 0 && ASKED(s) ->
     opened(i);
     if :: ME.srcs & B(s) -> validate(i, ME.cand, s) :: else fi;
     EMIT(i, ACK, s, v, k)
  :: ISOPEN && MINE(v) && (ANSWERS) -> ME.acked = 1; EMIT(i, ACK, BACK(s), v, k)
  :: else
  fi
}
inline on_rsyn(i, s, v) {
  if
  :: ME.st == SYN_RCVD && v > ME.cand && OPENS ->
     opened(i); candidate(i, v, s); EMIT(i, RSYNACK, BACK(s), v, s)
  :: ISOPEN && OBEYS && NEWER(v) -> candidate(i, v, s); EMIT(i, RSYNACK, BACK(s), v, s)
  :: ISOPEN && OBEYS && v == ME.cand && ME.pend -> ME.srcs = ME.srcs | B(s); EMIT(i, RSYNACK, BACK(s), v, s)
  :: ISOPEN && OBEYS && v == ME.cand && !ME.pend -> EMIT(i, RSYNACK, BACK(s), v, s)
  :: else
  fi
}
inline on_rsynack(i, s, v, k) {
  if
  :: (ISOPEN || ME.st == SYN_RCVD) && MINE(v) && (ANSWERS) -> ME.acked = 1; EMIT(i, ACK, BACK(s), v, k)
  :: else
  fi
}
inline on_ack(i, v, k) {
  if
  :: (ISOPEN || ME.st == SYN_RCVD) && ME.pend && PROVES(v) ->
     opened(i); VALIDATING(i, ME.cand, k); validate(i, ME.cand, k)
  :: else
  fi
}
inline on_nack(i, s, k) {
  if
  :: ME.st == SYN_SENT && ME.later && ME.dest == s && k != s -> ME.dest = k; EMIT(i, SYN, k, ME.ver, 0)
  :: else
  fi
}
inline receive(i, t, s, v, k) {
  if
  :: t == RST ->
     if :: ME.st != CLOSED && ME.st != LISTEN -> forget(i) :: else fi
  :: t != RST && (ME.st == CLOSED || (ME.st == LISTEN && t != SYN)) ->
     if :: TELLS && t != SYN -> EMIT(i, RST, s, 0, 0) :: else fi
  :: else ->
#ifdef OPEN_BY_ANY            /* only a client that has the SYN-ACK can send these */
     if :: ME.st == SYN_RCVD && (t == PING || t == DATA || t == FIN) -> opened(i) :: else fi;
#endif
     if
     :: t == SYN     -> on_syn(i, s, v)
     :: t == SYNACK  -> on_synack(i, s, v, k)
     :: t == RSYN    -> on_rsyn(i, s, v)
     :: t == RSYNACK -> on_rsynack(i, s, v, k)
     :: t == ACK     -> on_ack(i, v, k)
     :: t == NACK    -> on_nack(i, s, k)
     :: t == PING    -> if :: ISOPEN -> EMIT(i, PONG, BACK(s), 0, 0) :: else fi
     :: t == PONG    -> if :: ISOPEN -> PONGED(i) :: else fi
     :: t == DATA    -> if :: ISOPEN -> DELIVERED(i, s) :: else fi
     :: t == FIN     -> if :: ISOPEN -> FINNED(i, s) :: else fi
     :: t == FINACK  -> if :: ISOPEN -> FINACKED(i) :: else fi
     fi
  fi
}

/* ---- commands ---- */
inline open_flow(i, where) {
  ME.st = SYN_SENT; ME.ver = 0; ME.acked = 0; ME.dest = where; EMIT(i, SYN, where, 0, 0)
}
inline announce(i) {          /* what a new address says at once, and what the timer repeats */
  if
  :: ME.st == SYN_SENT -> EMIT(i, SYN, ME.dest, ME.ver, 0)
  :: (ME.st == SYN_RCVD || ISOPEN) && !ME.acked -> emit_each(i, RSYN, ONRECORD, ME.ver)
  :: else
  fi
}
inline lose_address(i) { ME.addr = 0 }
inline gain_address(i, a) { ME.addr = a; ME.ver++; ME.acked = 0; announce(i) }
inline timer(i) {
  if
  :: ME.addr != 0 ->
     announce(i);
     if
     :: ME.st == SYN_RCVD -> emit_each(i, SYNACK, ME.srcs, ME.cand)
     :: ISOPEN && ME.pend && REPEATS -> emit_each(i, RSYNACK, ME.srcs, ME.cand)
     :: else
     fi
  :: else
  fi
}
/* A reset goes wherever the peer may be. */
inline abort_flow(i) {
  if
  :: ME.st == SYN_SENT -> EMIT(i, RST, ME.dest, 0, 0)
  :: else -> emit_each(i, RST, B(ME.valA) | ME.srcs, 0)
  fi;
  forget(i)
}
