# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""The inductive invariant, clause by clause, and what no single step may do."""
from z3 import And, Const, Exists, Implies, Not, Or

from connection import (ADDRESS, ESTABLISHED, FIRST, FLOW, HOSTS, INT, NONE, SYN_RCVD, SYN_SENT,
                        every, implies, opens)


def proven(s, i, f, v, a):
    """Host i receives at a: it read a token of that version there. The responder's first address is
    one where it read the token of a SYN (R18); on the connection's first flow, one that the
    initiator chose itself, sent the SYN to, and was answered from (R12)."""
    first = And(v == 0, Not(opens(i, f)), Or(
        And(f == FIRST, s.sent(1 - i, f, a)), And(f != FIRST, s.asked(i, f, a))))
    return Or(s.got(i, f, v, a), first)


def safety(s):
    """The clauses that hold whatever the network, NATs, forgers and movers do; by name."""
    clauses = {}
    for i in HOSTS:
        for name, clause in [*_establishment(s, i), *_records(s, i), *_packets(s, i)]:
            clauses[f"{name}{i}"] = clause
    return clauses


def _establishment(s, i):
    j = 1 - i

    def states(f):
        return And(
            Or([s.est(i, f) == n for n in (NONE, SYN_SENT, SYN_RCVD, ESTABLISHED)]),
            Implies(opens(i, f), s.est(i, f) != SYN_RCVD),
            Implies(Not(opens(i, f)), s.est(i, f) != SYN_SENT))

    def halves(f):
        """What the responder's progress says about the initiator i, and the other way round."""
        return Implies(opens(i, f), And(
            Implies(s.est(j, f) != NONE, s.est(i, f) != NONE),
            Implies(s.est(j, f) == ESTABLISHED, s.est(i, f) == ESTABLISHED),
            Implies(s.est(i, f) == ESTABLISHED, And(s.est(j, f) != NONE, s.val(j, f) >= 0)),
            Implies(s.est(i, f) != ESTABLISHED, s.cand(j, f) == -1),
            (s.est(j, f) == NONE) == (s.cand(i, f) == -1),
            Implies(s.est(j, f) != ESTABLISHED, s.val(i, f) == -1)))

    def later(f):
        """A flow is added to a connection that its opener has established."""
        return implies(opens(i, f), s.est(i, f) != NONE, f != FIRST,
                       s.est(i, FIRST) == ESTABLISHED)

    return [
        ("states", every((FLOW,), states)),
        ("halves", every((FLOW,), halves)),
        ("later", every((FLOW,), later)),
        ("unopened", every((FLOW,), lambda f: Implies(
            s.est(i, f) == NONE, And(s.ver(i, f) == 0, Not(s.acked(i, f)))))),
        ("unused", every((FLOW, INT, ADDRESS), lambda f, v, a: Implies(
            s.own(i, f, v, a), s.est(i, f) != NONE))),
    ]


def _records(s, i):
    j = 1 - i
    return [
        ("order", every((FLOW,), lambda f: And(
            -1 <= s.val(i, f), s.val(i, f) <= s.cand(i, f), s.cand(i, f) <= s.ver(i, f),
            0 <= s.ver(i, f)))),
        ("proven", every((FLOW,), lambda f: Implies(
            s.val(i, f) >= 0, proven(s, i, f, s.val(i, f), s.adr(i, f))))),
        ("acked", every((FLOW,), lambda f: Implies(s.acked(i, f), Or(
            s.cand(i, f) == s.ver(i, f),
            And(Not(opens(i, f)), s.est(j, f) == SYN_SENT, s.ver(i, f) == 0))))),
        ("read", every((FLOW, INT, ADDRESS), lambda f, v, a: Implies(
            s.got(i, f, v, a), And(0 <= v, v <= s.cand(i, f), s.own(i, f, v, a))))),
        ("asked", every((FLOW, ADDRESS), lambda f, a: Implies(
            s.asked(i, f, a),
            And(Not(opens(i, f)), s.sent(j, f, a), s.est(i, f) != NONE)))),
        ("owned", every((FLOW, INT, ADDRESS), lambda f, v, a: Implies(
            s.own(i, f, v, a), And(0 <= v, v <= s.ver(i, f))))),
        ("source", every((FLOW,), lambda f: Implies(
            s.est(i, f) != NONE, s.own(i, f, s.ver(i, f), s.cur(i, f))))),
    ]


