/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * The base protocol in queues, the way the paper models it.
 *
 * What it models: a client M that opens a flow to a server S and then moves N times, always to a
 *   fresh address (address a and version a are the same number). Packets wait in queues of Q.
 *   The network is simulated where packets are sent (lost, doubled) and received (reordered).
 *   Timers may fire at any time. From `calm` on nothing is lost or reordered and nobody moves.
 * Leaves out: moves of the server (pair.pml, mobile.pml), address reuse, tokens.
 * Rules: R1 R2 R3 R4 R5 R6 R8 R9 R14.
 *
 * Switches: N moves; Q capacity; PINGS each host pings the other after calm, and the property is
 *   that both are answered (needs weak fairness between the processes); NETPROC two network
 *   processes instead of the simulation, to show what that costs; SEQUENCE the numbering of HIP and
 *   TCP-Migrate: only number n+1, only when n is complete, every number is repeated till then.
 */
#ifndef N
#define N 2
#endif
#ifndef Q
#define Q 3
#endif
#define NOTHING 255

mtype = { SYN, SYNACK, ACK, RSYN, RSYNACK, RACK, PING, PONG };
chan toS = [Q] of { mtype, byte, byte };        /* type, source address, version */
chan toM = [Q] of { mtype, byte, byte };        /* type, destination address, version */
#ifdef NETPROC
chan fromS = [Q] of { mtype, byte, byte };
chan fromM = [Q] of { mtype, byte, byte };
#define OUTM fromM
#define OUTS fromS
#else
#define OUTM toS
#define OUTS toM
#endif

#define LISTEN      0
#define SYN_RCVD    1
#define ESTABLISHED 2

bit calm;
byte mver;                    /* M: version, which is also its address */
bit mest, macked, proven;     /* established; the version is answered; ghost: the answer came to this address */
byte sst;                     /* S: state */
byte scand, sval = NOTHING;   /* newest version seen; newest version validated */
bit spend;                    /* scand is not validated yet */
bit mpinged, spinged;

#ifdef SEQUENCE
#define NEWER(v) (!spend && v == ((sval == NOTHING -> scand : sval) + 1))
#else
#define NEWER(v) (v > scand)
#endif

inline send(c, kind, a, v) {
  if
  :: !calm -> printf("@ lost %e v%d\n", kind, v)
  :: !calm && nfull(c) -> c!!kind,a,v; printf("@ sent %e v%d\n", kind, v)
#ifndef NODUP
  :: !calm && len(c) + 2 <= Q -> c!!kind,a,v; c!!kind,a,v; printf("@ doubled %e v%d\n", kind, v)
#endif
  :: calm && nfull(c) && !(c??[kind,eval(a),eval(v)]) -> c!kind,a,v; printf("@ sent %e v%d\n", kind, v)
  :: calm && (full(c) || c??[kind,eval(a),eval(v)])
  fi
}

#ifdef PINGS
inline send_calm(c, kind, a) {  /* pings start after calm, when nothing is lost or doubled */
  if
  :: nfull(c) && !(c??[kind,eval(a),0]) -> c!kind,a,0
  :: full(c) || c??[kind,eval(a),0]
  fi
}
#endif

/* Takes any packet of the queue; after calm the first. */
inline take(c) {
  n = 0;
  do
  :: !calm && n + 1 < len(c) -> n++
  :: break
  od;
  skip;
  d_step {
    k = 0; l = len(c);
    do :: k < n -> c?t,a,v; c!t,a,v; k++ :: else -> break od;
    c?t,a,v; k++;
    do :: k < l -> c?tt,aa,vv; c!tt,aa,vv; k++ :: else -> break od;
    k = 0; l = 0; n = 0; tt = 0; aa = 0; vv = 0
  }
}

proctype M() {
  mtype t, tt; byte a, v, n, k, l, aa, vv;
end:
  do
  :: atomic { nempty(toM) -> take(toM);
     if
     :: a != mver                     /* the address was left: nobody hears it */
     :: else ->
        if
        :: t == SYNACK && v == mver -> mest = 1; macked = 1; proven = 1; send(OUTM, ACK, mver, v)
        :: t == RSYNACK && v == mver -> macked = 1; proven = 1; send(OUTM, RACK, mver, v)
#ifdef PINGS
        :: t == PING -> send_calm(OUTM, PONG, mver)
        :: t == PONG -> if :: calm -> mpinged = 1 :: else fi
#endif
        :: else
        fi
     fi;
     d_step { t = 0; a = 0; v = 0 } }
  :: atomic { !calm && mver < N -> mver++; macked = 0; proven = 0; printf("@ move to a%d\n", mver) }
  od
}

