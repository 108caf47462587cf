/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * The redirection cache: routers in the networks that were left know where the host went.
 *
 * What it models: mobile.pml with fresh addresses, and paper section VII. A host that has moved
 *   tells the routers of its old networks its new address, and has to prove itself to them. For
 *   a while such a router sends on the RSYNs (nothing else) for the old address. The host that
 *   gets a redirected RSYN knows its peer again, and its own RSYN now arrives.
 *   ONE_SIDE: only the old networks of host 1 have such a router.
 *   EXPIRES: a router may forget before the peer has asked. Then two hosts that move at once are
 *   lost to each other: the cache must outlive the recovery.
 *   MUT_UNPROVEN: a router believes anybody, so an attacker takes the RSYNs away.
 * Leaves out: what mobile.pml leaves out, the routers' limits.
 * Rules: those of mobile.pml, and protocol.md 7.8.
 */
#define FRESH
#define ROUTERS 4             /* networks of one host */
#define ATTACKER 15
byte entry[2*ROUTERS];        /* router of host h's network a: where its RSYNs go, 0 nowhere */
#define ENTRY(h,a) entry[(h)*ROUTERS + (a)]
#ifdef ONE_SIDE
#define CACHES(h) (h == 1)
#else
#define CACHES(h) 1
#endif

#define REGISTER(a) \
  :: STEP { CACHES(i) && a < ver[i] && ENTRY(i,a) != ver[i] -> \
       ENTRY(i,a) = ver[i]; printf("@ host%d tell the router of a%d about a%d\n", i, a, ver[i]) }
#ifdef EXPIRES
#define FORGET(a) \
  :: STEP { calm && ENTRY(i,a) != 0 && ENTRY(i,a) != FORGOTTEN -> ENTRY(i,a) = FORGOTTEN; printf("@ router of a%d forgets host%d\n", a, i) }
#define FORGOTTEN 14
#undef REGISTER
#define REGISTER(a) \
  :: STEP { CACHES(i) && a < ver[i] && ENTRY(i,a) < ver[i] -> \
       ENTRY(i,a) = ver[i]; printf("@ host%d tell the router of a%d about a%d\n", i, a, ver[i]) }
#else
#define FORGET(a)
#endif
#ifdef MUT_UNPROVEN
#define INTRUDE :: STEP { !calm && ver[i] > 0 && ENTRY(i,0) != ATTACKER -> ENTRY(i,0) = ATTACKER; printf("@ attacker tells the router of host%d\n", i) }
#else
#define INTRUDE
#endif
/* An RSYN to an address of J on record that J has left: the router there sends it on. */
#define REDIRECTED(a) \
  :: STEP { !acked[i] && cand[i] != ver[i] && !HOLDS(J,a) && ENTRY(J,a) == ver[J] && !(m[i].rs[ver[i]] & B(cur[J])) -> \
       m[i].rs[ver[i]] = m[i].rs[ver[i]] | B(cur[J]); printf("@ host%d send RSYN v%d to a%d, redirected to a%d\n", i, ver[i], a, cur[J]); gc() } \
  :: STEP { !acked[i] && !HOLDS(J,a) && ENTRY(J,a) == ATTACKER -> assert(false) /* the RSYN goes to somebody else */ }
#define MORE_OPTIONS \
  REGISTER(0) \
  REGISTER(1) \
  FORGET(0) \
  FORGET(1) \
  INTRUDE \
  REDIRECTED(valA[J]) \
  REDIRECTED(candA[J])
#include "mobile.pml"
