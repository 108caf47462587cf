# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""The state of one connection, as first-order functions and relations without any bound.

A connection joins host 0 and host 1 and has arbitrarily many flows. Everything is indexed by the
*mover* `i`: what host i knows about itself on a flow, and what its peer `1 - i` has on record about
it. A message set is a relation: a packet in it may be delivered any number of times, in any order.

Own side of mover i, per flow:
  est    establishment: NONE, SYN_SENT, SYN_RCVD or ESTABLISHED
  ver    version of its newest address (protocol.md R14: only compared and incremented)
  acked  its (R)SYN timer is stopped
  lack   version that was last acknowledged to it
  cur    source address that its packets carry now
  fresh  it has started a version since the network became calm (used by rank.py alone)
On record at the peer, per flow:
  cand, src(f, a)   newest version seen, -1 for none, and the sources it was seen from: unproven
  val, adr          validated version, -1 for none, and address: data goes there
Addresses and history:
  held(a)       packets sent to a reach host i now
  sent(f, a)    host i sent a SYN of flow f to a
  asked(f, a)   a SYN of flow f that was sent to a arrived there, where host i read its token
  own(f, v, a)  host i held and used a for flow f under version v
  got(f, v, a)  an (R)SYN-ACK of version v arrived at a, where host i read its token
Packets in flight (the token of a SYN or (R)SYN-ACK is bound to the address it is sent to):
  syn(f, v, src, dst)       rs(f, v, src, dst)        SYN and RSYN of mover i
  sa(f, v, token, src, echo)  ra(f, v, token, src)    answers to it, from src; a SYN-ACK returns the
                            token of a SYN in echo, and its sender's address has version 0
  ak(f, v, token, dst)                                its ACK, echoing the token
  dat(f, v, dst)                                      data of the peer, sent to record (v, dst)
"""
from z3 import (And, BoolSort, Const, DeclareSort, ForAll, Function, If, Implies, IntSort, IntVal,
                Not)

FLOW = DeclareSort("Flow")
ADDRESS = DeclareSort("Address")
INT, BOOL = IntSort(), BoolSort()
NONE, SYN_SENT, SYN_RCVD, ESTABLISHED = (IntVal(n) for n in range(4))

VARIABLES = {
    "est": INT, "ver": INT, "acked": BOOL, "lack": INT, "cur": ADDRESS, "fresh": BOOL,
    "cand": INT, "val": INT, "adr": ADDRESS,
}
RELATIONS = {
    "held": (ADDRESS,),
    "src": (FLOW, ADDRESS),
    "sent": (FLOW, ADDRESS),
    "asked": (FLOW, ADDRESS),
    "own": (FLOW, INT, ADDRESS),
    "got": (FLOW, INT, ADDRESS),
    "syn": (FLOW, INT, ADDRESS, ADDRESS),
    "rs": (FLOW, INT, ADDRESS, ADDRESS),
    "sa": (FLOW, INT, ADDRESS, ADDRESS, ADDRESS),
    "ra": (FLOW, INT, ADDRESS, ADDRESS),
    "ak": (FLOW, INT, ADDRESS, ADDRESS),
    "dat": (FLOW, INT, ADDRESS),
}
NETWORK = ("syn", "rs", "sa", "ra", "ak", "dat")
ENDPOINT = ("est", "ver", "acked", "cur", "cand", "val", "adr")
HOSTS = (0, 1)

# Which host opens a flow is fixed for its life and otherwise arbitrary; FIRST opens the connection.
OPENED_BY_0 = Function("opened_by_0", FLOW, BOOL)
FIRST = Const("first_flow", FLOW)
# A stable alternative address of host 0, used under the assumption of that name only.
ALTERNATIVE = Const("alternative_of_0", ADDRESS)
# What name resolution yields for each host.
NAME = tuple(Const(f"name_of_{i}", ADDRESS) for i in HOSTS)


def opens(i, f):
    """Host i is the initiator of flow f."""
    return OPENED_BY_0(f) if i == 0 else Not(OPENED_BY_0(f))


class State:
    """One state: a z3 function for every variable and relation of both hosts.

    States that follow from a step are expressions over their predecessor, so that a step needs no
    frame axiom: what it does not write is the same by construction.
    """

    def __init__(self, tag):
        self._of = {}
        for i in HOSTS:
            for name, sort in VARIABLES.items():
                self._of[name, i] = Function(f"{name}{i}_{tag}", FLOW, sort)
            for name, domain in RELATIONS.items():
                self._of[name, i] = Function(f"{name}{i}_{tag}", *domain, BOOL)

    def __getattr__(self, name):
        if name not in VARIABLES and name not in RELATIONS:
            raise AttributeError(name)
        return lambda i, *key: self._of[name, i](*key)

    def put(self, name, i, key, value=True, when=True):
        """The state in which `name` of host i at `key` is `value` if `when` holds."""
        before = self._of[name, i]

        def after(*at):
            return If(And(when, *[x == y for x, y in zip(at, key)]), value, before(*at))

        return self.replace(name, i, after)

    def replace(self, name, i, function):
        """The state in which `name` of host i is the given function."""
        new = object.__new__(State)
        new._of = {**self._of, (name, i): function}
        return new

    def same_endpoints(self, other, f):
        """Both states agree on everything either host remembers about flow f."""
        return And(*[
            getattr(self, name)(i, f) == getattr(other, name)(i, f)
            for i in HOSTS for name in ENDPOINT
        ], *[
            every((ADDRESS,), lambda a: self.src(i, f, a) == other.src(i, f, a)) for i in HOSTS
        ])


def every(domain, body, prefix="q"):
    """For all values of the sorts in `domain`: body."""
    values = [Const(f"{prefix}{n}_{sort}", sort) for n, sort in enumerate(domain)]
    return ForAll(values, body(*values))


def initial(s):
    """No flow is open, nothing is on record, nothing is in flight."""
    clauses = []
    for i in HOSTS:
        clauses.append(every((FLOW,), lambda f: And(
            s.est(i, f) == NONE, s.ver(i, f) == 0, Not(s.acked(i, f)), s.lack(i, f) == 0,
            Not(s.fresh(i, f)), s.cand(i, f) == -1, s.val(i, f) == -1)))
        for name, domain in RELATIONS.items():
            if name != "held":
                clauses.append(every(domain, lambda *key: Not(getattr(s, name)(i, *key))))
    return clauses


def implies(*terms):
    """terms[:-1] together imply terms[-1]."""
    return Implies(And(*terms[:-1]), terms[-1])