proctype MTimer() {
  byte o;
end:
  do
  :: atomic { !mest -> send(OUTM, SYN, mver, mver) }
  :: atomic { mest && !macked -> send(OUTM, RSYN, mver, mver) }
#ifdef SEQUENCE
  :: atomic { mest && !macked && mver > 1 -> o = mver - 1; send(OUTM, RSYN, o, o); o = 0 }
#endif
  od
}

proctype S() {
  mtype t, tt; byte a, v, n, k, l, aa, vv;
end:
  do
  :: atomic { nempty(toS) -> take(toS);
     if
     :: t == SYN && sst == LISTEN -> sst = SYN_RCVD; scand = v; spend = 1; send(OUTS, SYNACK, scand, scand)
     :: t == SYN && sst == SYN_RCVD && v > scand -> scand = v; send(OUTS, SYNACK, scand, scand)
     :: t == SYN && sst == SYN_RCVD && v == scand -> send(OUTS, SYNACK, scand, scand)
     :: t == ACK && sst == SYN_RCVD && v == scand -> sst = ESTABLISHED; sval = v; spend = 0
#ifndef MUT_NO_RSYN_IN_SYN_RCVD
     :: t == RSYN && sst == SYN_RCVD && v > scand ->
        sst = ESTABLISHED; scand = v; spend = 1; send(OUTS, RSYNACK, scand, scand)
#endif
     :: t == RSYN && sst == ESTABLISHED && NEWER(v) -> scand = v; spend = 1; send(OUTS, RSYNACK, scand, scand)
     :: t == RSYN && sst == ESTABLISHED && v == scand && spend -> send(OUTS, RSYNACK, scand, scand)
     :: t == RACK && sst == ESTABLISHED && v == scand && spend ->
        assert(sval == NOTHING || v > sval);           /* stale never overwrites newer */
        assert(v != mver || proven);                   /* data only to a proven address */
        sval = v; spend = 0; printf("@ data goes to a%d\n", sval)
#ifdef PINGS
     :: t == PING && sst == ESTABLISHED && sval != NOTHING -> send_calm(OUTS, PONG, sval)
     :: t == PONG -> if :: calm -> spinged = 1 :: else fi
#endif
     :: else
     fi;
     d_step { t = 0; a = 0; v = 0 } }
  od
}

proctype STimer() {
end:
  do
  :: atomic { sst == SYN_RCVD -> send(OUTS, SYNACK, scand, scand) }
  :: atomic { sst == ESTABLISHED && spend -> send(OUTS, RSYNACK, scand, scand) }
  od
}

#ifdef PINGS
proctype MPing() {
end: do :: atomic { calm && mest && !mpinged -> send_calm(OUTM, PING, mver) } od
}
proctype SPing() {
end: do :: atomic { calm && sst == ESTABLISHED && sval != NOTHING && !spinged -> send_calm(OUTS, PING, sval) } od
}
#endif

#ifdef NETPROC
proctype Network(chan from, to) {
  mtype t; byte a, v;
end:
  do
  :: atomic { from?t,a,v ->
     if
     :: !calm
     :: nfull(to) -> to!!t,a,v
     :: full(to)
     fi;
     t = 0; a = 0; v = 0 }
  od
}
#endif

init {
  atomic {
    run M(); run MTimer(); run S(); run STimer();
#ifdef PINGS
    run MPing(); run SPing();
#endif
#ifdef NETPROC
    run Network(fromM, toS); run Network(fromS, toM);
#endif
  };
  calm = 1
}

#ifdef PINGS
ltl live { [] (calm -> <> (mpinged && spinged)) }
#endif
#ifdef WITNESS_SKIP           /* must fail: a version is never skipped */
ltl witness { [] !(scand == 2 && sval == 0) }
#endif
