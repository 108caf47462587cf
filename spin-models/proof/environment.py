# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""What may happen around the protocol: who moves, which addresses a host loses, what NATs do.

Safety is proven in the ADVERSE environment, which promises nothing. Convergence needs a promise:
each environment below is one of the recovery assumptions of protocol.md section 8.
"""
from z3 import And, BoolVal, Not, Or

from connection import (ADDRESS, ALTERNATIVE, ESTABLISHED, FLOW, HOSTS, INT, every, implies,
                        opens)


class Environment:
    """Packets carry the source address of their sender; otherwise everything is allowed.

    `natted[i]`: host i is behind a NAT that may rebind at any time, without host i noticing.
    """
    name = "any"
    honest = True
    natted = (False, False)

    def may_move(self, s, i, f):
        """Host i may start a version of flow f at an address of its choice."""
        return BoolVal(True)

    def may_lose(self, s, i, a):
        """Host i may lose address a: no flow uses it under its newest version."""
        return every((FLOW,), lambda f: Not(s.own(i, f, s.ver(i, f), a)))

    def extra(self, s, i, f, d):
        """Addresses that mover i tries besides those on record."""
        return BoolVal(False)

    def invariants(self, s):
        """What this environment keeps true, by name."""
        return {}

    def initially(self, s):
        """What it starts from."""
        return []


class Adverse(Environment):
    """Sources are forged or rewritten at will, addresses come and go at any time."""
    name = "adverse"
    honest = False

    def may_lose(self, s, i, a):
        return BoolVal(True)


class Unaided(Environment):
    """Both hosts move at any time, and nothing helps them to find each other."""
    name = "unaided"


class OneMobile(Environment):
    """Host 1 keeps its addresses for ever."""
    name = "one-mobile"

    def may_move(self, s, i, f):
        return BoolVal(i == 0)

    def may_lose(self, s, i, a):
        return And(i == 0, super().may_lose(s, i, a))

    def invariants(self, s):
        return {"stationary": every((FLOW,), lambda f: s.ver(1, f) == 0)}


class OneMobileBehindNat(OneMobile):
    """Host 1 keeps its addresses; host 0 moves and sits behind a NAT that rebinds silently."""
    name = "one-mobile-nat"
    natted = (True, False)


class StableAlternative(Environment):
    """Host 0 has one more address that it never loses, and host 1 knows it."""
    name = "alternative"

    def may_lose(self, s, i, a):
        loses = super().may_lose(s, i, a)
        return And(loses, a != ALTERNATIVE) if i == 0 else loses

    def extra(self, s, i, f, d):
        return d == ALTERNATIVE if i == 1 else BoolVal(False)

    def invariants(self, s):
        return {"alternative": s.held(0, ALTERNATIVE)}

    def initially(self, s):
        return [s.held(0, ALTERNATIVE)]


class Rendezvous(Environment):
    """A third place always knows where the hosts in `registered` are, in the end."""

    def __init__(self, name, registered, natted=(False, False)):
        self.name, self.registered, self.natted = name, registered, natted

    def extra(self, s, i, f, d):
        j = 1 - i
        return d == s.cur(j, f) if j in self.registered else BoolVal(False)


class MakeBeforeBreak(Environment):
    """Host 0 gives up no address before a newer version of it was acknowledged (R11)."""
    name = "make-before-break"

    def may_lose(self, s, i, a):
        loses = super().may_lose(s, i, a)
        return And(loses, self.released(s, a)) if i == 0 else loses

    def released(self, s, a):
        """No flow has used a since the version that was last acknowledged."""
        return every((FLOW, INT), lambda f, v: implies(
            s.own(0, f, v, a), s.lack(0, f) <= v, v <= s.ver(0, f), BoolVal(False)))

    def invariants(self, s):
        return {
            "kept": every((FLOW, INT, ADDRESS), lambda f, v, a: implies(
                s.own(0, f, v, a), s.lack(0, f) <= v, v <= s.ver(0, f), s.held(0, a))),
            "lack": every((FLOW,), lambda f: And(
                0 <= s.lack(0, f), s.lack(0, f) <= s.ver(0, f),
                Or(s.lack(0, f) == 0, s.lack(0, f) <= s.cand(0, f)))),
        }


class ReleaseAtOnce(MakeBeforeBreak):
    """Claims to be make-before-break, but gives the old address up early: a mutant of R11."""
    name = "release-at-once"

    def released(self, s, a):
        return BoolVal(True)


class NoOverlap(Environment):
    """A host moves a flow only while its peer's newest version is on record here."""
    name = "no-overlap"

    def may_move(self, s, i, f):
        j = 1 - i
        return Or(Not(self.both_know(s, f)), s.cand(j, f) == s.ver(j, f))

    @staticmethod
    def both_know(s, f):
        """The initiator has read the SYN-ACK: each side has a record of the other."""
        return Or([And(opens(i, f), s.est(i, f) == ESTABLISHED) for i in HOSTS])

    def invariants(self, s):
        return {"one-on-record": every((FLOW,), lambda f: implies(self.both_know(s, f), Or(
            s.cand(0, f) == s.ver(0, f), s.cand(1, f) == s.ver(1, f))))}


RECOVERABLE = (
    OneMobile(),
    OneMobileBehindNat(),
    StableAlternative(),
    Rendezvous("rendezvous-both", (0, 1)),
    Rendezvous("rendezvous-one", (0,)),
    Rendezvous("rendezvous-nat", (0, 1), natted=(True, True)),
    MakeBeforeBreak(),
    NoOverlap(),
)