def _packets(s, i):
    j = 1 - i
    return [
        ("syn", every((FLOW, INT, ADDRESS, ADDRESS), lambda f, v, a, d: Implies(
            s.syn(i, f, v, a, d),
            And(opens(i, f), 0 <= v, v <= s.ver(i, f), s.sent(i, f, d), s.est(i, f) != NONE)))),
        ("rsyn", every((FLOW, INT, ADDRESS, ADDRESS), lambda f, v, a, d: Implies(
            s.rs(i, f, v, a, d),
            And(0 <= v, v <= s.ver(i, f), s.est(i, f) != NONE, s.est(i, f) != SYN_SENT)))),
        ("syn-ack", every((FLOW, INT, ADDRESS, ADDRESS, ADDRESS), lambda f, v, a, x, e: Implies(
            s.sa(i, f, v, a, x, e),
            And(opens(i, f), 0 <= v, v <= s.cand(i, f), s.asked(j, f, e))))),
        ("rsyn-ack", every((FLOW, INT, ADDRESS, ADDRESS), lambda f, v, a, x: Implies(
            s.ra(i, f, v, a, x), And(0 <= v, v <= s.cand(i, f), s.est(i, f) != SYN_SENT)))),
        ("ack", every((FLOW, INT, ADDRESS, ADDRESS), lambda f, v, a, d: Implies(
            s.ak(i, f, v, a, d),
            And(s.got(i, f, v, a), s.est(i, f) != NONE, s.est(i, f) != SYN_SENT)))),
        ("data", every((FLOW, INT, ADDRESS), lambda f, v, a: Implies(
            s.dat(i, f, v, a), And(s.est(j, f) == ESTABLISHED, proven(s, i, f, v, a))))),
    ]


def progress(s, t):
    """What no step from s to t may do, whatever it is; by name."""
    clauses = {}
    for i in HOSTS:
        def forward(name):
            return every((FLOW,), lambda f: getattr(t, name)(i, f) >= getattr(s, name)(i, f))
        clauses[f"newer-only{i}"] = And(forward("cand"), forward("val"), forward("ver"))
        clauses[f"never-back{i}"] = forward("est")
        # Stale never overwrites newer, and an address never changes within a version.
        clauses[f"one-per-version{i}"] = every((FLOW,), lambda f: implies(
            s.val(i, f) >= 0, t.val(i, f) == s.val(i, f), t.adr(i, f) == s.adr(i, f)))
    return clauses


def on_source(s, i, f):
    """Some source of the candidate is on record."""
    a = Const("a_source", ADDRESS)
    return Exists([a], s.src(i, f, a))


def fairness(s, env):
    """The clauses that hold when packets carry their sender's source address; by name."""
    clauses = dict(env.invariants(s))
    for i in HOSTS:
        clauses[f"reached{i}"] = every((FLOW,), lambda f: Implies(
            s.est(i, f) != NONE, s.held(i, s.cur(i, f))))
        clauses[f"known{i}"] = every((FLOW, ADDRESS), lambda f, a: implies(
            s.cand(i, f) > s.val(i, f), s.src(i, f, a), s.own(i, f, s.cand(i, f), a)))
        # A pending version came from somewhere.
        clauses[f"announced{i}"] = every((FLOW,), lambda f: Implies(
            s.cand(i, f) > s.val(i, f), on_source(s, i, f)))
        clauses[f"sources{i}"] = every((FLOW, INT, ADDRESS, ADDRESS), lambda f, v, a, d: Implies(
            Or(s.syn(i, f, v, a, d), s.rs(i, f, v, a, d)), s.own(i, f, v, a)))
        # The peer's record is one of our addresses, also the first, which a SYN-ACK brought.
        clauses[f"came-from{i}"] = every((FLOW, INT, ADDRESS, ADDRESS, ADDRESS),
                                         lambda f, v, a, x, e: Implies(
                                             s.sa(1 - i, f, v, a, x, e), s.own(i, f, 0, x)))
        clauses[f"record{i}"] = every((FLOW,), lambda f: Implies(
            s.val(i, f) >= 0, s.own(i, f, s.val(i, f), s.adr(i, f))))
        if not env.natted[i]:
            clauses[f"held{i}"] = every((FLOW, ADDRESS), lambda f, a: implies(
                s.est(i, f) != NONE, s.own(i, f, s.ver(i, f), a), s.held(i, a)))
    return clauses
