# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Termination: in a calm network, every step that changes what a host remembers lowers a rank.

Calm: no host moves, opens a flow or loses an address, no NAT rebinds. Packets of before may still
arrive, each finitely often: `old` counts the deliveries left of (R)SYNs whose source is not the
mover's any more. The rank of a flow is a tuple of integers, compared lexicographically, none of
them ever negative; that of a connection is the sum over its flows, place by place.
"""
from z3 import And, BoolVal, If, Implies, Int, IntVal, Not, Or

from connection import (ADDRESS, ESTABLISHED, FLOW, HOSTS, INT, every, implies)
from steps import A, F, flowing, suspect

OLD = Int("old")


def rank(s, f, env, old):
    """The rank of flow f in state s."""
    def total(measure):
        return sum((measure(i) for i in HOSTS), IntVal(0))

    def one_if(condition):
        return If(condition, IntVal(1), IntVal(0))

    return [
        old,
        total(lambda i: one_if(And(env.natted[i], Not(s.fresh(i, f))))),
        total(lambda i: 3 - s.est(i, f)),
        total(lambda i: s.ver(i, f) - s.cand(i, f)),
        total(lambda i: s.cand(i, f) - s.val(i, f)),
        total(lambda i: one_if(Not(s.acked(i, f)))),
        total(lambda i: one_if(Not(s.src(i, f, s.cur(i, f))))),
    ]


def less(left, right):
    """Lexicographic order of two tuples of the same length."""
    if not left:
        return BoolVal(False)
    return Or(left[0] < right[0], And(left[0] == right[0], less(left[1:], right[1:])))


def calm_steps(rules, env, s):
    """(name, guard, next state, deliveries left of old packets) of every step of a calm network."""
    result = []
    for name, guard, t in flowing(rules, env, s):
        left = OLD
        for i in HOSTS:
            if name in (f"deliver-syn{i}", f"deliver-rsyn{i}"):
                # A source that is not the mover's can only be that of a packet of before.
                left = If(A == s.cur(i, F), OLD, OLD - 1)
                guard = And(guard, Or(A == s.cur(i, F), OLD > 0))
        result.append((name, guard, t, left))
    for i in HOSTS:
        if env.natted[i]:
            guard, t = suspect(rules, s, i, F)
            result.append((f"suspect{i}", guard, t.put("fresh", i, (F,)), OLD))
    return result


def calm_invariant(s, env):
    """A version that was started after the network became calm has one source only; by name."""
    clauses = {}
    for i in HOSTS:
        if not env.natted[i]:
            continue

        def one_source(f):
            v, a = s.ver(i, f), s.cur(i, f)
            return Implies(s.fresh(i, f), And(
                s.est(i, f) == ESTABLISHED,
                Implies(And(s.cand(i, f) == v, s.val(i, f) < v),
                        every((ADDRESS,), lambda x: Implies(s.src(i, f, x), x == a))),
                Implies(s.val(i, f) == v, s.adr(i, f) == a)))

        def in_flight(f, token, d):
            v, a = s.ver(i, f), s.cur(i, f)
            return implies(s.fresh(i, f), token != a, And(
                Not(s.rs(i, f, v, token, d)), Not(s.syn(i, f, v, token, d)),
                Not(s.ra(i, f, v, token, d)), Not(s.ak(i, f, v, token, d))))

        def answers(f, token, x, e):
            return implies(s.fresh(i, f), token != s.cur(i, f),
                           Not(s.sa(i, f, s.ver(i, f), token, x, e)))

        clauses[f"one-source{i}"] = every((FLOW,), one_source)
        clauses[f"one-source-in-flight{i}"] = every((FLOW, ADDRESS, ADDRESS), in_flight)
        clauses[f"one-source-syn-ack{i}"] = every((FLOW, ADDRESS, ADDRESS, ADDRESS), answers)
    return clauses


def decreases(s, t, left, env):
    """The step changes nothing that a host remembers, or lowers the rank."""
    return Or(s.same_endpoints(t, F), less(rank(t, F, env, left), rank(s, F, env, OLD)))


def bounded(s, env):
    """No place of the rank is negative."""
    return And([place >= 0 for place in rank(s, F, env, OLD)])


def apart(s, t, g, env):
    """A step on flow F leaves the rank of every other flow g as it is, old packets apart."""
    return Implies(g != F, And([x == y for x, y in zip(
        rank(s, g, env, OLD)[1:], rank(t, g, env, OLD)[1:])]))
