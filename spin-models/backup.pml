/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * An established backup flow: fail-over without a handshake, and back with hysteresis.
 *
 * What it models: a connection with two established flows. Paths break and heal without telling
 *   anybody (link up, nothing comes back) until `calm`, when at least one works and none changes.
 *   Each host sends on one flow. What is not acknowledged makes it probe both flows; it goes over
 *   to a flow that answered. It keeps probing the preferred flow 0 and goes back after HYSTERESIS
 *   answers in a row. Choices of the two hosts are independent: data is received on any flow.
 * Properties: after calm each host is soon on a flow that works, prefers flow 0 if that works, and
 *   changes at most MOST times (no flapping). The round of probes is the clock.
 * Leaves out: the moves of the flows themselves (full.pml), values of timers.
 * Rules: protocol.md 7.6 and 7.7, R9.
 *
 * Mutants: MUT_LOSE_ONLY goes over only when the address is lost; MUT_BACK_UNPROVEN goes back to
 *   flow 0 without an answer.
 */
#ifndef STEP
#define STEP d_step
#endif
#ifndef HYSTERESIS
#define HYSTERESIS 2
#endif
#define MOST 2
bit  works[2] = 1;         /* path of flow f */
byte use[2];               /* the flow that host i sends on */
byte streak[2];            /* answers in a row on flow 0, while it is not used */
byte changes[2];           /* after calm */
bit  calm;
byte rounds[2];

/* One round of host i: data on its flow, and where that is not answered, probes on both. */
#ifdef MUT_LOSE_ONLY
#define FAILS(f)   0
#else
#define FAILS(f)   (!works[f])
#endif
#ifdef MUT_BACK_UNPROVEN
#define ANSWERS0   1
#else
#define ANSWERS0   works[0]
#endif
inline change(i, flow) {
  use[i] = flow; streak[i] = 0;
  printf("@ host%d send on flow %d\n", i, use[i]);
  if :: calm -> changes[i]++; assert(changes[i] <= MOST) :: else fi
}

inline round(i) {
  if
  :: FAILS(use[i]) && works[1 - use[i]] -> change(i, 1 - use[i])
  :: !(FAILS(use[i]) && works[1 - use[i]]) && use[i] == 1 && ANSWERS0 ->
     streak[i]++;
     if :: streak[i] >= HYSTERESIS -> change(i, 0) :: else fi
  :: !(FAILS(use[i]) && works[1 - use[i]]) && use[i] == 1 && !ANSWERS0 -> streak[i] = 0
  :: else
  fi;
  if :: calm -> rounds[i]++ :: else fi
}

#define SETTLED(i) (works[use[i]] && (use[i] == 0 || !works[0]))

proctype Host(byte i) {
end:
  do
  :: STEP { !calm || rounds[i] < HYSTERESIS + 3 -> round(i) }
  od
}
proctype Paths() {
end:
  do
  :: STEP { !calm -> works[0] = 1 - works[0]; printf("@ flow 0 changes to %d\n", works[0]) }
  :: STEP { !calm -> works[1] = 1 - works[1]; printf("@ flow 1 changes to %d\n", works[1]) }
  od
}
init {
  atomic { run Host(0); run Host(1); run Paths() };
  STEP { works[0] || works[1] -> calm = 1 };
  timeout -> assert(SETTLED(0)); assert(SETTLED(1))
}
