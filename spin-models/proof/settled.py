# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Settled implies converged.

A connection is settled when nothing that still can happen changes what a host remembers: whichever
timer fires, and whatever its packet, the answer to it and the answer to that bring about. Packets
left over from before do not count, so nothing here rests on a packet that lingers.
"""
from z3 import And, Const, Function, Implies, Not, Or

from connection import (ADDRESS, ESTABLISHED, FIRST, FLOW, HOSTS, NAME, NONE, SYN_SENT, every,
                        implies, opens)
from steps import suspect


def settled(rules, env, s):
    """Clauses, one for each chain of events that must change nothing."""
    clauses = []
    for i in HOSTS:
        clauses.append(every((FLOW, ADDRESS), lambda f, d: syn_chain(rules, env, s, i, f, d)))
        clauses.append(every((FLOW, ADDRESS), lambda f, d: rsyn_chain(rules, env, s, i, f, d)))
        clauses.append(every((FLOW, ADDRESS), lambda f, a: syn_ack_chain(rules, s, i, f, a)))
        clauses.append(every((FLOW, ADDRESS), lambda f, a: rsyn_ack_chain(rules, s, i, f, a)))
        if env.natted[i]:
            clauses.append(every((FLOW,), lambda f: Not(suspect(rules, s, i, f)[0])))
    return clauses


def syn_chain(rules, env, s, i, f, d):
    """SYN to d, SYN-ACK from d, ACK."""
    v, src = s.ver(i, f), s.cur(i, f)
    sends, sent = rules.send_syn(s, i, f, src, d)
    syn = rules.deliver_syn(sent, i, f, v, src, d, d)
    echo = rules.token_returned(d)
    return implies(sends, rules.syn_destinations(env, s, i, f, d), changes_nothing(s, f, syn, [
        lambda t: rules.deliver_syn_ack(t, i, f, v, src, d, echo),
        lambda t: rules.deliver_ack(t, i, f, v, src, d)]))


def rsyn_chain(rules, env, s, i, f, d):
    """RSYN to d, RSYN-ACK to its source, ACK."""
    v, src = s.ver(i, f), s.cur(i, f)
    sends, sent = rules.send_rsyn(s, i, f, src, d)
    rsyn = rules.deliver_rsyn(sent, i, f, v, src, d)
    return implies(sends, rules.destinations(env, s, i, f, d), changes_nothing(s, f, rsyn, [
        lambda t: rules.deliver_rsyn_ack(t, i, f, v, src, d),
        lambda t: rules.deliver_ack(t, i, f, v, src, d)]))


def syn_ack_chain(rules, s, i, f, token):
    """The responder repeats its SYN-ACK to a source of the candidate; ACK.

    It returns some token, nothing is known of which, so nothing here rests on its being right.
    """
    v, echo = s.cand(i, f), RETURNED(f, token)
    src = rules.answering(s, 1 - i, f, echo)
    sends, sent = rules.send_syn_ack(s, i, f, token, src, echo)
    answer = rules.deliver_syn_ack(sent, i, f, v, token, src, echo)
    return implies(sends, changes_nothing(s, f, answer, [
        lambda t: rules.deliver_ack(t, i, f, v, token, src)]))


def rsyn_ack_chain(rules, s, i, f, token):
    """The peer repeats its RSYN-ACK to a source of the candidate; ACK."""
    v, src = s.cand(i, f), s.cur(1 - i, f)
    sends, sent = rules.send_rsyn_ack(s, i, f, token, src)
    answer = rules.deliver_rsyn_ack(sent, i, f, v, token, src)
    return implies(sends, changes_nothing(s, f, answer, [
        lambda t: rules.deliver_ack(t, i, f, v, token, src)]))


def changes_nothing(s, f, delivery, replies):
    """The delivery leaves every host as it is in s, and so does each reply that it brings about."""
    guard, t = delivery
    same = s.same_endpoints(t, f)
    if replies:
        same = And(same, changes_nothing(s, f, replies[0](t), replies[1:]))
    return Implies(guard, same)


def converged(s, f, env):
    """Flow f is open on both sides, and each host sends its data to where the other is."""
    clauses = []
    for i in HOSTS:
        clauses += [s.est(i, f) == ESTABLISHED, s.acked(i, f), s.val(i, f) >= 0,
                    s.held(i, s.adr(i, f))]
        if not env.natted[i]:
            # Without silent changes the newest version is the validated one, and no timer runs.
            clauses += [s.val(i, f) == s.ver(i, f), s.own(i, f, s.ver(i, f), s.adr(i, f))]
    return And(clauses)


def help_at_set_up(s):
    """Name resolution finds the responder of the first flow until that is established."""
    return [Implies(And(opens(i, FIRST), s.est(i, FIRST) == SYN_SENT), s.held(1 - i, NAME[1 - i]))
            for i in HOSTS]


def opened(s, f):
    """Somebody has opened flow f."""
    return Or([And(opens(i, f), s.est(i, f) != NONE) for i in HOSTS])


RETURNED = Function("returned", FLOW, ADDRESS, ADDRESS)
FLOW_UNDER_PROOF = Const("flow_under_proof", FLOW)
