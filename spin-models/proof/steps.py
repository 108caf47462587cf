# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Every step that a connection can make, with parameters that are arbitrary constants."""
from z3 import And, BoolVal, Const, Consts, Exists, Function, Int, Not, Or

from connection import (ADDRESS, BOOL, ESTABLISHED, FLOW, HOSTS, NETWORK, NONE, RELATIONS, every,
                        implies)

# The parameters of a step: one flow, versions, addresses.
F = Const("f", FLOW)
V = Int("v")
A, B, D, E = Consts("a b d e", ADDRESS)


def steps(rules, env, s):
    """(name, guard, next state) of every step from s; calm ones and those of the environment."""
    return [*moving(rules, env, s), *flowing(rules, env, s)]


def moving(rules, env, s):
    """What ends when the network is calm: opening, moving, losing, rebinding."""
    result = []
    for i in HOSTS:
        guard, t = rules.open(s, i, F, B)
        result.append((f"open{i}", guard, t))
        guard, t = rules.start_version(s, i, F, B)
        result.append((f"move{i}", And(guard, env.may_move(s, i, F)), t))
        result.append((f"gain-address{i}", BoolVal(True), s.put("held", i, (B,))))
        result.append((f"lose-address{i}", env.may_lose(s, i, A), s.put("held", i, (A,), False)))
        if env.natted[i]:
            result.append((f"rebind{i}", *rebind(s, i)))
            guard, t = suspect(rules, s, i, F)
            result.append((f"suspect{i}", guard, t))
    result.append(("lose-packets", *lose_packets(s)))
    return result


def flowing(rules, env, s):
    """Timers and deliveries: what goes on when the network is calm."""
    result = []
    for i in HOSTS:
        source = A if not env.honest else s.cur(i, F)
        peer_source = B if not env.honest else s.cur(1 - i, F)
        answering = B if not env.honest else D
        repeating = B if not env.honest else rules.answering(s, 1 - i, F, E)
        repeats, repeated = rules.send_syn_ack(s, i, F, A, repeating, E)
        for name, step in {
            "send-syn": rules.send_syn(s, i, F, source, D),
            "send-rsyn": rules.send_rsyn(s, i, F, source, D),
            "send-syn-ack": (And(repeats, rules.returns(s, 1 - i, F, E)), repeated),
            "send-rsyn-ack": rules.send_rsyn_ack(s, i, F, A, peer_source),
            "send-data": rules.send_data(s, i, F),
            "deliver-syn": rules.deliver_syn(s, i, F, V, A, D, answering),
            "deliver-rsyn": rules.deliver_rsyn(s, i, F, V, A, D),
            "deliver-syn-ack": rules.deliver_syn_ack(s, i, F, V, A, B, E),
            "deliver-rsyn-ack": rules.deliver_rsyn_ack(s, i, F, V, A, B),
            "deliver-ack": rules.deliver_ack(s, i, F, V, A, D),
            "deliver-data": rules.deliver_data(s, i, F, A),
            "forge-ack": rules.forge_ack(s, i, F, A, D),
        }.items():
            result.append((f"{name}{i}", *step))
    return result


def rebind(s, i):
    """The NAT of host i maps every flow to an arbitrary new address, all at once."""
    cur = Function("rebound", FLOW, ADDRESS)
    held = Function("reaching", ADDRESS, BOOL)
    t = s.replace("cur", i, cur).replace("held", i, held)
    before = s.own
    t = t.replace("own", i, lambda f, v, a: Or(
        before(i, f, v, a), And(v == s.ver(i, f), a == cur(f), s.est(i, f) != NONE)))
    return every((FLOW,), lambda f: held(cur(f))), t


def suspect(rules, s, i, f):
    """R10b: mover i, established and acknowledged, hears nothing: it starts a new version."""
    silent = And(s.est(i, f) == ESTABLISHED, s.acked(i, f), Not(hears(s, i, f)))
    guard, t = rules.start_version(s, i, f, s.cur(i, f))
    return And(guard, rules.suspects(silent)), t


def hears(s, i, f):
    """Something of the peer reaches mover i: data, or the answer to an unfinished version."""
    return Or(And(s.val(i, f) >= 0, s.held(i, s.adr(i, f))),
              And(s.cand(i, f) > s.val(i, f), some_source_held(s, i, f)))


def some_source_held(s, i, f):
    """Mover i still receives at a source of its newest version."""
    a = Const("source", ADDRESS)
    return Exists([a], And(s.src(i, f, a), s.held(i, a)))


def lose_packets(s):
    """Any packets in flight vanish."""
    guard, t = [], s
    for i in HOSTS:
        for name in NETWORK:
            domain = RELATIONS[name]
            left = Function(f"left_{name}{i}", *domain, BOOL)
            before = getattr(s, name)
            guard.append(every(domain, lambda *key: implies(left(*key), before(i, *key))))
            t = t.replace(name, i, left)
    return And(guard), t
